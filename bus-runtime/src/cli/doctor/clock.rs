//! Whether the broker's clock and ours agree. Deadlines of commands, `at(..)` and the ages of dead letters compare them.
//!
//! AMQP has no question for the time. But RabbitMQ notes in `x-death` when it dead-lettered a message, in whole seconds: so one is
//! sent to a queue in which it expires at once, and taken from the queue that it goes to.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Diagnosis;
use crate::app::App;
use crate::envelope::{Envelope, HeaderValue};
use crate::error::{Error, ErrorKind};
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::seam;
use crate::topology::{Queue, QueueType, Topology};
use crate::transport::Transport;

/// From so much on a difference is worth a warning.
const TOLERANCE: Duration = Duration::from_secs(1);
/// The resolution of the broker's answer.
const RESOLUTION: Duration = Duration::from_secs(1);
/// How long the message stays in the queue in which it expires.
const EXPIRES_AFTER: Duration = Duration::from_millis(1);
/// How long it may take to expire, and how often it is looked for.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(3), Duration::from_millis(20));

/// How far the broker's clock is from ours, at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skew {
    None,
    Ahead(Duration),
    Behind(Duration),
}

impl Skew {
    /// It was somewhere in that second there when it was between these two times here.
    fn of(before: SystemTime, second: SystemTime, after: SystemTime) -> Self {
        if let Ok(ahead) = second.duration_since(after) {
            return Self::Ahead(ahead);
        }
        match before.duration_since(second + RESOLUTION) {
            Ok(behind) => Self::Behind(behind),
            Err(_) => Self::None,
        }
    }
}

pub(super) async fn compare(app: &App, transport: &dyn Transport, found: &mut Diagnosis) {
    let (amount, where_to) = match ask(app, transport).await {
        Ok(Skew::Ahead(by)) if by >= TOLERANCE => (by, "ahead of"),
        Ok(Skew::Behind(by)) if by >= TOLERANCE => (by, "behind"),
        Ok(_) => return found.ok("clock", "the broker's agrees with this machine's, to a second"),
        // Whoever may not use queues of doctor's own has been told so.
        Err(error) if error.kind() == ErrorKind::Permission => return,
        Err(error) => return found.error("clock", &error),
    };
    found.warn(
        "clock",
        format!("the broker's is at least {amount:.0?} {where_to} this machine's"),
        "set both by NTP: commands would expire too early or too late, and dead letters would show a wrong age",
    );
}

async fn ask(app: &App, transport: &dyn Transport) -> Result<Skew, Error> {
    let prefix = app.settings()?.plan.prefix;
    let name = QueueName::new(format!("{prefix}bus.doctor.{}", seam::message_id()))?;
    let waiting = QueueName::new(format!("{name}.late"))?;
    let queue = |name: &QueueName| Queue {
        exclusive: true,
        durable: false,
        ..Queue::durable(name.clone(), QueueType::Classic)
    };
    let mut late = queue(&waiting);
    late.arguments.message_ttl = Some(EXPIRES_AFTER);
    late.arguments.dead_letter_exchange = Some(ExchangeName::default_exchange());
    late.arguments.dead_letter_routing_key = Some(name.to_string());
    transport.declare(&Topology { queues: vec![queue(&name), late], ..Topology::default() }).await?;
    let skew = send_and_read(transport, &waiting, &name).await;
    let deleted = transport.delete_queue(&waiting).await.and(transport.delete_queue(&name).await);
    skew.and_then(|skew| deleted.map(|()| skew))
}

async fn send_and_read(
    transport: &dyn Transport,
    waiting: &QueueName,
    name: &QueueName,
) -> Result<Skew, Error> {
    let envelope = Envelope::new(ExchangeName::default_exchange(), RoutingKey::new(waiting)?, "doctor");
    let (deadline, before) = (seam::now() + PATIENCE.0, seam::wall_clock());
    let _ = transport.publish(Arc::new(envelope)).await?;
    while seam::now() < deadline {
        if let Some(late) = transport.get(name).await? {
            let after = seam::wall_clock();
            let told = died_at(&late.envelope);
            let told = told.map(|second| Skew::of(before, second, after));
            return told.ok_or_else(|| {
                Error::new(ErrorKind::Broker, "the broker does not say when a message expired")
            });
        }
        seam::sleep(PATIENCE.1).await;
    }
    Err(Error::new(ErrorKind::Broker, "a message that has expired was not dead-lettered"))
}

fn died_at(envelope: &Envelope) -> Option<SystemTime> {
    let Some(HeaderValue::List(deaths)) = envelope.headers.get("x-death") else { return None };
    let Some(HeaderValue::Table(death)) = deaths.first() else { return None };
    match death.get("time") {
        Some(HeaderValue::Time(time)) => Some(*time),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_when_it_cannot_be_otherwise() {
        let at = |millis: u64| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        let millis = Duration::from_millis;
        assert_eq!(Skew::of(at(5_100), at(5_000), at(5_200)), Skew::None);
        assert_eq!(Skew::of(at(5_900), at(5_000), at(6_100)), Skew::None, "it may have been 5.95 s");
        assert_eq!(Skew::of(at(5_900), at(6_000), at(6_100)), Skew::None);
        assert_eq!(Skew::of(at(5_100), at(9_000), at(5_200)), Skew::Ahead(millis(3_800)));
        assert_eq!(Skew::of(at(9_500), at(5_000), at(9_600)), Skew::Behind(millis(3_500)));
    }
}
