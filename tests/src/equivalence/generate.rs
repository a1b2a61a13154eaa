//! Programs at random, mostly such that something happens in them.

use bus_runtime::topology::{ExchangeKind, Overflow, QueueType};
use bus_runtime::transport::Verdict;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use super::program::{
    BINDING_KEYS, EXCHANGES, Grave, KEYS, MessageSpec, Program, QUEUES, QueueSpec, Span, Step,
};

/// Steps of a program; RabbitMQ takes some milliseconds for each.
const STEPS_MAX: usize = 40;

/// Any program that [`TOLERATED`](super::TOLERATED) allows.
pub fn program() -> impl Strategy<Value = Program> {
    let queues = [queue(), queue(), queue(), queue()];
    (queues, vec(step(), 8..STEPS_MAX)).prop_map(|(queues, steps)| tame(Program { queues, steps }))
}

/// Leaves at most one queue whose messages expire after a moment: when all that waits has expired, nothing that was set off by
/// it waits any more.
fn tame(mut program: Program) -> Program {
    let mut known = false;
    let declared = program.steps.iter_mut().filter_map(|step| match step {
        Step::DeclareQueue { spec, .. } => Some(spec),
        _ => None,
    });
    for spec in program.queues.iter_mut().chain(declared) {
        if spec.ttl == Some(Span::Moment) && std::mem::replace(&mut known, true) {
            spec.ttl = Some(Span::Ages);
        }
    }
    program
}

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![2 => Just(Span::Zero), 2 => Just(Span::Moment), 1 => Just(Span::Ages)]
}

fn grave() -> impl Strategy<Value = Grave> {
    prop_oneof![
        3 => Just(Grave::Front),
        6 => Just(Grave::Back),
        5 => weighted(0.6, 0..KEYS.len()).prop_map(Grave::Exchange),
        2 => Just(Grave::Own),
        1 => Just(Grave::NoQueue),
        1 => Just(Grave::NoExchange),
    ]
}

fn queue() -> impl Strategy<Value = QueueSpec> {
    let flags =
        (any::<bool>(), prop::bool::weighted(0.06), prop::bool::weighted(0.08), prop::bool::weighted(0.2));
    let limits = (
        weighted(0.35, 1..4_u64),
        weighted(0.1, 3..20_u64),
        weighted(0.5, select(vec![Overflow::DropHead, Overflow::RejectPublish])),
    );
    let times = (weighted(0.25, span()), weighted(0.05, select(vec![Span::Moment, Span::Ages])));
    let kind = prop_oneof![3 => Just(QueueType::Classic), 1 => Just(QueueType::Quorum)];
    let rest = (weighted(0.25, 1..6_u8), weighted(0.4, 0..3_u32), weighted(0.7, grave()));
    (kind, flags, limits, times, rest, prop::bool::weighted(0.05)).prop_map(
        |(kind, (durable, exclusive, auto_delete, single_active), limits, times, rest, wild)| {
            let (max_length, max_bytes, overflow) = limits;
            let (max_priority, delivery_limit, grave) = rest;
            let (ttl, expires) = times;
            let spec = QueueSpec {
                kind,
                durable,
                exclusive,
                auto_delete,
                max_length,
                max_bytes,
                overflow,
                ttl,
                expires,
                max_priority,
                single_active,
                delivery_limit,
                grave,
            };
            if wild { spec } else { sane(spec) }
        },
    )
}

/// A queue that a broker does not refuse.
fn sane(mut spec: QueueSpec) -> QueueSpec {
    match spec.kind {
        QueueType::Quorum => {
            spec.durable = true;
            spec.exclusive = false;
            spec.auto_delete = false;
            spec.max_priority = None;
            if spec.overflow == Some(Overflow::RejectPublish) {
                spec.overflow = None;
            }
        }
        _ => spec.delivery_limit = None,
    }
    spec
}

fn message() -> impl Strategy<Value = MessageSpec> {
    let parts = (0..KEYS.len(), 0..8_usize, weighted(0.3, 0..8_u8), weighted(0.2, span()), any::<bool>());
    parts.prop_map(|(key, padding, priority, expiration, dressed)| MessageSpec {
        key,
        padding,
        priority,
        expiration,
        dressed,
    })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    select(vec![Verdict::Ack, Verdict::Requeue, Verdict::Requeue, Verdict::Reject, Verdict::Reject])
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        9 => topology(),
        22 => publishing(),
        32 => consuming(),
        2 => prop_oneof![
            1 => any_queue().prop_map(|queue| Step::Purge { queue }),
            1 => any_queue().prop_map(|queue| Step::Delete { queue }),
            1 => any_queue().prop_map(|queue| Step::DeleteIdle { queue }),
        ],
        1 => Just(Step::Wait),
    ]
}

fn topology() -> impl Strategy<Value = Step> {
    let exchange = 0..EXCHANGES.len();
    let kind = || select(vec![ExchangeKind::Direct, ExchangeKind::Fanout, ExchangeKind::Topic]);
    let key = || 0..BINDING_KEYS.len();
    prop_oneof![
        1 => (any_queue(), queue()).prop_map(|(queue, spec)| Step::DeclareQueue { queue, spec }),
        1 => (any_queue(), queue()).prop_map(|(queue, spec)| Step::CompareQueue { queue, spec }),
        1 => (exchange.clone(), kind(), any::<bool>())
            .prop_map(|(exchange, kind, durable)| Step::DeclareExchange { exchange, kind, durable }),
        10 => (exchange.clone(), 0..2_usize, key())
            .prop_map(|(exchange, half, key)| Step::BindQueue { exchange, half, key }),
        2 => (0..3_usize, 0..3_usize, key())
            .prop_map(|(from, to, key)| Step::BindExchange { from, to, key }),
        1 => (exchange.clone(), 0..2_usize, key())
            .prop_map(|(exchange, half, key)| Step::UnbindQueue { exchange, half, key }),
        1 => (0..3_usize, 0..3_usize, key())
            .prop_map(|(from, to, key)| Step::UnbindExchange { from, to, key }),
        1 => exchange.clone().prop_map(|exchange| Step::DeleteExchange { exchange }),
        1 => exchange.prop_map(|exchange| Step::DeleteUnusedExchange { exchange }),
    ]
}

fn publishing() -> impl Strategy<Value = Step> {
    prop_oneof![
        14 => (any_queue(), message()).prop_map(|(queue, message)| Step::PublishTo { queue, message }),
        7 => (0..EXCHANGES.len(), message())
            .prop_map(|(exchange, message)| Step::Publish { exchange, message }),
        1 => message().prop_map(|message| Step::PublishNowhere { message }),
    ]
}

fn consuming() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any_queue().prop_map(|queue| Step::Get { queue }),
        4 => (any_queue(), 0..4_u16).prop_map(|(queue, prefetch)| Step::Consume { queue, prefetch }),
        9 => any::<usize>().prop_map(|consumer| Step::Take { consumer }),
        11 => (any::<usize>(), verdict()).prop_map(|(held, verdict)| Step::Settle { held, verdict }),
        1 => verdict().prop_map(|verdict| Step::SettleAll { verdict }),
        1 => any::<usize>().prop_map(|consumer| Step::Cancel { consumer }),
        1 => any::<usize>().prop_map(|consumer| Step::Close { consumer }),
    ]
}

fn any_queue() -> impl Strategy<Value = usize> {
    0..QUEUES.len()
}
