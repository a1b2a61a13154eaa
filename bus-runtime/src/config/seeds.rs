//! Which seeds a test simulates, when the environment says so.

use std::ops::Range;

use super::environment;
use crate::error::{Error, ErrorKind};

/// One seed, or so many from 0 on; `None` when the environment leaves that to the test.
///
/// # Errors
/// [`Config`](ErrorKind::Config) for what is no number.
pub(crate) fn simulation_seeds() -> Result<Option<Range<u64>>, Error> {
    let number = |wanted: &str| {
        let said = environment().find(|(name, value)| name == wanted && !value.is_empty());
        said.map(|(name, value)| parsed(&name, &value)).transpose()
    };
    Ok(match (number("BUS_SIM_SEED")?, number("BUS_SIM_SEEDS")?) {
        (Some(seed), _) => Some(seed..seed.saturating_add(1)),
        (None, count) => count.map(|count| 0..count),
    })
}

fn parsed(name: &str, value: &str) -> Result<u64, Error> {
    value.parse().map_err(|_| {
        Error::new(ErrorKind::Config, format!("{name} `{value}` is not a number")).with_help("such as 123")
    })
}
