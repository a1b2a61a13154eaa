//! Every feature in a program of its own, each of at most 30 lines, with its test.
//!
//! `cargo run --example features -- handlers` lists their handlers, `cargo test --example features` runs their tests.

#![allow(clippy::print_stdout, reason = "these programs do what users do")]

use std::process::ExitCode;

mod batches;
mod breakers;
mod captures;
mod checks;
mod commands;
mod controllers;
mod copies;
mod delays;
mod errors;
mod events;
mod filters;
mod foreign;
mod full_queues;
mod groups;
mod idempotency;
mod manual;
mod middleware;
mod ordered;
mod outcomes;
mod quickstart;
mod retries;
mod sessions;
mod setup;
mod staged;
mod tasks;

fn main() -> ExitCode {
    app().run()
}

/// All of them as one app.
fn app() -> bus_runtime::App {
    let app = bus_runtime::app().name("features").instance(controllers::Shop { name: "corner".to_owned() });
    setup::add_to(middleware::add_to(idempotency::add_to(app)))
}
