//! Cuts the queues of handlers that have got another name off from their exchanges.

use crate::error::Error;
use crate::topology::Renamed;
use crate::transport::Transport;

/// Removes the bindings of former queues, so that nothing comes to them any more. Only when those of the new ones are made:
/// until then a message would be lost, and in between one may come to both.
pub(crate) async fn cut_off(transport: &dyn Transport, renamed: &[Renamed]) -> Result<(), Error> {
    for one in renamed {
        if transport.inspect(&one.from).await?.is_none() {
            continue;
        }
        for binding in &one.bindings {
            transport.unbind(binding).await?;
        }
    }
    Ok(())
}
