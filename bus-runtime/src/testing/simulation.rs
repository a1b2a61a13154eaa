//! Simulations: an app, its broker and its clock on one thread, where a seed decides everything that is otherwise up to chance.

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

use crate::config;
use crate::seam::Log;
use crate::seam::simulation::{self, Simulation};

/// How many of the last notes the report of a failure shows.
const NOTES_SHOWN: usize = 200;

/// Runs a program in a simulation: on this thread, with a clock that jumps to whatever is due next, and with the seed deciding
/// which of the tasks goes on that could, how late messages and confirms of the [`EmbeddedBroker`](crate::EmbeddedBroker) are,
/// and every random number and id. The same seed gives the same run; another seed another order of events.
///
/// Days of retries take milliseconds. To look for the order of events that breaks something, run many seeds: [`Simulations`].
///
/// ```standalone_crate
/// use bus_runtime::prelude::*;
/// use bus_runtime::testing::simulate;
///
/// #[react("wiki.#", retry(max = 20, initial = "1h", max_delay = "24h", jitter = "0%"))]
/// async fn index() -> Result<(), BoxError> {
///     Err("the index is away".into())
/// }
///
/// # fn main() {
/// let waited = simulate(7, || async {
///     let bus = TestBus::start(bus_runtime::app()).await;
///     let began = tokio::time::Instant::now();
///     bus.react("wiki.home.edited", &()).await;
///     while bus.dead_letters().all().is_empty() {
///         tokio::time::sleep(Duration::from_secs(3600)).await;
///     }
///     began.elapsed()
/// });
/// assert!(waited > Duration::from_secs(14 * 24 * 3600));
/// # }
/// ```
///
/// # What is up to the program
///
/// What the program itself leaves to chance outside of `bus_runtime` is not up to the seed: the order of a `HashMap`, a
/// `tokio::select!` without `biased`, the clock of the system (`std::time`), threads. `fastrand` without a generator of its own
/// is. A plain `fn` handler runs on the thread of the simulation, and must not block it.
///
/// # Panics
/// With the panic of the program, and what it had [noted](note). When there is a simulation on this thread already, and when
/// tasks wake each other without end.
pub fn simulate<F>(seed: u64, body: impl FnOnce() -> F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let run = Simulated::run(seed, body);
    match run.result {
        Ok(returned) => returned,
        Err(panic) => {
            panic!("seed {seed}: {}\n{}", text_of(panic.as_ref()), run.log.notes(NOTES_SHOWN))
        }
    }
}

/// A simulation that has ended, and all that happened in it.
pub struct Simulated<T> {
    result: std::thread::Result<T>,
    log: Log,
}

impl<T: Send + 'static> Simulated<T> {
    /// As [`simulate`], but keeps a panic of the program.
    ///
    /// # Panics
    /// When there is a simulation on this thread already.
    pub fn run<F>(seed: u64, body: impl FnOnce() -> F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        let (result, log) = simulation::run(seed, body);
        Self { result, log }
    }

    /// What the program returned.
    ///
    /// # Errors
    /// What it panicked with.
    pub fn result(self) -> std::thread::Result<T> {
        self.result
    }

    /// Every step of every task and every [note](note), with its time since the beginning, a line each. The same program with
    /// the same seed gives the same text.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.all()
    }
}

impl<T> fmt::Debug for Simulated<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulated").field("ended_well", &self.result.is_ok()).finish_non_exhaustive()
    }
}

/// Writes a line into the log of the simulation, with the time. The report of a failing seed shows the last 200. Without a
/// simulation it does nothing.
pub fn note(text: impl Into<String>) {
    if let Some(simulation) = simulation::current() {
        simulation.note(text.into());
    }
}

/// Starts a part of the program that can be [killed](Process::kill): the future, and all tasks that apps start in it. They end
/// with the future, as the tasks of a program end with its `main`.
///
/// ```
/// use bus_runtime::testing::{process, simulate};
/// use bus_runtime::EmbeddedBroker;
///
/// simulate(7, || async {
///     let broker = EmbeddedBroker::new();
///     let at = broker.clone();
///     let worker = process(async move {
///         let _bus = bus_runtime::app().embedded(&at).start().await.unwrap();
///         std::future::pending::<()>().await
///     });
///     tokio::time::sleep(std::time::Duration::from_secs(60)).await;
///     // The broker gives its unsettled messages to others.
///     worker.kill().await;
/// });
/// ```
///
/// # Panics
/// Outside of a simulation.
pub fn process<F>(future: F) -> Process<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let Some(simulation) = simulation::current() else {
        panic!("`process` needs a simulation: call it inside of `simulate`")
    };
    let number = simulation.new_process();
    let task = simulation.spawn_in(number, future);
    Process { simulation, number, task }
}

/// A part of a simulated program: see [`process`]. It goes on when this is dropped.
#[must_use = "it cannot be killed or waited for when it is dropped"]
pub struct Process<T> {
    simulation: Arc<Simulation>,
    number: u64,
    task: JoinHandle<T>,
}

impl<T> Process<T> {
    /// Ends it without a farewell, as `kill -9` does: none of its tasks goes on, and its connection to the embedded broker is
    /// lost. What it has not settled goes back to its queues.
    ///
    /// # Cancel safety
    /// When the future is dropped after it was polled, the process is killed all the same.
    pub async fn kill(self) {
        self.simulation.kill(self.number).await;
    }

    /// Waits for the end of its future.
    ///
    /// # Panics
    /// With its panic.
    ///
    /// # Cancel safety
    /// Safe to cancel: the process goes on.
    pub async fn join(self) -> T {
        match self.task.await {
            Ok(returned) => returned,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Only the end of the simulation cancels it, and this future ends with that.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

impl<T> fmt::Debug for Process<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("number", &self.number).finish_non_exhaustive()
    }
}

/// The same program with many seeds, on all cores.
///
/// ```no_run
/// use bus_runtime::prelude::*;
/// use bus_runtime::testing::Simulations;
///
/// #[test]
/// # fn hidden() {}
/// fn no_order_of_events_loses_a_page() {
///     Simulations::of(1_000).run(|_seed| async {
///         let bus = TestBus::start(bus_runtime::app().without_handlers()).await;
///         bus.react("wiki.home.edited", &()).await;
///         bus.settled().await;
///     });
/// }
/// # no_order_of_events_loses_a_page();
/// ```
///
/// `BUS_SIM_SEED=123` runs this one seed alone, as the report of a failure says. `BUS_SIM_SEEDS=1000000` runs so many.
#[derive(Clone, Debug)]
#[must_use = "nothing is simulated until it is run"]
pub struct Simulations {
    seeds: Range<u64>,
    command: Option<String>,
}

impl Simulations {
    /// So many seeds, from 0 on, unless the environment says otherwise.
    ///
    /// # Panics
    /// When what the environment says is no number.
    pub fn of(count: u64) -> Self {
        let seeds = match config::simulation_seeds() {
            Ok(seeds) => seeds.unwrap_or(0..count),
            Err(error) => panic!("{error}"),
        };
        Self { seeds, command: None }
    }

    /// The command that a report tells to run a failing seed again, without `BUS_SIM_SEED`. Unless it is set, the report names
    /// the test as `cargo test` would be told.
    pub fn reproduced_by(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }

    /// Runs the program once for each seed, as [`simulate`] does. Says how many seeds that were.
    ///
    /// # Panics
    /// When a seed fails: with the seed, its panic, the last of what was [noted](note), and the command that runs it again. Of
    /// several it is the lowest that is known by then.
    pub fn run<F>(self, body: impl Fn(u64) -> F + Sync) -> u64
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let next = AtomicU64::new(self.seeds.start);
        let failed: Mutex<Option<Failure>> = Mutex::default();
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                let stop = failed.lock().unwrap_or_else(PoisonError::into_inner).is_some();
                if stop || !self.seeds.contains(&seed) {
                    return;
                }
                let run = Simulated::run(seed, || body(seed));
                if let Err(panic) = run.result {
                    let failure =
                        Failure { seed, text: text_of(panic.as_ref()), notes: run.log.notes(NOTES_SHOWN) };
                    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                    if failed.as_ref().is_none_or(|known| seed < known.seed) {
                        *failed = Some(failure);
                    }
                }
            }
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..cores {
                crate::seam::scoped_thread(scope, work);
            }
        });
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = failed {
            panic!("{}", failure.report(self.command.as_deref()));
        }
        self.seeds.end.saturating_sub(self.seeds.start)
    }
}

struct Failure {
    seed: u64,
    text: String,
    notes: String,
}

impl Failure {
    fn report(&self, command: Option<&str>) -> String {
        let Self { seed, text, notes } = self;
        let test = std::thread::current();
        let by_name = || format!("cargo test {}", test.name().unwrap_or_default());
        let command = command.map_or_else(by_name, str::to_owned);
        format!("seed {seed} fails: {text}\n{notes}reproduce it: BUS_SIM_SEED={seed} {command}")
    }
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}
