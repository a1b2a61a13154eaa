//! The options that choose among dead letters.

use std::time::Duration;

use clap::Args;

use crate::binding_key::BindingKey;
use crate::cli::duration;
use crate::dead_letters::{Letter, Selection};
use crate::error::{Error, ErrorKind};
use crate::expression::Expression;

/// Which dead letters are meant; all of the app's without any of these. Those that are given must hold together.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Which letters")]
pub(super) struct Choose {
    /// Dead letters of this queue, as often as you like; also of a queue that the app does not have any more
    #[arg(long, value_name = "QUEUE")]
    queue: Vec<String>,
    /// Of this handler; * stands for any text
    #[arg(long, value_name = "NAME")]
    handler: Option<String>,
    /// With this reason: failed, rejected, decode, expired, delivery_limit, ..
    #[arg(long, value_name = "WORD")]
    reason: Option<String>,
    /// With this text in the error
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Of this message type, by topic
    #[arg(long = "type", value_name = "TOPIC")]
    message_type: Option<String>,
    /// Published with a key that this pattern matches, such as wiki.#
    #[arg(long, value_name = "PATTERN")]
    key: Option<String>,
    /// At least so old: 30m, 2h, 7d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    older: Option<Duration>,
    /// At most so old
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    newer: Option<Duration>,
    /// With this id, of the letter or of the message, as often as you like
    #[arg(long, value_name = "ID")]
    id: Vec<String>,
    /// That failed alike: a name that `dlq groups` tells
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Of which this is true: 'error~"timeout" && age<2h'. Fields are id, queue, handler, reason, by, error, error_type, type,
    /// key, exchange, group, worker, member, instance, body, attempts, replays, size, age and header.NAME
    #[arg(long = "where", value_name = "EXPRESSION")]
    expression: Option<String>,
}

impl Choose {
    pub(super) fn selection(&self) -> Result<Selection, Error> {
        let Self { queue, handler, reason, error, message_type, key, older, newer, id, group, expression } =
            self.clone();
        let key = key.map(|key| BindingKey::parse(key.as_str())).transpose().map_err(|error| {
            Error::new(ErrorKind::InvalidName, "--key is no pattern of routing keys").with_source(error)
        })?;
        let expression = expression
            .map(|text| Expression::parse(&text, &Letter::FIELDS))
            .transpose()
            .map_err(|error| Error::new(ErrorKind::InvalidName, format!("--where: {error}")))?;
        Ok(Selection {
            queues: queue,
            handler,
            reason,
            error,
            message_type,
            key,
            older,
            newer,
            ids: id,
            group,
            expression,
        })
    }
}
