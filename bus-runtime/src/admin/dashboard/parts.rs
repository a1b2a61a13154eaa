//! The pieces that pages are made of.
#![expect(clippy::needless_pass_by_value, reason = "a piece is handed over as it is made")]

use std::time::{Duration, SystemTime};

use maud::{Markup, PreEscaped, Render, html};
use serde::{Serialize, Serializer};

/// A moment: relative for people, absolute on hover and for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time(pub(super) SystemTime);

impl Time {
    pub(super) fn text(self) -> String {
        humantime::format_rfc3339_millis(self.0).to_string()
    }
}

impl Render for Time {
    fn render(&self) -> Markup {
        let absolute = self.text();
        html! { time datetime=(absolute) title=(absolute) { (absolute) } }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

/// The head of a page; actions stand to the right.
pub(super) fn title(text: &str, actions: Markup) -> Markup {
    html! { div.title { h1 { (text) } div.push { (actions) } } }
}

/// The head of a page that is part of another.
pub(super) fn title_in(of: (&str, &str), text: &str, actions: Markup) -> Markup {
    html! {
        div {
            div.crumb { a href=(of.0) { (of.1) } " /" }
            (title(text, actions))
        }
    }
}

/// A card with a table. A title that begins with `#` is one of numbers.
pub(super) fn table(titles: &[&str], rows: Markup) -> Markup {
    html! { div.card { (bare_table(titles, rows)) } }
}

/// A table alone.
pub(super) fn bare_table(titles: &[&str], rows: Markup) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table {
                thead { tr {
                    @for title in titles {
                        @match title.strip_prefix('#') {
                            Some(number) => th.n scope="col" { (number) },
                            None => th scope="col" { (title) },
                        }
                    }
                } }
                tbody { (rows) }
            }
        }
    }
}

/// A part of a page with a head.
pub(super) fn card(head: &str, aside: Markup, content: Markup) -> Markup {
    html! {
        section.card {
            header { h2 { (head) } div.push { (aside) } }
            div.in { (content) }
        }
    }
}

/// As [`card`], with a table in it.
pub(super) fn card_of(head: &str, aside: Markup, table: Markup) -> Markup {
    html! {
        section.card {
            header { h2 { (head) } div.push { (aside) } }
            (table)
        }
    }
}

/// What stands where nothing is.
pub(super) fn empty(content: Markup) -> Markup {
    html! { div.card { div.empty { (content) } } }
}

/// A number in a table; a zero steps back.
pub(super) fn number(number: u64) -> Markup {
    html! { @if number == 0 { span.zero { "0" } } @else { (grouped(number)) } }
}

/// A number that nobody wants to see above zero.
pub(super) fn alarm(number: u64) -> Markup {
    html! { @if number == 0 { span.zero { "0" } } @else { span.bad { (grouped(number)) } } }
}

/// `1 234 567`, with narrow spaces.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join("\u{202f}")
}

/// `0`, `0.3`, `7`, `1 204`: so many a second.
pub(super) fn rate(per_second: f64) -> String {
    match per_second {
        rate if rate <= 0.0 => "0".to_owned(),
        rate if rate < 10.0 => format!("{rate:.1}"),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is small and not negative"
        )]
        rate => grouped(rate.round() as u64),
    }
}

/// The type of an error, where it says something: a box may hold any error, and a text none.
pub(super) fn error_type(name: &str) -> Option<&str> {
    let is_any = name.contains("dyn ") || name.ends_with("str") || name.ends_with("::String");
    (!is_any).then_some(name)
}

/// `12 µs`, `3.4 ms`, `2.1 s`, `4 min`.
pub(super) fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s <= 0.0 => "0".to_owned(),
        s if s < 0.001 => format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => format!("{} ms", short(s * 1e3)),
        s if s < 120.0 => format!("{} s", short(s)),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

/// One digit behind the point, unless that is a zero.
fn short(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// `512 B`, `3.4 kB`, `2.1 MB`.
#[expect(clippy::cast_precision_loss, reason = "it is rounded anyway")]
pub(super) fn bytes(count: u64) -> String {
    match count {
        small @ 0..1_000 => format!("{small} B"),
        middle @ 1_000..1_000_000 => format!("{:.1} kB", middle as f64 / 1e3),
        large => format!("{:.1} MB", large as f64 / 1e6),
    }
}

/// A text for the path of a URL.
pub(super) fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// A line of what was handled and one of what failed, drawn to the height of the box.
#[expect(clippy::cast_precision_loss, reason = "a picture has fewer points than that")]
pub(super) fn spark(handled: &[u32], failed: &[u32], class: &str) -> Markup {
    const HEIGHT: f64 = 26.0;
    let most = handled.iter().chain(failed).copied().max().unwrap_or_default().max(1);
    let last = handled.len().max(2) - 1;
    let points = |values: &[u32]| {
        let place = |(at, value): (usize, &u32)| {
            let (x, y) = (
                at as f64 * 100.0 / last as f64,
                HEIGHT - f64::from(*value) * (HEIGHT - 2.0) / f64::from(most) - 1.0,
            );
            format!("{x:.1},{y:.1}")
        };
        values.iter().enumerate().map(place).collect::<Vec<_>>().join(" ")
    };
    let line = points(handled);
    let label = format!("at most {most} in a step of the time that is shown");
    html! {
        (PreEscaped(format!(r#"<svg class="spark {class}" viewBox="0 0 100 {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{label}"><polygon class="fill" points="0,{HEIGHT} {line} 100,{HEIGHT}"/><polyline class="line" points="{line}"/>"#)))
        @if failed.iter().any(|count| *count > 0) { (PreEscaped(format!(r#"<polyline class="failed" points="{}"/>"#, points(failed)))) }
        (PreEscaped("</svg>"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_says_nothing_is_not_shown() {
        for name in ["alloc::boxed::Box<dyn core::error::Error>", "&str", "alloc::string::String"] {
            assert_eq!(error_type(name), None, "{name}");
        }
        assert_eq!(error_type("shop::NoMoney"), Some("shop::NoMoney"));
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!((rate(0.0).as_str(), rate(0.25).as_str(), rate(12.6).as_str()), ("0", "0.2", "13"));
        let times = [
            (0, "0"),
            (30_000_000, "30 s"),
            (12, "12 µs"),
            (3_400, "3.4 ms"),
            (2_100_000, "2.1 s"),
            (240_000_000, "4 min"),
        ];
        for (micros, text) in times {
            assert_eq!(time(Duration::from_micros(micros)), text);
        }
        assert_eq!((bytes(512).as_str(), bytes(3_400).as_str()), ("512 B", "3.4 kB"));
        assert_eq!(segment("a b/c::d"), "a%20b%2Fc%3A%3Ad");
    }
}
