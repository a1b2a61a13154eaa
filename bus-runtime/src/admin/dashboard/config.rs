//! The settings in effect, and what is wrong with how the program fits together.

use axum::response::Response;
use maud::html;
use serde::Serialize;

use super::page;
use super::parts;
use super::problem::Problem;
use super::visit::Visit;
use crate::check::Severity;

#[derive(Serialize)]
struct View {
    broker: Vec<(&'static str, String)>,
    /// Name, value and origin.
    settings: Vec<[String; 3]>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    code: &'static str,
    severity: &'static str,
    message: String,
    help: String,
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let running = visit.running()?;
    let transport = &running.hub.transport;
    let description = transport.describe();
    let mut broker = vec![("address", description.address), ("server", description.server)];
    if let Some(limits) = transport.limits() {
        broker.push(("channels", limits.channels.to_string()));
        broker.push(("largest frame", parts::bytes(u64::from(limits.frame_bytes))));
        broker.push(("heartbeat", format!("{} s", limits.heartbeat_secs)));
    }
    let shown = visit.shown(&running)?;
    let findings = shown.findings.iter().map(|finding| Finding {
        code: finding.code,
        severity: finding.severity.as_str(),
        message: finding.message.clone(),
        help: finding.help.clone(),
    });
    let view = View { broker, settings: shown.settings.clone(), findings: findings.collect() };
    let errors = shown.findings.iter().any(|finding| finding.severity == Severity::Error);
    Ok(page::show(&visit, "config", "Config and doctor", &view, |view| {
        html! {
            (parts::title("Config and doctor", html! {}))
            @if view.findings.is_empty() {
                div class="note-box good" { p { code { "check" } " finds nothing: handlers, messages and bindings fit together." } }
            } @else {
                section.card {
                    header { h2 { "What " code { "check" } " finds" } div.push { span class=(if errors { "pill bad" } else { "pill warn" }) { (view.findings.len()) } } }
                    (parts::bare_table(&["Code", "What", "Way out"], html! {
                        @for finding in &view.findings { tr {
                            td.nowrap { code { (finding.code) } }
                            td { (finding.message) }
                            td { (finding.help) }
                        } }
                    }))
                }
            }
            (parts::card_of("Settings in effect", html! { small.soft { "what " code { "config show --origin" } " prints" } }, parts::bare_table(&["Setting", "Value", "From"], html! {
                @for [name, value, origin] in &view.settings { tr {
                    td.nowrap { code { (name) } }
                    td.key.wide { (value) }
                    td.nowrap { @if origin == "default" { span.soft { (origin) } } @else { (origin) } }
                } }
            })))
            (parts::card("Broker", html! {}, html! {
                dl.facts { @for (name, value) in &view.broker { dt { (name) } dd.key { (value) } } }
            }))
            p.soft { code { "doctor" } " on the command line asks the broker about everything else." }
        }
    }))
}
