//! The program `obeys` as a process: what it is told, what it says, how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bus_runtime::transport::Confirmation;
use bus_runtime::{BrokerUrl, Envelope, ExchangeName, RoutingKey};
use bus_tests::arena::Arena;
use bus_tests::proxy::Proxy;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// So that one handler can block every thread of the runtime.
pub(crate) const ONE_THREAD: (&str, &str) = ("TOKIO_WORKER_THREADS", "1");

/// The program, running. Dropping it kills it.
pub(crate) struct Worker {
    process: Child,
    said: Lines,
    logged: Lines,
}

/// Lines that a process writes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(Instant, String)>>>);

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let writing = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                writing.0.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), line));
            }
        });
        lines
    }

    fn all(&self) -> Vec<String> {
        self.timed().into_iter().map(|(_, line)| line).collect()
    }

    fn timed(&self) -> Vec<(Instant, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How a worker ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    /// How long it took.
    pub(crate) after: Duration,
    /// The last line of its log, which tells what it has done.
    pub(crate) closing: serde_json::Value,
    pub(crate) log: String,
    /// The messages that it has handled.
    pub(crate) handled: Vec<u64>,
}

impl End {
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("killed: {}\n{}", self.status, self.log))
    }
}

impl Worker {
    /// Starts it in the corner of an arena, and waits until it consumes.
    pub(crate) async fn start(arena: &Arena, url: &str, environment: &[(&str, &str)]) -> Self {
        let mut all = vec![("BROKER_URL", url)];
        let prefix = arena.name("").to_string();
        all.push(("PREFIX", &prefix));
        all.extend_from_slice(environment);
        let worker = Self::spawn(&[], &all);
        worker.until_ready().await;
        worker
    }

    /// Starts it on its embedded broker, and waits until it consumes.
    pub(crate) async fn embedded(environment: &[(&str, &str)]) -> Self {
        let worker = Self::spawn(&[], environment);
        worker.until_ready().await;
        worker
    }

    /// Starts it, ready or not.
    pub(crate) fn spawn(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_obeys"));
        command
            .args(arguments)
            .env_clear()
            .env("TOKIO_WORKER_THREADS", "2")
            .envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the program starts");
        let said = Lines::of(process.stdout.take().unwrap());
        let logged = Lines::of(process.stderr.take().unwrap());
        Self { process, said, logged }
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) async fn until_ready(&self) {
        self.until("it is ready", |worker| worker.log().contains("\"message\":\"ready\"")).await;
    }

    /// Lets it publish this order to itself.
    pub(crate) fn order(&mut self, order: &str) {
        let stdin = self.process.stdin.as_mut().unwrap();
        writeln!(stdin, "{order}").expect("it reads");
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), "--", &pid]).status();
        assert!(sent.expect("kill starts").success(), "it has ended already:\n{}", self.log());
    }

    /// What it has said of this kind: `begun`, `ended`.
    pub(crate) fn said(&self, verb: &str) -> Vec<String> {
        let said = self.said.all();
        let of_kind = said.iter().filter_map(|line| line.strip_prefix(verb)?.strip_prefix(' '));
        of_kind.map(str::to_owned).collect()
    }

    /// When it has begun to handle messages.
    pub(crate) fn begun_at(&self) -> Vec<Instant> {
        let said = self.said.timed();
        said.into_iter().filter(|(_, line)| line.starts_with("begun ")).map(|(at, _)| at).collect()
    }

    /// How much time of the processor it has taken.
    pub(crate) fn cpu(&self) -> Duration {
        /// Of a second, on every Linux there is.
        const TICKS: u64 = 100;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let behind_name = stat.rsplit_once(')').unwrap().1;
        let ticks: u64 =
            behind_name.split_whitespace().skip(11).take(2).map(|of| of.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 1_000 / TICKS)
    }

    pub(crate) fn log(&self) -> String {
        self.logged.all().join("\n")
    }

    pub(crate) async fn until_said(&self, verb: &str, count: usize) {
        self.until(&format!("it has {verb} {count}"), |worker| worker.said(verb).len() >= count).await;
    }

    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            let said = self.said.all();
            assert!(Instant::now() < deadline, "waited in vain until {what}: {said:?}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(mut self) -> End {
        let since = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            assert!(since.elapsed() < PATIENCE, "it does not end:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let after = since.elapsed();
        // What it wrote last is read by a thread, which ends with the pipe.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let lines = self.logged.all();
        let mut events = lines.iter().rev().filter_map(|line| serde_json::from_str(line).ok());
        let closing = events.find(|event: &serde_json::Value| event["message"] == "stopped");
        let closing = closing.unwrap_or_default();
        let handled = self.said("ended").iter().map(|id| id.parse().unwrap()).collect();
        End { status, after, closing, log: lines.join("\n"), handled }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Publishes an order to the workers of an arena.
pub(crate) async fn order(arena: &Arena, id: u64, does: &str, ms: u64) {
    let body = serde_json::json!({ "id": id, "does": does, "ms": ms });
    publish(arena, "order.obey", &body).await;
}

pub(crate) async fn publish(arena: &Arena, topic: &str, body: &serde_json::Value) {
    let exchange = ExchangeName::new(arena.name("messages").as_str()).unwrap();
    let mut message = Envelope::new(exchange, RoutingKey::new(topic).unwrap(), body.to_string());
    message.properties.persistent = true;
    let confirmed = arena.transport().publish(Arc::new(message)).await.expect("it is confirmed");
    assert_eq!(confirmed, Confirmation::Routed);
}

/// A corner of the RabbitMQ that the tests share, and its address.
pub(crate) struct Stage {
    pub(crate) arena: Arena,
    pub(crate) url: String,
}

impl Stage {
    /// `None` when there is no RabbitMQ to test with.
    pub(crate) async fn set() -> Option<Self> {
        let broker = bus_tests::node::shared().await?;
        let arena = bus_tests::arena::rabbitmq().await?;
        Some(Self { arena, url: broker.url().to_owned() })
    }

    /// A worker in this corner.
    pub(crate) async fn worker(&self, environment: &[(&str, &str)]) -> Worker {
        Worker::start(&self.arena, &self.url, environment).await
    }

    /// A worker in this corner, ready or not.
    pub(crate) fn spawn(&self) -> Worker {
        Worker::spawn(&[], &[("BROKER_URL", &self.url), ("PREFIX", &self.arena.name(""))])
    }

    /// A proxy to the broker, and the address through it.
    pub(crate) fn proxy(&self) -> (Proxy, String) {
        let url = BrokerUrl::parse(&self.url).unwrap();
        let host = url.amqp().unwrap().hosts()[0].clone();
        let proxy = Proxy::start(host.port);
        let there = format!("{}:{}", host.name, host.port);
        let here = format!("127.0.0.1:{}", proxy.port());
        let through = self.url.replace(&there, &here);
        assert_ne!(through, self.url);
        (proxy, through)
    }
}
