//! Whether an app is alive, and whether it does its work: what probes and people ask.

use serde::Serialize;

use super::Bus;
use super::running::Running;
use crate::breaker::BreakerState;
use crate::names::QueueName;
use crate::topology::QueueEntry;
use crate::transport::{ConnectionStatus, Standing};
use crate::worker::Phase;

/// How an app is right now, as far as it can tell without asking the broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// The answer in one word.
    pub status: Status,
    /// What is wrong, a sentence each.
    pub problems: Vec<String>,
    /// The connection to the broker; `None` before the first one.
    pub broker: Option<BrokerHealth>,
    /// Every queue that the app consumes, `bus.due` included.
    pub consumers: Vec<ConsumerHealth>,
}

/// How an app is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// It connects and declares; nothing is consumed yet.
    Starting,
    /// Every queue is consumed, and publishes go through.
    Ready,
    /// Every queue is consumed, but something slows the app down.
    Degraded,
    /// A queue is not consumed, or the broker is away; the app tries to come back.
    NotReady,
    /// It finishes what has begun, and takes nothing new.
    Draining,
    /// A part of it has ended that cannot come back: only a restart helps.
    Dead,
}

/// The connection to the broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BrokerHealth {
    /// The address without its password.
    pub address: String,
    /// Product and version.
    pub server: String,
    /// `connected`, `blocked` or `disconnected`.
    pub connection: &'static str,
}

/// A queue and whether it is consumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConsumerHealth {
    /// The queue.
    pub queue: String,
    /// Whether the broker delivers to this process.
    pub receiving: bool,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Health {
    /// Before the app has connected.
    #[cfg(feature = "admin")]
    pub(crate) fn starting() -> Self {
        let problems = vec!["the app is starting: it connects to the broker and declares".to_owned()];
        Self { status: Status::Starting, problems, broker: None, consumers: Vec::new() }
    }

    /// Whether the process is worth keeping: everything else comes back by itself.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.status != Status::Dead
    }

    /// Whether the app does its work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.status, Status::Ready | Status::Degraded)
    }
}

impl Bus {
    /// How the app is right now. It never asks the broker, so it never waits; a broker that goes silent is noticed after two
    /// heartbeats, which are 20 s unless the broker's URL says otherwise.
    #[must_use]
    pub fn health(&self) -> Health {
        self.running().health()
    }
}

impl Running {
    pub(crate) fn health(&self) -> Health {
        let transport = &self.hub.transport;
        let description = transport.describe();
        let mut problems = Vec::new();
        let mut status = Status::Ready;
        let connection = match transport.status() {
            ConnectionStatus::Connected => "connected",
            ConnectionStatus::Blocked(reason) => {
                problems.push(format!("the broker takes no publishes for now: {reason}"));
                status = Status::Degraded;
                "blocked"
            }
            ConnectionStatus::Disconnected => {
                problems.push(format!("there is no connection to the broker at {}", description.address));
                status = Status::NotReady;
                "disconnected"
            }
        };
        let mut consumers = Vec::new();
        let is_quiet = self.hub.valves.is_quiet();
        if is_quiet {
            problems
                .push("somebody has asked for quiet: nothing new is taken until `workers resume`".to_owned());
            if status == Status::Ready {
                status = Status::Degraded;
            }
        }
        for (queue, standing) in self.consumers() {
            let rests = self.rests(&queue).or_else(|| self.is_paused(&queue));
            if let Some(problem) = &rests {
                // Of all of them it is said once.
                if !is_quiet {
                    problems.push(problem.clone());
                }
                if status == Status::Ready {
                    status = Status::Degraded;
                }
            }
            let why = match standing {
                Standing::Receiving => None,
                Standing::Away(_) if rests.is_some() => rests,
                Standing::Away(why) => {
                    problems.push(format!("queue `{queue}` is not consumed: {why}"));
                    status = Status::NotReady;
                    Some(why)
                }
            };
            consumers.push(ConsumerHealth { queue: queue.to_string(), receiving: why.is_none(), why });
        }
        let slowed = self.slowed();
        if !slowed.is_empty() && status == Status::Ready {
            status = Status::Degraded;
        }
        problems.extend(slowed);
        if self.is_draining() {
            status = Status::Draining;
            problems = vec!["the app is draining: it takes nothing new".to_owned()];
        } else if let Some(queue) = self.ended_worker() {
            status = Status::Dead;
            problems.insert(
                0,
                format!("the worker of queue `{queue}` has ended, and only a restart brings it back"),
            );
        }
        let broker = BrokerHealth { address: description.address, server: description.server, connection };
        Health { status, problems, broker: Some(broker), consumers }
    }

    /// What keeps the app from going on as it should, while it is connected and consumes.
    fn slowed(&self) -> Vec<String> {
        let queues = self.plan.queues.iter();
        let of_queues = queues.flat_map(|queue| [self.holds_back(queue), self.has_no_room(queue)]);
        of_queues.flatten().chain(self.blocking_handlers()).collect()
    }

    /// Why a queue is not consumed as usual, when one of its handlers rests.
    fn rests(&self, queue: &QueueName) -> Option<String> {
        let mut handlers = self.plan.handlers.iter().zip(&self.counters);
        let (handler, counters) = handlers.find(|(handler, counters)| {
            handler.queue == *queue && counters.breaker.state() != BreakerState::Closed
        })?;
        let state = counters.breaker.state().as_str();
        Some(format!("queue `{queue}` rests: the breaker of {} is {state}", handler.name))
    }

    /// Handlers that hold threads of the runtime, which everything else of the app needs.
    fn blocking_handlers(&self) -> impl Iterator<Item = String> {
        let handlers = self.plan.handlers.iter().zip(&self.counters);
        let blocking = handlers.filter(|(_, counters)| counters.blocking.get() > 0);
        blocking.map(|(handler, _)| {
            format!(
                "{} holds a thread of the runtime: it computes, or waits without `.await`; make it a plain `fn`",
                handler.name
            )
        })
    }

    /// Why a queue is not consumed, when somebody has paused it.
    fn is_paused(&self, queue: &QueueName) -> Option<String> {
        self.hub
            .valves
            .is_closed(queue)
            .then(|| format!("queue `{queue}` is paused: its messages stay in the broker"))
    }

    /// What is wrong with a queue whose retries or dead letters the broker does not take.
    fn holds_back(&self, queue: &QueueEntry) -> Option<String> {
        let counters = queue.members.iter().map(|entry| self.counters_of(entry).held_back.get());
        let held_back = counters.sum::<u64>();
        let name = &queue.name;
        if held_back == 0 {
            return None;
        }
        let text = format!(
            "queue `{name}` holds {held_back} of at most {} messages back: the broker does not take their copies for `{}` or for a retry, which is full, gone or without a leader",
            queue.prefetch, queue.dead
        );
        let stands_still = held_back >= u64::from(queue.prefetch);
        Some(if stands_still { format!("{text}; the queue stands still until it does") } else { text })
    }

    /// What is wrong with the dead letters of a queue, when they wait elsewhere.
    fn has_no_room(&self, queue: &QueueEntry) -> Option<String> {
        let dead = &queue.dead;
        let refusing = self.hub.refusals.is_refusing(dead.as_str());
        refusing.then(|| {
            format!("`{dead}` takes no dead letters: it is full or gone; they wait on the broker, and ask again after pauses of up to 256 s")
        })
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.hub.is_stopping() || *self.phase.borrow() != Phase::Running
    }
}
