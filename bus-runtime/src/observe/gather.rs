//! Reading everything that an app counts, as families with their names, labels and helps.

use std::collections::BTreeMap;

use super::series::{Family, Kind, Value};
use super::{names, process, recorded};
use crate::app::Running;
use crate::breaker::BreakerState;
use crate::counters::{Counter, Counters, Distribution, Ending, Histogram, Sending};
use crate::outcome::DeadLetterReason;
use crate::topology::HandlerEntry;
use crate::transport::{ConnectionStatus, Standing};

/// The compiler that built this library, and so the program.
const RUSTC: &str = env!("BUS_RUSTC_VERSION");
const KINDS: [&str; 5] = ["audit", "react", "event", "task", "command"];

impl Running {
    /// Everything that the app counts, with the levels of its queues as somebody saw them last.
    pub(crate) fn metrics(&self) -> Vec<Family> {
        let mut families = self.of_publishes();
        families.extend(self.of_handlers());
        families.extend(self.of_attempts());
        families.extend(self.of_calls());
        families.extend(self.of_queues());
        families.extend(self.of_open_telemetry());
        families.extend(self.of_the_broker());
        families.extend(process::families());
        for family in &mut families {
            family.name = names::prefixed(&self.metrics.prefix, &family.name).into();
        }
        let own: Vec<_> = families.iter().map(|family| family.name.clone()).collect();
        // A name has one family: what the program calls like ours is left out.
        families.extend(recorded::recorded().into_iter().filter(|family| !own.contains(&family.name)));
        families
    }

    fn handlers(&self) -> impl Iterator<Item = (&HandlerEntry, &Counters)> {
        self.plan.handlers.iter().map(AsRef::as_ref).zip(self.counters.iter().map(AsRef::as_ref))
    }

    fn of_publishes(&self) -> Vec<Family> {
        let mut published = Family::new(
            names::EVENTS_PUBLISHED,
            Kind::Counter,
            "Messages for any number of handlers that the broker has confirmed.",
        );
        let mut sent = Family::new(
            names::COMMANDS_SENT,
            Kind::Counter,
            "Tasks that the broker has confirmed, and commands that were executed.",
        );
        let (mut unroutable, mut nacked) = (
            Family::new(
                names::UNROUTABLE,
                Kind::Counter,
                "Messages that no queue wanted, though somebody should.",
            ),
            Family::new(
                names::NACKED,
                Kind::Counter,
                "Messages that the broker refused, once for each time.",
            ),
        );
        for meter in self.hub.meters.all_sent() {
            let count = meter.confirmed.get();
            match meter.is_for_one() {
                true => sent.add([("type", meter.topic)], count),
                false => published.add([("exchange", meter.exchange.as_str()), ("type", meter.topic)], count),
            }
        }
        for meter in self.hub.meters.all_exchanges() {
            unroutable.add([("exchange", meter.exchange.as_str())], meter.unroutable.get());
            nacked.add([("exchange", meter.exchange.as_str())], meter.nacked.get());
        }
        vec![published, sent, unroutable, nacked]
    }

    /// What handlers have done, once for messages with any number of handlers and once for those with exactly one.
    fn of_handlers(&self) -> Vec<Family> {
        let counter = |name, help| Family::new(name, Kind::Counter, help);
        let mut processed = [
            counter(
                names::EVENTS_PROCESSED,
                "Messages that a handler has handled, and that are acknowledged.",
            ),
            counter(
                names::COMMANDS_PROCESSED,
                "Tasks and commands that were handled, and that are acknowledged.",
            ),
        ];
        let mut failed = [
            counter(names::EVENTS_FAILED, "Attempts to handle a message that failed, and why."),
            counter(names::COMMANDS_FAILED, "Attempts to handle a task or a command that failed, and why."),
        ];
        let mut durations = [
            Family::new(names::EVENT_DURATION, Kind::Histogram, "How long a handler took, for each attempt."),
            Family::new(
                names::COMMAND_DURATION,
                Kind::Histogram,
                "How long the handler of a task or a command took, for each attempt.",
            ),
        ];
        for (entry, counters) in self.handlers() {
            let at = usize::from(entry.is_for_one());
            let (handler, of_type) = (entry.name.as_str(), entry.type_label());
            processed[at].add([("handler", handler), ("type", of_type)], counters.handled.get());
            for (ending, count) in Ending::ALL.into_iter().zip(&counters.failures).skip(1) {
                let labels = [("handler", handler), ("type", of_type), ("reason", ending.as_str())];
                failed[at].add(labels, count.get());
            }
            let all = counters.durations.iter().map(Histogram::read);
            durations[at].add([("handler", handler)], all.fold(Distribution::default(), Distribution::with));
        }
        let mut registered =
            Family::new("registered_handlers", Kind::Gauge, "Handlers of this program, by their kind.");
        for kind in KINDS {
            let count = self.plan.handlers.iter().filter(|entry| entry.kind.as_str() == kind).count();
            registered.add([("kind", kind)], count as u64);
        }
        processed.into_iter().chain(failed).chain(durations).chain([registered]).collect()
    }

    /// One family with a series for each handler.
    fn per_handler<V: Into<Value>>(
        &self,
        (name, kind, help): (&'static str, Kind, &'static str),
        read: impl Fn(&HandlerEntry, &Counters) -> V,
    ) -> Family {
        let mut family = Family::new(name, kind, help);
        for (entry, counters) in self.handlers() {
            family.add([("handler", entry.name.as_str())], read(entry, counters));
        }
        family
    }

    fn of_attempts(&self) -> Vec<Family> {
        let failures = |counters: &Counters, ending: Ending| {
            counters.failures.get(ending as usize).map_or(0, Counter::get)
        };
        let counter = Kind::Counter;
        let mut retries =
            Family::new(names::RETRIES, counter, "Copies that were published for another attempt.");
        let mut dead =
            Family::new(names::DEAD_LETTERED, counter, "Messages that went to the dead letters, and why.");
        for (entry, counters) in self.handlers() {
            let handler = ("handler", entry.name.as_str());
            retries.add([handler, ("delay", names::AT_ONCE)], counters.retried_at_once.get());
            retries.add([handler, ("delay", names::LATER)], counters.retried_later.get());
            for (reason, count) in DeadLetterReason::ALL.into_iter().zip(&counters.dead) {
                dead.add([handler, ("reason", reason.as_str())], count.get());
            }
        }
        vec![
            retries,
            dead,
            self.per_handler(
                (
                    "bus_handler_timeouts_total",
                    counter,
                    "Attempts that took longer than the handler's timeout.",
                ),
                |_, counters| failures(counters, Ending::Timeout),
            ),
            self.per_handler(
                ("bus_handler_panics_total", counter, "Attempts that panicked."),
                |_, counters| failures(counters, Ending::Panic),
            ),
            self.per_handler(
                (names::DECODE_FAILURES, counter, "Messages whose body could not be decoded."),
                |_, counters| failures(counters, Ending::Decode),
            ),
        ]
    }

    fn of_calls(&self) -> Vec<Family> {
        let (gauge, histogram) = (Kind::Gauge, Kind::Histogram);
        vec![
            self.per_handler((names::IN_FLIGHT, gauge, "Calls that go on now."), |_, counters| {
                counters.in_flight.get()
            }),
            self.per_handler(
                (
                    "bus_handler_blocking",
                    gauge,
                    "Calls that hold a thread of the runtime for longer than a second, without an `.await`.",
                ),
                |_, counters| counters.blocking.get(),
            ),
            self.per_handler(
                (
                    "bus_messages_held_back",
                    gauge,
                    "Messages that stay unacknowledged while the broker takes no copy of them: for a retry, or the dead letters.",
                ),
                |_, counters| counters.held_back.get(),
            ),
            self.per_handler(
                (
                    names::CONCURRENCY,
                    gauge,
                    "Messages of the handler's queue that are handled at once, at most.",
                ),
                |entry, _| u64::from(entry.concurrency),
            ),
            self.per_handler(
                (
                    names::BREAKER_STATE,
                    gauge,
                    "What the handler's breaker does: 0 closed, 1 half open, 2 open.",
                ),
                |_, counters| match counters.breaker.state() {
                    BreakerState::Closed => 0,
                    BreakerState::HalfOpen => 1,
                    BreakerState::Open => 2_u64,
                },
            ),
            self.per_handler(
                (
                    names::LAST_PROCESSED,
                    gauge,
                    "When the handler last succeeded, in seconds since 1970; 0 when it never did.",
                ),
                |_, counters| counters.last_handled.get(),
            ),
            self.per_handler(
                (
                    names::CRITICAL_TIME,
                    histogram,
                    "From when a message was published until it was handled, retries and delays included.",
                ),
                |_, counters| counters.critical_time.read(),
            ),
            self.per_handler(
                (
                    names::QUEUE_TIME,
                    histogram,
                    "From when a message was published until its handler was called for the first time.",
                ),
                |_, counters| counters.queue_time.read(),
            ),
        ]
    }

    fn of_queues(&self) -> Vec<Family> {
        let gauge = |name, help| Family::new(name, Kind::Gauge, help);
        let mut size = gauge(
            names::QUEUE_SIZE,
            "Messages that wait in a queue; in `local`, those that this process is handling.",
        );
        let mut pressure = gauge(
            names::BACKPRESSURE,
            "1 while a queue is nearly full, or while the broker takes no publishes.",
        );
        let mut dead = BTreeMap::new();
        let mut redelivered = Family::new(
            names::REDELIVERED,
            Kind::Counter,
            "Messages that the broker may have delivered before.",
        );
        let blocked = matches!(self.hub.transport.status(), ConnectionStatus::Blocked(_));
        size.add([("queue", "local")], self.hub.in_flight.count() as u64);
        for queue in self.hub.meters.queues() {
            let name = ("queue", queue.queue.as_str());
            size.add([name], queue.ready.get());
            pressure.add([name], blocked || queue.is_high.get() > 0);
            redelivered.add([name], queue.redelivered.get());
            dead.insert(queue.dead.as_str(), queue.dead_letters.get());
        }
        let mut dead_letters = gauge(names::DEAD_LETTER_QUEUE_SIZE, "Messages in a queue of dead letters.");
        dead.into_iter().for_each(|(queue, count)| dead_letters.add([("queue", queue)], count));
        let mut attached = gauge(
            names::CONSUMER_ATTACHED,
            "1 while the broker delivers messages of a queue to this process.",
        );
        for (queue, standing) in self.consumers() {
            attached.add([("queue", queue.as_str())], standing == Standing::Receiving);
        }
        vec![size, pressure, dead_letters, redelivered, attached]
    }

    /// What OpenTelemetry calls it. Series of failures are there when there were any.
    fn of_open_telemetry(&self) -> Vec<Family> {
        let broker = &self.hub.address;
        let common = |name: &'static str, kind: &'static str, template: &str, error: &'static str| {
            [
                ("messaging_operation_name", name.to_owned()),
                ("messaging_operation_type", kind.to_owned()),
                ("messaging_system", broker.system.to_owned()),
                ("messaging_destination_template", template.to_owned()),
                ("error_type", error.to_owned()),
                ("server_address", broker.host.clone().unwrap_or_default()),
                ("server_port", broker.port.map(|port| port.to_string()).unwrap_or_default()),
            ]
        };
        let (counter, histogram) = (Kind::Counter, Kind::Histogram);
        let mut sent = Family::new(
            "messaging_client_sent_messages_total",
            counter,
            "Messages that the program tried to publish.",
        );
        let mut took = Family::new(
            "messaging_client_operation_duration_seconds",
            histogram,
            "How long a publish took, until the broker confirmed it.",
        );
        for meter in self.hub.meters.all_sent() {
            let template =
                match meter.topic == meter.exchange || meter.topic == "audit" || meter.topic == "react" {
                    true => meter.exchange.clone(),
                    false => format!("{}:{}", meter.exchange, meter.topic),
                };
            let each = Sending::ALL.into_iter().zip(meter.sent.iter().zip(&meter.durations));
            for (sending, (count, durations)) in each {
                let count = count.get();
                if count > 0 || sending == Sending::Confirmed {
                    let labels = common("publish", "send", &template, sending.as_str());
                    sent.add(borrowed(&labels), count);
                    took.add(borrowed(&labels), durations.read());
                }
            }
        }
        let mut consumed = Family::new(
            "messaging_client_consumed_messages_total",
            counter,
            "Messages that handlers were called with, each attempt.",
        );
        let mut processing = Family::new(
            "messaging_process_duration_seconds",
            histogram,
            "How long a handler took, for each attempt.",
        );
        for (entry, counters) in self.handlers() {
            let template = entry.destination_template();
            let labels = common("consume", "process", &template, "");
            consumed.add(borrowed(&labels), counters.called.get());
            for (ending, durations) in Ending::ALL.into_iter().zip(&counters.durations) {
                let durations = durations.read();
                if ending == Ending::Done || durations.count() > 0 {
                    let labels = common("consume", "process", &template, ending.as_str());
                    processing.add(borrowed(&labels), durations);
                }
            }
        }
        vec![sent, took, consumed, processing]
    }

    fn of_the_broker(&self) -> Vec<Family> {
        let transport = &self.hub.transport;
        let status = transport.status();
        let one = |name, kind, help, value: Value| Family::new(name, kind, help).with([], value);
        let (counter, gauge) = (Kind::Counter, Kind::Gauge);
        let build = Family::new("bus_build_info", Kind::Info, "What runs here, as labels.").with(
            [
                ("version", self.version.as_deref().unwrap_or_default()),
                ("git", self.metrics.git.as_deref().unwrap_or_default()),
                ("rustc", RUSTC),
                ("broker", &transport.describe().server),
            ],
            1,
        );
        let connected = status != ConnectionStatus::Disconnected;
        let blocked = matches!(status, ConnectionStatus::Blocked(_));
        vec![
            one("active_sessions", gauge, "Sessions that are open.", self.hub.sessions.stats().open.into()),
            one(names::CONNECTED, gauge, "1 while the broker can be talked to.", connected.into()),
            one(
                "bus_broker_reconnects_total",
                counter,
                "Connections to the broker that were lost and made again.",
                transport.reconnects().into(),
            ),
            one(names::BLOCKED, gauge, "1 while the broker takes no publishes.", blocked.into()),
            one(
                names::DRAINING,
                gauge,
                "1 while the app finishes what has begun and takes nothing new.",
                self.is_draining().into(),
            ),
            one(
                "bus_shutdown_requeued_total",
                counter,
                "Messages whose handlers were interrupted by the end of the app.",
                self.hub.meters.interrupted.get().into(),
            ),
            build,
        ]
    }
}

/// Labels as a family takes them.
fn borrowed<'l>(labels: &'l [(&'static str, String); 7]) -> [(&'static str, &'l str); 7] {
    labels.each_ref().map(|(name, value)| (*name, value.as_str()))
}
