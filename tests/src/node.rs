//! Real RabbitMQ for tests: a node that all tests of a binary share, and nodes that one test may kill.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

mod cluster;
mod management;
mod shared;
mod tls;

pub use self::shared::{SharedBroker, connect, shared};

use bus_runtime::transport::RabbitMq;
use bus_runtime::{BrokerUrl, Error};

/// Where Debian puts the scripts. The wrappers in `/usr/sbin` change the user and would not see our settings.
const SCRIPTS: &str = "/usr/lib/rabbitmq/bin";
/// A node takes 10 to 25 s on an idle machine.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// Whether a node can be started on this machine.
#[must_use]
pub fn is_installed() -> bool {
    server().exists()
}

fn server() -> PathBuf {
    Path::new(SCRIPTS).join("rabbitmq-server")
}

/// A RabbitMQ node of its own. Dropping it kills its processes and removes its files; so does the end of the test program,
/// however it ends.
#[derive(Debug)]
pub struct RabbitNode {
    home: PathBuf,
    name: String,
    port: u16,
    dist_port: u16,
    epmd_port: u16,
    management_port: Option<u16>,
    tls: Option<tls::TlsPorts>,
    process: Option<Child>,
    /// Erlang's name server: it would outlive a node that starts one itself.
    epmd: Child,
    guard: Child,
}

/// Waits until its standard input ends, which it does when we end, then removes what we have not removed.
const GUARD: &str = r#"
    cat > /dev/null
    test -d "$1" || exit 0
    for to in "-$(cat "$1/group")" "$(cat "$1/pid")" "$(cat "$1/epmd")"; do kill -s KILL -- "$to"; done
    rm -rf "$1"
"#;

impl RabbitNode {
    /// Starts a node and waits until it takes AMQP connections.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Self {
        let mut node = Self::prepare();
        node.boot().await;
        node
    }

    /// A node that is not running yet.
    fn prepare() -> Self {
        let home =
            tempfile::Builder::new().prefix("bus-rabbitmq-").tempdir().expect("a temporary directory").keep();
        let [port, dist_port, epmd_port] = free_ports();
        let name = format!("bus{port}@localhost");
        let guard = guard(&home);
        let epmd =
            quiet(Command::new("epmd").args(["-address", "127.0.0.1", "-port", &epmd_port.to_string()]))
                .process_group(0)
                .spawn()
                .expect("epmd starts");
        std::fs::write(home.join("epmd"), epmd.id().to_string()).expect("a file for the guard");
        Self {
            home,
            name,
            port,
            dist_port,
            epmd_port,
            management_port: None,
            tls: None,
            process: None,
            epmd,
            guard,
        }
    }

    /// As [`start`](Self::start), with the management API.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_with_management() -> Self {
        let mut node = Self::prepare();
        node.manage_at(&free_ports(), "");
        node.boot().await;
        node
    }

    /// Gives a node that is not running yet the management API, and other settings.
    fn manage_at(&mut self, &[port]: &[u16; 1], settings: &str) {
        std::fs::write(self.home.join("enabled_plugins"), "[rabbitmq_management].").expect("a file");
        let settings = format!("management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {port}\n{settings}");
        std::fs::write(self.home.join("rabbitmq.conf"), settings).expect("a file");
        self.management_port = Some(port);
    }

    /// Its name among the nodes of a cluster.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of the management API, when the node has one.
    #[must_use]
    pub fn management_url(&self) -> Option<String> {
        self.management_port.map(|port| format!("http://127.0.0.1:{port}"))
    }

    /// The address of the node, as the user `guest`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}", self.port)
    }

    /// The port that the node listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts the node again after [`kill`](Self::kill) or [`stop`](Self::stop), on the same port and with the same data.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn boot(&mut self) {
        if self.process.is_some() {
            return;
        }
        let log = std::fs::File::create(self.home.join("console.log")).expect("a log file");
        let mut command = Command::new(server());
        self.environment(&mut command);
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle to the log"))
            .stderr(log)
            .current_dir(&self.home)
            .process_group(0);
        let process = command.spawn().expect("rabbitmq-server starts");
        std::fs::write(self.home.join("group"), process.id().to_string()).expect("a file for the guard");
        self.process = Some(process);
        self.wait_until_up().await;
    }

    /// Kills the node with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            signal("KILL", &format!("-{}", process.id()));
            // The node itself is a grandchild that may have left the group.
            if let Ok(pid) = std::fs::read_to_string(self.pid_file()) {
                signal("KILL", pid.trim());
            }
            let _ = process.wait();
            let _ = std::fs::remove_file(self.pid_file());
            let _ = std::fs::remove_file(self.home.join("group"));
        }
    }

    /// Removes everything that the node has stored, as a disk does that was replaced. The node must be down.
    ///
    /// # Panics
    /// When it is up, or its files cannot be removed.
    pub fn empty(&self) {
        assert!(self.process.is_none(), "the node is up");
        std::fs::remove_dir_all(self.home.join("mnesia")).expect("the files of the node");
    }

    /// Stops the node as it is: it keeps its sockets and says nothing. [`resume`](Self::resume) lets it go on.
    pub fn freeze(&self) {
        self.signal_node("STOP");
    }

    /// Lets a frozen node go on.
    pub fn resume(&self) {
        self.signal_node("CONT");
    }

    fn signal_node(&self, name: &str) {
        let pid = std::fs::read_to_string(self.pid_file()).expect("the node is up");
        signal(name, pid.trim());
    }

    /// Asks the node to stop, and waits until it has.
    pub async fn stop(&mut self) {
        self.ctl(&["stop"]).await;
        if let Some(mut process) = self.process.take() {
            let _ = tokio::task::spawn_blocking(move || process.wait()).await;
        }
    }

    /// Stops the node and starts it again.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.boot().await;
    }

    /// Runs `rabbitmqctl` against the node and returns what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub async fn ctl(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(Path::new(SCRIPTS).join("rabbitmqctl"));
        self.environment(&mut command);
        command.args(["-q", "-n", &self.name]).args(arguments).stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        let output = output.expect("the task ends").expect("rabbitmqctl starts");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "rabbitmqctl {arguments:?} failed: {out}{err}");
        out.into_owned()
    }

    fn pid_file(&self) -> PathBuf {
        self.home.join("pid")
    }

    fn environment(&self, command: &mut Command) {
        let home = &self.home;
        command
            .env("HOME", home)
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.dist_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", home.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", home.join("log"))
            .env("RABBITMQ_PID_FILE", self.pid_file())
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", home.join("enabled_plugins"))
            .env("RABBITMQ_CONFIG_FILE", home.join("rabbitmq"))
            .env("RABBITMQ_CONF_ENV_FILE", home.join("rabbitmq-env.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", home.join("advanced"))
            .env("RABBITMQ_SCHEMA_DIR", home.join("schema"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", home.join("config"))
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            // Two schedulers boot as fast as many on a small machine, and busy waiting would take it from the tests.
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none")
            .env_remove("RABBITMQ_BASE");
    }

    async fn wait_until_up(&mut self) {
        let url = BrokerUrl::parse(&self.url()).expect("our own URL");
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let error = match RabbitMq::connect(&url).await {
                Ok(rabbitmq) => {
                    use bus_runtime::transport::Transport;
                    return rabbitmq.close(Duration::from_secs(5)).await;
                }
                Err(error) => error,
            };
            self.assert_alive(&error);
            assert!(Instant::now() < deadline, "RabbitMQ did not start in time: {error}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn assert_alive(&mut self, error: &Error) {
        let ended = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
        assert!(ended.is_none(), "RabbitMQ ended while it was starting: {error}\n{}", self.log());
    }

    /// The end of what the node printed.
    #[must_use]
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(self.home.join("console.log")).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for RabbitNode {
    fn drop(&mut self) {
        self.kill();
        let _ = self.epmd.kill();
        let _ = self.epmd.wait();
        let _ = std::fs::remove_dir_all(&self.home);
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Starts the guard of a node's directory.
fn guard(home: &Path) -> Child {
    quiet(Command::new("sh").args(["-c", GUARD, "guard"]).arg(home))
        .stdin(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("sh starts")
}

/// Nothing goes in, and nothing comes out.
fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

fn signal(name: &str, to: &str) {
    let _ = quiet(Command::new("kill").args([&format!("-{name}"), "--", to])).status();
}

/// Ports that nobody listens on.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind(("127.0.0.1", 0)).expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("its address").port())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    /// What a test program that is killed leaves behind ends all the same.
    #[test]
    fn the_guard_cleans_up_when_its_owner_has_gone() {
        let home = tempfile::tempdir().unwrap().keep();
        let sleeper = || quiet(Command::new("sleep").arg("1000")).process_group(0).spawn().unwrap();
        let mut processes = [sleeper(), sleeper(), sleeper()];
        for (file, process) in ["group", "pid", "epmd"].iter().zip(&processes) {
            std::fs::write(home.join(file), process.id().to_string()).unwrap();
        }
        let mut guard = guard(&home);
        drop(guard.stdin.take());
        guard.wait().unwrap();
        for process in &mut processes {
            assert_eq!(process.wait().unwrap().signal(), Some(9));
        }
        assert!(!home.exists());
    }
}
