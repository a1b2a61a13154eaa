//! Families as one JSON document.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Map, Value as Json, json as object};

use super::series::{Family, Kind, Series, Value};
use super::text::{Exposition, bound_text, labels};
use crate::counters::Distribution;

/// Whether percentiles are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Percentiles {
    Asked,
    NotAsked,
}

/// Families as `{"timestamp": .., "counters": {..}, "histograms": {..}, "gauges": {..}}`. Each series stands under its name and
/// labels, as in the text; a counter and a histogram stand under the bare name too, all series together.
pub(crate) fn json(families: &[Family], at: SystemTime, percentiles: Percentiles) -> Json {
    let (mut counters, mut histograms, mut gauges) = (Map::new(), Map::new(), Map::new());
    for family in families {
        match family.kind {
            Kind::Counter => {
                let total: f64 = family.series.iter().map(|series| number(&series.value)).sum();
                counters.insert(family.name.to_string(), whole(total));
                counters.extend(family.series.iter().map(|one| (key(family, one), value(&one.value))));
            }
            Kind::Histogram => {
                let of = |series: &Series| match &series.value {
                    Value::Distribution(distribution) => **distribution,
                    Value::Count(_) | Value::Number(_) => Distribution::default(),
                };
                let all = family.series.iter().map(of).fold(Distribution::default(), Distribution::with);
                histograms.insert(family.name.to_string(), distribution(&all, percentiles));
                let each = family.series.iter();
                histograms.extend(each.map(|one| (key(family, one), distribution(&of(one), percentiles))));
            }
            Kind::Gauge | Kind::Info => {
                gauges.extend(family.series.iter().map(|one| (key(family, one), value(&one.value))));
            }
        }
    }
    object!({
        "timestamp": crate::copies::rfc3339(at),
        "counters": counters,
        "histograms": histograms,
        "gauges": gauges,
    })
}

fn key(family: &Family, series: &Series) -> String {
    match series.labels.is_empty() {
        true => family.name.to_string(),
        false => format!("{}{{{}}}", family.name, labels(&series.labels)),
    }
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Count(count) => *count as f64,
        Value::Number(number) => *number,
        Value::Distribution(_) => 0.0,
    }
}

/// A number without a point where it needs none.
fn whole(number: f64) -> Json {
    if number.fract() == 0.0 && (0.0..u64::MAX as f64).contains(&number) {
        return object!(number as u64);
    }
    object!(number)
}

fn value(value: &Value) -> Json {
    match value {
        Value::Count(count) => object!(count),
        other => whole(number(other)),
    }
}

fn distribution(distribution: &Distribution, percentiles: Percentiles) -> Json {
    let buckets = distribution.cumulative();
    let buckets: BTreeMap<_, _> =
        buckets.map(|(bound, count)| (bound_text(bound, Exposition::Prometheus), count)).collect();
    let mut object = object!({ "count": distribution.count(), "sum": distribution.sum, "buckets": buckets });
    if percentiles == Percentiles::Asked {
        for (name, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
            object[name] = object!(distribution.quantile(share));
        }
    }
    object
}
