//! `setup`: declare what the handlers need.

use std::process::ExitCode;

use clap::Args;

use super::{Output, block_on, report, topology};
use crate::app::App;
use crate::error::Error;
use crate::topology::Plan;
use crate::transport::Transport;

/// Options of `setup`.
#[derive(Args, Clone, Debug)]
pub struct SetupArgs {
    /// Show what is there and what would be declared, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn setup(app: &App, arguments: &SetupArgs, format: Output) -> ExitCode {
    let plan = match app.plan() {
        Ok(plan) => plan,
        Err(errors) => return report::failed(&errors),
    };
    if let Err(error) = app.needs_remote_broker("setup") {
        return report::failed(&[error]);
    }
    let result = block_on(async {
        let transport = app.connect_only().await?;
        let told = if arguments.dry_run {
            compare(&*transport, &plan).await
        } else {
            declare(&*transport, &plan, format).await
        };
        transport.close(super::run::CLOSE_TIMEOUT).await;
        told
    });
    match result.and_then(|told| told) {
        Ok(text) => report::print(&text),
        Err(error) => report::failed(&[error]),
    }
}

async fn declare(transport: &dyn Transport, plan: &Plan, format: Output) -> Result<String, Error> {
    let before = missing(transport, plan).await?;
    transport.declare(&plan.topology).await?;
    let all = plan.topology.queues.len();
    let summary = format!(
        "declared {} exchanges, {all} queues ({} of them new), {} bindings on {}\n",
        plan.topology.exchanges.len(),
        before.len(),
        plan.topology.bindings.len(),
        transport.describe().address,
    );
    Ok(match format {
        Output::Table => summary,
        Output::Json => format!(
            "{:#}\n",
            serde_json::json!({ "schema": "bus.setup/1", "created": before, "queues": all })
        ),
    })
}

async fn compare(transport: &dyn Transport, plan: &Plan) -> Result<String, Error> {
    let missing = missing(transport, plan).await?;
    let mut text = topology::table(&plan.topology);
    text.push_str(&format!(
        "\n{} of {} queues are missing on {}\n",
        missing.len(),
        plan.topology.queues.len(),
        transport.describe().address
    ));
    for queue in missing {
        text.push_str(&format!("  + {queue}\n"));
    }
    Ok(text)
}

async fn missing(transport: &dyn Transport, plan: &Plan) -> Result<Vec<String>, Error> {
    let mut missing = Vec::new();
    for queue in &plan.topology.queues {
        if transport.inspect(&queue.name).await?.is_none() {
            missing.push(queue.name.to_string());
        }
    }
    Ok(missing)
}
