//! Telling handlers what happens to others, when somebody listens.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::delivery::Metadata;
use crate::envelope::{Envelope, Text, header};
use crate::hub::Hub;
use crate::message::Message;
use crate::names::RoutingKey;
use crate::seam;
use crate::session;
use crate::transport::Confirmation;

/// How long nobody is told after a time when nobody listened: a broker says so only about a message that was sent.
const NOBODY_LISTENS: Duration = Duration::from_secs(10);
/// Events that may be on their way at once. They are about messages, which may be many: what is beyond is left out.
const TELLING_MAX: usize = 64;

/// What handlers are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Failures,
    CommandsBegun,
    CommandsDone,
}

impl About {
    /// The header of messages that come from somebody having been told: of those nobody is told, or it would never end.
    fn header(self) -> &'static str {
        match self {
            Self::Failures => header::AFTER_FAILURE,
            Self::CommandsBegun | Self::CommandsDone => header::AFTER_COMMAND,
        }
    }
}

/// Who has been told, and whether somebody listened.
#[derive(Debug)]
pub(crate) struct Telling {
    on_their_way: Arc<Semaphore>,
    /// Until when nobody listens, for each that is told of.
    nobody_until: [Mutex<Option<Instant>>; 3],
}

impl Default for Telling {
    fn default() -> Self {
        Self { on_their_way: Arc::new(Semaphore::new(TELLING_MAX)), nobody_until: Default::default() }
    }
}

impl Telling {
    fn nobody_until(&self, about: About) -> &Mutex<Option<Instant>> {
        let [failures, begun, done] = &self.nobody_until;
        match about {
            About::Failures => failures,
            About::CommandsBegun => begun,
            About::CommandsDone => done,
        }
    }
}

/// Tells of something that happens to a message. It costs nearly nothing when nobody listens, and nobody waits for it.
pub(super) fn tell<M: Message>(hub: &Arc<Hub>, about: About, metadata: &Metadata, event: impl FnOnce() -> M) {
    let telling = &hub.telling;
    let nobody_until = *telling.nobody_until(about).lock().unwrap_or_else(PoisonError::into_inner);
    let nobody = nobody_until.is_some_and(|until| seam::now() < until);
    // A session may listen, although nobody else does.
    let nobody = nobody && metadata.headers().get(header::SESSION).is_none();
    if nobody || metadata.headers().get(about.header()).is_some() {
        return;
    }
    let Ok(place) = Arc::clone(&telling.on_their_way).try_acquire_owned() else { return };
    let Some(event) = envelope(hub, about, metadata, &event()) else { return };
    let (hub, counted) = (Arc::clone(hub), hub.in_flight.enter());
    let mut sending: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
        let _until_then = (place, counted);
        send(&hub, about, Arc::new(event)).await;
    });
    // Once here, so that events are sent in the order in which things happen.
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    if sending.as_mut().poll(&mut context).is_pending() {
        seam::spawn("telling", sending);
    }
}

async fn send(hub: &Hub, about: About, event: Arc<Envelope>) {
    let sent = tokio::time::timeout(NOBODY_LISTENS, hub.transport.publish(Arc::clone(&event))).await;
    match sent {
        Ok(Ok(Confirmation::Routed)) => {
            if let Some(witness) = hub.witness() {
                witness.published(&event, Confirmation::Routed);
            }
        }
        Ok(Ok(Confirmation::Unroutable)) => {
            let until = seam::now() + NOBODY_LISTENS;
            *hub.telling.nobody_until(about).lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        }
        Ok(Err(error)) => tracing::debug!(%error, ?about, "nobody is told"),
        Err(_) => tracing::debug!(?about, "nobody is told: the broker does not answer"),
    }
}

fn envelope<M: Message>(hub: &Hub, about: About, metadata: &Metadata, event: &M) -> Option<Envelope> {
    let settings = &hub.settings;
    let exchange = settings.exchange(&settings.messages).ok()?;
    let key = RoutingKey::new(M::TOPIC).ok()?;
    let mut envelope = Envelope::new(exchange, key, serde_json::to_vec(event).ok()?);
    let properties = &mut envelope.properties;
    properties.persistent = true;
    properties.content_type = Some(Text::Borrowed("application/json"));
    properties.message_id = Some(Text::Owned(seam::message_id()));
    properties.message_type = Some(Text::Borrowed(M::TOPIC));
    properties.timestamp = Some(seam::wall_clock());
    properties.app_id = Some(hub.app_id.clone());
    properties.correlation_id = metadata.correlation_id().map(|id| Text::Owned(id.to_owned()));
    envelope.headers.set(header::VERSION, M::VERSION);
    envelope.headers.set(about.header(), "handler");
    for name in [header::SESSION, header::SESSION_ID] {
        if let Some(value) = metadata.headers().text(name) {
            envelope.headers.set(name, value.to_owned());
        }
    }
    let session = session::key(&envelope);
    session::copy_to(&mut envelope, session);
    Some(envelope)
}
