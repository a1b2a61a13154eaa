//! What fuzzing asks of the bytes that a broker sends.

use lapin::types::parsing::parse_field_table;

use super::convert::{from_table, to_table};
use crate::envelope::Headers;

/// Bytes from a broker.
pub(crate) fn frames(data: &[u8]) {
    super::connection::fuzz_frames(data);
}

/// The headers of a table as it stands on the wire, when it is one.
pub(crate) fn table(data: &[u8]) -> Option<Headers> {
    // The guard in front of lapin looks at it first.
    let data = super::connection::fuzz_table(data)?;
    let (_, table) = parse_field_table(data.as_slice()).ok()?;
    let headers = from_table(&table);
    let again = from_table(&to_table(&headers).expect("names that were short enough"));
    // As text: what is not a number does not equal itself.
    assert_eq!(format!("{again:?}"), format!("{headers:?}"));
    Some(headers)
}
