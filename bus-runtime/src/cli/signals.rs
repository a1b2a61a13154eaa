//! SIGTERM and SIGINT, and the promise that a program which gets them ends.
//!
//! They are listened to by a thread of their own: handlers that block every thread of the runtime keep it from seeing signals
//! and time, and a program that cannot be stopped loses its messages to SIGKILL.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::error::{Error, ErrorKind};
use crate::seam;

/// How much longer than the grace period the end may take: what closes has time limits of its own, which add up to less.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// What has been asked of the program.
#[derive(Debug)]
pub(super) struct Signals {
    seen: watch::Receiver<u32>,
    /// Counts as the first signal.
    asked: Arc<Notify>,
}

impl Signals {
    /// Listens from now on. After a signal the program has the grace period, and some time to end; after the second one only
    /// that. When it is over, the program ends with this exit code, whatever it is doing. When the program may run for some
    /// time only, the end of that counts as the first signal.
    pub(super) fn listen(grace: Duration, exit_code: u8, at_most: Option<Duration>) -> Result<Self, Error> {
        let failed = |error| Error::new(ErrorKind::Config, "can't listen to signals").with_source(error);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let mut arriving = {
            let _inside = runtime.enter();
            Arriving::new().map_err(failed)?
        };
        let count = watch::Sender::new(0);
        let (seen, asked) = (count.subscribe(), Arc::new(Notify::new()));
        let asking = Arc::clone(&asked);
        let listening = async move {
            tokio::select! {
                () = arriving.next() => {}
                () = asking.notified() => {}
                () = over(at_most) => {}
            }
            count.send_replace(1);
            let second = tokio::time::timeout(grace + END_TIMEOUT, arriving.next()).await;
            if second.is_ok() {
                count.send_replace(2);
                seam::sleep(END_TIMEOUT).await;
            }
            give_up(exit_code);
        };
        seam::thread("signals", move || runtime.block_on(listening)).map_err(failed)?;
        Ok(Self { seen, asked })
    }

    /// Lets the program end as after the first signal, with the same time to do so.
    pub(super) fn raise(&self) {
        self.asked.notify_one();
    }

    /// Waits for the first one.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub(super) async fn first(&self) {
        self.until(1).await;
    }

    /// Waits for the second one.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub(super) async fn second(&self) {
        self.until(2).await;
    }

    async fn until(&self, count: u32) {
        let mut seen = self.seen.clone();
        if seen.wait_for(|seen| *seen >= count).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits until this time is over.
async fn over(at_most: Option<Duration>) {
    match at_most {
        Some(time) => seam::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Ends the program. Its connections end with it, so the broker delivers again whatever is not settled.
fn give_up(exit_code: u8) {
    let text = "the program did not end in time, a handler blocks its threads: messages that were being handled go back to their queues\n";
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
    std::process::exit(exit_code.into());
}

/// The signals that come to the program.
#[cfg(unix)]
pub(super) struct Arriving {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Arriving {
    pub(super) fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Arriving;

#[cfg(not(unix))]
impl Arriving {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
