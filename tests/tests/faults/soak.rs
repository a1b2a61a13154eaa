//! Random faults, one after the other, with a fixed seed: the books are even in the end.

use std::io::Write;
use std::time::{Duration, Instant};

use bus_tests::node::RabbitNode;
use bus_tests::proxy::{Proxy, Side, Weather};

use crate::load::Load;
use crate::nodes::{long, victim};
use crate::rig::Rig;

/// How long it goes on, in seconds.
const SECONDS: &str = "BUS_SOAK_SECONDS";
const SECONDS_DEFAULT: u64 = 15;
/// The same faults in the same order, each time.
const SEED: u64 = 20_261_121;
/// From so many seconds on, killing the broker is one of the faults: each time takes it some ten seconds to come back.
const LONG: u64 = 300;
const PER_SECOND: u32 = 300;

/// What can go wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Reset,
    Cut,
    HalfOpen,
    BlackHole,
    Deaf,
    Trickle,
    Shut,
    LostInRecovery,
    ConnectionsClosed,
    BindingRemoved,
    ExchangeDeleted,
    Frozen,
    Killed,
}

const SHORT_FAULTS: [Fault; 12] = [
    Fault::Reset,
    Fault::Cut,
    Fault::HalfOpen,
    Fault::BlackHole,
    Fault::Deaf,
    Fault::Trickle,
    Fault::Shut,
    Fault::LostInRecovery,
    Fault::ConnectionsClosed,
    Fault::BindingRemoved,
    Fault::ExchangeDeleted,
    Fault::Frozen,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_faults() {
    let Some(mut node) = victim().await else { return };
    let seconds = std::env::var(SECONDS).ok().map_or(SECONDS_DEFAULT, |text| text.parse().unwrap());
    let proxy = Proxy::start(node.port());
    let rig = Rig::start(&node, proxy.port(), "soak").await;
    let load = Load::start(rig.feeder(), PER_SECOND);
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut faults = SHORT_FAULTS.to_vec();
    if seconds >= LONG || long() {
        faults.push(Fault::Killed);
    }
    let (started, mut slowest, mut count) = (Instant::now(), Duration::ZERO, 0);
    while started.elapsed() < Duration::from_secs(seconds) {
        let fault = faults[random.usize(..faults.len())];
        let pause = Duration::from_millis(random.u64(..1_500));
        strike(fault, &proxy, &mut node, &rig, pause).await;
        let back = rig.until_back(Instant::now()).await;
        let _ = writeln!(std::io::stderr(), "soak: {fault:?}, back after {:.2} s", back.as_secs_f64());
        slowest = slowest.max(back);
        count += 1;
    }
    let failed = load.stop().await;
    let balance = rig.balance(&node, &format!("soak of {count} faults in {seconds} s"), slowest).await;
    assert_eq!(failed, 0, "publishers wait: {balance}");
    assert_eq!(balance.queued, 0, "{balance}");
}

/// Lets something go wrong, and ends it.
async fn strike(fault: Fault, proxy: &Proxy, node: &mut RabbitNode, rig: &Rig, pause: Duration) {
    let weather = async |weather| {
        proxy.weather(weather);
        tokio::time::sleep(pause * 3).await;
        proxy.weather(Weather::Clear);
    };
    let vhost = &rig.vhost;
    match fault {
        Fault::Reset => proxy.reset(),
        Fault::Cut => proxy.cut(),
        Fault::HalfOpen => {
            proxy.half_open();
            rig.until_not_ready().await;
        }
        Fault::BlackHole => weather(Weather::BlackHole).await,
        Fault::Deaf => weather(Weather::Deaf).await,
        Fault::Trickle => weather(Weather::Trickle { bytes: 50, pause: Duration::from_millis(2) }).await,
        Fault::Shut => {
            proxy.shut();
            proxy.cut();
            tokio::time::sleep(pause).await;
            proxy.open();
        }
        Fault::LostInRecovery => {
            proxy.cut_at(Side::Broker, &[0, 50, 0, 11]);
            proxy.reset();
        }
        Fault::ConnectionsClosed => {
            let connections = node.manage("GET", &format!("vhosts/{vhost}/connections"), None).await;
            for connection in connections.as_array().into_iter().flatten() {
                let name = connection["name"].as_str().unwrap().replace(' ', "%20").replace('>', "%3E");
                // One that has ended in the meantime is not found.
                let _ = node.try_manage("DELETE", &format!("connections/{name}"), None).await;
            }
        }
        Fault::BindingRemoved => {
            let (queue, _) = rig.queue("load");
            let binding = format!("bindings/{vhost}/e/audit/q/{queue}/load.%23");
            node.manage("DELETE", &binding, None).await;
        }
        Fault::ExchangeDeleted => {
            node.manage("DELETE", &format!("exchanges/{vhost}/audit"), None).await;
        }
        Fault::Frozen => {
            node.freeze();
            tokio::time::sleep(pause * 2).await;
            node.resume();
        }
        Fault::Killed => {
            node.kill();
            tokio::time::sleep(pause).await;
            node.boot().await;
        }
    }
}
