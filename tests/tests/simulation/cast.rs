//! Who handles what in one run, drawn from its seed.

use std::fmt;
use std::time::Duration;

use bus_runtime::{
    AckMode, BatchOptions, BindingKey, BreakerPolicy, HandlerId, HandlerOptions, HandlerRegistration,
    OnError, RateLimit, RetryOptions, Timeout, WhenFull, topology::QueueType,
};
use fastrand::Rng;

use crate::play;

/// The most handlers of a run.
pub(crate) const ROLES_MAX: usize = 3;

const KEYS: [&[&str]; 7] =
    [&["a.b"], &["a.*"], &["#"], &["a.#"], &["*.b"], &["a.b", "a.*"], &["b.{word}", "a.b.#"]];

/// Routing keys of messages; the last one reaches hardly anybody.
pub(crate) const TOPICS: [&str; 6] = ["a.b", "a.b", "a.c", "b.b", "a.b.c", "nobody"];

/// Prefetch that covers all messages of a run.
const ALL: u16 = 300;

/// The handlers of one run.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    pub(crate) roles: Vec<Role>,
    /// Whether two processes work at once.
    pub(crate) twins: bool,
    /// Whether processes are killed.
    pub(crate) violent: bool,
    /// Whether there is room for one dead letter of each queue only.
    pub(crate) cramped: bool,
}

/// One handler.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) nth: usize,
    keys: &'static [&'static str],
    pub(crate) options: HandlerOptions,
}

impl Cast {
    pub(crate) fn drawn(rng: &mut Rng) -> Self {
        let count = rng.usize(1..=ROLES_MAX);
        let mut roles: Vec<_> = (0..count).map(|nth| Role::drawn(nth, rng)).collect();
        if count > 1 && rng.u8(..4) == 0 && roles[..2].iter().all(|role| role.options.batch.is_none()) {
            let first = roles[0].options;
            let second = &mut roles[1].options;
            let own = (second.retry, second.timeout, second.on_error, second.priority);
            *second = HandlerOptions { queue: Some("shared"), ..first };
            (second.retry, second.timeout, second.on_error, second.priority) = own;
            roles[0].options.queue = Some("shared");
        }
        // What a classic queue drops, or any queue that is full, has no second chance.
        let keeps = |role: &Role| {
            role.options.queue_type.is_none() && role.options.overflow != Some(WhenFull::DropOldest)
        };
        let cramped = roles.iter().all(keeps) && rng.u8(..4) == 0;
        Self { roles, twins: rng.u8(..6) == 0, violent: rng.bool(), cramped }
    }

    /// Whether queues refuse or drop messages: then publishers cannot know what has arrived.
    pub(crate) fn is_limited(&self) -> bool {
        self.roles.iter().any(|role| role.options.max_length.is_some())
    }
}

impl fmt::Display for Cast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "twins {}, violent {}, cramped {}", self.twins, self.violent, self.cramped)?;
        for role in &self.roles {
            let options = format!("{:?}", role.options);
            let said =
                options.split(", ").filter(|part| !part.ends_with(": None") && !part.ends_with(": false"));
            write!(f, "; {} {:?} {}", role.name(), role.keys, said.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}

impl Role {
    fn drawn(nth: usize, rng: &mut Rng) -> Self {
        let mut one_in = |n: u8| rng.u8(..n) == 0;
        let (batch, ordered, breaker, limited) = (one_in(6), one_in(4), one_in(8), one_in(8));
        let (manual, on_receive, classic, single, full) =
            (one_in(8), one_in(10), one_in(6), one_in(10), one_in(12));
        let mut options = HandlerOptions {
            timeout: Some(Timeout::After(Duration::from_millis(*pick(rng, &[200, 1_000, 30_000])))),
            retry: Some(RetryOptions {
                max: Some(rng.u32(0..=3)),
                initial: Some(Duration::from_millis(*pick(rng, &[10, 1_000, 3_600_000, 86_400_000]))),
                factor: Some(2.0),
                max_delay: Some(Duration::from_secs(3 * 86_400)),
                jitter: Some(*pick(rng, &[0.0, 0.25])),
                give_up_after: None,
            }),
            on_error: Some(*pick(
                rng,
                &[
                    OnError::Retry,
                    OnError::Retry,
                    OnError::Retry,
                    OnError::DeadLetter,
                    OnError::Requeue,
                    OnError::Discard,
                ],
            )),
            concurrency: Some(*pick(rng, &[1, 1, 2, 16])),
            prefetch: *pick(rng, &[None, Some(1), Some(ALL)]),
            priority: Some(rng.i32(-1..=1)),
            ..HandlerOptions::default()
        };
        if batch {
            options.batch = Some(BatchOptions { size: 3, wait: Some(Duration::from_millis(500)) });
            options.prefetch = None;
            options.concurrency = Some(*pick(rng, &[1, 2]));
        } else if ordered {
            options.ordered_by = Some("k");
        }
        if breaker {
            let pause = Duration::from_secs(5);
            options.breaker = Some(BreakerPolicy { failures: 2, pause, ..BreakerPolicy::DEFAULT });
        }
        if limited {
            options.rate_limit = Some(RateLimit { count: 10, per: Duration::from_secs(1) });
        }
        if on_receive && !batch {
            options.ack = Some(AckMode::OnReceive);
        } else if manual && !batch {
            options.ack = Some(AckMode::Manual);
        }
        if classic {
            options.queue_type = Some(QueueType::Classic);
        }
        if single {
            options.single_active = Some(true);
        }
        if full {
            options.max_length = Some(rng.u64(2..6));
            options.overflow = Some(*pick(
                rng,
                &[WhenFull::DropOldest, WhenFull::RejectNew, WhenFull::Block, WhenFull::Adaptive],
            ));
        }
        Self { nth, keys: KEYS[rng.usize(..KEYS.len())], options }
    }

    pub(crate) fn registration(&self) -> HandlerRegistration {
        let id = HandlerId { module: "sim", name: NAMES[self.nth] };
        let made = match self.options.batch {
            None => HandlerRegistration::react(id, self.keys, play::ONE[self.nth]),
            Some(_) => HandlerRegistration::react_in_batches(id, self.keys, play::item, play::MANY[self.nth]),
        };
        made.with_options(self.options)
    }

    /// Whether it is to get a message with this routing key.
    pub(crate) fn wants(&self, topic: &str) -> bool {
        self.keys.iter().any(|key| BindingKey::parse(key.replace("{word}", "*")).unwrap().matches(topic))
    }

    pub(crate) fn name(&self) -> &'static str {
        NAMES[self.nth]
    }

    pub(crate) fn queue(&self) -> String {
        self.options.queue.map_or_else(|| format!("sim.{}.react", self.name()), str::to_owned)
    }

    pub(crate) fn timeout(&self) -> Duration {
        match self.options.timeout {
            Some(Timeout::After(time)) => time,
            _ => Duration::MAX,
        }
    }

    pub(crate) fn concurrency(&self) -> usize {
        let calls = self.options.concurrency.map_or(usize::MAX, usize::from);
        calls * self.options.batch.map_or(1, |batch| usize::from(batch.size))
    }

    pub(crate) fn attempts_max(&self) -> usize {
        self.options.retry.and_then(|retry| retry.max).map_or(0, |max| max as usize) + 1
    }

    pub(crate) fn is_acked_on_receive(&self) -> bool {
        self.options.ack == Some(AckMode::OnReceive)
    }

    /// Whether its queue keeps its order whatever becomes of the process: it puts messages back where they were, or all of
    /// them were handed out and come back in their order.
    pub(crate) fn order_survives(&self) -> bool {
        let covered = self.options.prefetch == Some(ALL) && self.options.rate_limit.is_none();
        covered || self.options.queue_type == Some(QueueType::Classic)
    }
}

const NAMES: [&str; ROLES_MAX] = ["h0", "h1", "h2"];

fn pick<'t, T>(rng: &mut Rng, all: &'t [T]) -> &'t T {
    &all[rng.usize(..all.len())]
}
