//! `dashboard`: the pages of the admin port alone; no handler runs.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::signals::Signals;
use super::{block_on, queues, report};
use crate::admin::{AdminPort, DEFAULT_ADDRESS};
use crate::app::App;

/// Options of `dashboard`.
#[derive(Args, Clone, Debug)]
pub struct DashboardArgs {
    /// Where it listens: an address or a port; 127.0.0.1:9464 without it [env: BUS_HTTP]
    #[arg(long, visible_alias = "http", value_name = "ADDRESS", value_parser = super::admin_port)]
    listen: Option<AdminPort>,
}

/// How long the connections may take to close after a signal, and how the program ends when they take longer.
const STOP: (Duration, u8) = (Duration::from_secs(5), 70);

pub(super) fn dashboard(mut app: App, arguments: &DashboardArgs) -> ExitCode {
    app.with_config(|config| {
        let wanted = arguments.listen.or(config.http);
        // Without it there would be nothing to do.
        let is_free = |port: &AdminPort| !matches!(port, AdminPort::Off | AdminPort::Default);
        config.http = wanted.filter(is_free).or(Some(AdminPort::At(DEFAULT_ADDRESS)));
    });
    let shown = queues::is_remote(&app, "dashboard").and_then(|()| {
        block_on(async {
            let signals = Signals::listen(STOP.0, STOP.1, None)?;
            let bus = tokio::select! {
                bus = app.look_on() => bus?,
                () = signals.first() => return Ok(()),
            };
            if let Some(address) = bus.admin_address() {
                report::note(&format!("dashboard at http://{address}: Ctrl-C to stop"));
            }
            signals.first().await;
            bus.shutdown().await;
            Ok(())
        })?
    });
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::failed(&[error]),
    }
}
