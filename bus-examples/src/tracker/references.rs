//! Finds the tickets that a text names, such as `#12` and `fixes #7`.

use std::collections::BTreeMap;

use super::TicketId;

/// How many tickets a text may name; whatever names more is not written by a person, and each is a message.
pub const REFERENCES_MAX: usize = 100;

/// What a text wants of the ticket that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Intent {
    /// It only names the ticket.
    Mention,
    /// It says that the ticket is done.
    Close,
}

/// The words that close the ticket after them.
const CLOSING_WORDS: [&str; 9] =
    ["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved"];

/// The tickets that a text names, each once, with the strongest intent; of too many the first [`REFERENCES_MAX`].
///
/// A reference is `#` and a number without a leading zero that stands alone: `foo#1`, `#1bar`, `&#39;` and whatever is
/// part of a URL are none. It closes the ticket when `close`, `fix` or `resolve`, in any of their forms, comes right before it.
#[must_use]
pub fn references(text: &str) -> BTreeMap<TicketId, Intent> {
    let mut found = BTreeMap::new();
    let mut closing = false;
    for word in text.split_whitespace() {
        for ticket in tickets_in(word) {
            if found.len() == REFERENCES_MAX && !found.contains_key(&ticket) {
                continue;
            }
            let intent = if closing { Intent::Close } else { Intent::Mention };
            let strongest = found.entry(ticket).or_insert(intent);
            *strongest = intent.max(*strongest);
            closing = false;
        }
        closing = closes(word);
    }
    found
}

fn closes(word: &str) -> bool {
    let word = word.trim_start_matches(['(', '[']).trim_end_matches(':');
    CLOSING_WORDS.iter().any(|closing| closing.eq_ignore_ascii_case(word))
}

fn tickets_in(word: &str) -> impl Iterator<Item = TicketId> {
    let word = if word.contains("://") { "" } else { word };
    word.match_indices('#').filter_map(|(at, _)| {
        let stands_alone = !word[..at].ends_with(|c: char| c.is_alphanumeric() || "_/#&".contains(c));
        stands_alone.then(|| number_at_start(&word[at + 1..])).flatten()
    })
}

fn number_at_start(text: &str) -> Option<TicketId> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let stands_alone = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '#');
    (stands_alone && !digits.starts_with('0')).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(u32, Intent)]) {
        let found: Vec<_> = references(text).into_iter().map(|(ticket, intent)| (ticket.0, intent)).collect();
        assert_eq!(found, expected, "in {text:?}");
    }

    #[test]
    fn a_number_sign_and_a_number_name_a_ticket() {
        for text in
            ["#12", "see #12.", "(#12)", "Merge pull request #12 from x", "a\n#12\n", "[#12]", "\"#12\""]
        {
            check(text, &[(12, Intent::Mention)]);
        }
        check("#1, #2 and #3-ish", &[(1, Intent::Mention), (2, Intent::Mention), (3, Intent::Mention)]);
        check("#1,#2", &[(1, Intent::Mention), (2, Intent::Mention)]);
    }

    #[test]
    fn a_closing_word_right_before_it_closes_it() {
        for text in ["fixes #7", "Fixes: #7", "FIXED #7", "this closes\n#7", "resolve #7!", "(fix #7)"] {
            check(text, &[(7, Intent::Close)]);
        }
        for text in ["fixes the bug of #7", "prefix #7", "fixes, maybe, #7"] {
            check(text, &[(7, Intent::Mention)]);
        }
        check("fixes #7 #8", &[(7, Intent::Close), (8, Intent::Mention)]);
    }

    #[test]
    fn named_twice_it_is_found_once_and_closing_wins() {
        check("#7: it fixes #7, says #7", &[(7, Intent::Close)]);
    }

    #[test]
    fn of_too_many_the_first_are_taken() {
        let text: String = (1..=REFERENCES_MAX + 1).map(|number| format!("#{number} ")).collect();
        let found = references(&format!("{text} fixes #1"));
        assert_eq!(found.len(), REFERENCES_MAX);
        assert_eq!(found[&TicketId(1)], Intent::Close);
    }

    #[test]
    fn what_only_looks_like_a_reference_is_none() {
        for text in [
            "",
            "#",
            "# 1",
            "foo#1",
            "foo#1bar",
            "#1bar",
            "#1_a",
            "##1",
            "#1#2",
            "&#39;",
            "owner/#1",
            "#0",
            "#000",
            "#007",
            "#99999999999999999999",
            "#é1",
            "#١",
            "https://example.org/issues#12",
            "http://example.org/#12 ",
            "(see https://example.org/a#12)",
        ] {
            check(text, &[]);
        }
    }
}
