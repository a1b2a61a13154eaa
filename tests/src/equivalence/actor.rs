//! Runs the steps of a program on one broker.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bus_runtime::ExchangeName;
use bus_runtime::topology::{Destination, ExchangeKind, QueueType, Topology};
use bus_runtime::transport::{ConsumeOptions, Consumer, Incoming, Settler, Transport, Verdict};
use futures_util::future::join_all;
use tokio::time::timeout;

use super::program::{EXCHANGES, KEYS, Names, Program, QUEUES, Step};
use super::seen::{Levels, Seen, SeenMessage};

/// How long a message that must come may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// How far things are apart that are done on several channels in one step.
const BETWEEN: Duration = Duration::from_millis(4);

/// Two connections to one broker: one declares and deletes, the other one publishes and consumes. So an exclusive queue belongs
/// to somebody else, and a transport that brings back what it has declared does not hide what the broker has done.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    pub(super) owner: Arc<dyn Transport>,
    pub(super) user: Arc<dyn Transport>,
}

/// A message that is out.
struct Held {
    queue: usize,
    /// Which of the queues that had this name.
    life: u32,
    settler: Settler,
}

struct Reading {
    queue: usize,
    consumer: Box<dyn Consumer>,
    cancelled: bool,
}

/// A program under way.
pub(super) struct Actor<'a> {
    connections: &'a Connections,
    program: &'a Program,
    names: Names,
    /// How long to wait after a settlement.
    pause: Duration,
    held: Vec<Held>,
    readings: Vec<Reading>,
    lives: [u32; QUEUES.len()],
    /// What each queue was declared as: its type, and whether one consumer gets all.
    declared: [Option<(QueueType, bool)>; QUEUES.len()],
    published: usize,
}

impl<'a> Actor<'a> {
    pub(super) fn new(
        connections: &'a Connections,
        program: &'a Program,
        names: Names,
        pause: Duration,
    ) -> Self {
        Self {
            connections,
            program,
            names,
            pause,
            held: Vec::new(),
            readings: Vec::new(),
            lives: [0; QUEUES.len()],
            declared: [None; QUEUES.len()],
            published: 0,
        }
    }

    /// The steps with which each program begins.
    pub(super) fn opening(program: &Program) -> Vec<Step> {
        let kinds = [
            ExchangeKind::Direct,
            ExchangeKind::Fanout,
            ExchangeKind::Topic,
            ExchangeKind::Topic,
            ExchangeKind::Fanout,
        ];
        let exchanges = kinds.into_iter().enumerate().map(|(exchange, kind)| Step::DeclareExchange {
            exchange,
            kind,
            durable: false,
        });
        let queues = program.queues.iter().cloned().enumerate();
        let queues = queues.map(|(queue, spec)| Step::DeclareQueue { queue, spec });
        exchanges.chain(queues).collect()
    }

    /// Does one step.
    pub(super) async fn act(&mut self, step: &Step, wait_for: Arrival) -> Seen {
        match step {
            Step::DeclareQueue { .. }
            | Step::CompareQueue { .. }
            | Step::DeclareExchange { .. }
            | Step::BindQueue { .. }
            | Step::BindExchange { .. } => self.declare(step).await,
            Step::UnbindQueue { .. }
            | Step::UnbindExchange { .. }
            | Step::DeleteExchange { .. }
            | Step::DeleteUnusedExchange { .. }
            | Step::Purge { .. }
            | Step::Delete { .. }
            | Step::DeleteIdle { .. } => self.remove(step).await,
            Step::PublishTo { queue, message } => {
                let key = self.names.queue(*queue).to_string();
                self.publish(ExchangeName::default_exchange(), &key, message).await
            }
            Step::Publish { exchange, message } => {
                self.publish(self.names.exchange(*exchange), KEYS[message.key], message).await
            }
            Step::PublishNowhere { message } => {
                self.publish(self.names.exchange_called("nowhere"), KEYS[message.key], message).await
            }
            Step::Get { queue } => self.get(*queue).await,
            Step::Consume { queue, prefetch } => self.consume(*queue, *prefetch).await,
            Step::Take { consumer } => self.take(*consumer, wait_for).await,
            Step::Settle { held, verdict } => self.settle(*held, *verdict).await,
            Step::SettleAll { verdict } => {
                self.settle_all(*verdict).await;
                Seen::Done
            }
            Step::Cancel { consumer } => self.cancel(*consumer).await,
            Step::Close { consumer } => match pick(&mut self.readings, *consumer) {
                Some(index) => {
                    let reading = self.readings.remove(index);
                    reading.consumer.close(PATIENCE).await;
                    Seen::Done
                }
                None => Seen::Nothing,
            },
            Step::Wait => {
                tokio::time::sleep(self.names.moment.mul_f32(2.15)).await;
                Seen::Done
            }
        }
    }

    async fn declare(&mut self, step: &Step) -> Seen {
        let (names, owner) = (&self.names, &self.connections.owner);
        let mut topology = Topology::default();
        match step {
            Step::DeclareQueue { queue, spec } => topology.queues.push(names.declared_queue(*queue, spec)),
            Step::CompareQueue { queue, spec } => {
                let wanted = names.declared_queue(*queue, spec);
                return Seen::of(owner.compare_queue(&wanted).await, |found| {
                    Seen::differences(found, &names.prefix)
                });
            }
            Step::DeclareExchange { exchange, kind, durable } => {
                topology.exchanges.push(names.declared_exchange(*exchange, *kind, *durable));
            }
            Step::BindQueue { .. } | Step::BindExchange { .. } => {
                topology.bindings.extend(self.binding(step));
            }
            _ => return Seen::Nothing,
        }
        let seen = Seen::done(owner.declare(&topology).await);
        if let (Step::DeclareQueue { queue, spec }, Seen::Done) = (step, &seen) {
            self.declared[*queue] = Some((spec.kind, spec.single_active));
        }
        seen
    }

    fn binding(&self, step: &Step) -> Option<bus_runtime::topology::Binding> {
        let names = &self.names;
        match step {
            Step::BindQueue { exchange, half, key } | Step::UnbindQueue { exchange, half, key } => {
                let queue = names.queue(Names::bound_queue(*exchange, *half));
                Some(names.binding(*exchange, Destination::Queue(queue), *key))
            }
            Step::BindExchange { from, to, key } | Step::UnbindExchange { from, to, key } => {
                Some(names.binding(*from, Destination::Exchange(names.exchange(*to)), *key))
            }
            _ => None,
        }
    }

    async fn remove(&mut self, step: &Step) -> Seen {
        let (names, owner) = (&self.names, &self.connections.owner);
        match step {
            Step::DeleteExchange { exchange } => {
                Seen::done(owner.delete_exchange(&names.exchange(*exchange)).await)
            }
            Step::DeleteUnusedExchange { exchange } => {
                Seen::of(owner.delete_unused_exchange(&names.exchange(*exchange)).await, Seen::Deleted)
            }
            Step::Purge { queue } => Seen::of(owner.purge(&names.queue(*queue)).await, Seen::Purged),
            Step::Delete { queue } => Seen::done(owner.delete_queue(&names.queue(*queue)).await),
            Step::DeleteIdle { queue } if self.held.iter().any(|held| held.queue == *queue) => Seen::Nothing,
            Step::DeleteIdle { queue } if self.readings.iter().any(|reading| reading.queue == *queue) => {
                Seen::Nothing
            }
            Step::DeleteIdle { queue } => {
                let kind = self.program.queues[*queue].kind;
                Seen::of(owner.delete_idle_queue(&names.queue(*queue), kind).await, Seen::Deleted)
            }
            _ => match self.binding(step) {
                Some(binding) => Seen::done(owner.unbind(&binding).await),
                None => Seen::Nothing,
            },
        }
    }

    async fn publish(
        &mut self,
        exchange: ExchangeName,
        key: &str,
        message: &super::program::MessageSpec,
    ) -> Seen {
        self.published += 1;
        let envelope = self.names.envelope(exchange, key, message, self.published);
        Seen::of(self.connections.user.publish(Arc::new(envelope)).await, Seen::Confirmed)
    }

    async fn get(&mut self, queue: usize) -> Seen {
        let got = self.connections.user.get(&self.names.queue(queue)).await;
        Seen::of(got, |got| match got {
            Some(incoming) => self.hold(queue, incoming),
            None => Seen::Nothing,
        })
    }

    fn hold(&mut self, queue: usize, incoming: Incoming) -> Seen {
        let message = SeenMessage::of(&incoming, &self.names.prefix);
        self.held.push(Held { queue, life: self.lives[queue], settler: incoming.settler });
        Seen::Message(message)
    }

    async fn consume(&mut self, queue: usize, prefetch: u16) -> Seen {
        let options = ConsumeOptions { prefetch, tag: "equivalence".to_owned() };
        let consumer = self.connections.user.consume(&self.names.queue(queue), options).await;
        Seen::of(consumer, |consumer| {
            self.readings.push(Reading { queue, consumer, cancelled: false });
            Seen::Done
        })
    }

    async fn take(&mut self, index: usize, wait_for: Arrival) -> Seen {
        let Some(index) = pick(&mut self.readings, index) else { return Seen::Nothing };
        let Reading { queue, consumer, .. } = &mut self.readings[index];
        let item = match wait_for {
            Arrival::Expected => timeout(PATIENCE, poll_fn(|cx| consumer.poll_next(cx))).await.ok(),
            Arrival::Unexpected => {
                poll_fn(|cx| {
                    Poll::Ready(match consumer.poll_next(cx) {
                        Poll::Ready(item) => Some(item),
                        Poll::Pending => None,
                    })
                })
                .await
            }
        };
        let queue = *queue;
        match item {
            Some(Some(Ok(incoming))) => self.hold(queue, incoming),
            Some(Some(Err(error))) => Seen::refused(&error),
            // The end of a cancelled consumer.
            Some(None) | None => Seen::Nothing,
        }
    }

    async fn settle(&mut self, index: usize, verdict: Verdict) -> Seen {
        let Some(index) = pick(&mut self.held, index) else { return Seen::Nothing };
        let Held { queue, life, settler } = self.held.remove(index);
        let settled = settler.settle(verdict);
        if !self.pause.is_zero() {
            tokio::time::sleep(self.pause).await;
        }
        if self.lives[queue] == life { Seen::done(settled) } else { Seen::Done }
    }

    async fn cancel(&mut self, index: usize) -> Seen {
        let Some(index) = pick(&mut self.readings, index) else { return Seen::Nothing };
        let declared = self.declared[self.readings[index].queue];
        if declared.is_some_and(|(_, single_active)| single_active) {
            self.readings.remove(index).consumer.close(PATIENCE).await;
        } else {
            let reading = &mut self.readings[index];
            reading.cancelled = true;
            reading.consumer.cancel().await;
        }
        Seen::Done
    }

    /// How many messages and consumers each queue has now.
    pub(super) async fn levels(&self) -> Levels {
        let queues = (0..QUEUES.len()).map(|queue| async move {
            let mut seen = self.connections.owner.inspect(&self.names.queue(queue)).await.ok().flatten()?;
            if self.declared[queue].is_some_and(|(kind, _)| kind == QueueType::Quorum) {
                seen.consumers = 0;
            }
            Some(seen)
        });
        join_all(queues).await
    }

    /// Lets go of the consumers whose queue is gone: a transport would bring it back for them.
    pub(super) async fn part_with(&mut self, levels: &Levels) {
        for (queue, level) in levels.iter().enumerate() {
            if level.is_none() {
                self.lives[queue] += 1;
                let (gone, left) = std::mem::take(&mut self.readings)
                    .into_iter()
                    .partition(|reading| reading.queue == queue);
                self.readings = left;
                let gone: Vec<Reading> = gone;
                for reading in gone {
                    reading.consumer.close(PATIENCE).await;
                }
            }
        }
    }

    /// Gives back all messages and ends all consumers, one after the other.
    pub(super) async fn let_go(&mut self) {
        self.settle_all(Verdict::Requeue).await;
        for reading in self.readings.drain(..) {
            reading.consumer.close(PATIENCE).await;
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// Settles what is held, on as many channels as it came from.
    async fn settle_all(&mut self, verdict: Verdict) {
        while !self.held.is_empty() {
            self.settle(0, verdict).await;
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// Takes everything off a queue.
    pub(super) async fn drain(&mut self, queue: usize) -> Vec<Seen> {
        let mut seen = Vec::new();
        loop {
            let got = self.get(queue).await;
            let more = matches!(got, Seen::Message(_));
            seen.push(got);
            if !more {
                return seen;
            }
            self.settle(0, Verdict::Ack).await;
        }
    }

    /// Deletes what the program has made.
    pub(super) async fn clean_up(mut self) {
        self.let_go().await;
        let owner = &self.connections.owner;
        for queue in 0..QUEUES.len() {
            let _ = owner.delete_queue(&self.names.queue(queue)).await;
        }
        for exchange in 0..EXCHANGES.len() {
            let _ = owner.delete_exchange(&self.names.exchange(exchange)).await;
        }
    }
}

/// Whether a message is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Expected,
    Unexpected,
}

fn pick<T>(things: &mut [T], index: usize) -> Option<usize> {
    index.checked_rem(things.len())
}
