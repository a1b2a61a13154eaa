//! Commands: a message that waits for its reply, here or on the broker.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tracing::Instrument;

use crate::copies::rfc3339;
use crate::envelope::{Envelope, Text, header};
use crate::error::{Error, ErrorKind};
use crate::hub::Hub;
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::observe::spans;
use crate::publish::Draft;
use crate::scope::CURRENT;
use crate::seam;
use crate::topology::naming;
use crate::transport::{BoxFuture, Confirmation, ConnectionStatus};

mod desk;
mod failure;

pub(crate) use desk::Replies;
use desk::Waiting;
pub use failure::CommandFailure;
pub(crate) use failure::{Answer, answer};

/// How long a command waits for its reply.
pub(crate) const EXECUTE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// The longest that a command waits: RabbitMQ takes expirations of up to 2^32 ms, which is 49 days.
const EXECUTE_TIMEOUT_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A command about to be sent. Awaiting it gives the reply.
#[must_use = "a command is not sent until it is awaited"]
pub struct Execute<R> {
    draft: Result<(Arc<Hub>, Draft), Error>,
    timeout: Duration,
    reply: PhantomData<fn() -> R>,
}

impl<R> Execute<R> {
    pub(crate) fn new(draft: Result<(Arc<Hub>, Draft), Error>) -> Self {
        Self { draft, timeout: EXECUTE_TIMEOUT_DEFAULT, reply: PhantomData }
    }

    /// Waits at most this long, and no longer than 30 days. The command expires with it: a command that timed out before its
    /// handler was called is not handled later.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(EXECUTE_TIMEOUT_MAX);
        self
    }
}

impl<R> fmt::Debug for Execute<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execute").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl<R: DeserializeOwned + 'static> IntoFuture for Execute<R> {
    type Output = Result<R, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { draft, timeout, .. } = self;
        Box::pin(async move {
            let (hub, draft) = draft?;
            hub.commands.executed.add_one();
            hub.meters.sent(draft.subject).confirmed.add_one();
            let replied = execute(&hub, draft, timeout).await;
            match &replied {
                Err(error) if error.kind() == ErrorKind::TimedOut => hub.commands.timed_out.add_one(),
                Err(_) => hub.commands.failed.add_one(),
                Ok(_) => {}
            }
            replied
        })
    }
}

/// How far a command has come.
#[derive(Clone, Copy)]
enum Stage {
    /// The broker has not confirmed it.
    Sending,
    /// Somebody has it, or will have it.
    Sent,
}

async fn execute<R: DeserializeOwned>(
    hub: &Arc<Hub>,
    mut draft: Draft,
    timeout: Duration,
) -> Result<R, Error> {
    let topic = draft.envelope.routing_key.clone();
    let deadline = seam::now() + timeout;
    let mut stage = Stage::Sending;
    let reached = async {
        let session = queue_of_session(hub, &draft.envelope)?;
        let local = session.as_ref().and_then(|queue| hub.sessions.command(queue));
        if let (None, Some(queue)) = (&local, session) {
            let reply = ask_session(hub, draft.clone(), &queue, deadline, &mut stage).await?;
            if let Some(reply) = reply {
                return failure::decode(&topic, &reply);
            }
        }
        if let Some(local) = local.or_else(|| hub.locals.find(&draft.envelope)) {
            stage = Stage::Sent;
            hub.commands.in_process.add_one();
            let span = spans::publish(hub, &mut draft);
            let caller = CURRENT.try_with(Arc::clone).ok();
            let answer =
                local.execute(hub, *draft.envelope, caller.as_deref(), deadline).instrument(span).await?;
            return failure::read(&topic, answer);
        }
        let reply = ask(hub, draft, deadline, &mut stage).await?;
        failure::decode(&topic, &reply)
    };
    match tokio::time::timeout_at(deadline, reached).await {
        Ok(replied) => replied,
        Err(_) => Err(no_reply(hub, &topic, timeout, stage)),
    }
}

/// The queue of the handler that a command's session has for it, if it has one; `None` when it is of no session.
fn queue_of_session(hub: &Hub, command: &Envelope) -> Result<Option<QueueName>, Error> {
    let session = command.headers.text(header::SESSION);
    let queue = |id| naming::session_command(&hub.settings.prefix, id, &command.routing_key);
    session.map(queue).transpose()
}

/// Sends the command to its queue and waits for the reply.
async fn ask(hub: &Arc<Hub>, mut draft: Draft, deadline: Instant, stage: &mut Stage) -> Result<Bytes, Error> {
    let waiting = prepare(hub, &mut draft, deadline).await?;
    hub.send_draft(draft).await?;
    *stage = Stage::Sent;
    waiting.reply().await
}

/// Sends the command to the handler that its session has, and waits for the reply; `None` when there is none.
async fn ask_session(
    hub: &Arc<Hub>,
    mut draft: Draft,
    queue: &QueueName,
    deadline: Instant,
    stage: &mut Stage,
) -> Result<Option<Bytes>, Error> {
    let waiting = prepare(hub, &mut draft, deadline).await?;
    let command = Arc::new(readdressed(*draft.envelope, queue)?);
    if hub.send(command).await? == Confirmation::Unroutable {
        return Ok(None);
    }
    *stage = Stage::Sent;
    waiting.reply().await.map(Some)
}

/// Writes into a command where its reply goes, and until when somebody waits for that.
async fn prepare(hub: &Arc<Hub>, draft: &mut Draft, deadline: Instant) -> Result<Waiting, Error> {
    if *hub.shutdown_finished().borrow() {
        return Err(shut_down());
    }
    let left = deadline.saturating_duration_since(seam::now());
    let at = seam::wall_clock() + left;
    let desk = hub.replies.queue(hub).await?;
    let Envelope { properties, headers, .. } = &mut *draft.envelope;
    let id = seam::message_id();
    if let Some(conversation) = properties.correlation_id.replace(Text::Owned(id.clone())) {
        headers.set(header::CONVERSATION, conversation);
    }
    properties.reply_to = Some(Text::Owned(desk.to_string()));
    properties.expiration = Some(left);
    // What a worker has fetched ahead does not expire on the broker any more.
    headers.set(header::DEADLINE, rfc3339(at));
    Ok(hub.replies.expect(id))
}

/// The command, addressed to the queue of a session's handler; where it would have gone to stands in its headers.
fn readdressed(mut command: Envelope, queue: &QueueName) -> Result<Envelope, Error> {
    command.headers.set(header::EXCHANGE, command.exchange.to_string());
    command.headers.set(header::ROUTING_KEY, command.routing_key.to_string());
    command.exchange = ExchangeName::default_exchange();
    command.routing_key = RoutingKey::new(queue.as_str())?;
    Ok(command)
}

fn no_reply(hub: &Hub, topic: &RoutingKey, timeout: Duration, stage: Stage) -> Error {
    match (stage, hub.transport.status()) {
        (Stage::Sending, ConnectionStatus::Disconnected) => Error::new(
            ErrorKind::Disconnected,
            format!("command `{topic}` could not be sent within {timeout:?}: the broker is away"),
        ),
        (Stage::Sending, _) => Error::new(
            ErrorKind::TimedOut,
            format!("the broker did not confirm command `{topic}` within {timeout:?}"),
        ),
        (Stage::Sent, _) => {
            Error::new(ErrorKind::TimedOut, format!("no reply to command `{topic}` within {timeout:?}"))
                .with_help("its handler may be running still; one that had not begun by then does not begin")
        }
    }
}

pub(crate) fn shut_down() -> Error {
    Error::new(ErrorKind::Closed, "the bus was shut down while a command waited")
}

/// The message that carries an answer to whoever asked; `None` when nobody did.
pub(crate) fn reply(request: &Envelope, answer: &Answer) -> Option<Envelope> {
    let key = RoutingKey::new(request.properties.reply_to.as_deref()?).ok()?;
    let mut envelope = Envelope::new(ExchangeName::default_exchange(), key, failure::encode(answer)?);
    envelope.properties.correlation_id.clone_from(&request.properties.correlation_id);
    envelope.properties.content_type = Some(Text::Borrowed("application/json"));
    Some(envelope)
}
