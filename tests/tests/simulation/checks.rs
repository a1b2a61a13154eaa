//! What must hold of every run, whatever its seed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bus_runtime::transport::{Transport, Verdict};
use bus_runtime::{EmbeddedBroker, OnError, QueueName, header};
use tokio::time::sleep;

use crate::book::{Book, Call, End, Message, Sender};
use crate::cast::{Cast, Role};
use crate::play::NUMBER;
use crate::world::{REST, World};

/// How often a run that is calm is looked at.
const LOOK: Duration = Duration::from_secs(600);
/// How long a settlement may take: what was published is late, and so are confirms.
const SETTLED_IN: Duration = Duration::from_secs(2);

/// Waits until nothing is queued, held or due. Says what does not come to rest. Where dead letters have no room, it takes some off.
pub(crate) async fn at_rest(world: &World, broker: &EmbeddedBroker) -> Option<String> {
    let mut waited = Duration::ZERO;
    while waited < REST {
        sleep(LOOK).await;
        waited += LOOK;
        if world.cast.cramped {
            bury(world, broker).await;
        }
        if queued(broker).is_empty() && broker.next_due().is_none() {
            return None;
        }
    }
    Some(format!("it does not come to rest: {:?}, due {:?}", queued(broker), broker.next_due()))
}

/// Takes the dead letters that are there off their queues.
async fn bury(world: &World, broker: &EmbeddedBroker) {
    for snapshot in broker.queues().iter().filter(|queue| queue.name.as_str().ends_with(".dead")) {
        while let Some(letter) = broker.get(&snapshot.name).await.unwrap() {
            world.book().buried.push((snapshot.name.clone(), Arc::clone(&letter.envelope)));
            letter.settler.settle(Verdict::Ack).unwrap();
        }
    }
}

/// The queues with messages, but for dead letters.
fn queued(broker: &EmbeddedBroker) -> Vec<String> {
    let full = |queue: &bus_runtime::transport::embedded::QueueSnapshot| {
        queue.ready + queue.unacknowledged + queue.stuck > 0 && !queue.name.as_str().ends_with(".dead")
    };
    let queues = broker.queues();
    queues.iter().filter(|queue| full(queue)).map(|queue| format!("{queue:?}")).collect()
}

/// What must hold whenever a call has begun: the last one of the book.
pub(crate) fn while_running(cast: &Cast, book: &Book) -> Vec<String> {
    let mut offences = Vec::new();
    let Some((begun, before)) = book.calls.split_last() else { return offences };
    let role = &cast.roles[begun.role];
    let here = |call: &&Call| call.is_active() && call.role == begun.role && call.process == begun.process;
    let active: Vec<_> = before.iter().filter(here).collect();
    if active.len() + 1 > role.concurrency() {
        offences.push(format!("{} has {} calls at once", role.name(), active.len() + 1));
    }
    let k = |call: &Call| book.messages[call.message].k;
    if role.options.ordered_by.is_some() && active.iter().any(|call| k(call) == k(begun)) {
        offences.push(format!("{} has two messages of one key at once: m{}", role.name(), begun.message));
    }
    offences
}

/// What must hold when all is at rest and the workers have gone.
pub(crate) fn offences(cast: &Cast, book: &Book, broker: &EmbeddedBroker) -> Vec<String> {
    let closed = Closed { cast, book, letters: letters(cast, book, broker) };
    let mut offences = queued(broker);
    let totals = broker.totals();
    let left: u64 =
        broker.queues().iter().map(|queue| queue.ready + queue.unacknowledged + queue.stuck).sum();
    if totals.enqueued != totals.acked + totals.dead_lettered + totals.dropped + totals.deleted + left {
        offences.push(format!("the broker's own books are not closed: {totals:?}, left {left}"));
    }
    // What is due and wanted by nobody is dropped, and nothing else.
    let unwanted = |message: &&Message| !cast.roles.iter().any(|role| role.wants(message.topic));
    let unwanted = book.messages.iter().filter(|message| message.is_delayed).filter(unwanted).count() as u64;
    if totals.dropped > unwanted && (unwanted == 0 || !closed.is_broken()) {
        offences.push(format!("{} dead letters were dropped", totals.dropped));
    }
    for (number, asked) in book.asked.iter().enumerate() {
        offences.extend(asked.offences(number, closed.is_broken()));
    }
    for role in &cast.roles {
        for (number, message) in book.messages.iter().enumerate() {
            offences.extend(closed.message(role, number, message));
        }
        offences.extend(closed.order(role));
    }
    offences
}

/// The dead letters, by handler and message.
type Letters = BTreeMap<(usize, usize), usize>;

/// Those of the broker itself count for all handlers of the queue that want the message.
fn letters(cast: &Cast, book: &Book, broker: &EmbeddedBroker) -> Letters {
    let mut letters = Letters::new();
    let in_queue = |name: QueueName| broker.peek(&name).into_iter().map(move |letter| (name.clone(), letter));
    let lying = broker.queues().into_iter().flat_map(|snapshot| in_queue(snapshot.name));
    for (name, letter) in lying.chain(book.buried.iter().cloned()) {
        let Some(queue) = name.as_str().strip_suffix(".dead") else { continue };
        // Those of commands are their callers' business.
        if !cast.roles.iter().any(|role| role.queue() == queue) {
            continue;
        }
        let text = |name| letter.headers.text(name);
        let number = text(NUMBER).and_then(|number| number.parse().ok()).expect("each has its number");
        let member = text(header::HANDLER);
        let topic = book.messages.get::<usize>(number).map_or("", |message| message.topic);
        let of_role = |role: &&Role| {
            role.queue() == queue && member.map_or(role.wants(topic), |name| name.ends_with(role.name()))
        };
        for role in cast.roles.iter().filter(of_role) {
            *letters.entry((role.nth, number)).or_default() += 1;
        }
    }
    letters
}

struct Closed<'b> {
    cast: &'b Cast,
    book: &'b Book,
    letters: Letters,
}

impl Closed<'_> {
    fn calls(&self, role: &Role, number: usize) -> Vec<&Call> {
        self.book.calls.iter().filter(|call| call.role == role.nth && call.message == number).collect()
    }

    fn is_broken(&self) -> bool {
        !self.book.breaks.is_empty()
    }

    /// Whether the message is in the broker: for sure, not at all, or nobody knows.
    fn was_sent(&self, message: &Message) -> Option<bool> {
        match message.by {
            Sender::Client => Some(true),
            Sender::Unconfirmed => None,
            Sender::Call(call) => {
                let call = &self.book.calls[call];
                if !call.has_succeeded() {
                    return Some(false);
                }
                let settled = !self.is_broken() && !self.cast.is_limited();
                // What has succeeded and is never called again was settled, and so its messages were sent.
                let again = |other: &&Call| other.began > call.began;
                let role = &self.cast.roles[call.role];
                let last = !self.calls(role, call.message).iter().any(again) && !role.is_acked_on_receive();
                (settled || (last && !self.cast.is_limited())).then_some(true)
            }
        }
    }

    fn message(&self, role: &Role, number: usize, message: &Message) -> Vec<String> {
        let mut offences = Vec::new();
        let calls = self.calls(role, number);
        let letters = self.letters.get(&(role.nth, number)).copied().unwrap_or_default();
        let name = format!("m{number} in {}", role.name());
        let sent = if role.wants(message.topic) { self.was_sent(message) } else { Some(false) };
        if sent == Some(false) && (!calls.is_empty() || letters > 0) {
            offences.push(format!("{name} was never sent there: {calls:?}, {letters} dead letters"));
        }
        let done = calls.iter().filter(|call| is_last(role, call)).count() + letters;
        // It is acknowledged whatever becomes of the call, or before there is one.
        let begun = if message.is_malformed { 1 } else { calls.len() };
        let done = if role.is_acked_on_receive() { begun + letters } else { done };
        let may_be_lost = role.is_acked_on_receive() && self.is_broken();
        if sent == Some(true) && done == 0 && !may_be_lost {
            offences.push(format!("{name} is lost: {calls:?}"));
        }
        if done > 1 && !self.is_broken() && !self.cast.is_limited() {
            offences.push(format!("{name} was done with {done} times: {calls:?}, {letters} dead letters"));
        }
        offences.extend(self.again(role, message, &calls).map(|what| format!("{name} {what}: {calls:?}")));
        offences.extend(self.attempts(role, message, &calls).map(|what| format!("{name} {what}: {calls:?}")));
        offences
    }

    /// What was settled and came back.
    fn again(&self, role: &Role, message: &Message, calls: &[&Call]) -> Option<String> {
        if self.cast.is_limited() {
            return None;
        }
        if role.is_acked_on_receive() && calls.len() > 1 && !self.may_be_two(message, &[]) {
            return Some("was acknowledged on receipt and came back".to_owned());
        }
        let settled = |at: usize, call: &Call| {
            let next = calls[at + 1..].iter().find(|next| next.began >= call.began)?;
            let (before, alone) = (&calls[..at], !self.is_shared(role));
            let excused = self.may_be_two(message, before)
                || before.iter().any(|call| self.was_cut_off(call, next))
                || (!(call.settled_early && alone) && self.was_cut_off(call, next));
            (call.has_succeeded() && !excused).then(|| "was settled and came back".to_owned())
        };
        calls.iter().enumerate().find_map(|(at, call)| settled(at, call))
    }

    fn is_shared(&self, role: &Role) -> bool {
        self.cast.roles.iter().filter(|other| other.queue() == role.queue()).count() > 1
    }

    /// Whether a process may have ended after the call had ended, and before its message was settled.
    fn was_cut_off(&self, call: &Call, next: &Call) -> bool {
        // The message of a shared queue is settled when all of its handlers have ended.
        let shared = self.is_shared(&self.cast.roles[call.role]);
        let latest = if shared { next.began } else { call.end_time() + SETTLED_IN };
        self.book.breaks.iter().any(|(from, to)| *to >= call.end_time() && *from <= latest)
    }

    /// Whether a process may have ended while it was sending a due message on.
    fn may_be_two(&self, message: &Message, calls: &[&Call]) -> bool {
        self.is_broken() && (message.is_delayed || calls.iter().any(|call| call.ended(End::Retry)))
    }

    fn attempts(&self, role: &Role, message: &Message, calls: &[&Call]) -> Option<String> {
        let counts = |call: &&&Call| match call.end {
            Some((_, End::Retry)) => true,
            Some((_, End::Failed | End::TimedOut)) => {
                role.options.on_error == Some(OnError::Retry) && !call.settled_early
            }
            _ => false,
        };
        let counted = calls.iter().filter(counts).count();
        // Whoever replays a message gives it all of its attempts anew.
        let allowed = role.attempts_max() * (message.replays + 1);
        if counted > allowed + self.book.breaks.len() && !self.cast.is_limited() {
            return Some(format!("was tried {counted} times, of {allowed}"));
        }
        if let Some(call) = calls.iter().find(|call| call.attempt as usize > role.attempts_max()) {
            return Some(format!("has attempt {} of {}", call.attempt, role.attempts_max()));
        }
        if self.is_broken() || self.cast.is_limited() || message.replays > 0 {
            return None;
        }
        let wrong = calls
            .iter()
            .enumerate()
            .find(|(at, call)| call.attempt as usize != calls[..*at].iter().filter(counts).count() + 1);
        wrong.map(|(at, call)| format!("has attempt {} in call {at}", call.attempt))
    }

    /// Messages of the client begin in the order in which it has published them.
    fn order(&self, role: &Role) -> Vec<String> {
        let options = &role.options;
        let one_by_one = options.concurrency == Some(1) && options.batch.is_none();
        let is_ordered = (one_by_one || options.ordered_by.is_some())
            && options.breaker.is_none()
            && !self.cast.twins
            && !self.cast.is_limited()
            && (role.order_survives() || self.book.breaks.is_empty());
        if !is_ordered {
            return Vec::new();
        }
        let begun = |(number, message): (usize, &Message)| {
            let first = self.calls(role, number).first().map(|call| call.began)?;
            let counts = message.by == Sender::Client && !message.is_delayed;
            counts.then_some((number, message.k, first))
        };
        let begun: Vec<_> = self.book.messages.iter().enumerate().filter_map(begun).collect();
        let overtaken = begun.iter().enumerate().filter_map(|(at, (number, k, first))| {
            let bound = |k2: u8| one_by_one || k2 == *k;
            let after = begun[at + 1..].iter().find(|(_, k2, other)| bound(*k2) && other < first)?;
            Some(format!("m{} has overtaken m{number} in {}", after.0, role.name()))
        });
        overtaken.collect()
    }
}

/// Whether a call is the last that its message needs for this handler, but for dead letters.
fn is_last(role: &Role, call: &Call) -> bool {
    let discards = role.options.on_error == Some(OnError::Discard);
    call.has_succeeded() || (discards && matches!(call.end, Some((_, End::Failed | End::TimedOut))))
}
