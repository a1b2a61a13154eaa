//! A program as its supervisors see it: probes over HTTP, the command `health`, and systemd.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use bus_runtime::conformance::eventually;
use bus_runtime::{AdminPort, BrokerUrl};
use bus_tests::arena::Arena;
use bus_tests::exposition::Scrape;
use bus_tests::http::{ask, get};
use bus_tests::node::RabbitNode;

/// A program that runs, and ends with its test.
struct Program {
    child: Child,
    folder: tempfile::TempDir,
}

impl Program {
    fn start(variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let log = std::fs::File::create(folder.path().join("log")).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_shows"));
        command.args(["run", "--log-format", "json"]).args(arguments).env_clear();
        command.envs(variables.iter().copied()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Self { child: command.spawn().expect("it starts"), folder }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    async fn ready(&self) {
        eventually("the start", async || self.log().contains("\"message\":\"ready\"")).await;
    }

    fn terminate(&self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill starts");
    }

    fn end(mut self) -> i32 {
        self.child.wait().expect("it ends").code().expect("no signal ends it")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
fn free_port() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address")
}

fn health(at: SocketAddr, question: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shows"));
    command.args(["health", question, "--http", &at.to_string()]).env_clear();
    command.output().expect("it starts")
}

/// The exit code, and what it says in its first line.
fn answer(at: SocketAddr, question: &str) -> (Option<i32>, String) {
    let output = health(at, question);
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    (output.status.code(), text.lines().next().unwrap_or_default().to_owned())
}

async fn scrape(at: SocketAddr) -> Scrape {
    let (status, _, body) = ask(at, "/metrics", &[]).await;
    assert_eq!(status, 200, "{body}");
    Scrape::prometheus(&body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_goes_and_comes() {
    let Some(mut node) = RabbitNode::try_start().await else { return };
    node.kill();
    let at = free_port();
    let url = node.url();
    let program = Program::start(&[("BROKER_URL", &url)], &["--http", &at.to_string()]);
    eventually("the port", async || tokio::net::TcpStream::connect(at).await.is_ok()).await;
    assert_eq!(answer(at, "live"), (Some(0), "starting".to_owned()));
    assert_eq!(answer(at, "ready"), (Some(1), "starting".to_owned()));
    node.boot().await;
    let until = async |wanted: u16| {
        let waited = async {
            while get(at, "/readyz").await.0 != wanted {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(90), waited).await.expect("it answers otherwise in time");
    };
    until(200).await;
    assert_eq!(answer(at, "ready"), (Some(0), "ready".to_owned()));

    node.kill();
    until(503).await;
    let (_, told) = get(at, "/readyz").await;
    assert_eq!(told["status"], "not_ready", "{told}");
    let problems = told["problems"].to_string();
    assert!(
        problems.contains("no connection to the broker") && problems.contains("`tickets` is not consumed"),
        "{told}"
    );
    assert_eq!(answer(at, "live").0, Some(0), "a restart would not bring the broker back");
    let away = scrape(at).await;
    assert_eq!(away.value("bus_broker_connected", &[]), Some(0.0));
    assert_eq!(away.value("bus_consumer_attached", &[("queue", "tickets")]), Some(0.0));
    assert_eq!(answer(at, "ready"), (Some(1), "not_ready".to_owned()));
    node.boot().await;
    until(200).await;
    let back = scrape(at).await;
    assert_eq!(back.value("bus_broker_connected", &[]), Some(1.0));
    assert_eq!(back.value("bus_broker_reconnects_total", &[]), Some(2.0), "one for each connection");
    assert_eq!(back.value("bus_consumer_attached", &[("queue", "tickets")]), Some(1.0));
    program.terminate();
    assert_eq!(program.end(), 0);
    let (code, told) = answer(at, "live");
    assert_eq!(code, Some(1), "nobody is there any more: {told}");
    assert!(told.contains("nobody answers at"), "{told}");
}

/// Memory is low, so the broker takes no publishes: that slows the app down, and a restart would not help.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_blocks() {
    let Some(node) = RabbitNode::try_start().await else { return };
    let arena = Arena::on(BrokerUrl::parse(&node.url()).expect("a URL"), "h.".to_owned()).await;
    let port = AdminPort::parse("127.0.0.1:0").expect("an address");
    let bus = arena.app("no module").http(port).start().await.expect("it starts");
    let at = bus.admin_address().expect("it listens");
    assert_eq!(get(at, "/readyz").await.1["status"], "ready");
    assert_eq!(scrape(at).await.value("bus_broker_blocked", &[]), Some(0.0));
    node.ctl(&["set_vm_memory_high_watermark", "0"]).await;
    // The broker blocks a connection when it publishes.
    let seen = async {
        eventually("the block", async || get(at, "/readyz").await.1["status"] == "degraded").await;
        let (status, told) = get(at, "/readyz").await;
        assert_eq!((status, told["broker"]["connection"].as_str()), (200, Some("blocked")), "{told}");
        assert!(told["problems"][0].as_str().is_some_and(|problem| problem.contains("memory")), "{told}");
        assert_eq!(scrape(at).await.value("bus_broker_blocked", &[]), Some(1.0));
        node.ctl(&["set_vm_memory_high_watermark", "0.4"]).await;
    };
    let (published, ()) = tokio::join!(async { bus.react("a.b", &()).await }, seen);
    published.expect("the broker takes it in the end");
    eventually("the end of the block", async || get(at, "/readyz").await.1["status"] == "ready").await;
    bus.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_taken() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let at = taken.local_addr().expect("its address").to_string();
    let program = Program::start(&[], &["--http", &at]);
    eventually("the refusal", async || program.log().contains("\"code\":\"BUS0010\"")).await;
    assert!(program.log().contains(&format!("the admin port {at} cannot be opened")), "{}", program.log());
    assert_eq!(program.end(), 78);
    let program = Program::start(&[("BUS_HTTP", "off")], &[]);
    program.ready().await;
    assert!(!program.log().contains("\"http\""), "{}", program.log());
    drop(program);

    // Whoever has the default port, it is taken now.
    let _taken = TcpListener::bind(("127.0.0.1", 9464));
    let program = Program::start(&[], &[]);
    program.ready().await;
    assert!(program.log().contains("the admin port 127.0.0.1:9464 cannot be opened"), "{}", program.log());
    program.terminate();
    assert_eq!(program.end(), 0);
}

/// `Type=notify` with `WatchdogSec=`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systemd_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path: PathBuf = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
    let next = move || {
        let mut buffer = [0; 64];
        let count = socket.recv(&mut buffer).expect("it says something in time");
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    };
    let variables = [("NOTIFY_SOCKET", path.to_str().expect("text")), ("WATCHDOG_USEC", "200000")];
    let program = Program::start(&variables, &["--http", "off"]);
    assert_eq!([next(), next(), next()], ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
    program.terminate();
    while next() != "STOPPING=1" {}
    assert_eq!(program.end(), 0);
}
