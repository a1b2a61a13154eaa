//! A running app with handlers that do as their messages say, and somebody who looks at it.

use std::net::SocketAddr;

use bus_runtime::prelude::*;
use bus_runtime::{AdminPort, Bus, Config, HttpAccess};
use bus_tests::arena::{Arena, Calls};
use bus_tests::http::{Answer, request};

/// Does what the body says.
#[react("page.{name}.saved", timeout = 20, retry(max = 1, initial = "10ms", jitter = 0))]
async fn save(name: String, body: Json, calls: State<Calls>) -> Result<(), BoxError> {
    match body["do"].as_str() {
        Some("fail") => Err(format!("no room for {name}").into()),
        _ => {
            calls.add(name);
            Ok(())
        }
    }
}

/// Has nothing to do with the other one.
#[audit("page.#", retry = "none")]
async fn check(key: RoutingKey) -> Outcome {
    if key.contains("forbidden") { reject("it is forbidden") } else { ack() }
}

/// The app, and where it answers.
pub(crate) struct Rig {
    pub(crate) bus: Bus,
    pub(crate) at: SocketAddr,
    pub(crate) calls: Calls,
    pub(crate) arena: Arena,
}

impl Rig {
    pub(crate) async fn start(arena: Arena) -> Self {
        Self::start_with(arena, |_| {}).await
    }

    pub(crate) async fn start_with(arena: Arena, change: impl FnOnce(&mut Config)) -> Self {
        let calls = Calls::default();
        let mut config = arena.config();
        config.http = Some(AdminPort::parse("127.0.0.1:0").unwrap());
        config.http_access = HttpAccess::default();
        config.http_access.show_bodies = Some(true);
        config.http_access.allow_edit = true;
        change(&mut config);
        let bus = arena.app(module_path!()).config(config).state(calls.clone()).start().await.unwrap();
        let at = bus.admin_address().unwrap();
        Self { bus, at, calls, arena }
    }

    /// A page, as a browser asks for it.
    pub(crate) async fn page(&self, path: &str) -> Answer {
        request(self.at, "GET", path, &[("Accept", "text/html")], "").await
    }

    /// What a program is told.
    pub(crate) async fn json(&self, path: &str) -> serde_json::Value {
        let answer = request(self.at, "GET", &format!("/api/v1{path}"), &[], "").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    /// Does something, as a program does.
    pub(crate) async fn post(&self, path: &str, fields: &serde_json::Value) -> Answer {
        let headers = [("Content-Type", "application/json"), ("X-Bus-Client", "test")];
        request(self.at, "POST", &format!("/api/v1{path}"), &headers, &fields.to_string()).await
    }

    /// The one dead letter.
    pub(crate) async fn letter(&self) -> serde_json::Value {
        for _ in 0..1500 {
            let letters = self.json("/dead-letters").await;
            if let [one] = letters["letters"].as_array().unwrap().as_slice() {
                return one.clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("there is no dead letter");
    }

    /// How a job ends.
    pub(crate) async fn job(&self, begun: &Answer) -> serde_json::Value {
        assert_eq!(begun.status, 202, "{}", begun.body);
        let path = format!("/jobs/{}", begun.json()["job"]);
        for _ in 0..1500 {
            let job = self.json(&path).await;
            if job["status"] != "running" {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the job does not end");
    }
}
