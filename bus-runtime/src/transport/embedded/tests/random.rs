//! Random programs: whatever happens, every message is somewhere, and the derived figures are right.

use std::time::Duration;

use futures_util::FutureExt;
use proptest::collection::vec;
use proptest::prelude::*;

use super::harness::{TestConsumer, World, classic, dying_to, having, name, quorum};
use crate::EmbeddedBroker;
use crate::topology::{self, DeadLetterStrategy, ExchangeKind, Overflow};
use crate::transport::{Incoming, Transport, Verdict};

const QUEUES: [&str; 5] = ["plain", "short", "full", "delay", "kept"];

/// Queues of all sorts whose dead letters go round.
fn queues() -> [topology::Queue; 5] {
    [
        dying_to(having(classic("plain"), |args| args.max_priority = Some(3)), "short"),
        dying_to(having(classic("short"), |args| args.max_length = Some(2)), "full"),
        having(classic("full"), |args| {
            (args.max_length, args.overflow) = (Some(2), Some(Overflow::RejectPublish))
        }),
        dying_to(having(quorum("delay"), |args| args.message_ttl = Some(Duration::from_millis(50))), "kept"),
        dying_to(
            having(quorum("kept"), |args| {
                args.delivery_limit = Some(1);
                args.single_active_consumer = true;
                args.dead_letter_strategy = Some(DeadLetterStrategy::AtLeastOnce);
                args.overflow = Some(Overflow::RejectPublish);
            }),
            "full",
        ),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Publish { queue: usize, priority: u8, expires: Option<u64> },
    PublishToAll,
    Consume { queue: usize, prefetch: u16 },
    Take { consumer: usize },
    Get { queue: usize },
    Settle { held: usize, verdict: u8 },
    Forget { held: usize },
    Cancel { consumer: usize },
    Close { consumer: usize },
    Purge { queue: usize },
    Delete { queue: usize },
    Declare { queue: usize },
    Wait { millis: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let queue = 0..QUEUES.len();
    prop_oneof![
        8 => (queue.clone(), 0..5_u8, prop::option::of(0..100_u64))
            .prop_map(|(queue, priority, expires)| Step::Publish { queue, priority, expires }),
        3 => Just(Step::PublishToAll),
        2 => (queue.clone(), 0..4_u16).prop_map(|(queue, prefetch)| Step::Consume { queue, prefetch }),
        8 => any::<usize>().prop_map(|consumer| Step::Take { consumer }),
        2 => queue.clone().prop_map(|queue| Step::Get { queue }),
        8 => (any::<usize>(), 0..3_u8).prop_map(|(held, verdict)| Step::Settle { held, verdict }),
        1 => any::<usize>().prop_map(|held| Step::Forget { held }),
        1 => any::<usize>().prop_map(|consumer| Step::Cancel { consumer }),
        1 => any::<usize>().prop_map(|consumer| Step::Close { consumer }),
        1 => queue.clone().prop_map(|queue| Step::Purge { queue }),
        1 => queue.clone().prop_map(|queue| Step::Delete { queue }),
        2 => queue.prop_map(|queue| Step::Declare { queue }),
        2 => (0..120_u64).prop_map(|millis| Step::Wait { millis }),
    ]
}

#[derive(Default)]
struct Actors {
    consumers: Vec<TestConsumer>,
    held: Vec<Incoming>,
}

impl Actors {
    async fn act(&mut self, world: &World, step: Step) {
        match step {
            Step::Publish { queue, priority, expires } => {
                let published = world.publish_as("", QUEUES[queue], "body", |envelope| {
                    envelope.properties.priority = Some(priority);
                    envelope.properties.expiration = expires.map(Duration::from_millis);
                });
                // It waits for ever when the broker is full: then it gives up.
                let _ = published.now_or_never();
            }
            Step::PublishToAll => drop(world.publish("all", "", "body").now_or_never()),
            Step::Consume { queue, prefetch } => {
                let consumer = world.try_consume(QUEUES[queue], prefetch).await;
                self.consumers.extend(consumer.ok().map(TestConsumer));
            }
            Step::Take { consumer } => {
                if let Some(consumer) = pick(&mut self.consumers, consumer) {
                    let taken = consumer.poll();
                    let std::task::Poll::Ready(Some(Ok(incoming))) = taken else { return };
                    self.held.push(incoming);
                }
            }
            Step::Get { queue } => {
                self.held.extend(world.broker.get(&name(QUEUES[queue])).await.ok().flatten())
            }
            Step::Settle { held, verdict } => {
                let verdict = [Verdict::Ack, Verdict::Requeue, Verdict::Reject][usize::from(verdict)];
                take(&mut self.held, held)
                    .into_iter()
                    .for_each(|incoming| drop(incoming.settler.settle(verdict)));
            }
            Step::Forget { held } => drop(take(&mut self.held, held)),
            Step::Cancel { consumer } => {
                if let Some(consumer) = pick(&mut self.consumers, consumer) {
                    consumer.0.cancel().await;
                }
            }
            Step::Close { consumer } => drop(take(&mut self.consumers, consumer)),
            Step::Purge { queue } => drop(world.broker.purge(&name(QUEUES[queue])).await),
            Step::Delete { queue } => world.delete(QUEUES[queue]).await,
            Step::Declare { queue } => declare(world, queue).await,
            Step::Wait { millis } => super::harness::pass(millis).await,
        }
    }
}

fn pick<T>(things: &mut [T], index: usize) -> Option<&mut T> {
    let len = things.len();
    things.get_mut(index.checked_rem(len)?)
}

fn take<T>(things: &mut Vec<T>, index: usize) -> Option<T> {
    Some(things.remove(index.checked_rem(things.len())?))
}

async fn declare(world: &World, queue: usize) {
    world.declare(queues()[queue].clone()).await.unwrap();
    world.bind("all", "", super::harness::to_queue(QUEUES[queue])).await;
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn every_message_is_somewhere(steps in vec(step(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let world = World { broker: EmbeddedBroker::builder().messages_max(40).build() };
            world.exchange("all", ExchangeKind::Fanout).await;
            for queue in 0..QUEUES.len() {
                declare(&world, queue).await;
            }
            let mut actors = Actors::default();
            for step in steps {
                actors.act(&world, step).await;
                super::invariants::check(&world.broker);
            }
            drop(actors);
            super::harness::pass(1000).await;
            super::invariants::check(&world.broker);
            assert!(world.broker.is_quiet());
        });
    }
}
