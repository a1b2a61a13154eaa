//! What a worker holds after many lost connections: no more than after a few.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bus_runtime::BrokerUrl;
use bus_runtime::transport::{RabbitMq, RabbitMqOptions, Standing};
use bus_tests::balance::Ledger;
use bus_tests::proxy::Proxy;

use crate::nodes::{long, shared};
use crate::rig::{self, until};

/// Port and virtual host for the process that is measured.
const PLACE: &str = "FAULTS_PLACE";
/// So many connections are lost before the first look: pools and caches have their size then.
const WARM_UP: usize = 4;
/// Descriptors and threads that may come and go at any time.
const SLACK: usize = 3;
/// What an allocator may keep: less than the two buffers of four connections.
const SLACK_KIB: usize = 32 * 1024;

/// What a process holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    descriptors: usize,
    threads: usize,
    kib: usize,
}

impl Held {
    fn now() -> Self {
        let entries = |path: &str| std::fs::read_dir(path).unwrap().count();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse().ok());
        Self {
            descriptors: entries("/proc/self/fd"),
            threads: entries("/proc/self/task"),
            kib: kib.expect("a size"),
        }
    }
}

/// The other tests of this process open and close connections too, so it takes a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n1_nothing_leaks_over_many_reconnects() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let Some(node) = shared().await else { return };
    let vhost = rig::vhost(node, "leaks").await;
    let mut measured = tokio::process::Command::new(std::env::current_exe().unwrap());
    measured
        .args(["--exact", "leaks::measured", "--ignored", "--nocapture"])
        .env(PLACE, format!("{} {vhost}", node.port()));
    let output = measured.output().await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{out}{err}");
    let line = out.lines().chain(err.lines()).find(|line| line.contains("reconnects:")).unwrap_or_default();
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes());
    node.delete_vhost(&vhost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the test above, in a process of its own"]
async fn measured() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let (port, vhost) = place.split_once(' ').unwrap();
    let proxy = Proxy::start(port.parse().unwrap());
    let url = BrokerUrl::parse(&rig::url(proxy.port(), vhost)).unwrap();
    // Connections that are lost every second are paused for longer and longer, which is not the point here.
    let options = RabbitMqOptions { longest_pause: Duration::from_millis(500), ..RabbitMqOptions::default() };
    let transport = Arc::new(RabbitMq::connect_with(&url, options).await.unwrap());
    let ledger = Ledger::default();
    let app = rig::app(&rig::url(proxy.port(), vhost), "faults::rig").state(ledger.clone());
    let bus = app.transport(transport).start().await.unwrap();
    let rounds = if long() { 100 } else { 15 };
    let (mut before, started) = (None, Instant::now());
    for round in 0..WARM_UP + rounds {
        if round == WARM_UP {
            before = Some(Held::now());
        }
        let accepted = proxy.accepted().len();
        if round % 2 == 0 {
            proxy.reset();
        } else {
            proxy.cut();
        }
        until("both connections are new", || proxy.accepted().len() >= accepted + 2).await;
        until("all consumers receive", || {
            bus.consumers().iter().all(|(_, standing)| *standing == Standing::Receiving)
        })
        .await;
        let id = round as u64;
        bus.audit("load.x", &id).await.unwrap();
        until("a message is handled", || ledger.was_handled(id)).await;
    }
    let before = before.unwrap();
    until("no more descriptors and threads than before", || {
        let now = Held::now();
        now.descriptors <= before.descriptors + SLACK && now.threads <= before.threads + SLACK
    })
    .await;
    let after = Held::now();
    println!("{rounds} reconnects: {before:?}, then {after:?}, in {:.1} s", started.elapsed().as_secs_f64());
    assert!(after.kib <= before.kib + SLACK_KIB, "{before:?} {after:?}");
    bus.shutdown().await;
}
