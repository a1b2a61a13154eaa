//! Durations as options spell them: `"500ms"`, `"30s"`, `"5m"`, `"1h"`.

use std::time::Duration;

/// Reads a whole number and a unit.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// Writes a duration as [`parse`] reads it, in the largest unit that is exact.
pub(crate) fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        _ if !millis.is_multiple_of(1_000) => format!("{millis}ms"),
        _ if !millis.is_multiple_of(60_000) => format!("{}s", millis / 1_000),
        _ if !millis.is_multiple_of(3_600_000) => format!("{}m", millis / 60_000),
        _ => format!("{}h", millis / 3_600_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        for (text, millis) in [
            ("500ms", Some(500)),
            ("30s", Some(30_000)),
            ("5m", Some(300_000)),
            ("1h", Some(3_600_000)),
            ("0s", Some(0)),
            ("007s", Some(7_000)),
            ("", None),
            ("30", None),
            ("s", None),
            ("30 s", None),
            ("30 seconds", None),
            ("1.5s", None),
            ("-1s", None),
            ("+1s", None),
            ("1d", None),
            ("1S", None),
            ("1m30s", None),
            ("٣s", None),
            ("18446744073709551616ms", None),
            ("18446744073709551615h", None),
        ] {
            assert_eq!(parse(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        for (millis, text) in
            [(1, "1ms"), (1_500, "1500ms"), (30_000, "30s"), (60_000, "1m"), (7_200_000, "2h")]
        {
            assert_eq!(show(Duration::from_millis(millis)), text);
            assert_eq!(parse(text), Some(Duration::from_millis(millis)));
        }
    }
}
