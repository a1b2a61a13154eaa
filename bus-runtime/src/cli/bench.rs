//! `bench`: how fast messages go through the broker, from here.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::progress::Meter;
use super::signals::Signals;
use super::table::Table;
use super::{Output, block_on, report, run};
use crate::app::App;
use crate::envelope::Envelope;
use crate::error::{Error, ErrorKind};
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::observe::cpu_seconds;
use crate::seam;
use crate::topology::{Queue, QueueType, Topology};
use crate::transport::{Confirmation, ConsumeOptions, Consumer, Transport, TransportDescription, Verdict};

/// Options of `bench`.
#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// How many messages
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    messages: u32,
    /// The size of each body in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 256, value_parser = clap::value_parser!(u32).range(4..=16_000_000))]
    size: u32,
    /// Publishes that wait for their confirm at once, and messages that the consumer is given ahead
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
    /// What kind of queue
    #[arg(long, value_enum, default_value_t = Kind::Quorum)]
    queue: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// As those of the handlers, unless they say otherwise.
    Quorum,
    /// On one node alone.
    Classic,
}

/// It was stopped before its end.
const STOPPED: u8 = 3;
/// How long the queue may take to be removed after a signal, and how the program ends when it takes longer.
const STOP: (Duration, u8) = (Duration::from_secs(10), STOPPED);
/// What removes the queue of a program that was killed.
const EXPIRES: Duration = Duration::from_secs(60);

pub(super) fn bench(app: &App, arguments: &BenchArgs, format: Output) -> ExitCode {
    let measured = block_on(async {
        let signals = Signals::listen(STOP.0, STOP.1, None)?;
        let transport = app.connect_only().await?;
        let run = Bench::new(&*transport, arguments)?.run(&signals).await;
        let broker = transport.describe();
        transport.close(run::CLOSE_TIMEOUT).await;
        run.map(|run| (run, broker))
    });
    match measured.and_then(|measured| measured) {
        Ok((measured, broker)) => {
            let printed = report::print(&match format {
                Output::Table => table(&measured, arguments, &broker),
                Output::Json => format!("{:#}\n", document(&measured, arguments, &broker)),
                Output::Jsonl => report::lines(&document(&measured, arguments, &broker)),
            });
            if measured.consumed.len() == arguments.messages as usize {
                printed
            } else {
                ExitCode::from(STOPPED)
            }
        }
        Err(error) => report::failed(&[error]),
    }
}

/// What is needed to measure.
struct Bench<'t> {
    transport: &'t dyn Transport,
    queue: Queue,
    messages: u32,
    size: usize,
    concurrency: u16,
}

/// What was measured.
struct Measured {
    queue: QueueName,
    /// How long each publish waited for its confirm.
    confirmed: Vec<Duration>,
    /// How long each message took from its publisher to the consumer.
    consumed: Vec<Duration>,
    publishing: Duration,
    consuming: Duration,
    cpu: Option<f64>,
}

impl<'t> Bench<'t> {
    fn new(transport: &'t dyn Transport, arguments: &BenchArgs) -> Result<Self, Error> {
        let name = QueueName::new(format!("bus.bench.{}", seam::message_id()))?;
        let mut queue = Queue::durable(
            name,
            match arguments.queue {
                Kind::Quorum => QueueType::Quorum,
                Kind::Classic => QueueType::Classic,
            },
        );
        queue.arguments.expires = Some(EXPIRES);
        let &BenchArgs { messages, size, concurrency, .. } = arguments;
        Ok(Self { transport, queue, messages, size: size as usize, concurrency })
    }

    /// Measures on a queue of its own, which is gone afterwards.
    async fn run(&self, signals: &Signals) -> Result<Measured, Error> {
        let topology = Topology { queues: vec![self.queue.clone()], ..Topology::default() };
        self.transport.declare(&topology).await?;
        let options = ConsumeOptions { prefetch: self.concurrency, tag: self.queue.name.to_string() };
        let measured = match self.transport.consume(&self.queue.name, options).await {
            Ok(mut consumer) => {
                let measured = self.measure(&mut *consumer, signals).await;
                consumer.close(run::CLOSE_TIMEOUT).await;
                measured
            }
            Err(error) => Err(error),
        };
        let removed = self.transport.delete_queue(&self.queue.name).await;
        let measured = measured?;
        removed.map(|()| measured)
    }

    async fn measure(&self, consumer: &mut dyn Consumer, signals: &Signals) -> Result<Measured, Error> {
        let (cpu, began) = (cpu_seconds(), seam::now());
        let mut sent: Vec<Instant> = Vec::with_capacity(self.messages as usize);
        let mut under_way = FuturesUnordered::new();
        let mut measured = Measured {
            queue: self.queue.name.clone(),
            confirmed: Vec::with_capacity(self.messages as usize),
            consumed: Vec::with_capacity(self.messages as usize),
            publishing: Duration::ZERO,
            consuming: Duration::ZERO,
            cpu: None,
        };
        let mut meter = Meter::new("benchmarking");
        while measured.consumed.len() < self.messages as usize {
            while sent.len() < self.messages as usize && under_way.len() < usize::from(self.concurrency) {
                let envelope = self.message(sent.len())?;
                let at = seam::now();
                sent.push(at);
                let publishing = self.transport.publish(Arc::new(envelope));
                under_way
                    .push(async move { publishing.await.map(|confirmation| (confirmation, at.elapsed())) });
            }
            tokio::select! {
                () = signals.first() => break,
                Some(confirmed) = under_way.next(), if !under_way.is_empty() => {
                    let (confirmation, time) = confirmed?;
                    if confirmation == Confirmation::Unroutable {
                        return Err(Error::new(ErrorKind::NotFound, "the queue of the benchmark is gone"));
                    }
                    measured.confirmed.push(time);
                    measured.publishing = began.elapsed();
                }
                incoming = std::future::poll_fn(|cx| consumer.poll_next(cx)) => {
                    let Some(incoming) = incoming else { break };
                    let incoming = incoming?;
                    let number = incoming.envelope.body.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
                    let at = number.and_then(|number| sent.get(number as usize));
                    measured.consumed.extend(at.map(Instant::elapsed));
                    measured.consuming = began.elapsed();
                    incoming.settler.settle(Verdict::Ack)?;
                    meter.show(measured.consumed.len() as u64, Some(self.messages.into()), "");
                }
            }
        }
        // The last confirms come after the last messages.
        while let (Some(confirmed), true) =
            (under_way.next().await, measured.consumed.len() == self.messages as usize)
        {
            measured.confirmed.push(confirmed?.1);
            measured.publishing = began.elapsed();
        }
        meter.end();
        measured.cpu = cpu_seconds().zip(cpu).map(|(after, before)| after - before);
        measured.confirmed.sort_unstable();
        measured.consumed.sort_unstable();
        Ok(measured)
    }

    /// A message that begins with its number.
    fn message(&self, number: usize) -> Result<Envelope, Error> {
        let mut body = vec![0; self.size];
        let number = u32::try_from(number).unwrap_or_default().to_be_bytes();
        body.iter_mut().zip(number).for_each(|(to, byte)| *to = byte);
        let key = RoutingKey::new(self.queue.name.as_str())?;
        let mut envelope = Envelope::new(ExchangeName::default_exchange(), key, body);
        envelope.properties.persistent = true;
        Ok(envelope)
    }
}

/// The time that this share of them did not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or_default()
}

fn per_second(count: usize, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() }
}

impl Measured {
    fn rows(&self) -> [(&'static str, &[Duration], Duration); 2] {
        [("publish", &self.confirmed, self.publishing), ("consume", &self.consumed, self.consuming)]
    }

    /// Processor time of this process for each message; a broker elsewhere has its own.
    fn cpu_each(&self) -> Option<f64> {
        self.cpu.filter(|_| !self.consumed.is_empty()).map(|cpu| cpu / self.consumed.len() as f64)
    }
}

fn table(measured: &Measured, arguments: &BenchArgs, broker: &TransportDescription) -> String {
    let mut table = Table::new(&["what", "messages", "per second", "p50", "p95", "p99", "max"]);
    for (what, times, took) in measured.rows() {
        let at = |percent| format!("{:.2} ms", percentile(times, percent).as_secs_f64() * 1000.0);
        let rate = format!("{:.0}", per_second(times.len(), took));
        table.row([what.to_owned(), times.len().to_string(), rate, at(50), at(95), at(99), at(100)]);
    }
    let cpu = measured.cpu_each().map_or_else(String::new, |cpu| {
        format!("processor time of this process: {:.1} µs for each message\n", cpu * 1e6)
    });
    format!(
        "{}{cpu}on {} ({}), {} bytes, concurrency {}\n",
        table.render(),
        broker.address,
        broker.server,
        arguments.size,
        arguments.concurrency
    )
}

fn document(measured: &Measured, arguments: &BenchArgs, broker: &TransportDescription) -> Value {
    let items: Vec<_> = measured
        .rows()
        .iter()
        .map(|(what, times, took)| {
            let at = |percent| percentile(times, percent).as_secs_f64();
            json!({
                "what": what,
                "messages": times.len(),
                "seconds": took.as_secs_f64(),
                "per_second": per_second(times.len(), *took),
                "p50": at(50),
                "p95": at(95),
                "p99": at(99),
                "max": at(100),
            })
        })
        .collect();
    json!({
        "schema": "bus.bench/1",
        "broker": broker.address,
        "server": broker.server,
        "queue": measured.queue.as_str(),
        "size": arguments.size,
        "concurrency": arguments.concurrency,
        "cpu_seconds_per_message": measured.cpu_each(),
        "items": items,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        let at = |percent| percentile(&times, percent).as_millis();
        assert_eq!((at(50), at(99), at(100)), (50, 99, 100));
        assert_eq!(percentile(&times[..1], 50).as_millis(), 1);
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
