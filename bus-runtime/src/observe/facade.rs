//! Where what Bus counts goes beside its own memory: to the recorder of the `metrics` facade that the program has installed.

use std::sync::LazyLock;

use metrics::{Key, Label, Level, Metadata};

/// Where the facade is told that a metric is from.
static METADATA: LazyLock<Metadata<'static>> =
    LazyLock::new(|| Metadata::new("bus_runtime", Level::INFO, Some("bus_runtime")));

/// A counter of the program's recorder, which must be installed before the app starts; one that does nothing when there is
/// none, or when it is ours.
pub(crate) fn counter(name: &'static str, labels: &[(&'static str, &str)]) -> metrics::Counter {
    if is_ours() {
        return metrics::Counter::noop();
    }
    metrics::with_recorder(|recorder| recorder.register_counter(&key(name, labels), &METADATA))
}

/// As [`counter`].
pub(crate) fn histogram(name: &'static str, labels: &[(&'static str, &str)]) -> metrics::Histogram {
    if is_ours() {
        return metrics::Histogram::noop();
    }
    metrics::with_recorder(|recorder| recorder.register_histogram(&key(name, labels), &METADATA))
}

#[cfg(feature = "admin")]
fn is_ours() -> bool {
    super::recorded::is_installed()
}

#[cfg(not(feature = "admin"))]
fn is_ours() -> bool {
    false
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels = labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned()));
    Key::from_parts(name, labels.collect::<Vec<_>>())
}
