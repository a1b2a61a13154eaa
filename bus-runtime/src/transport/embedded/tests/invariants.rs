//! What is true of the state whenever the lock is free.

use std::collections::BTreeSet;

use super::super::consumer::ConsumerState;
use super::super::queue::{Holder, Queue, QueueId};
use super::super::state::State;
use super::super::timer::Due;
use crate::EmbeddedBroker;

/// Panics when something is not true.
pub(super) fn check(broker: &EmbeddedBroker) {
    broker.connection.shared().with(|state| {
        state.run_due();
        check_conservation(state);
        check_timers(state);
        check_stuck(state);
        for (id, queue) in state.queues.iter() {
            check_queue(state, id, queue);
        }
        assert_eq!(state.busy, state.queues.iter().filter(|(_, queue)| queue.is_busy()).count());
    });
}

fn check_conservation(state: &State) {
    let sum = |count: fn(&Queue) -> u64| state.queues.iter().map(|(_, queue)| count(queue)).sum::<u64>();
    let there = sum(|queue| (queue.ready.len() + queue.held.len() + queue.stuck.len()) as u64);
    let held_bytes = |queue: &Queue| queue.held.iter().map(|(_, held)| held.entry.bytes()).sum::<u64>();
    let bytes: u64 = state
        .queues
        .iter()
        .map(|(_, queue)| queue.ready.bytes() + queue.stuck_bytes + held_bytes(queue))
        .sum();
    let totals = state.totals;
    assert!(state.letters.is_empty());
    assert_eq!((state.load.messages, state.load.bytes), (there, bytes));
    assert_eq!(
        totals.enqueued,
        totals.acked + totals.dead_lettered + totals.dropped + totals.deleted + there
    );
}

fn check_timers(state: &State) {
    let queues = state.queues.iter().filter_map(|(id, queue)| Some((queue.alarm?, Due::Queue(id))));
    let orphans =
        state.consumers.iter().filter_map(|(id, consumer)| Some((consumer.revives_at()?, Due::Revival(id))));
    let orphans: Vec<_> = orphans.collect();
    assert_eq!(state.orphans, orphans.len());
    assert_eq!(state.timers, queues.chain(orphans).collect::<BTreeSet<_>>());
}

fn check_stuck(state: &State) {
    let waiting: usize = state.queues.iter().map(|(_, queue)| queue.waiting.len()).sum();
    let stuck: usize = state.queues.iter().map(|(_, queue)| queue.stuck.len()).sum();
    assert_eq!(waiting + state.unrouted.len(), stuck);
    for (_, queue) in state.queues.iter() {
        for (source, key) in queue.waiting.values().take(1) {
            let bytes = state.queues.get(*source).unwrap().stuck.get(*key).unwrap().entry.bytes();
            assert!(queue.refuses(bytes), "a letter waits although there is space");
        }
    }
}

fn check_queue(state: &State, id: QueueId, queue: &Queue) {
    let consumers: Vec<(_, &ConsumerState)> =
        queue.consumers.iter().map(|id| (*id, state.consumers.get(*id).unwrap())).collect();
    let has = |holder| queue.held.iter().filter(|(_, held)| held.holder == holder).count();
    for (id_of_consumer, consumer) in &consumers {
        assert!(consumer.attached && consumer.queue == Some(id));
        assert_eq!(consumer.held as usize, has(Holder::Consumer(*id_of_consumer)));
        assert!(consumer.buffer.len() <= consumer.held as usize);
    }
    assert_eq!(queue.roomy, consumers.iter().filter(|(_, consumer)| consumer.has_room()).count());
    let by_consumers = |holder| matches!(holder, Holder::Consumer(_));
    assert_eq!(queue.in_flight, queue.held.iter().filter(|(_, held)| by_consumers(held.holder)).count());
    let single = queue.declared.arguments.single_active_consumer;
    let can_take =
        if single { consumers.iter().take(1).any(|(_, it)| it.has_room()) } else { queue.roomy > 0 };
    assert!(queue.ready.is_empty() || !can_take, "a message waits although a consumer has room");
    assert!(queue.declared.arguments.max_length != Some(2) || !drops_head(queue) || queue.ready.len() <= 2);
}

fn drops_head(queue: &Queue) -> bool {
    queue.declared.arguments.overflow.is_none()
}
