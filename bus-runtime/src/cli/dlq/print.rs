//! Dead letters as people and programs read them.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::cli::Output;
use crate::cli::report::lines;
use crate::cli::table::Table;
use crate::dead_letters::{Group, Groups, Letter, Listing, QueueStats, Record, test_of};
use crate::names::QueueName;
use crate::seam;

/// How much of an error stands in a table.
const ERROR_CHARS: usize = 100;

/// `1 letter`, `2 letters`.
pub(super) fn letters(count: u64) -> String {
    match count {
        1 => "1 letter".to_owned(),
        many => format!("{many} letters"),
    }
}

fn document(schema: &str, items: &[Value], more: &[(&str, Value)], format: Output) -> String {
    let mut document = json!({ "schema": schema, "items": items });
    for (name, value) in more {
        document[*name] = value.clone();
    }
    match format {
        Output::Jsonl => lines(&document),
        Output::Json | Output::Table => format!("{document:#}\n"),
    }
}

pub(super) fn listing(listing: &Listing, format: Output) -> String {
    let now = seam::wall_clock();
    if format != Output::Table {
        let items: Vec<_> = listing.letters.iter().map(|letter| value(letter, now)).collect();
        let more = [("total", listing.total.into()), ("is_cut", listing.is_cut.into())];
        return document("bus.dlq/1", &items, &more, format);
    }
    if listing.letters.is_empty() {
        return match listing.total {
            0 => "no dead letters\n".to_owned(),
            total => format!("none of {} is meant\n", letters(total)),
        };
    }
    let mut table = Table::new(&["id", "age", "queue", "key", "reason", "attempts", "error"]);
    for letter in &listing.letters {
        table.row([
            letter.id.clone(),
            letter.age(now).map_or_else(|| "-".to_owned(), short),
            letter.queue.clone(),
            letter.routing_key.clone(),
            letter.reason.clone(),
            letter.attempts.map_or_else(|| "-".to_owned(), |attempts| attempts.to_string()),
            one_line(letter.error.as_deref().unwrap_or("-")),
        ]);
    }
    let mut text = table.render();
    if listing.is_cut {
        let shown = listing.letters.len();
        text.push_str(&format!(
            "the first {shown}; {} lie there: see more with --limit\n",
            letters(listing.total)
        ));
    }
    text
}

/// A length of time in its largest unit: `5s`, `3m`, `2h`, `9d`.
fn short(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn one_line(text: &str) -> String {
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = line.char_indices().nth(ERROR_CHARS) {
        line.truncate(cut);
        line.push('…');
    }
    line
}

fn time(time: Option<SystemTime>) -> Value {
    // RFC 3339 ends with the year 9999, and what the broker says may lie beyond it.
    let known = time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    known.filter(|since| since.as_secs() < 253_402_300_800).map_or(Value::Null, |since| {
        humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + since).to_string().into()
    })
}

fn value(letter: &Letter, now: SystemTime) -> Value {
    json!({
        "id": letter.id,
        "message_id": letter.message_id(),
        "dead_queue": letter.dead_queue.as_str(),
        "queue": letter.queue,
        "exchange": letter.exchange,
        "routing_key": letter.routing_key,
        "type": letter.message_type(),
        "by": letter.by.as_str(),
        "reason": letter.reason,
        "error": letter.error,
        "error_type": letter.error_type,
        "handler": letter.handler,
        "member": letter.member,
        "instance": letter.instance,
        "attempts": letter.attempts,
        "replays": letter.replays,
        "first_failed_at": time(letter.first_failed_at),
        "last_failed_at": time(letter.last_failed_at),
        "age": letter.age(now).map(|age| age.as_secs()),
        "worker": letter.worker,
        "group": letter.group(),
        "size": letter.envelope.body.len(),
    })
}

/// One letter with everything that is known.
pub(super) fn letter(letter: &Letter, now: SystemTime, format: Output) -> String {
    if format != Output::Table {
        let mut value = value(letter, now);
        value["explained"] = letter.explain(now).into();
        let record = Record { queue: letter.dead_queue.clone(), envelope: (*letter.envelope).clone() };
        // What is written is a JSON object.
        value["message"] = serde_json::from_str(&record.to_line()).unwrap_or_default();
        return match format {
            Output::Jsonl => format!("{value}\n"),
            Output::Json | Output::Table => format!("{value:#}\n"),
        };
    }
    let mut text = format!("letter {} in {}\n\n", letter.id, letter.dead_queue);
    for sentence in letter.explain(now) {
        text.push_str(&format!("  {}\n", sentence.replace('\n', "\n  ")));
    }
    text.push('\n');
    let told = [
        ("queue", Some(letter.queue.clone())),
        ("handler", letter.handler.clone()),
        ("published", Some(format!("{} on exchange \"{}\"", letter.routing_key, letter.exchange))),
        ("type", letter.message_type().map(str::to_owned)),
        ("message id", letter.message_id().map(str::to_owned)),
        ("reason", Some(format!("{}, says the {}", letter.reason, letter.by.as_str()))),
        ("error type", letter.error_type.clone()),
        ("attempts", letter.attempts.map(|attempts| attempts.to_string())),
        ("failed first", time(letter.first_failed_at).as_str().map(str::to_owned)),
        ("failed last", time(letter.last_failed_at).as_str().map(str::to_owned)),
        ("worker", letter.worker.clone()),
        ("group", Some(letter.group())),
    ];
    for (name, value) in told {
        if let Some(value) = value {
            text.push_str(&format!("  {name:<13}{value}\n"));
        }
    }
    text.push_str("\nheaders\n");
    for (name, value) in letter.envelope.headers.iter().filter(|(name, _)| *name != "bus-error") {
        text.push_str(&format!("  {name}: {value}\n"));
    }
    text.push_str(&format!(
        "\nbody, {} bytes\n{}\n",
        letter.envelope.body.len(),
        body(&letter.envelope.body)
    ));
    let id = &letter.id;
    text.push_str(&format!(
        "\nas a test: dlq show {id} --as-test\nchange it: dlq edit {id}\nsend it back: dlq replay --id {id}\n"
    ));
    text
}

/// A test that publishes the message of a letter.
pub(super) fn test(letter: &Letter, app: &str) -> String {
    let unknown = || format!("{}::message", app.replace('-', "_"));
    let handler = letter.handler.clone().unwrap_or_else(unknown);
    test_of(&letter.exchange, &letter.routing_key, Some(&letter.envelope.body), &handler)
}

/// JSON well laid out, text as it is, and how much there is of anything else.
fn body(bytes: &[u8]) -> String {
    if let Ok(json) = serde_json::from_slice::<Value>(bytes) {
        return format!("{json:#}");
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let begin: Vec<_> = bytes.iter().take(64).map(|byte| format!("{byte:02x}")).collect();
            format!("not text; it begins {}", begin.join(" "))
        }
    }
}

pub(super) fn groups(groups: &Groups, format: Output) -> String {
    if format != Output::Table {
        let value = |group: &Group| {
            json!({
                "group": group.name,
                "count": group.count,
                "handler": group.handler,
                "reason": group.reason,
                "error_type": group.error_type,
                "error": group.error,
                "example": group.example,
                "first": time(group.first),
                "last": time(group.last),
            })
        };
        let items: Vec<_> = groups.groups.iter().map(value).collect();
        return document("bus.dlq-groups/1", &items, &[("others", groups.others.into())], format);
    }
    if groups.groups.is_empty() {
        return "no dead letters\n".to_owned();
    }
    let now = seam::wall_clock();
    let ago = |time: Option<SystemTime>| {
        time.map_or_else(|| "-".to_owned(), |time| short(now.duration_since(time).unwrap_or_default()))
    };
    let mut table = Table::new(&["group", "count", "first", "last", "handler", "reason", "example", "error"]);
    for group in &groups.groups {
        table.row([
            group.name.clone(),
            group.count.to_string(),
            ago(group.first),
            ago(group.last),
            group.handler.clone(),
            group.reason.clone(),
            group.example.clone(),
            one_line(group.error.as_deref().unwrap_or("-")),
        ]);
    }
    let mut text = table.render();
    if groups.others > 0 {
        text.push_str(&format!("and {} of more groups\n", letters(groups.others)));
    }
    text
}

pub(super) fn stats(stats: &[QueueStats], format: Output) -> String {
    if format != Output::Table {
        let value = |queue: &QueueStats| {
            json!({
                "dead_queue": queue.queue.as_str(),
                "queues": queue.of.iter().map(QueueName::as_str).collect::<Vec<_>>(),
                "letters": queue.letters,
                "bytes": queue.bytes,
                "reasons": queue.reasons,
                "oldest": time(queue.oldest),
                "newest": time(queue.newest),
            })
        };
        let items: Vec<_> = stats.iter().map(value).collect();
        return document("bus.dlq-stats/1", &items, &[], format);
    }
    let now = seam::wall_clock();
    let mut table = Table::new(&["dead letters", "count", "bytes", "oldest", "newest", "reasons"]);
    for queue in stats {
        table.row([
            queue.queue.to_string(),
            queue.letters.to_string(),
            queue.bytes.to_string(),
            age(queue.oldest, now),
            age(queue.newest, now),
            reasons(queue),
        ]);
    }
    table.render()
}

fn age(since: Option<SystemTime>, now: SystemTime) -> String {
    since.map_or_else(|| "-".to_owned(), |since| short(now.duration_since(since).unwrap_or_default()))
}

fn reasons(queue: &QueueStats) -> String {
    let told: Vec<_> = queue.reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    if told.is_empty() { "-".to_owned() } else { told.join(", ") }
}

/// What a purge deletes.
pub(super) fn impact(stats: &[QueueStats], total: u64, now: SystemTime) -> String {
    if total == 0 {
        return "There is nothing to delete.\n".to_owned();
    }
    let mut text = String::new();
    for queue in stats.iter().filter(|queue| queue.letters > 0) {
        text.push_str(&format!(
            "  {}   {} ({}), oldest {}\n",
            queue.queue,
            letters(queue.letters),
            reasons(queue),
            age(queue.oldest, now)
        ));
    }
    text + "They will be deleted. There is no undo. Save them first: dlq export FILE\n"
}
