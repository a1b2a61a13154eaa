//! Lines of an export: what is read is written the same, can be sent, and can be looked at and replayed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::dead_letters::{DeadLetters, Letter, Record};
use crate::transport::wire;

/// Lines of an export.
pub(super) fn dead_letter(data: &[u8]) {
    let checked = DeadLetters::check(data);
    let Ok(text) = std::str::from_utf8(data) else {
        checked.expect_err("it is no text");
        return;
    };
    for line in text.lines() {
        let Ok(record) = Record::parse(line) else { continue };
        let again = Record::parse(&record.to_line()).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(again, record);
        let letter = Letter::of(Arc::new(record.envelope), &record.queue);
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        assert!(!letter.explain(now).is_empty());
        assert!(!letter.group().is_empty());
        if let Ok(restored) = letter.restored(None) {
            assert!(restored.exchange.is_default());
            // It says more about itself than before, so it may have grown too large, but for no other reason.
            if let Err(error) = wire::check(&restored, wire::FRAME_BYTES_MAX) {
                assert_eq!(error.kind(), crate::ErrorKind::TooLarge, "{error}");
            }
        }
    }
}
