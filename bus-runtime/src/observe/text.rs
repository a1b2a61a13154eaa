//! Families as text: the format of Prometheus, and OpenMetrics.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::SystemTime;

use super::series::{Family, Kind, Series, Value};
use crate::counters::Exemplar;

/// Which text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exposition {
    /// The text format of Prometheus, version 0.0.4.
    Prometheus,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

impl Exposition {
    /// What a client asks for with its header `Accept`; OpenMetrics only by its name, and unless it likes plain text better.
    pub(crate) fn accepted(accept: &str) -> Self {
        let quality = |wanted: &str| {
            let ranges = accept.split(',').map(str::trim);
            let of = ranges.filter(|range| range.split(';').next().map(str::trim) == Some(wanted));
            let quality = of.map(|range| {
                let weight = range.split(';').find_map(|part| part.trim().strip_prefix("q="));
                weight.and_then(|weight| weight.trim().parse::<f64>().ok()).unwrap_or(1.0)
            });
            quality.fold(0.0, f64::max)
        };
        let open = quality("application/openmetrics-text");
        if open > 0.0 && open >= quality("text/plain") { Self::OpenMetrics } else { Self::Prometheus }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Families as text.
pub(crate) fn text(families: &[Family], exposition: Exposition) -> String {
    let mut text = String::new();
    for family in families {
        let (name, kind) = declared(family, exposition);
        // Writing to a string does not fail.
        let _ =
            writeln!(text, "# HELP {name} {}", escaped(&family.help, exposition == Exposition::OpenMetrics));
        let _ = writeln!(text, "# TYPE {name} {kind}");
        for series in &family.series {
            write_series(&mut text, &family.name, series, exposition);
        }
    }
    if exposition == Exposition::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

/// The name and the kind of a family. OpenMetrics writes what the kind says already only behind the names of series.
fn declared(family: &Family, exposition: Exposition) -> (&str, &'static str) {
    let name = &*family.name;
    let bare = |suffix| name.strip_suffix(suffix).unwrap_or(name);
    match (family.kind, exposition) {
        (Kind::Counter, Exposition::OpenMetrics) => (bare("_total"), "counter"),
        (Kind::Counter, Exposition::Prometheus) => (name, "counter"),
        (Kind::Info, Exposition::OpenMetrics) => (bare("_info"), "info"),
        (Kind::Info, Exposition::Prometheus) | (Kind::Gauge, _) => (name, "gauge"),
        (Kind::Histogram, _) => (name, "histogram"),
    }
}

fn write_series(text: &mut String, name: &str, series: &Series, exposition: Exposition) {
    let labels = labels(&series.labels);
    let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let _ = match &series.value {
        Value::Count(count) => writeln!(text, "{name}{braced} {count}"),
        Value::Number(number) => writeln!(text, "{name}{braced} {number}"),
        Value::Distribution(distribution) => {
            let comma = if labels.is_empty() { "" } else { "," };
            for ((bound, count), exemplar) in distribution.cumulative().zip(distribution.exemplars()) {
                let le = bound_text(bound, exposition);
                let exemplar = exemplar.filter(|_| exposition == Exposition::OpenMetrics).map(pointer);
                let exemplar = exemplar.unwrap_or_default();
                let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{le}\"}} {count}{exemplar}");
            }
            let _ = writeln!(text, "{name}_sum{braced} {}", distribution.sum);
            writeln!(text, "{name}_count{braced} {}", distribution.count())
        }
    };
}

/// An exemplar, as it stands behind its bucket.
fn pointer(exemplar: Exemplar) -> String {
    let Exemplar { trace_id, seconds, at } = exemplar;
    let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    format!(" # {{trace_id=\"{trace_id:032x}\"}} {seconds:?} {at:.3}")
}

/// A bound as text. OpenMetrics has one way to write a number.
pub(super) fn bound_text(bound: f64, exposition: Exposition) -> String {
    match (bound.is_finite(), exposition) {
        (false, _) => "+Inf".to_owned(),
        (true, Exposition::Prometheus) => bound.to_string(),
        (true, Exposition::OpenMetrics) => format!("{bound:?}"),
    }
}

/// Labels, without the braces around them.
pub(super) fn labels(labels: &[(Cow<'static, str>, String)]) -> String {
    let pairs = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value, true)));
    pairs.collect::<Vec<_>>().join(",")
}

/// A text in one line; in a label, and in what OpenMetrics calls a help, quotes are escaped too.
fn escaped(text: &str, quotes: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if quotes { text.replace('"', "\\\"") } else { text }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::counters::Histogram;

    fn families() -> Vec<Family> {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_secs(1), 1);
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(2_500);
        histogram.exemplify(Duration::from_secs(1), 0xabc, at);
        vec![
            Family::new("sent_total", Kind::Counter, "What \"was\" sent.").with([("to", "a\\\"b\n")], 3),
            Family::new("level", Kind::Gauge, "How high.").with([("unset", "")], 0.5),
            Family::new("time_seconds", Kind::Histogram, "How long.").with([("of", "x")], histogram.read()),
            Family::new("build_info", Kind::Info, "Which.").with([("version", "1")], 1),
        ]
    }

    #[test]
    fn text_for_prometheus() {
        let text = text(&families(), Exposition::Prometheus);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[..6],
            [
                "# HELP sent_total What \"was\" sent.",
                "# TYPE sent_total counter",
                r#"sent_total{to="a\\\"b\n"} 3"#,
                "# HELP level How high.",
                "# TYPE level gauge",
                "level 0.5",
            ]
        );
        assert!(lines.contains(&r#"time_seconds_bucket{of="x",le="1"} 1"#), "{text}");
        assert!(lines.contains(&r#"time_seconds_bucket{of="x",le="+Inf"} 1"#), "{text}");
        assert!(lines.contains(&r#"time_seconds_sum{of="x"} 1"#), "{text}");
        assert!(lines.contains(&"# TYPE build_info gauge") && !text.contains("EOF"), "{text}");
    }

    #[test]
    fn text_for_open_metrics() {
        let text = text(&families(), Exposition::OpenMetrics);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[..2], [r#"# HELP sent What \"was\" sent."#, "# TYPE sent counter"]);
        assert!(lines.contains(&r#"sent_total{to="a\\\"b\n"} 3"#), "{text}");
        let exemplar = "# {trace_id=\"00000000000000000000000000000abc\"} 1.0 2.500";
        let bucket = format!("time_seconds_bucket{{of=\"x\",le=\"1.0\"}} 1 {exemplar}");
        assert!(lines.contains(&&*bucket), "{text}");
        assert!(lines.contains(&r#"time_seconds_bucket{of="x",le="2.5"} 1"#), "{text}");
        assert!(lines.contains(&"# TYPE build info"), "{text}");
        assert!(lines.contains(&r#"build_info{version="1"} 1"#), "{text}");
        assert_eq!(lines.last(), Some(&"# EOF"));
    }

    #[test]
    fn what_clients_accept() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        for (accept, wanted) in [
            ("", Exposition::Prometheus),
            ("*/*", Exposition::Prometheus),
            ("text/html, text/plain", Exposition::Prometheus),
            ("application/openmetrics-text", Exposition::OpenMetrics),
            ("application/openmetrics-text;q=0", Exposition::Prometheus),
            ("text/plain, application/openmetrics-text;q=0.2", Exposition::Prometheus),
            (prometheus, Exposition::OpenMetrics),
        ] {
            assert_eq!(Exposition::accepted(accept), wanted, "{accept}");
        }
    }
}
