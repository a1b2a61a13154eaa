//! The line from a command to the workers that share the broker.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::{block_on, queues, run};
use crate::app::App;
use crate::error::{Error, ErrorKind};
use crate::fleet::{Ask, Heard, Station, Whom};
use crate::transport::Transport;

/// The line from a command to the workers that share the broker.
pub(super) struct Line {
    pub(super) transport: Arc<dyn Transport>,
    station: Arc<Station>,
    patience: Duration,
}

impl Line {
    /// Asks everybody.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Heard, Error> {
        self.ask_some(ask, &Whom::default()).await
    }

    pub(super) async fn ask_some(&self, ask: Ask, whom: &Whom) -> Result<Heard, Error> {
        self.station.ask(ask, whom, None, self.patience).await
    }
}

/// Opens the line, does something with it, and closes it.
pub(super) fn with<T, F: Future<Output = Result<T, Error>>>(
    app: &App,
    command: &str,
    patience: Duration,
    work: impl FnOnce(Line) -> F,
) -> Result<T, Error> {
    queues::is_remote(app, command)?;
    let config = app.settings()?;
    if !config.control {
        return Err(Error::new(
            ErrorKind::Config,
            format!("the control exchange is switched off, so `{command}` can ask nobody"),
        )
        .with_help("leave BUS_CONTROL=off out, here and where the workers run"));
    }
    block_on(async {
        let transport = app.connect_only().await?;
        let done = match Station::to_ask(&transport, &config.plan.prefix).await {
            Ok(station) => work(Line { transport: Arc::clone(&transport), station, patience }).await,
            Err(error) => Err(error),
        };
        transport.close(run::CLOSE_TIMEOUT).await;
        done
    })?
}
