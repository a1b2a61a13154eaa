//! Expressions of `--where`: a mistake points into the text, and what is understood obeys the rules of logic.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use crate::dead_letters::{Letter, Record, Selection};
use crate::expression::{Expression, glob};

static LETTER: LazyLock<Letter> = LazyLock::new(|| {
    let line = r#"{"schema":"bus.dead-letter/1","queue":"app.wiki.dead","exchange":"","routing_key":"app.wiki.dead",
        "properties":{"message_id":"7","message_type":"page.saved"},"body":"{\"id\":7}",
        "headers":{"bus-attempt":3,"bus-error":"Connection timeout","bus-handler":"wiki::on_wiki","x-tenant":"acme"}}"#;
    let record = Record::parse(line).expect("a record");
    Letter::of(Arc::new(record.envelope), &record.queue)
});

/// An expression.
pub(super) fn expression(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Expression::parse(text, &Letter::FIELDS) {
        Ok(parsed) => {
            let holds = holds(parsed);
            // Parentheses nest, and that has a limit.
            let asked = |text: String| Expression::parse(&text, &Letter::FIELDS).ok().map(self::holds);
            let law = |text: String, wanted: bool| {
                if let Some(found) = asked(text.clone()) {
                    assert_eq!(found, wanted, "{text}");
                }
            };
            law(format!("!({text})"), !holds);
            law(format!("({text}) && ({text})"), holds);
            law(format!("({text}) or not ({text})"), true);
            law(format!("not ({text} || {text})"), !holds);
        }
        Err(error) => {
            let column = error.column();
            assert!((1..=text.chars().count() + 1).contains(&column), "{text:?}: {error}");
            assert!(!error.message().is_empty() && !error.to_string().is_empty());
        }
    }
    if let Some((pattern, text)) = text.split_once('\n') {
        assert_eq!(
            glob(pattern, text),
            reference(pattern.as_bytes(), text.as_bytes()),
            "{pattern:?} ~ {text:?}"
        );
    }
}

fn holds(expression: Expression) -> bool {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    Selection { expression: Some(expression), ..Selection::default() }.matches(&LETTER, now)
}

/// The texts of a pattern, as one would write it down: row by row, for each beginning of the text whether the pattern takes it.
fn reference(pattern: &[u8], text: &[u8]) -> bool {
    let mut takes: Vec<bool> = (0..=text.len()).map(|length| length == 0).collect();
    for wanted in pattern {
        let before = takes;
        takes = vec![*wanted == b'*' && before[0]];
        for (at, found) in text.iter().enumerate() {
            let takes_it =
                if *wanted == b'*' { before[at + 1] || takes[at] } else { before[at] && wanted == found };
            takes.push(takes_it);
        }
    }
    takes[text.len()]
}
