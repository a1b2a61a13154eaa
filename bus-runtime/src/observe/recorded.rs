//! The recorder of the `metrics` facade that `run()` installs: what the program's own code records stands beside what Bus counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use metrics::{Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::series::{Family, Kind, Series, Value};
use crate::counters::Histogram;

/// What the program's own code records, once `run()` has said that it comes here.
static OURS: OnceLock<Arc<Recorded>> = OnceLock::new();

/// Lets the program's own metrics come here, unless it has a recorder of its own.
#[cfg(feature = "cli")]
pub(crate) fn install() {
    let recorded = Arc::new(Recorded::default());
    if metrics::set_global_recorder(Arc::clone(&recorded)).is_ok() {
        let _ = OURS.set(recorded);
    }
}

/// Whether what is recorded comes here.
pub(super) fn is_installed() -> bool {
    OURS.get().is_some()
}

/// The program's own metrics.
pub(super) fn recorded() -> Vec<Family> {
    OURS.get().map(|recorded| recorded.families()).unwrap_or_default()
}

/// A recorder that keeps what it is told.
#[derive(Debug, Default)]
struct Recorded(Mutex<BTreeMap<String, Metric>>);

/// All series of one name.
#[derive(Debug)]
struct Metric {
    kind: Kind,
    help: String,
    series: Vec<(Vec<(String, String)>, Cell)>,
}

#[derive(Clone, Debug)]
enum Cell {
    Counter(Arc<AtomicU64>),
    /// The bits of a floating-point number.
    Gauge(Arc<AtomicU64>),
    Histogram(Arc<Histogram>),
}

impl Recorded {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Metric>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn describe(&self, name: &str, kind: Kind, help: &str) {
        let mut all = self.lock();
        help.clone_into(&mut entry(&mut all, name, kind).help);
    }

    /// The series of this key; `None` when the name is one of another kind.
    fn cell(&self, key: &Key, kind: Kind, new: impl FnOnce() -> Cell) -> Option<Cell> {
        let mut all = self.lock();
        let metric = entry(&mut all, key.name(), kind);
        if metric.kind != kind {
            return None;
        }
        let labels = key.labels().map(|label| (clean(label.key()), label.value().to_owned()));
        let labels: Vec<_> = labels.collect();
        if let Some((_, cell)) = metric.series.iter().find(|(known, _)| *known == labels) {
            return Some(cell.clone());
        }
        let cell = new();
        metric.series.push((labels, cell.clone()));
        Some(cell)
    }

    fn families(&self) -> Vec<Family> {
        let of = |(name, metric): (&String, &Metric)| Family {
            name: name.clone().into(),
            kind: metric.kind,
            help: metric.help.clone().into(),
            series: metric.series.iter().map(|(labels, cell)| series(labels, cell)).collect(),
        };
        self.lock().iter().map(of).collect()
    }
}

fn series(labels: &[(String, String)], cell: &Cell) -> Series {
    let value = match cell {
        Cell::Counter(count) => Value::Count(count.load(Ordering::Relaxed)),
        Cell::Gauge(bits) => Value::Number(f64::from_bits(bits.load(Ordering::Relaxed))),
        Cell::Histogram(histogram) => histogram.read().into(),
    };
    Series {
        labels: labels.iter().map(|(name, value)| (name.clone().into(), value.clone())).collect(),
        value,
    }
}

fn entry<'a>(all: &'a mut BTreeMap<String, Metric>, name: &str, kind: Kind) -> &'a mut Metric {
    let mut name = clean(name);
    if kind == Kind::Counter && !name.ends_with("_total") {
        name.push_str("_total");
    }
    all.entry(name).or_insert_with(|| Metric { kind, help: String::new(), series: Vec::new() })
}

/// A name as Prometheus wants it.
fn clean(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    let name: String = name.chars().map(allowed).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

impl Recorder for Recorded {
    fn describe_counter(&self, key: KeyName, _unit: Option<Unit>, description: SharedString) {
        self.describe(key.as_str(), Kind::Counter, &description);
    }

    fn describe_gauge(&self, key: KeyName, _unit: Option<Unit>, description: SharedString) {
        self.describe(key.as_str(), Kind::Gauge, &description);
    }

    fn describe_histogram(&self, key: KeyName, _unit: Option<Unit>, description: SharedString) {
        self.describe(key.as_str(), Kind::Histogram, &description);
    }

    fn register_counter(&self, key: &Key, _metadata: &Metadata<'_>) -> metrics::Counter {
        match self.cell(key, Kind::Counter, || Cell::Counter(Arc::default())) {
            Some(Cell::Counter(count)) => metrics::Counter::from_arc(count),
            _ => metrics::Counter::noop(),
        }
    }

    fn register_gauge(&self, key: &Key, _metadata: &Metadata<'_>) -> metrics::Gauge {
        match self.cell(key, Kind::Gauge, || Cell::Gauge(Arc::default())) {
            Some(Cell::Gauge(bits)) => metrics::Gauge::from_arc(bits),
            _ => metrics::Gauge::noop(),
        }
    }

    fn register_histogram(&self, key: &Key, _metadata: &Metadata<'_>) -> metrics::Histogram {
        match self.cell(key, Kind::Histogram, || Cell::Histogram(Arc::default())) {
            Some(Cell::Histogram(histogram)) => metrics::Histogram::from_arc(histogram),
            _ => metrics::Histogram::noop(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_records_is_kept() {
        let recorded = Recorded::default();
        metrics::with_local_recorder(&recorded, || {
            metrics::describe_counter!("pages.saved", "Pages that were saved.");
            metrics::counter!("pages.saved", "wiki" => "home").increment(2);
            metrics::counter!("pages.saved", "wiki" => "home").increment(1);
            metrics::gauge!("open").set(1.5);
            metrics::histogram!("took_seconds").record(0.02);
            metrics::gauge!("pages.saved_total").set(9.0);
        });
        let families = recorded.families();
        let names: Vec<_> = families.iter().map(|family| (&*family.name, family.kind)).collect();
        let wanted =
            [("open", Kind::Gauge), ("pages_saved_total", Kind::Counter), ("took_seconds", Kind::Histogram)];
        assert_eq!(names, wanted);
        let saved = &families[1];
        assert_eq!((&*saved.help, saved.series.len()), ("Pages that were saved.", 1));
        assert_eq!(saved.series[0].value, Value::Count(3), "a gauge of the same name changes nothing");
        assert_eq!(families[0].series[0].value, Value::Number(1.5));
    }
}
