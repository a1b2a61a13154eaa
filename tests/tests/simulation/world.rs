//! One run: a client publishes, processes come and go, and at the end all is calm and everything has to be settled.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bus_runtime::provision::Declare;
use bus_runtime::testing::{Process, note, process};
use bus_runtime::topology::{Overflow, Queue, QueueType, Topology};
use bus_runtime::transport::Transport;
use bus_runtime::{App, Config, EmbeddedBroker, ErrorKind, HandlerRegistration, Publisher, QueueName};
use fastrand::Rng;
use futures_util::future::join3;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, timeout};

use crate::book::{Book, Call, End, Message, Sender};
use crate::cast::{Cast, TOPICS};
use crate::checks;
use crate::play::{Body, NUMBER, Stage};

/// Messages that handlers may publish in one run.
const CHILDREN_MAX: usize = 6;
/// How long a run may take to settle: longer than all retries of a message together.
pub(crate) const REST: Duration = Duration::from_secs(60 * 86_400);

/// What all of one run share.
pub(crate) struct World {
    pub(crate) cast: Cast,
    rng: Mutex<Rng>,
    book: Mutex<Book>,
    calm: AtomicBool,
    /// Processes that are being killed.
    killed: Mutex<BTreeSet<u32>>,
    call_ended: Notify,
    began: Instant,
}

/// Runs one seed, and closes the books.
pub(crate) async fn run(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let cast = Cast::drawn(&mut rng);
    note(cast.to_string());
    let world = Arc::new(World {
        cast,
        rng: Mutex::new(rng),
        book: Mutex::default(),
        calm: AtomicBool::new(false),
        killed: Mutex::default(),
        call_ended: Notify::new(),
        began: Instant::now(),
    });
    let broker = EmbeddedBroker::new();
    if world.cast.cramped {
        broker.declare(&graves(&world.cast)).await.unwrap();
    }
    let client = app().without_handlers().embedded(&broker).start().await.unwrap();
    let mut workers = Workers { world: Arc::clone(&world), broker: broker.clone(), started: 0 };
    let first = workers.start().await;
    let living = workers.live(first);
    let (worker, (), ()) = join3(living, world.publish(&client), world.ask(&client)).await;
    world.calm.store(true, Ordering::SeqCst);
    note("calm");
    let rest = checks::at_rest(&world, &broker).await;
    workers.stop(worker).await;
    let mut offences = std::mem::take(&mut world.book().offences);
    offences.extend(rest);
    offences.extend(checks::offences(&world.cast, &world.book(), &broker));
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

fn app() -> App {
    let mut config = Config::default();
    // What is there stays as it is: graves with room for one.
    config.declare = Declare::Missing;
    bus_runtime::app().config(config).name("sim")
}

/// Queues of dead letters, each with room for one.
fn graves(cast: &Cast) -> Topology {
    let names: BTreeSet<_> = cast.roles.iter().map(|role| format!("{}.dead", role.queue())).collect();
    let grave = |name: String| {
        let mut queue = Queue::durable(QueueName::new(name).unwrap(), QueueType::Quorum);
        queue.arguments.max_length = Some(1);
        queue.arguments.overflow = Some(Overflow::RejectPublish);
        queue
    };
    Topology { queues: names.into_iter().map(grave).collect(), ..Topology::default() }
}

/// The processes of one run, one after another.
struct Workers {
    world: Arc<World>,
    broker: EmbeddedBroker,
    started: u32,
}

/// A process that works, and the way to stop it.
struct Worker {
    number: u32,
    process: Process<usize>,
    stop: oneshot::Sender<()>,
}

impl Workers {
    async fn start(&mut self) -> Worker {
        self.started += 1;
        let number = self.started;
        let (world, broker) = (Arc::clone(&self.world), self.broker.clone());
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = oneshot::channel();
        let grace = Duration::from_millis(world.draw(|rng| rng.u64(..3_000)));
        let process = process(async move {
            let roles = world.cast.roles.clone();
            let at_work = Arc::clone(&world);
            let stage = Stage { world, process: number };
            let app = app().state(stage).grace(grace).embedded(&broker);
            let app = roles.iter().fold(app, |app, role| app.register(role.registration()));
            // The one that answers commands has its attribute.
            let app = HandlerRegistration::linked().fold(app, |app, linked| app.register(*linked));
            let bus = app.start().await.unwrap();
            ready.send(()).unwrap();
            tokio::select! {
                biased;
                _ = stopped => {}
                () = at_work.replay(&bus) => {}
            }
            bus.shutdown().await.interrupted
        });
        is_ready.await.unwrap();
        note(format!("process {number} works"));
        Worker { number, process, stop }
    }

    /// Lets processes come and go while the client publishes. Gives back one that works.
    async fn live(&mut self, mut worker: Worker) -> Worker {
        let mut twin = if self.world.cast.twins { Some(self.start().await) } else { None };
        let ends = self.world.draw(|rng| rng.u8(..4));
        for _ in 0..ends {
            self.world.bad_moment().await;
            if self.world.cast.violent && self.world.draw(Rng::bool) {
                self.kill(worker).await;
            } else {
                self.stop(worker).await;
            }
            sleep(Duration::from_millis(self.world.draw(|rng| rng.u64(..500)))).await;
            worker = self.start().await;
        }
        if let Some(twin) = twin.take() {
            self.stop(twin).await;
        }
        worker
    }

    async fn kill(&self, worker: Worker) {
        let now = self.world.now();
        note(format!("process {} is killed", worker.number));
        self.world.killed.lock().unwrap().insert(worker.number);
        self.world.book().breaks.push((now, now));
        worker.process.kill().await;
    }

    async fn stop(&self, worker: Worker) {
        let since = self.world.now();
        note(format!("process {} is to stop", worker.number));
        let _ = worker.stop.send(());
        let interrupted = worker.process.join().await;
        note(format!("process {} has stopped; {interrupted} interrupted", worker.number));
        if interrupted > 0 {
            self.world.book().breaks.push((since, self.world.now()));
        }
    }
}

impl World {
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    pub(crate) fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.rng.lock().unwrap())
    }

    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
    }

    /// How long a piece of work takes.
    pub(crate) fn work_time(&self) -> Duration {
        Duration::from_millis(self.draw(|rng| match rng.u8(..4) {
            0 | 1 => 0,
            2 => rng.u64(..100),
            _ => rng.u64(..1_500),
        }))
    }

    /// Some time, or until shortly after the next call has ended: when settlements are under way.
    async fn bad_moment(&self) {
        let (any, time) = self.draw(|rng| (rng.u8(..3) == 0, Duration::from_millis(rng.u64(..2_000))));
        sleep(time).await;
        if !any {
            let _ = timeout(time, self.call_ended.notified()).await;
            sleep(Duration::from_millis(self.draw(|rng| rng.u64(..50)))).await;
        }
    }

    async fn publish(&self, client: &Publisher) {
        let count = self.draw(|rng| rng.usize(1..12));
        for _ in 0..count {
            let pause = self.draw(|rng| if rng.bool() { 0 } else { rng.u64(..800) });
            sleep(Duration::from_millis(pause)).await;
            match self.draw(|rng| rng.u8(..12)) {
                0 => {
                    let error = client.audit("nobody.listens", &()).await.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Unroutable, "{error}");
                }
                die => self.publish_one(client, die == 1, die == 2).await,
            }
        }
    }

    async fn publish_one(&self, client: &Publisher, is_malformed: bool, is_delayed: bool) {
        let topic = self.draw(|rng| TOPICS[rng.usize(..TOPICS.len())]);
        let body = self.write(topic, Sender::Unconfirmed, is_malformed, is_delayed);
        let number = body.id;
        let publish = match is_malformed {
            true => client.publish_raw("react", topic, "{\"id\": "),
            false => client.react(topic, &body),
        };
        let publish = publish.header(NUMBER, number.to_string());
        let confirmed = match is_delayed {
            true => publish.after(Duration::from_millis(self.draw(|rng| rng.u64(..90_000_000)))).await,
            false => publish.await,
        };
        note(format!("m{number} {topic}: {confirmed:?}"));
        match confirmed {
            Ok(()) => self.book().messages[number].by = Sender::Client,
            // Of bytes that nobody receives the publisher is told.
            Err(error) => {
                let unwanted = is_malformed && !self.cast.roles.iter().any(|role| role.wants(topic));
                assert!(self.cast.is_limited() || unwanted, "m{number}: {error}");
            }
        }
    }

    fn write(&self, topic: &'static str, by: Sender, is_malformed: bool, is_delayed: bool) -> Body {
        let k = self.draw(|rng| rng.u8(..3));
        let mut book = self.book();
        book.messages.push(Message { topic, k, by, is_malformed, is_delayed, replays: 0 });
        Body { id: book.messages.len() - 1, k }
    }

    /// A message that a call publishes; not too many.
    pub(crate) fn child(&self, topic: &'static str, by: Sender, is_delayed: bool) -> Option<Body> {
        let is_child = |message: &&Message| matches!(message.by, Sender::Call(_));
        if self.book().messages.iter().filter(is_child).count() >= CHILDREN_MAX {
            return None;
        }
        let body = self.write(topic, by, false, is_delayed);
        note(format!("m{} {topic}: held, {by:?}", body.id));
        Some(body)
    }

    /// A message comes that was with the dead letters so often.
    pub(crate) fn came_back(&self, message: usize, replays: usize) {
        let known = &mut self.book().messages[message].replays;
        *known = replays.max(*known);
    }

    pub(crate) fn begin(&self, process: u32, role: usize, message: usize, attempt: u32) -> usize {
        let mut book = self.book();
        let call =
            Call { message, role, attempt, process, began: self.now(), settled_early: false, end: None };
        note(format!("call {}: m{message} in h{role} of {process}, attempt {attempt}", book.calls.len()));
        book.calls.push(call);
        let offences = checks::while_running(&self.cast, &book);
        book.offences.extend(offences);
        book.calls.len() - 1
    }

    pub(crate) fn settled_early(&self, call: usize) {
        note(format!("call {call} has settled its message"));
        self.book().calls[call].settled_early = true;
    }

    pub(crate) fn end(&self, call: usize, how: End) {
        note(format!("call {call}: {how:?}"));
        self.book().calls[call].end = Some((self.now(), how));
        self.call_ended.notify_waiters();
    }

    /// Why a call was dropped.
    pub(crate) fn cut_short(&self, process: u32, role: usize, call: usize) -> End {
        let lasted = self.now().saturating_sub(self.book().calls[call].began);
        let killed = self.killed.lock().unwrap().contains(&process);
        if !killed && lasted >= self.cast.roles[role].timeout() { End::TimedOut } else { End::Cut }
    }
}
