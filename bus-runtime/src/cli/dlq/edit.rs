//! `dlq edit`: change the body of a dead letter, in an editor or from the command line.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;
use serde_json::{Value, json};

use super::layout;
use crate::cli::publish::{bytes_of, name_and_value};
use crate::cli::{Output, report};
use crate::config;
use crate::dead_letters::{DeadLetters, Letter, Selection};
use crate::error::{Error, ErrorKind};
use crate::seam;

/// Options of `dlq edit`.
#[derive(Args, Clone, Debug)]
pub(super) struct EditArgs {
    /// The id of the letter, as `dlq ls` tells it, or of the message
    id: String,
    /// In the dead letters of this queue
    #[arg(long, value_name = "QUEUE")]
    queue: Vec<String>,
    /// The new body: JSON, @FILE to read it from a file, or - for standard input; without it and --set, $VISUAL or $EDITOR opens
    #[arg(long, value_name = "BODY|@FILE|-", allow_hyphen_values = true, conflicts_with = "set")]
    body: Option<String>,
    /// Change one field of a JSON body, as often as you like: customer.id=42
    #[arg(long, value_name = "FIELD=VALUE", value_parser = name_and_value)]
    set: Vec<(String, String)>,
    /// Change one header, as often as you like; those of Bus and of the broker stay as they are
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Only show the difference
    #[arg(long)]
    dry_run: bool,
}

/// What only Bus and the broker write.
const RESERVED: [&str; 3] = ["bus-", "x-death", "x-first-death"];

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = name_and_value(text)?;
    match RESERVED.iter().any(|reserved| name.starts_with(reserved)) {
        true => Err(format!("{name} tells the story of the letter and can't be changed")),
        false => Ok((name, value)),
    }
}

pub(super) async fn edit(
    letters: &DeadLetters,
    arguments: &EditArgs,
    format: Output,
) -> Result<ExitCode, Error> {
    let Some(letter) = one(letters, arguments).await? else {
        report::warning(&format!("there is no dead letter {}; `dlq ls` lists them", arguments.id));
        return Ok(ExitCode::from(super::NOT_FOUND));
    };
    let before = Body::of(&letter)?;
    let after = arguments.changed(&before)?;
    let mut difference = layout::difference(&before.shown(), &after.shown());
    for (name, value) in &arguments.headers {
        let old = letter.envelope.headers.get(name).map(|old| format!("- {name}: {old}\n"));
        difference.push_str(&format!("{}+ {name}: {value}\n", old.unwrap_or_default()));
    }
    if difference.is_empty() {
        report::note("nothing has changed");
        return Ok(ExitCode::SUCCESS);
    }
    report::aside(&difference);
    if arguments.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    let selection = Selection {
        ids: vec![letter.id.clone()],
        queues: vec![letter.dead_queue.to_string()],
        ..Selection::default()
    };
    let body = after.into_bytes();
    let headers = arguments.headers.clone();
    let edited = letters
        .revise(&selection, move |envelope| {
            envelope.body = body.into();
            for (name, value) in headers {
                envelope.headers.set(name, value);
            }
        })
        .await?;
    Ok(report::print(&match format {
        Output::Table => {
            format!("edited: the letter is {edited} now\nsend it back: dlq replay --id {edited}\n")
        }
        Output::Json | Output::Jsonl => {
            format!("{}\n", json!({ "schema": "bus.dlq-edit/1", "id": letter.id, "edited": edited }))
        }
    }))
}

/// The letter that is meant. Several handlers may have given up one message.
async fn one(letters: &DeadLetters, arguments: &EditArgs) -> Result<Option<Letter>, Error> {
    let selection = Selection {
        ids: vec![arguments.id.clone()],
        queues: arguments.queue.clone(),
        ..Selection::default()
    };
    let mut found = letters.list(&selection, super::SAME_ID_MAX).await?.letters;
    if found.len() > 1 {
        let ids: Vec<_> =
            found.iter().map(|letter| format!("{} in {}", letter.id, letter.dead_queue)).collect();
        return Err(Error::new(
            ErrorKind::InvalidName,
            format!("{} is the id of several letters", arguments.id),
        )
        .with_help(format!("say which one: {}", ids.join(", "))));
    }
    Ok(found.pop())
}

/// The body of a letter.
enum Body {
    /// A JSON document, laid out for people.
    Json(String),
    Text(String),
}

impl Body {
    fn of(letter: &Letter) -> Result<Self, Error> {
        let text = std::str::from_utf8(&letter.envelope.body).map_err(|error| {
            Error::new(ErrorKind::Codec, "the body is not text, so there is nothing to edit")
                .with_source(error)
                .with_help("give the whole body: --body @FILE")
        });
        match text {
            Ok(text) if is_json(text).is_ok() => Ok(Self::Json(layout::laid_out(text))),
            Ok(text) => Ok(Self::Text(text.to_owned())),
            Err(error) => Err(error),
        }
    }

    /// The same kind of body with another text.
    ///
    /// # Errors
    /// When it was JSON and is none any more.
    fn with(&self, text: String) -> Result<Self, Error> {
        match self {
            Self::Text(_) => Ok(Self::Text(text)),
            Self::Json(_) => match is_json(&text) {
                Ok(()) => Ok(Self::Json(layout::laid_out(&text))),
                Err(error) => Err(Error::new(ErrorKind::Codec, format!("the new body is not JSON: {error}"))
                    .with_help("the letter is as it was")),
            },
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Json(text) | Self::Text(text) => text.clone(),
        }
    }

    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Json(text) => layout::compact(&text).into_bytes(),
            Self::Text(text) => text.into_bytes(),
        }
    }
}

fn is_json(text: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).map(|_| ())
}

impl EditArgs {
    fn changed(&self, before: &Body) -> Result<Body, Error> {
        if let Some(body) = &self.body {
            let text = String::from_utf8(bytes_of(body)?).map_err(|error| {
                Error::new(ErrorKind::Codec, "the new body is not text").with_source(error)
            })?;
            return before.with(text);
        }
        if !self.set.is_empty() {
            let mut document: Value = serde_json::from_str(&before.shown()).map_err(|error| {
                Error::new(ErrorKind::Codec, "the body is not JSON, so it has no fields").with_source(error)
            })?;
            self.set.iter().try_for_each(|(field, value)| set(&mut document, field, value))?;
            return before.with(document.to_string());
        }
        match self.headers.is_empty() {
            true => in_editor(before),
            false => before.with(before.shown()),
        }
    }
}

/// Changes one field, which may be new in an object that is there.
fn set(document: &mut Value, field: &str, value: &str) -> Result<(), Error> {
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    let missing = || Error::new(ErrorKind::InvalidName, format!("the body has no field {field}"));
    let (parents, name) = field.rsplit_once('.').unwrap_or(("", field));
    let mut at = document;
    for parent in parents.split('.').filter(|parent| !parent.is_empty()) {
        at = match at {
            Value::Array(items) => parent.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
            other => other.get_mut(parent),
        }
        .ok_or_else(missing)?;
    }
    match at {
        Value::Object(fields) => {
            fields.insert(name.to_owned(), value);
        }
        Value::Array(items) => {
            *name.parse::<usize>().ok().and_then(|index| items.get_mut(index)).ok_or_else(missing)? = value;
        }
        _ => return Err(missing()),
    }
    Ok(())
}

/// A file for the editor, which goes when it is not needed any more: a body may hold secrets.
struct Draft(PathBuf);

impl Draft {
    fn write(text: &str, extension: &str) -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("letter-{}.{extension}", seam::message_id()));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let draft = Self(path);
        let mut file = options.open(&draft.0)?;
        writeln!(file, "{text}")?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // One that cannot be removed stays with other temporary files.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn in_editor(before: &Body) -> Result<Body, Error> {
    let Some(editor) = config::editor() else {
        return Err(Error::new(ErrorKind::Config, "there is no editor: neither VISUAL nor EDITOR is set")
            .with_help("say the new body: --body '{..}', --body @FILE, or --set field=value"));
    };
    let failed =
        |error| Error::new(ErrorKind::Config, format!("can't edit with `{editor}`")).with_source(error);
    let extension = if matches!(before, Body::Json(_)) { "json" } else { "txt" };
    let draft = Draft::write(&before.shown(), extension).map_err(failed)?;
    let status = opened(&editor, &draft.0).map_err(failed)?;
    if !status.success() {
        return Err(Error::new(ErrorKind::Config, format!("`{editor}` has ended with {status}"))
            .with_help("the letter is as it was"));
    }
    let text = std::fs::read_to_string(&draft.0).map_err(failed)?;
    before.with(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

/// Opens a file. An editor may have options, so the shell takes it apart.
fn opened(editor: &str, path: &Path) -> std::io::Result<std::process::ExitStatus> {
    Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(path).status()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_set_where_they_are() {
        let mut document = json!({ "customer": { "id": 1 }, "lines": [{ "count": 1 }] });
        for (field, value) in
            [("customer.id", "42"), ("lines.0.count", "2"), ("customer.name", "Ada"), ("lines.0", "7")]
        {
            set(&mut document, field, value).unwrap();
        }
        assert_eq!(document, json!({ "customer": { "id": 42, "name": "Ada" }, "lines": [7] }));
        for field in ["customers.id", "lines.1", "lines.0.count", "customer.id.x"] {
            assert!(set(&mut document, field, "1").is_err(), "{field}");
        }
    }
}
