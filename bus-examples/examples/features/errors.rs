//! An error type that says for each variant what it means for the message.

use bus_runtime::HandlerError;
use bus_runtime::prelude::*;

#[derive(Debug, thiserror::Error, HandlerError)]
enum UploadError {
    #[error("the disk is full")]
    #[retry(after = "5m")]
    Full,
    #[error("that is no picture")]
    #[dead_letter]
    NoPicture,
}

#[react("upload.{kind}", retry(max = 1))]
async fn on_upload(kind: String) -> Result<(), UploadError> {
    if kind == "picture" { Err(UploadError::Full) } else { Err(UploadError::NoPicture) }
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn only_a_full_disk_is_worth_another_try(bus: TestBus) {
    bus.react("upload.text", &()).await;
    bus.settled().await;
    assert_eq!(bus.dead_letters().one().reason(), "permanent");
    bus.handler(on_upload).called_once();
}
