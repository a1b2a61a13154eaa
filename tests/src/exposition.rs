//! A strict reader of what `/metrics` answers: it refuses whatever the formats of Prometheus and OpenMetrics do not allow.

use std::collections::{BTreeMap, BTreeSet};

/// One scrape, read and found to be right.
#[derive(Debug)]
pub struct Scrape {
    /// The kind of each family.
    pub kinds: BTreeMap<String, String>,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
    /// The trace of one of the times of a bucket.
    exemplar: Option<String>,
}

impl Scrape {
    /// Reads the text format of Prometheus, version 0.0.4.
    ///
    /// # Panics
    /// At the first line that is not allowed.
    #[must_use]
    pub fn prometheus(text: &str) -> Self {
        let scrape = Self::read(text, "");
        assert!(!text.contains("# EOF"), "that is of another format");
        scrape
    }

    /// Reads OpenMetrics, version 1.0.0.
    ///
    /// # Panics
    /// At the first line that is not allowed.
    #[must_use]
    pub fn open_metrics(text: &str) -> Self {
        let text = text.strip_suffix("# EOF\n").expect("it ends with `# EOF`");
        Self::read(text, "_total")
    }

    fn read(text: &str, counter_suffix: &'static str) -> Self {
        assert!(text.ends_with('\n'), "the last line ends, too");
        let mut scrape = Self { kinds: BTreeMap::new(), samples: Vec::new() };
        let (mut helped, mut current) = (BTreeSet::new(), String::new());
        let mut seen = BTreeSet::new();
        for line in text.lines() {
            assert_eq!(line, line.trim(), "no space around a line");
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, text) = help.split_once(' ').expect("a help has a text");
                assert!(is_name(name) && !text.is_empty(), "{line}");
                assert!(helped.insert(name.to_owned()), "a family stands once: {line}");
                name.clone_into(&mut current);
            } else if let Some(of_type) = line.strip_prefix("# TYPE ") {
                let (name, kind) = of_type.split_once(' ').expect("a type has a kind");
                assert_eq!(name, current, "the type follows the help");
                let kinds = ["counter", "gauge", "histogram", "info"];
                assert!(kinds.contains(&kind), "{line}");
                assert!(
                    kind != "counter" || name.ends_with("_total") != (counter_suffix == "_total"),
                    "{line}"
                );
                scrape.kinds.insert(name.to_owned(), kind.to_owned());
            } else {
                assert!(!line.starts_with('#'), "no other comment: {line}");
                let (series, exemplar) = match line.split_once(" # ") {
                    Some((series, exemplar)) => (series, Some(exemplar)),
                    None => (line, None),
                };
                let mut sample = Sample::read(series);
                if let Some(exemplar) = exemplar {
                    assert!(counter_suffix == "_total", "only OpenMetrics has exemplars: {line}");
                    assert!(sample.name.ends_with("_bucket"), "only buckets have exemplars: {line}");
                    sample.exemplar = Some(sample.exemplar_of(exemplar));
                }
                let kind = scrape.kinds.get(&current).expect("a type stands before the first sample");
                assert!(
                    suffixes(kind, counter_suffix)
                        .contains(&sample.name.strip_prefix(&*current).unwrap_or("?")),
                    "{line} is not of {current}"
                );
                assert!(seen.insert((sample.name.clone(), sample.labels.clone())), "twice: {line}");
                scrape.samples.push(sample);
            }
        }
        scrape.check_histograms();
        scrape
    }

    /// Buckets are cumulative, the last one is infinite and counts all.
    fn check_histograms(&self) {
        for (family, _) in self.kinds.iter().filter(|(_, kind)| *kind == "histogram") {
            let mut series: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
            let bucket = format!("{family}_bucket");
            for sample in self.samples.iter().filter(|sample| sample.name == bucket) {
                let mut labels = sample.labels.clone();
                let le = labels.remove("le").expect("a bucket has a bound");
                let le = if le == "+Inf" { f64::INFINITY } else { le.parse().expect("a number") };
                series.entry(labels).or_default().push((le, sample.value));
            }
            for (labels, buckets) in series {
                assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{family} {labels:?}");
                let (last, all) = buckets.last().expect("a bucket");
                assert!(last.is_infinite(), "{family} {labels:?}");
                assert_eq!(Some(*all), self.exact(&format!("{family}_count"), &labels), "{family}");
                assert!(self.exact(&format!("{family}_sum"), &labels).is_some(), "{family}");
            }
        }
    }

    fn exact(&self, name: &str, labels: &BTreeMap<String, String>) -> Option<f64> {
        let same = |sample: &&Sample| sample.name == name && sample.labels == *labels;
        self.samples.iter().find(same).map(|sample| sample.value)
    }

    /// The sum of all series of a name that have these labels; a value that ends with a label's value counts, so that a test may
    /// name a handler by its function. `None` when there is no such series.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |sample: &&Sample| {
            let mut wanted = labels.iter();
            let held = |(name, value): &(&str, &str)| {
                sample
                    .labels
                    .get(*name)
                    .is_some_and(|actual| actual == value || actual.ends_with(&format!("::{value}")))
            };
            sample.name == name && wanted.all(held)
        };
        let values: Vec<f64> = self.samples.iter().filter(has).map(|sample| sample.value).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }

    /// The traces that the buckets of a histogram point to.
    #[must_use]
    pub fn traces(&self, family: &str) -> Vec<&str> {
        let bucket = format!("{family}_bucket");
        let of_family = self.samples.iter().filter(|sample| sample.name == bucket);
        of_family.filter_map(|sample| sample.exemplar.as_deref()).collect()
    }

    /// Whether any label of any series has this value.
    #[must_use]
    pub fn mentions(&self, text: &str) -> bool {
        self.samples.iter().any(|sample| sample.labels.values().any(|value| value.contains(text)))
    }
}

impl Sample {
    /// Reads `name{label="value",..} 1`.
    fn read(line: &str) -> Self {
        let end = line.find(['{', ' ']).expect("a name and a value");
        let (name, mut rest) = line.split_at(end);
        assert!(is_name(name), "{line}");
        let mut labels = BTreeMap::new();
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside;
            loop {
                let (label, quoted) = rest.split_once("=\"").expect("a label has a value in quotes");
                assert!(is_name(label) && !label.contains(':'), "{line}");
                let (value, after) = unquoted(quoted);
                assert!(labels.insert(label.to_owned(), value).is_none(), "a label stands once: {line}");
                rest = match after.strip_prefix(',') {
                    Some(more) => more,
                    None => break rest = after.strip_prefix('}').expect("labels end"),
                };
            }
        }
        let value = rest.strip_prefix(' ').expect("a space before the value");
        Self { name: name.to_owned(), labels, value: value.parse().expect("a number"), exemplar: None }
    }

    /// Reads `{trace_id="..."} 0.0042 1700000000.000`: a time of this bucket, and when it was.
    fn exemplar_of(&self, text: &str) -> String {
        let inside = text.strip_prefix("{trace_id=\"").expect("a trace");
        let (trace, rest) = inside.split_once("\"} ").expect("the labels end");
        assert!(trace.len() == 32 && trace.chars().all(|c| c.is_ascii_hexdigit()), "{text}");
        let (value, at) = rest.split_once(' ').expect("a value and a time");
        let (value, at): (f64, f64) = (value.parse().expect("a number"), at.parse().expect("a time"));
        let le = &self.labels["le"];
        assert!(le == "+Inf" || value <= le.parse().expect("a bound"), "{text} is not of the bucket {le}");
        assert!(at > 0.0, "{text}");
        trace.to_owned()
    }
}

/// A text up to the quote that ends it, and what follows.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut rest = text.char_indices();
    while let Some((at, c)) = rest.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => match rest.next().map(|(_, c)| c) {
                Some('n') => value.push('\n'),
                Some(c @ ('\\' | '"')) => value.push(c),
                other => panic!("no such escape: {other:?}"),
            },
            c => value.push(c),
        }
    }
    panic!("a quote is missing: {text}")
}

fn suffixes(kind: &str, counter: &'static str) -> Vec<&'static str> {
    match kind {
        "counter" => vec![counter],
        "histogram" => vec!["_bucket", "_sum", "_count"],
        "info" => vec!["_info"],
        _ => vec![""],
    }
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    !name.is_empty() && name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic = "a family stands once"]
    fn a_family_that_comes_back_is_refused() {
        drop(Scrape::prometheus(
            "# HELP a x\n# TYPE a gauge\na 1\n# HELP b x\n# TYPE b gauge\nb 1\n# HELP a x\n# TYPE a gauge\na 2\n",
        ));
    }

    #[test]
    #[should_panic = "twice"]
    fn a_series_that_comes_back_is_refused() {
        drop(Scrape::prometheus("# HELP a x\n# TYPE a gauge\na{b=\"c\"} 1\na{b=\"c\"} 2\n"));
    }

    #[test]
    #[should_panic = "# EOF"]
    fn open_metrics_have_an_end() {
        drop(Scrape::open_metrics("# HELP a x\n# TYPE a gauge\na 1\n"));
    }
}
