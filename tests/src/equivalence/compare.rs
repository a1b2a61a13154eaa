//! Runs a program on both brokers and finds the first step at which they differ.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bus_runtime::EmbeddedBroker;
use bus_runtime::transport::Transport;

use super::actor::{Actor, Arrival, Connections};
use super::program::{Names, Program, QUEUES, Step};
use super::seen::{Levels, Seen};

/// How long a moment is on RabbitMQ at first, and how much longer it is with each repetition.
const MOMENT: Duration = Duration::from_millis(250);
const SLOWER: u32 = 3;

/// How long RabbitMQ has for a settlement before the next step, and for reaching the state that it must reach after a step. At
/// first there is no pause, as that finds the most.
const ATTEMPTS: [Patience; 3] = [
    Patience { settlement: Duration::ZERO, state: Duration::from_millis(500) },
    Patience { settlement: Duration::from_millis(20), state: Duration::from_secs(1) },
    Patience { settlement: Duration::from_millis(150), state: Duration::from_secs(3) },
];

#[derive(Clone, Copy, Debug)]
struct Patience {
    settlement: Duration,
    state: Duration,
}

/// How much is done to believe in a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// It is one when it shows in every attempt.
    Searching,
    /// One is known, and a smaller program with one is looked for: one patient attempt.
    Shrinking,
}

/// RabbitMQ, and a prefix for the names in it.
#[derive(Debug)]
pub struct Brokers {
    rabbitmq: Connections,
    prefix: String,
    runs: AtomicU32,
}

/// How much was compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compared {
    /// Operations that both brokers have carried out.
    pub operations: u64,
    /// Looks at a queue after them.
    pub levels: u64,
    /// Messages that both have delivered.
    pub messages: u64,
}

/// What RabbitMQ shows, and the embedded broker does not.
#[derive(Debug)]
pub struct Difference {
    program: Program,
    step: String,
    embedded: String,
    rabbitmq: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, step, embedded, rabbitmq } = self;
        writeln!(f, "the brokers differ at {step}:")?;
        writeln!(f, "embedded: {embedded}")?;
        writeln!(f, "RabbitMQ: {rabbitmq}")?;
        write!(f, "the program:\n{program:?}")
    }
}

/// What one step of the program has shown.
struct Record {
    what: String,
    seen: Vec<Seen>,
    levels: Option<Levels>,
}

/// How a run on RabbitMQ ended.
enum Run {
    Alike,
    Differs(Box<Difference>),
    TooSlow,
}

impl Brokers {
    /// Two connections to RabbitMQ: one declares, the other one publishes and consumes.
    #[must_use]
    pub fn new(owner: Arc<dyn Transport>, user: Arc<dyn Transport>, prefix: String) -> Self {
        Self { rabbitmq: Connections { owner, user }, prefix, runs: AtomicU32::new(0) }
    }

    /// A run finds nothing of the one before it.
    fn next_prefix(&self) -> String {
        format!("{}{}.", self.prefix, self.runs.fetch_add(1, Ordering::Relaxed))
    }
}

/// Runs the program on the embedded broker, then on RabbitMQ.
///
/// # Errors
/// The first difference.
pub fn compare(
    brokers: &Brokers,
    runtime: &tokio::runtime::Runtime,
    program: &Program,
    effort: Effort,
) -> Result<Compared, Box<Difference>> {
    let mut moment = MOMENT;
    let mut attempts = match effort {
        Effort::Searching => ATTEMPTS.iter(),
        Effort::Shrinking => ATTEMPTS[1..2].iter(),
    };
    let mut patience = attempts.next();
    while let Some(current) = patience {
        let records = on_embedded(program, moment);
        match runtime.block_on(on_rabbitmq(brokers, program, &records, moment, *current)) {
            Run::Alike => return Ok(count(&records)),
            Run::TooSlow => moment *= SLOWER,
            Run::Differs(difference) => {
                patience = attempts.next();
                if patience.is_none() {
                    return Err(difference);
                }
            }
        }
    }
    Ok(Compared::default())
}

fn count(records: &[Record]) -> Compared {
    let mut compared = Compared::default();
    for record in records {
        compared.operations += record.seen.len() as u64;
        compared.levels += record.levels.as_ref().map_or(0, |levels| levels.len() as u64);
        let messages = record.seen.iter().filter(|seen| matches!(seen, Seen::Message(_)));
        compared.messages += messages.count() as u64;
    }
    compared
}

/// Whether a step can change how many messages or consumers a queue has.
fn changes_levels(step: &Step) -> bool {
    !matches!(
        step,
        Step::Take { .. }
            | Step::CompareQueue { .. }
            | Step::DeclareExchange { .. }
            | Step::BindQueue { .. }
            | Step::BindExchange { .. }
            | Step::UnbindQueue { .. }
            | Step::UnbindExchange { .. }
            | Step::DeleteExchange { .. }
            | Step::DeleteUnusedExchange { .. }
    )
}

/// All steps of a program, with those of its beginning.
fn steps(program: &Program) -> Vec<Step> {
    Actor::opening(program).into_iter().chain(program.steps.iter().cloned()).collect()
}

fn on_embedded(program: &Program, moment: Duration) -> Vec<Record> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let broker = EmbeddedBroker::new();
        let connections = Connections { owner: Arc::new(broker.clone()), user: Arc::new(broker) };
        let names = Names { prefix: "e.".to_owned(), moment };
        let mut actor = Actor::new(&connections, program, names, Duration::ZERO);
        let mut records = Vec::new();
        for step in steps(program) {
            // Things that happen one after the other do not happen at the same time.
            tokio::time::sleep(Duration::from_millis(1)).await;
            let seen = actor.act(&step, Arrival::Unexpected).await;
            let levels = match changes_levels(&step) {
                true => Some(actor.levels().await),
                false => None,
            };
            if let Some(levels) = &levels {
                actor.part_with(levels).await;
            }
            records.push(Record { what: format!("{step:?}"), seen: vec![seen], levels });
        }
        actor.let_go().await;
        records.push(Record {
            what: "the end".to_owned(),
            seen: Vec::new(),
            levels: Some(actor.levels().await),
        });
        for (queue, name) in QUEUES.iter().enumerate() {
            let seen = actor.drain(queue).await;
            records.push(Record { what: format!("what is left in {name}"), seen, levels: None });
        }
        records
    })
}

async fn on_rabbitmq(
    brokers: &Brokers,
    program: &Program,
    records: &[Record],
    moment: Duration,
    patience: Patience,
) -> Run {
    let names = Names { prefix: brokers.next_prefix(), moment };
    let mut actor = Actor::new(&brokers.rabbitmq, program, names, patience.settlement);
    let run = follow(&mut actor, program, records, moment, patience.state).await;
    actor.clean_up().await;
    run
}

async fn follow(
    actor: &mut Actor<'_>,
    program: &Program,
    records: &[Record],
    moment: Duration,
    patience: Duration,
) -> Run {
    let in_haste = program.has_moments();
    let mut began = Instant::now();
    let mut records = records.iter();
    for (step, expected) in steps(program).iter().zip(&mut records) {
        if matches!(step, Step::Wait) && in_haste && began.elapsed() > moment.mul_f32(0.7) {
            return Run::TooSlow;
        }
        let arrival = match &expected.seen[..] {
            [Seen::Message(_) | Seen::Refused(_)] => Arrival::Expected,
            _ => Arrival::Unexpected,
        };
        let seen = vec![actor.act(step, arrival).await];
        let run = settle_down(actor, program, expected, &seen, patience).await;
        if in_haste && !matches!(step, Step::Wait) && began.elapsed() > moment.mul_f32(0.7) {
            return Run::TooSlow;
        }
        let Run::Alike = run else { return run };
        if matches!(step, Step::Wait) {
            began = Instant::now();
        }
    }
    actor.let_go().await;
    if let Some(expected) = records.next() {
        let run = settle_down(actor, program, expected, &[], patience).await;
        let Run::Alike = run else { return run };
    }
    for (queue, expected) in records.enumerate() {
        let seen = actor.drain(queue).await;
        let run = settle_down(actor, program, expected, &seen, patience).await;
        if in_haste && began.elapsed() > moment.mul_f32(0.7) {
            return Run::TooSlow;
        }
        let Run::Alike = run else { return run };
    }
    Run::Alike
}

/// Compares what was seen, and waits until the queues are as they are in the embedded broker.
async fn settle_down(
    actor: &mut Actor<'_>,
    program: &Program,
    expected: &Record,
    seen: &[Seen],
    patience: Duration,
) -> Run {
    let differs = |embedded: String, rabbitmq: String| {
        let (program, step) = (program.clone(), expected.what.clone());
        Run::Differs(Box::new(Difference { program, step, embedded, rabbitmq }))
    };
    if seen != expected.seen {
        return differs(format!("{:?}", expected.seen), format!("{seen:?}"));
    }
    let Some(wanted) = &expected.levels else { return Run::Alike };
    let deadline = Instant::now() + patience;
    let mut pause = Duration::from_millis(1);
    loop {
        let levels = actor.levels().await;
        if levels == *wanted {
            actor.part_with(&levels).await;
            return Run::Alike;
        }
        if Instant::now() > deadline {
            return differs(format!("{wanted:?}"), format!("{levels:?}"));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}
