//! What systemd is told about a service of `Type=notify`: that it is ready, that it stops, and that it is alive.

use std::time::Duration;

use crate::app::Running;
use crate::config::Supervisor;
use crate::seam;

/// Tells that the app handles messages, and from then on that it is alive, as long as it is.
pub(super) fn ready(supervisor: Option<Supervisor>, running: &std::sync::Arc<Running>) {
    let Some(supervisor) = supervisor else { return };
    tell(&supervisor, "READY=1");
    let Some(every) = supervisor.watchdog.map(|limit| (limit / 2).max(SHORTEST)) else { return };
    let running = std::sync::Arc::clone(running);
    seam::spawn("watchdog", async move {
        // A runtime that is stuck does not come here, and an app that cannot come back says nothing: both are restarted.
        while running.health().is_live() {
            tell(&supervisor, "WATCHDOG=1");
            seam::sleep(every).await;
        }
    });
}

/// Tells that the app drains.
pub(super) fn stopping(supervisor: Option<&Supervisor>) {
    if let Some(supervisor) = supervisor {
        tell(supervisor, "STOPPING=1");
    }
}

/// The shortest time between two signs of life.
const SHORTEST: Duration = Duration::from_millis(10);

#[cfg(unix)]
fn tell(supervisor: &Supervisor, what: &str) {
    if let Err(error) = send(&supervisor.socket, what) {
        tracing::debug!(%error, what, "systemd cannot be told");
    }
}

#[cfg(unix)]
fn send(socket: &str, what: &str) -> std::io::Result<()> {
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let sender = UnixDatagram::unbound()?;
    // systemd reads all the time; whoever does not must not hold up the app.
    sender.set_nonblocking(true)?;
    let address = match socket.strip_prefix('@') {
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name)?
        }
        _ => SocketAddr::from_pathname(socket)?,
    };
    sender.send_to_addr(what.as_bytes(), &address).map(drop)
}

#[cfg(not(unix))]
fn tell(_supervisor: &Supervisor, _what: &str) {}
