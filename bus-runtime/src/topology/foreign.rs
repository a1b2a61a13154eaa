//! What others own and handlers use: `exchange = ".."` and `declare = "never"`. It is looked at, and never changed.

use super::plan::Planned;
use super::{Exchange, ExchangeKind, Topology};
use crate::error::{Error, ErrorKind};
use crate::names::QueueName;

/// What others declare, and handlers use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreign {
    /// Exchanges that queues of this app are bound to.
    pub exchanges: Vec<ForeignExchange>,
    /// Queues that this app consumes, and neither declares nor binds.
    pub queues: Vec<QueueName>,
}

/// An exchange of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignExchange {
    /// As it is declared when it may be; one that exists is taken as it is, if only it routes in this way.
    pub exchange: Exchange,
    /// What to do when it does not exist.
    pub if_missing: IfMissing,
}

/// What to do when something of others does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMissing {
    /// It is declared; from then on it is left alone.
    Declare,
    /// It is an error: `declare = "never"`.
    Refuse,
}

impl Foreign {
    /// Whether there is nothing of others.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.exchanges.is_empty() && self.queues.is_empty()
    }
}

/// What the handlers use and the app does not declare.
pub(super) fn foreign(
    handlers: &[Planned],
    own: &Topology,
    keep: &mut impl FnMut(Result<(), Error>),
) -> Foreign {
    let mut foreign = Foreign::default();
    for planned in handlers {
        let (entry, options) = (&planned.entry, &planned.options);
        if options.has_foreign_queue() && !foreign.queues.contains(&entry.queue) {
            foreign.queues.push(entry.queue.clone());
        }
        if options.exchange.is_none() {
            continue;
        }
        if own.exchanges.iter().any(|exchange| exchange.name == entry.exchange) {
            keep(own_exchange(planned));
            continue;
        }
        let kind = options.exchange_kind.unwrap_or(ExchangeKind::Topic);
        let if_missing = if options.declare_never { IfMissing::Refuse } else { IfMissing::Declare };
        let known = foreign.exchanges.iter_mut().find(|known| known.exchange.name == entry.exchange);
        match known {
            Some(known) if known.exchange.kind != kind => {
                keep(Err(two_kinds(planned, known.exchange.kind, kind)));
            }
            // Whoever must not declare it decides for all.
            Some(known) if if_missing == IfMissing::Refuse => known.if_missing = if_missing,
            Some(_) => {}
            None => {
                let exchange = Exchange { kind, ..Exchange::topic(entry.exchange.clone()) };
                foreign.exchanges.push(ForeignExchange { exchange, if_missing });
            }
        }
    }
    foreign
}

/// An exchange that the app declares itself may be named; nothing else may be said of it.
fn own_exchange(planned: &Planned) -> Result<(), Error> {
    let options = &planned.options;
    let is_topic = options.exchange_kind.is_none_or(|kind| kind == ExchangeKind::Topic);
    if is_topic && (!options.declare_never || options.has_foreign_queue()) {
        return Ok(());
    }
    let message =
        format!("this app declares exchange `{}` itself, as a topic exchange", planned.entry.exchange);
    Err(Error::new(ErrorKind::Registration, message)
        .with_place(planned.entry.place, planned.entry.name.clone())
        .with_help("leave out `exchange_kind` and `declare`, or name an exchange of others"))
}

fn two_kinds(planned: &Planned, known: ExchangeKind, kind: ExchangeKind) -> Error {
    let exchange = &planned.entry.exchange;
    let message = format!("exchange `{exchange}` is said to be {known} by one handler and {kind} by another");
    Error::new(ErrorKind::Registration, message)
        .with_place(planned.entry.place, planned.entry.name.clone())
        .with_help("write the same `exchange_kind` on both: that of the exchange as its owner declares it")
}
