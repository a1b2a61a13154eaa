//! What was read: families of series, as every format shows them.

use std::borrow::Cow;

use crate::counters::Distribution;

/// What kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only grows; its name ends with `_total`.
    Counter,
    /// It grows and shrinks.
    Gauge,
    Histogram,
    /// It is 1, and its labels say something; its name ends with `_info`.
    Info,
}

/// Series of one name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Family {
    pub(crate) name: Cow<'static, str>,
    pub(crate) kind: Kind,
    pub(crate) help: Cow<'static, str>,
    pub(crate) series: Vec<Series>,
}

/// One series: what tells it from the others, and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) labels: Vec<(Cow<'static, str>, String)>,
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Count(u64),
    Number(f64),
    Distribution(Box<Distribution>),
}

impl Family {
    pub(crate) fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name: name.into(), kind, help: help.into(), series: Vec::new() }
    }

    /// Adds a series. A label without a value is none.
    pub(crate) fn add<const N: usize>(&mut self, labels: [(&'static str, &str); N], value: impl Into<Value>) {
        let labels = labels.into_iter().filter(|(_, value)| !value.is_empty());
        let labels = labels.map(|(name, value)| (name.into(), value.to_owned())).collect();
        self.series.push(Series { labels, value: value.into() });
    }

    /// As [`add`](Self::add).
    pub(crate) fn with<const N: usize>(
        mut self,
        labels: [(&'static str, &str); N],
        value: impl Into<Value>,
    ) -> Self {
        self.add(labels, value);
        self
    }
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(is: bool) -> Self {
        Self::Count(u64::from(is))
    }
}

impl From<Distribution> for Value {
    fn from(distribution: Distribution) -> Self {
        Self::Distribution(Box::new(distribution))
    }
}
