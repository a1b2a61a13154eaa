//! Instructions per message, counted by valgrind: unlike times, two runs of one build agree, so a limit can stand in code.
//!
//! `cargo bench -p bus-examples --bench instructions [--features otel] [-- CASE ..]` runs each case with N and with 2 N messages; the
//! difference is what N messages cost. It fails when a case costs more than its limit.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints, and stops when it cannot go on"
)]

mod common;

use std::process::{Command, ExitCode};
use std::sync::Arc;

use common::pages::{Tally, start_timing, through_a_channel, through_the_bus};

/// How the benchmark calls itself: this word, a case, a number.
const RUN: &str = "run";
const MESSAGES: u64 = 2_000;

/// What is counted, and how many instructions a message may take.
struct Case {
    name: &'static str,
    limit: Option<u64>,
}

const fn case(name: &'static str) -> Case {
    Case { name, limit: None }
}

const CASES: &[Case] = &[
    case("channel"),
    // Everything is counted, each call is timed, and nobody listens to spans.
    Case { name: "embedded", limit: Some(26_900) },
    // One of ten is timed, or none.
    case("sampled"),
    case("untimed"),
    // A log at the level info, into nothing.
    case("logged"),
    // Every message has its trace, or one of a hundred, into nothing.
    #[cfg(feature = "otel")]
    case("traced"),
    #[cfg(feature = "otel")]
    case("traced-1%"),
];

/// A log at the level info that nobody reads: what costs is that spans are made.
fn log() {
    let log = tracing_subscriber::fmt().with_writer(std::io::sink);
    log.with_max_level(tracing_subscriber::filter::LevelFilter::INFO).init();
}

/// Traces of this share of all messages, which nobody is sent.
#[cfg(feature = "otel")]
fn trace(share: f64) {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    use tracing_subscriber::{Layer, filter::LevelFilter};
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share)));
    let provider = SdkTracerProvider::builder().with_sampler(sampler).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("bench"));
    let layer = layer.with_location(false).with_threads(false).with_filter(LevelFilter::INFO);
    tracing_subscriber::registry().with(layer).init();
}

async fn run(case: &str, messages: u64) {
    let tally = Arc::new(Tally::default());
    match case {
        "channel" => through_a_channel(&tally, messages).await,
        _ => {
            let one_of = match case {
                "embedded" => 1,
                "sampled" => 10,
                "untimed" => 0,
                "logged" => {
                    log();
                    1
                }
                #[cfg(feature = "otel")]
                "traced" => {
                    trace(1.0);
                    1
                }
                #[cfg(feature = "otel")]
                "traced-1%" => {
                    trace(0.01);
                    1
                }
                _ => panic!("no case is called {case}"),
            };
            let bus = start_timing(&tally, one_of).await;
            through_the_bus(&bus, &tally, messages).await;
            bus.shutdown().await;
        }
    }
}

/// The instructions of a run with so many messages; `None` without valgrind.
fn count(case: &str, messages: u64) -> Option<u64> {
    let itself = std::env::current_exe().expect("the benchmark itself");
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(itself)
        .args([RUN, case, &messages.to_string()])
        .output()
        .ok()?;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case} ended with {}: {told}", output.status);
    let digits = told.lines().find(|line| line.contains("refs:") && line.contains(" I "))?.replace(',', "");
    digits.split_whitespace().last()?.parse().ok()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, case, messages] = &arguments[..]
        && word == RUN
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(run(case, messages.parse().expect("a number")));
        return ExitCode::SUCCESS;
    }
    let is_wanted = |case: &&Case| {
        let mut named = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
        named.peek().is_none() || named.any(|name| name == case.name)
    };
    let mut twin = None;
    let mut is_good = true;
    for case in CASES.iter().filter(is_wanted) {
        let (Some(once), Some(twice)) = (count(case.name, MESSAGES), count(case.name, 2 * MESSAGES)) else {
            println!("valgrind is needed to count instructions: apt-get install valgrind");
            return ExitCode::FAILURE;
        };
        let each = twice.saturating_sub(once) / MESSAGES;
        let twin = *twin.get_or_insert(each);
        let verdict = match case.limit {
            Some(limit) if each > limit => {
                is_good = false;
                format!("   MORE THAN {limit}")
            }
            Some(limit) => format!("   at most {limit}"),
            None => String::new(),
        };
        println!(
            "{:<12} {each:>8} instructions each   {:>5.2} x{verdict}",
            case.name,
            each as f64 / twin as f64
        );
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
