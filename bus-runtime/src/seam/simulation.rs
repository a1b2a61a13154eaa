//! A simulation: one thread on which a seed decides which task goes on next, how late the broker is, and every random number.
//!
//! Below it is tokio with a clock that stands still while anything can go on, and then jumps to the next timer. What tokio
//! leaves to chance, such as the order in which a `watch` wakes those who wait, only fills the set of tasks that are ready; the
//! next one is drawn from that set by the seed, whatever the order was in which they came into it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::log::Log;

/// When every simulation begins: 2020-09-13, on the clock of people.
const EPOCH: Duration = Duration::from_secs(1_600_000_000);
/// How often tasks may go on without the clock going on: more means that they wake each other in a circle.
const STEPS_MAX: u64 = 1_000_000;
/// One of so many messages and confirms is late.
const LATE_ONE_IN: u32 = 4;
/// By how many milliseconds at most.
const LATE_MAX: u64 = 40;
/// The group of what belongs to no process: the body of the simulation, and the broker.
const WORLD: u64 = 0;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Simulation>>> = const { RefCell::new(None) };
    /// The process whose task goes on now.
    static GROUP: Cell<u64> = const { Cell::new(WORLD) };
}

/// One simulation. Everything in it happens on one thread; the lock is for the type system.
pub(crate) struct Simulation {
    state: Mutex<State>,
    began: Instant,
}

struct State {
    /// Which task is next, and how late things are.
    schedule: fastrand::Rng,
    /// What the program draws.
    values: fastrand::Rng,
    next_task: u64,
    tasks: BTreeMap<u64, Task>,
    ready: BTreeSet<u64>,
    /// The task that may go on.
    granted: Option<u64>,
    groups: BTreeMap<u64, Group>,
    conductor: Option<Waker>,
    steps: (Duration, u64),
    log: Log,
}

struct Task {
    name: &'static str,
    group: u64,
    /// Tokio's, once tokio has polled it.
    waker: Option<Waker>,
}

#[derive(Default)]
struct Group {
    killed: bool,
    tasks: usize,
    /// Who waits until all of its tasks are gone.
    waits: Option<Waker>,
}

/// Runs a program from its first task to that task's end. Gives back what it returned, or how it panicked, and the log.
pub(crate) fn run<F>(seed: u64, body: impl FnOnce() -> F) -> (std::thread::Result<F::Output>, Log)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    assert!(current().is_none(), "a simulation cannot run inside of another");
    let built = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let Ok(runtime) = built else { panic!("the system has no room for a runtime") };
    // What handlers draw themselves on this thread is a matter of the seed too.
    fastrand::seed(seed);
    let mut seeds = fastrand::Rng::with_seed(seed);
    let simulation = Simulation {
        state: Mutex::new(State {
            schedule: seeds.fork(),
            values: seeds.fork(),
            next_task: 0,
            tasks: BTreeMap::new(),
            ready: BTreeSet::new(),
            granted: None,
            groups: BTreeMap::new(),
            conductor: None,
            steps: (Duration::ZERO, 0),
            log: Log::default(),
        }),
        began: runtime.block_on(async { Instant::now() }),
    };
    let simulation = Arc::new(simulation);
    let _entered = Entered::new(&simulation);
    let whole = async {
        let mut body = super::spawn("body", body());
        poll_fn(|cx| {
            simulation.conduct(cx.waker());
            Pin::new(&mut body).poll(cx)
        })
        .await
    };
    let result = match catch_unwind(AssertUnwindSafe(|| runtime.block_on(whole))) {
        Ok(Ok(returned)) => Ok(returned),
        Ok(Err(error)) => Err(error.try_into_panic().unwrap_or_else(cancelled)),
        Err(panic) => Err(panic),
    };
    // What is left is dropped inside of the simulation, as it has lived.
    drop(runtime);
    let log = std::mem::take(&mut simulation.lock().log);
    (result, log)
}

fn cancelled(_: tokio::task::JoinError) -> Box<dyn Any + Send> {
    Box::new("the body of the simulation was cancelled")
}

/// Makes a simulation that of this thread.
struct Entered;

impl Entered {
    fn new(simulation: &Arc<Simulation>) -> Self {
        CURRENT.set(Some(Arc::clone(simulation)));
        Self
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

/// The simulation that this thread is in.
pub(crate) fn current() -> Option<Arc<Simulation>> {
    // While the thread ends, there is none.
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// Which process goes on now.
pub(super) fn process() -> u64 {
    GROUP.get()
}

impl Simulation {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time since the simulation began.
    pub(crate) fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(self.began)
    }

    pub(super) fn wall_clock_at(&self, time: Instant) -> SystemTime {
        SystemTime::UNIX_EPOCH + EPOCH + time.saturating_duration_since(self.began)
    }

    #[cfg(feature = "rabbitmq")]
    pub(super) fn random(&self) -> f64 {
        self.lock().values.f64()
    }

    pub(super) fn random_below(&self, bound: u32) -> u32 {
        self.lock().values.u32(0..bound.max(1))
    }

    /// Bytes for an id.
    pub(super) fn random_bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        self.lock().values.fill(&mut bytes);
        bytes
    }

    /// How late the next message or confirm is.
    pub(super) fn lateness(&self) -> Option<Duration> {
        let schedule = &mut self.lock().schedule;
        (schedule.u32(0..LATE_ONE_IN) == 0).then(|| Duration::from_millis(schedule.u64(1..=LATE_MAX)))
    }

    /// Writes a line into the log.
    pub(crate) fn note(&self, text: String) {
        let at = self.elapsed();
        self.lock().log.note(at, text);
    }

    /// Makes a task one of the simulation.
    pub(super) fn own<F: Future>(self: &Arc<Self>, name: &'static str, future: F) -> Owned<F> {
        self.own_in(GROUP.get(), name, future)
    }

    /// Makes a task one that belongs to no process.
    pub(super) fn own_for_all<F: Future>(self: &Arc<Self>, name: &'static str, future: F) -> Owned<F> {
        self.own_in(WORLD, name, future)
    }

    fn own_in<F: Future>(self: &Arc<Self>, group: u64, name: &'static str, future: F) -> Owned<F> {
        let mut state = self.lock();
        let id = state.next_task;
        state.next_task += 1;
        state.tasks.insert(id, Task { name, group, waker: None });
        state.groups.entry(group).or_default().tasks += 1;
        state.make_ready(id);
        drop(state);
        let waker = Waker::from(Arc::new(OwnWaker { id, simulation: Arc::clone(self) }));
        Owned { simulation: Arc::clone(self), id, group, waker, future: Some(Box::pin(future)) }
    }

    /// A new process: its number.
    pub(crate) fn new_process(&self) -> u64 {
        let mut state = self.lock();
        let number = state.groups.keys().next_back().map_or(WORLD, |last| *last) + 1;
        state.groups.insert(number, Group::default());
        number
    }

    /// Starts the first task of a process; all that it starts belong to the process too, and end with it.
    pub(crate) fn spawn_in<F>(self: &Arc<Self>, process: u64, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        #[expect(clippy::disallowed_methods, reason = "this is the seam")]
        tokio::spawn(self.own_in(process, "process", self.clone().to_its_end(process, future)))
    }

    /// Ends all tasks of a process where they are, and waits until they are gone.
    pub(crate) async fn kill(&self, process: u64) {
        self.begin_to_kill(process);
        poll_fn(|cx| {
            let mut state = self.lock();
            let group = state.groups.entry(process).or_default();
            if group.tasks == 0 {
                return Poll::Ready(());
            }
            group.waits = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    async fn to_its_end<F: Future>(self: Arc<Self>, process: u64, future: F) -> F::Output {
        let returned = future.await;
        self.begin_to_kill(process);
        returned
    }

    fn begin_to_kill(&self, process: u64) {
        let mut state = self.lock();
        let State { groups, tasks, .. } = &mut *state;
        groups.entry(process).or_default().killed = true;
        let own = tasks.values().filter(|task| task.group == process);
        own.filter_map(|task| task.waker.as_ref()).for_each(Waker::wake_by_ref);
    }

    /// Lets one of the tasks go on that are ready.
    fn conduct(&self, conductor: &Waker) {
        let at = self.elapsed();
        let mut state = self.lock();
        if !state.conductor.as_ref().is_some_and(|known| known.will_wake(conductor)) {
            state.conductor = Some(conductor.clone());
        }
        if state.granted.is_none() {
            state.grant(at);
        }
    }

    /// What a task does that tokio has woken.
    fn turn(&self, id: u64, waker: &Waker) -> Turn {
        let mut state = self.lock();
        let State { tasks, groups, granted, .. } = &mut *state;
        let Some(task) = tasks.get_mut(&id) else { return Turn::Wait };
        if !task.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            task.waker = Some(waker.clone());
        }
        if groups.get(&task.group).is_some_and(|group| group.killed) {
            Turn::Die
        } else if *granted == Some(id) {
            Turn::GoOn
        } else {
            Turn::Wait
        }
    }

    /// A task has gone on as far as it could.
    fn rests(&self, id: u64) {
        let mut state = self.lock();
        if state.granted == Some(id) {
            state.granted = None;
            state.call_conductor();
        }
    }

    fn forget(&self, id: u64) {
        let waits = {
            let mut state = self.lock();
            let Some(task) = state.tasks.remove(&id) else { return };
            state.ready.remove(&id);
            let group = state.groups.entry(task.group).or_default();
            group.tasks -= 1;
            if group.tasks == 0 { group.waits.take() } else { None }
        };
        waits.into_iter().for_each(Waker::wake);
        self.rests(id);
    }
}

impl State {
    fn make_ready(&mut self, id: u64) {
        if self.tasks.contains_key(&id) {
            self.ready.insert(id);
            if self.granted.is_none() {
                self.call_conductor();
            }
        }
    }

    fn call_conductor(&self) {
        self.conductor.iter().for_each(Waker::wake_by_ref);
    }

    fn grant(&mut self, at: Duration) {
        if self.ready.is_empty() {
            return;
        }
        let nth = self.schedule.usize(..self.ready.len());
        let Some(id) = self.ready.iter().nth(nth).copied() else { return };
        self.ready.remove(&id);
        self.granted = Some(id);
        let Some(task) = self.tasks.get(&id) else { return };
        // Without a waker it has not been polled yet, and is going to be.
        task.waker.iter().for_each(Waker::wake_by_ref);
        self.log.step(at, id, task.name);
        self.steps = if self.steps.0 == at { (at, self.steps.1 + 1) } else { (at, 0) };
        assert!(
            self.steps.1 < STEPS_MAX,
            "the simulation does not go on: task `{}` and others wake each other without end at {at:?}",
            task.name
        );
    }
}

enum Turn {
    GoOn,
    Wait,
    Die,
}

/// A task of a simulation, as tokio has it: it goes on when it is its turn.
pub(crate) struct Owned<F> {
    simulation: Arc<Simulation>,
    id: u64,
    group: u64,
    waker: Waker,
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for Owned<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        match this.simulation.turn(this.id, cx.waker()) {
            Turn::Wait => return Poll::Pending,
            Turn::Die => {
                this.end();
                return Poll::Pending;
            }
            Turn::GoOn => {}
        }
        let outside = GROUP.replace(this.group);
        let polled = match &mut this.future {
            Some(future) => {
                let mut own = Context::from_waker(&this.waker);
                let caught = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut own)));
                GROUP.set(outside);
                caught.unwrap_or_else(|panic| resume_unwind(panic))
            }
            None => Poll::Pending,
        };
        this.simulation.rests(this.id);
        polled
    }
}

impl<F> Owned<F> {
    /// Drops what it was doing, as its process.
    fn end(&mut self) {
        if let Some(future) = self.future.take() {
            let outside = GROUP.try_with(|group| group.replace(self.group));
            drop(future);
            let _ = GROUP.try_with(|group| group.set(outside.unwrap_or(WORLD)));
        }
        self.simulation.forget(self.id);
    }
}

impl<F> Drop for Owned<F> {
    fn drop(&mut self) {
        self.end();
    }
}

/// Makes a task ready.
struct OwnWaker {
    id: u64,
    simulation: Arc<Simulation>,
}

impl Wake for OwnWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.simulation.lock().make_ready(self.id);
    }
}
