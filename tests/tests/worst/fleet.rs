//! Workers as a fleet: seen, asked and told from another process.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bus_runtime::topology::{Queue, QueueType, Topology};
use bus_runtime::transport::{ConsumeOptions, Verdict};
use bus_runtime::{Envelope, ExchangeName, QueueName, RoutingKey};
use bus_tests::arena::Arena;
use bus_tests::node::RabbitNode;
use serde_json::{Value, json};

use crate::worker::{Stage, Worker, order};

/// What a command has printed, and its exit code.
#[derive(Debug)]
struct Told {
    code: i32,
    out: String,
    err: String,
}

/// Runs a command of the program in the corner of an arena.
async fn command(arena: &Arena, url: &str, arguments: &[&str]) -> Told {
    let mut command = Command::new(env!("CARGO_BIN_EXE_obeys"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command.env("BROKER_URL", url).env("PREFIX", arena.name("").as_str());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Told { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

impl Stage {
    async fn run(&self, arguments: &[&str]) -> Told {
        command(&self.arena, &self.url, arguments).await
    }

    /// The items that a command tells.
    async fn items(&self, arguments: &[&str]) -> Vec<Value> {
        let told = self.run(&[arguments, &["-o", "json"]].concat()).await;
        let document: Value = serde_json::from_str(&told.out).unwrap_or_else(|_| panic!("{told:?}"));
        document["items"].as_array().unwrap_or_else(|| panic!("{told:?}")).clone()
    }

    /// Waits until the fleet is as it should be, and returns it.
    async fn until_fleet(&self, what: &str, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        for _ in 0..100 {
            let fleet = self.items(&["workers"]).await;
            if is_so(&fleet) {
                return fleet;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("waited in vain until {what}: {:?}", self.items(&["workers"]).await);
    }

    async fn until_fleet_of(&self, count: usize) -> Vec<Value> {
        self.until_fleet(&format!("there are {count}"), |fleet| fleet.len() == count).await
    }

    async fn until_consumed_by(&self, count: u32) {
        let queue = self.arena.name("orders");
        for _ in 0..500 {
            let state = self.arena.transport().inspect(&queue).await.unwrap().expect("it is there");
            if state.consumers == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it does not have {count} consumers");
    }
}

fn states(fleet: &[Value]) -> Vec<&str> {
    fleet.iter().map(|worker| worker["state"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o7_workers_are_seen_quieted_resumed_and_drained() {
    let Some(stage) = Stage::set().await else { return };
    let (one, two) = (stage.worker(&[]).await, stage.worker(&[]).await);
    let fleet = stage.until_fleet_of(2).await;
    let pids: Vec<u64> = fleet.iter().map(|worker| worker["pid"].as_u64().unwrap()).collect();
    assert!(pids.contains(&u64::from(one.id())) && pids.contains(&u64::from(two.id())), "{fleet:?}");
    assert_eq!(states(&fleet), ["running", "running"]);
    assert!(fleet.iter().all(|worker| worker["handlers"] == 3 && worker["memory_bytes"].as_u64() > Some(1)));

    // Nobody can say yes here.
    let told = stage.run(&["workers", "quiet"]).await;
    assert!(told.code == 2 && told.err.contains("To go ahead, say --yes"), "{told:?}");
    assert_eq!(stage.run(&["workers", "quiet", "--yes"]).await.code, 0);
    assert_eq!(states(&stage.items(&["workers"]).await), ["quiet", "quiet"]);
    stage.until_consumed_by(0).await;
    order(&stage.arena, 1, "ends", 0).await;
    stage.arena.until_ready("orders", 1).await;
    assert_eq!(stage.run(&["workers", "resume"]).await.code, 0);
    stage.arena.until_ready("orders", 0).await;
    stage.until_consumed_by(2).await;
    let handled = || one.said("ended").len() + two.said("ended").len();
    one.until("one of them has handled it", |_| handled() == 1).await;

    order(&stage.arena, 2, "awaits", 0).await;
    let begun = || one.said("begun").len() + two.said("begun").len();
    one.until("one of them has begun", |_| begun() == 2).await;
    let hands = stage.items(&["workers", "inflight"]).await;
    assert_eq!(hands.len(), 1, "{hands:?}");
    assert!(hands[0]["handler"].as_str().unwrap().ends_with("::obey"), "{hands:?}");

    let name = format!("obeys-{}", one.id());
    let told = stage.run(&["workers", "drain", "--yes", "-d", &name]).await;
    assert!(told.code == 0 && told.out.contains("draining") && told.out.contains(&name), "{told:?}");
    let end = one.ended().await;
    assert_eq!(end.code(), 0, "as after SIGTERM: {}", end.log);
    let fleet = stage.until_fleet_of(1).await;
    assert_eq!(fleet[0]["pid"], two.id());
    let told = stage.run(&["workers", "ping", "-d", &name, "--timeout", "300ms"]).await;
    assert!(told.code == 1 && told.err.contains(&format!("no worker {name} answers")), "{told:?}");
    assert_eq!(stage.run(&["workers", "drain", "--yes"]).await.code, 0);
    assert_eq!(two.ended().await.code(), 0);
    let told = stage.run(&["workers", "ping"]).await;
    assert!(told.code == 1 && told.err.contains("no worker answers"), "{told:?}");
    assert_eq!(stage.run(&["workers"]).await.code, 0, "nobody is no error");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o7_who_hangs_is_told_apart_from_who_is_dead() {
    let Some(stage) = Stage::set().await else { return };
    let (one, two) = (stage.worker(&[]).await, stage.worker(&[]).await);
    stage.until_fleet_of(2).await;
    one.signal("STOP");
    let told = stage.run(&["workers", "ping", "--timeout", "1500ms"]).await;
    let name = format!("obeys-{}", one.id());
    assert!(told.code == 1 && told.err.contains(&format!("{name} on ")), "{told:?}");
    assert_eq!(states(&stage.items(&["workers", "--timeout", "1500ms"]).await), ["running", "silent"]);
    one.signal("CONT");
    stage.until_fleet("both answer", |fleet| states(fleet) == ["running", "running"]).await;
    one.signal("KILL");
    drop(one);
    stage.until_fleet_of(1).await;
    let told = stage.run(&["workers", "ping"]).await;
    assert!(told.code == 0 && told.err.is_empty(), "the dead are forgotten: {told:?}");
    two.signal("TERM");
    assert_eq!(two.ended().await.code(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o7_a_worker_is_seen_again_after_its_connection_was_lost() {
    let Some(stage) = Stage::set().await else { return };
    let (proxy, url) = stage.proxy();
    let steady = stage.worker(&[]).await;
    let shaky = Worker::start(&stage.arena, &url, &[]).await;
    stage.until_fleet_of(2).await;
    proxy.shut();
    proxy.cut();
    stage.until_fleet_of(1).await;
    proxy.open();
    stage.until_fleet("both are there", |fleet| states(fleet) == ["running", "running"]).await;
    let name = format!("obeys-{}", shaky.id());
    assert_eq!(stage.run(&["workers", "drain", "--yes", "-d", &name]).await.code, 0);
    assert_eq!(shaky.ended().await.code(), 0);
    steady.signal("TERM");
    assert_eq!(steady.ended().await.code(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o7_without_the_permission_or_the_exchange_a_worker_works_unseen() {
    let Some(stage) = Stage::set().await else { return };
    assert_eq!(stage.run(&["setup"]).await.code, 0);
    let exchange = ExchangeName::new(stage.arena.name("bus.control").as_str()).unwrap();
    for (environment, warns) in [(("BUS_DECLARE", "never"), true), (("BUS_CONTROL", "off"), false)] {
        let worker = stage.worker(&[environment]).await;
        order(&stage.arena, 1, "ends", 0).await;
        worker.until_said("ended", 1).await;
        let says = |text: &str| worker.log().contains(text);
        if warns {
            worker.until("it warns", |_| says("the control exchange cannot be used")).await;
        }
        assert!(!stage.arena.transport().has_exchange(&exchange).await.unwrap(), "{environment:?}");
        assert_eq!(stage.items(&["workers"]).await, Vec::<Value>::new());
        worker.signal("TERM");
        let end = worker.ended().await;
        assert_eq!(end.code(), 0);
        assert_eq!(end.log.contains("control exchange"), warns, "{}", end.log);
    }
    if !bus_tests::node::is_installed() {
        return;
    }
    let node = RabbitNode::start().await;
    node.ctl(&["add_user", "modest", "modest"]).await;
    let but_control = "^(?!.*bus[.]control).*$";
    node.ctl(&["set_permissions", "modest", but_control, ".*", ".*"]).await;
    let url = node.url().replace("guest:guest", "modest:modest");
    let worker = Worker::spawn(&[], &[("BROKER_URL", &url)]);
    worker.until_ready().await;
    worker.until("it warns", |worker| worker.log().contains("the control exchange cannot be used")).await;
    worker.signal("TERM");
    assert_eq!(worker.ended().await.code(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o7_hostile_requests_harm_nobody() {
    let Some(stage) = Stage::set().await else { return };
    let worker = stage.worker(&[]).await;
    stage.until_fleet_of(1).await;
    let transport = stage.arena.transport();
    let mine = stage.arena.name("bus.control.somebody");
    let mut queue = Queue::durable(mine.clone(), QueueType::Classic);
    (queue.durable, queue.exclusive) = (false, true);
    transport.declare(&Topology { queues: vec![queue], ..Topology::default() }).await.unwrap();
    let tag = "somebody".to_owned();
    let mut answers = transport.consume(&mine, ConsumeOptions { prefetch: 10, tag }).await.unwrap();
    let send = async |kind: &'static str, body: Vec<u8>, from: &QueueName| {
        let exchange = ExchangeName::new(stage.arena.name("bus.control").as_str()).unwrap();
        let mut letter = Envelope::new(exchange, RoutingKey::new("").unwrap(), body);
        letter.properties.message_type = Some(kind.into());
        letter.properties.correlation_id = Some("7".into());
        letter.properties.reply_to = Some(from.to_string().into());
        let _ = transport.publish(Arc::new(letter)).await.unwrap();
    };
    let ping = json!({ "v": 1, "ask": "ping" }).to_string().into_bytes();
    // What is no request of ours gets no answer: neither rubbish, nor what asks for an answer in a queue of somebody else's.
    let dead = stage.arena.name("orders.dead");
    for kind in ["bus.control.request", "bus.control.answer", "bus.control.hello", "bus.control.bye", "else"]
    {
        for body in
            [vec![], vec![0xff; 100], b"{\"v\":1}".to_vec(), b"[".repeat(100_000), vec![b' '; 200_000]]
        {
            send(kind, body, &mine).await;
        }
    }
    send("bus.control.request", ping.clone(), &dead).await;
    send("bus.control.request", json!({ "v": 1, "ask": "explode" }).to_string().into_bytes(), &mine).await;
    send("bus.control.request", json!({ "v": 9, "ask": "ping" }).to_string().into_bytes(), &mine).await;
    send("bus.control.request", ping, &mine).await;
    let mut replies = Vec::new();
    while replies.len() < 3 {
        let next = std::future::poll_fn(|cx| answers.poll_next(cx));
        let next = tokio::time::timeout(Duration::from_secs(30), next).await.expect("it answers");
        let incoming = next.unwrap().unwrap();
        let answer: Value = serde_json::from_slice(&incoming.envelope.body).unwrap();
        incoming.settler.settle(Verdict::Ack).unwrap();
        replies.push(answer["reply"].clone());
    }
    assert!(replies[0]["refused"].as_str().unwrap().contains("`explode`"), "{replies:?}");
    assert!(replies[1]["refused"].as_str().unwrap().contains("version 1"), "{replies:?}");
    assert_eq!(replies[2], "done");
    assert_eq!(stage.arena.ready("orders.dead").await, 0);
    order(&stage.arena, 1, "ends", 0).await;
    worker.until_said("ended", 1).await;
    worker.signal("TERM");
    assert_eq!(worker.ended().await.code(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o7_the_numbers_of_all_workers_are_one_screen() {
    let Some(stage) = Stage::set().await else { return };
    let (one, two) = (stage.worker(&[]).await, stage.worker(&[]).await);
    stage.until_fleet_of(2).await;
    for id in 1..=4 {
        order(&stage.arena, id, "ends", 0).await;
    }
    let handled = || one.said("ended").len() + two.said("ended").len();
    one.until("all are handled", |_| handled() == 4).await;
    assert_eq!(stage.run(&["workers", "quiet", "--yes"]).await.code, 0);
    stage.until_consumed_by(0).await;
    order(&stage.arena, 5, "ends", 0).await;
    let told = stage.run(&["stats", "-o", "json", "--interval", "100ms"]).await;
    let numbers: Value = serde_json::from_str(&told.out).unwrap_or_else(|_| panic!("{told:?}"));
    assert_eq!((&numbers["workers"], &numbers["ready"]), (&2.into(), &1.into()), "{numbers}");
    let obey =
        numbers["handlers"].as_array().unwrap().iter().find(|one| one["name"] == "obeys::obey").unwrap();
    assert_eq!(
        (&obey["handled"], &obey["workers"], &obey["per_second"]),
        (&4.into(), &2.into(), &0.0.into())
    );
    let told = stage.run(&["stats", "--interval", "100ms"]).await;
    assert!(
        told.out.starts_with("2 workers   0/s handled   0/s failed   0 in flight   1 waiting   0 dead"),
        "{told:?}"
    );
    let told = stage.run(&["top"]).await;
    assert!(told.code == 2 && told.err.contains("top --once"), "there is no terminal: {told:?}");
    for (tab, words) in [
        ("overview", ["2 workers", "1 messages wait, and nobody consumes it"]),
        ("workers", ["obeys-", "quiet"]),
        ("dead-letters", ["There are no dead letters.", "2 workers"]),
    ] {
        let told = stage.run(&["top", "--once", "--interval", "200ms", "--tab", tab]).await;
        assert!(told.code == 0 && words.iter().all(|word| told.out.contains(word)), "{tab}: {told:?}");
    }
    for worker in [one, two] {
        worker.signal("TERM");
        assert_eq!(worker.ended().await.code(), 0);
    }
}
