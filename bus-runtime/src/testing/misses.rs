//! Why a handler was not called for what was published, message by message.

use std::fmt::Write as _;

use super::journal::Journal;
use super::timeline::Numbers;
use crate::envelope::{Envelope, header};
use crate::topology::HandlerEntry;

/// The most messages that are explained: the first ones say it, and nobody reads hundreds.
const EXPLAINED_MAX: usize = 20;

/// What each of the handlers binds, and why that is none of the messages.
pub(super) fn misses<'e>(entries: impl Iterator<Item = &'e HandlerEntry>, journal: &Journal) -> String {
    let numbers = Numbers::of(journal);
    let published = journal.published();
    let first: Vec<_> = published.iter().filter(|envelope| is_first(envelope)).collect();
    let mut told = String::new();
    for entry in entries {
        let keys: Vec<_> = entry.keys.iter().map(|key| format!("`{}`", key.text)).collect();
        let _ = writeln!(told, "{} binds {} on `{}`:", entry.name, keys.join(", "), entry.exchange);
        if first.is_empty() {
            told.push_str("  nothing was published\n");
        }
        for envelope in first.iter().take(EXPLAINED_MAX) {
            let number = numbers.of_message(envelope.properties.message_id.as_deref());
            let place = format!("{}: {}", envelope.exchange, envelope.routing_key);
            for why in whys(entry, envelope) {
                let _ = writeln!(told, "  {number:<3} {place}  {why}");
            }
        }
        if first.len() > EXPLAINED_MAX {
            let _ = writeln!(told, "  and {} more", first.len() - EXPLAINED_MAX);
        }
    }
    told
}

/// Why a message is not for a handler; a reason for each of its keys.
fn whys(entry: &HandlerEntry, envelope: &Envelope) -> Vec<String> {
    if !entry.any_exchange && entry.exchange != envelope.exchange {
        return vec![format!("was published on `{}`, not on `{}`", envelope.exchange, entry.exchange)];
    }
    let mismatches: Vec<_> =
        entry.keys.iter().map(|key| (key, key.key.explain(&envelope.routing_key))).collect();
    if mismatches.iter().all(|(_, mismatch)| mismatch.is_err()) {
        let reasons = mismatches.into_iter().filter_map(|(key, mismatch)| Some((key, mismatch.err()?)));
        return reasons.map(|(key, mismatch)| format!("is not `{}`: {mismatch}", key.text)).collect();
    }
    let (wanted, found) =
        (entry.message.map(|message| message.topic), envelope.properties.message_type.as_deref());
    vec![match (wanted, found) {
        (Some(wanted), Some(found)) if wanted != found => {
            format!("is bound, but its type is `{found}`, not `{wanted}`")
        }
        _ if entry.when.is_some() => "is bound; was it filtered by `when`?".to_owned(),
        _ => "is bound".to_owned(),
    }]
}

/// Whether it is the message itself, and not a copy for another attempt or for the dead letters, nor a reply.
pub(super) fn is_first(envelope: &Envelope) -> bool {
    envelope.headers.get(header::HANDLER).is_none() && envelope.properties.message_id.is_some()
}
