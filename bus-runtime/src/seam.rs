//! The one door to time, randomness and tasks, so that a simulation can own all three.

use std::future::Future;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

#[cfg(feature = "testing")]
mod log;
#[cfg(feature = "testing")]
pub(crate) mod simulation;

#[cfg(feature = "testing")]
pub(crate) use log::Log;

/// How many plain `fn` handlers may run at once in the whole process: below the size of tokio's blocking pool (512), so that
/// handlers which never return leave room for everything else that blocks.
const BLOCKING_MAX: usize = 256;

/// The numbers of ids in one millisecond: 26 bits.
const NUMBERS_MAX: u32 = (1 << 26) - 1;

static BLOCKING: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(BLOCKING_MAX)));

/// The present, on the clock that tests can pause.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The present, as people and other machines tell it. It moves with [`now`], so that paused tests see it stand still.
pub(crate) fn wall_clock() -> SystemTime {
    wall_clock_at(now())
}

/// What [`wall_clock`] said, or will say, at this point in time.
pub(crate) fn wall_clock_at(time: Instant) -> SystemTime {
    #[cfg(feature = "testing")]
    if let Some(simulation) = simulation::current() {
        return simulation.wall_clock_at(time);
    }
    static ORIGIN: LazyLock<(std::time::Instant, SystemTime)> =
        LazyLock::new(|| (std::time::Instant::now(), SystemTime::now()));
    let (started, at) = *ORIGIN;
    match time.into_std().checked_duration_since(started) {
        Some(since) => at + since,
        None => at,
    }
}

/// Waits.
///
/// # Cancel safety
/// Safe to cancel.
pub(crate) async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Starts a task; the name is for whoever reads a task dump.
pub(crate) fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tracing::trace!(task = name, "spawned");
    #[cfg(feature = "testing")]
    if let Some(simulation) = simulation::current() {
        return spawn_bare(simulation.own(name, future));
    }
    spawn_bare(future)
}

/// Starts a task that does not belong to the app that happens to start it.
pub(crate) fn spawn_for_all<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tracing::trace!(task = name, "spawned");
    #[cfg(feature = "testing")]
    if let Some(simulation) = simulation::current() {
        return spawn_bare(simulation.own_for_all(name, future));
    }
    spawn_bare(future)
}

/// Starts a task that is waited for, and interrupted, with others.
pub(crate) fn spawn_into<F>(set: &mut JoinSet<F::Output>, name: &'static str, future: F)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tracing::trace!(task = name, "spawned");
    #[cfg(feature = "testing")]
    if let Some(simulation) = simulation::current() {
        set.spawn(simulation.own(name, future));
        return;
    }
    set.spawn(future);
}

#[expect(clippy::disallowed_methods, reason = "this is the seam")]
fn spawn_bare<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future)
}

/// How late a message or a confirm of the embedded broker is: never, but in a simulation.
pub(crate) fn lateness() -> Option<Duration> {
    #[cfg(feature = "testing")]
    return simulation::current()?.lateness();
    #[cfg(not(feature = "testing"))]
    None
}

/// Whether this is a simulation.
pub(crate) fn is_simulated() -> bool {
    #[cfg(feature = "testing")]
    return simulation::current().is_some();
    #[cfg(not(feature = "testing"))]
    false
}

/// Which process this is, in names and for people.
pub(crate) fn process_id() -> u64 {
    #[cfg(feature = "testing")]
    if simulation::current().is_some() {
        return simulation::process();
    }
    std::process::id().into()
}

/// Starts a thread that is not one of the runtime's: for what must go on when handlers block all of those.
///
/// # Errors
/// When the system has no thread left.
pub(crate) fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

/// Lets a thread that is not one of the runtime's wait.
pub(crate) fn rest(time: Duration) {
    std::thread::sleep(time);
}

/// Starts a thread that ends before what it borrows.
#[cfg(feature = "testing")]
pub(crate) fn scoped_thread<'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    run: impl FnOnce() + Send + 'scope,
) {
    scope.spawn(run);
}

/// A number from 0 up to, but not including, 1, from a generator that is not for secrets.
#[cfg(feature = "rabbitmq")]
pub(crate) fn random() -> f64 {
    #[cfg(feature = "testing")]
    if let Some(simulation) = simulation::current() {
        return simulation.random();
    }
    fastrand::f64()
}

/// A number below `bound`, from a generator that is not for secrets.
pub(crate) fn random_below(bound: u32) -> u32 {
    #[cfg(feature = "testing")]
    if let Some(simulation) = simulation::current() {
        return simulation.random_below(bound);
    }
    fastrand::u32(0..bound.max(1))
}

/// A new id for a message: UUID v7, so that ids sort by time, those of one millisecond too. It costs no system call.
pub(crate) fn message_id() -> String {
    static LAST: Mutex<(u64, u32)> = Mutex::new((0, 0));
    #[cfg(feature = "testing")]
    if let Some(simulation) = simulation::current() {
        let since = wall_clock().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &simulation.random_bytes());
        return id.into_uuid().to_string();
    }
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    let (millis, number) = {
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        *last = match *last {
            (at, number) if at >= millis && number < NUMBERS_MAX => (at, number + 1),
            (at, _) if at >= millis => (at + 1, 0),
            // The first half of the numbers to begin with, so that processes differ and there is room to count.
            _ => (millis, fastrand::u32(0..NUMBERS_MAX / 2)),
        };
        *last
    };
    let mut rest = [0; 10];
    fastrand::fill(&mut rest);
    // 26 bits of the number, around those that say which kind of UUID it is.
    let [_, _, low @ ..] = (number & 0x3fff).to_be_bytes();
    let [_, _, high @ ..] = (number >> 14).to_be_bytes();
    rest[..2].copy_from_slice(&high);
    rest[2..4].copy_from_slice(&low);
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid();
    let mut text = uuid::Uuid::encode_buffer();
    id.hyphenated().encode_lower(&mut text).to_owned()
}

/// Runs a plain `fn` handler on the pool for blocking work; its panic goes on in the caller. A simulation has one thread: there
/// it runs at once.
///
/// # Cancel safety
/// When it is dropped, a handler that has begun goes on until it returns, and keeps its place in the pool until then.
pub(crate) async fn blocking<T, F>(handler: F) -> T
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    #[cfg(feature = "testing")]
    if simulation::current().is_some() {
        return handler();
    }
    let permit = Arc::clone(&BLOCKING).acquire_owned().await;
    let task = tokio::task::spawn_blocking(move || {
        let returned = handler();
        drop(permit);
        returned
    });
    match task.await {
        Ok(returned) => returned,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only the end of the runtime cancels blocking work, and this future ends with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Numbers that only a seed decides about.
#[cfg(feature = "testing")]
#[derive(Debug)]
pub(crate) struct Dice(fastrand::Rng);

/// Dice that fall alike for one seed.
#[cfg(feature = "testing")]
pub(crate) fn dice(seed: u64) -> Dice {
    Dice(fastrand::Rng::with_seed(seed))
}

#[cfg(feature = "testing")]
impl Dice {
    /// A number below `bound`; 0 when there is none.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0.usize(0..bound.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_sort_in_the_order_in_which_they_are_made() {
        let ids: Vec<String> = (0..10_000).map(|_| message_id()).collect();
        assert!(ids.is_sorted_by(|one, next| one < next));
        assert!(ids.iter().all(|id| uuid::Uuid::parse_str(id).is_ok_and(|id| id.get_version_num() == 7)));
    }
}
