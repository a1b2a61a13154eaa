//! Listens, and answers.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::routing::get;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::{AdminPort, DEFAULT_ADDRESS, health, metrics};
use crate::app::Running;
use crate::config::HttpAccess;
use crate::error::{Error, ErrorKind};
use crate::seam;

/// Connections that are open at once: probes and a few people. Others wait until one is closed.
const CONNECTIONS_MAX: usize = 64;
/// How long a client may take to say what it wants, and to say so again on a connection that it keeps.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait when the system has no file handle left for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The admin port of a running app. It is closed when this is dropped.
pub(crate) struct Admin {
    address: SocketAddr,
    seen: Seen,
    task: JoinHandle<()>,
}

/// What is there to see: nothing until the app has connected.
pub(super) type Seen = Arc<OnceLock<Arc<Running>>>;

/// Whether a client is on this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct FromHere(pub(super) bool);

impl Admin {
    /// Opens the port, when one is wanted.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) when a port that somebody has asked for cannot be opened.
    pub(crate) fn open(port: Option<AdminPort>, access: &HttpAccess) -> Result<Option<Self>, Error> {
        let (address, required) = match port {
            None | Some(AdminPort::Off) => return Ok(None),
            Some(AdminPort::Default) => (DEFAULT_ADDRESS, false),
            Some(AdminPort::At(address)) => (address, true),
        };
        match listen(address) {
            Ok((listener, address)) => {
                let seen = Seen::default();
                let task = seam::spawn("admin", accept(listener, router(&seen, access)));
                Ok(Some(Self { address, seen, task }))
            }
            Err(error) if required => Err(Error::new(
                ErrorKind::Config,
                format!("the admin port {address} cannot be opened ({error})"),
            )
            .with_help("choose another with --http or BUS_HTTP, or switch it off: --http off")
            .with_source(error)),
            Err(error) => {
                tracing::warn!(%error, help = "choose another with --http or BUS_HTTP, or switch it off: --http off", "the admin port {address} cannot be opened: health and metrics are not served");
                Ok(None)
            }
        }
    }

    /// Shows this app from now on.
    pub(crate) fn watch(&self, running: &Arc<Running>) {
        // There is one app for each port; a second one would have opened its own.
        let _ = self.seen.set(Arc::clone(running));
        #[cfg(feature = "dashboard")]
        seam::spawn("history", super::dashboard::sample(Arc::downgrade(running)));
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        Some(self.address)
    }

    /// Closes the port, and waits until it is closed.
    pub(crate) async fn close(mut self) {
        self.task.abort();
        // Ended by us: it is no error that it was cancelled.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("address", &self.address).finish_non_exhaustive()
    }
}

fn listen(address: SocketAddr) -> io::Result<(tokio::net::TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((tokio::net::TcpListener::from_std(listener)?, address))
}

/// Serves one connection after the other, and some side by side.
async fn accept(listener: tokio::net::TcpListener, router: Router) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "the admin port cannot take a connection");
                seam::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let from_here = FromHere(peer.ip().to_canonical().is_loopback());
        let service = TowerToHyperService::new(router.clone().layer(Extension(from_here)));
        seam::spawn("admin-connection", async move {
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(REQUEST_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            // A client that goes away in the middle of it is none of our business.
            drop(served.await);
            drop(permit);
        });
    }
}

fn router(seen: &Seen, access: &HttpAccess) -> Router {
    let health = Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/healthz", get(health::all))
        .route("/metrics", get(metrics::text))
        .route("/metrics.json", get(metrics::json))
        .with_state(Arc::clone(seen));
    #[cfg(feature = "dashboard")]
    let health = health.merge(super::dashboard::router(Arc::clone(seen), access.clone()));
    #[cfg(not(feature = "dashboard"))]
    let _ = access;
    health
}
