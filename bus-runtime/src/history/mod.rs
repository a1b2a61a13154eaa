//! What has happened lately, in bounded memory: for people who look at the dashboard.

#[cfg(feature = "dashboard")]
mod kept;
#[cfg(feature = "dashboard")]
mod passed;
#[cfg(feature = "dashboard")]
mod rates;
#[cfg(feature = "dashboard")]
mod saved;

#[cfg(feature = "dashboard")]
pub(crate) use self::{
    kept::History,
    passed::{Passed, Word},
    rates::Step,
};

#[cfg(not(feature = "dashboard"))]
mod absent;
#[cfg(not(feature = "dashboard"))]
pub(crate) use self::absent::History;
