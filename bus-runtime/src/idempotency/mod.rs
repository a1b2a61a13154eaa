//! Idempotency: a handler is not called again for a key that it has handled with success.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::delivery::Metadata;
use crate::envelope::header;
use crate::error::BoxError;
use crate::message::MessageKind;
use crate::outcome::HandlerError;
use crate::seam;
use crate::topology::{HandlerEntry, HandlerKind};
use crate::transport::BoxFuture;

mod memory;

pub use memory::MemoryStore;

/// The longest idempotency key, in bytes: an id or a hash, which a store may have as the key of a table.
pub(crate) const KEY_MAX: usize = 255;
/// How long a message waits between two looks at a key that another one has: at first, and at most.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));
/// How long a message waits for such a key, when its handler has no timeout; then it goes back to its queue.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How much longer than its handler's timeout a message may have a key: time for what it published to be confirmed.
const LEASE_MARGIN: Duration = Duration::from_secs(60);
/// How long a message may have a key when its handler has no timeout.
const LEASE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Remembers which keys have been handled; given to [`App::idempotency`](crate::App::idempotency).
///
/// The message's key comes with the handler's name, so that each handler handles it once. A store that several processes share,
/// such as a table with a unique key, makes that once for all of them; [`MemoryStore`] is for one process.
///
/// Each method is one atomic step: of two claims for a key at one time, one is [`Granted`](Claim::Granted).
pub trait IdempotencyStore: Send + Sync + 'static {
    /// Claims a key before its handler is called. When the claim is neither completed nor released within `lease`, as of a process
    /// that died, another one may be granted.
    ///
    /// # Errors
    /// Why the store cannot tell: the handler is not called, and the attempt has failed.
    fn claim<'a>(&'a self, key: &'a str, lease: Duration) -> BoxFuture<'a, Result<Claim, BoxError>>;

    /// The handler has succeeded: from now on the key is [`Done`](Claim::Done), for as long as the store keeps keys.
    ///
    /// # Errors
    /// Why the store cannot remember it: the message is acknowledged all the same, and its duplicate would be handled again.
    fn complete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), BoxError>>;

    /// The handler has failed, or was interrupted: the next claim is granted.
    ///
    /// # Errors
    /// Why the store cannot do that: the next claim is granted when the lease has ended.
    fn release<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), BoxError>>;
}

impl<S: IdempotencyStore + ?Sized> IdempotencyStore for Arc<S> {
    fn claim<'a>(&'a self, key: &'a str, lease: Duration) -> BoxFuture<'a, Result<Claim, BoxError>> {
        (**self).claim(key, lease)
    }

    fn complete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), BoxError>> {
        (**self).complete(key)
    }

    fn release<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), BoxError>> {
        (**self).release(key)
    }
}

/// What [`IdempotencyStore::claim`] answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The key is the caller's.
    Granted,
    /// A handler has succeeded with it.
    Done,
    /// Another message has it now.
    Taken,
}

/// The store of an app, if it has one.
#[derive(Clone, Default)]
pub(crate) struct Idempotency {
    store: Option<Arc<dyn IdempotencyStore>>,
    warned: Arc<AtomicBool>,
}

/// Whether a handler may be called for a message.
pub(crate) enum Permission {
    /// The message has no key.
    Free,
    /// It has, and nobody else.
    Claimed(Claimed),
    /// It has been handled.
    Duplicate,
    /// Another message with this key is being handled, for longer than this one can wait.
    Busy,
    /// The store cannot tell.
    Failed(HandlerError),
}

/// A key that belongs to one call; released when it is dropped.
pub(crate) struct Claimed {
    store: Arc<dyn IdempotencyStore>,
    key: Option<String>,
}

impl Idempotency {
    pub(crate) fn new(store: Arc<dyn IdempotencyStore>) -> Self {
        Self { store: Some(store), warned: Arc::default() }
    }

    /// Claims the key of a message for a handler, or for one instance of it. Waits while another message has it.
    pub(crate) async fn permission(
        &self,
        entry: &HandlerEntry,
        instance: Option<&str>,
        metadata: &Metadata,
    ) -> Permission {
        // The sender of a command waits for the reply, and nobody has kept that of the first one.
        let command = entry.kind == HandlerKind::Message(MessageKind::Command);
        let Some(key) = metadata.headers().text(header::IDEMPOTENCY_KEY).filter(|_| !command) else {
            return Permission::Free;
        };
        let Some(store) = &self.store else {
            if !self.warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(handler = %entry.name, "a message has an idempotency key, and the app has no store: duplicates are handled");
            }
            return Permission::Free;
        };
        let key = match instance {
            None => format!("{}/{key}", entry.name),
            Some(instance) => format!("{}/{instance}/{key}", entry.name),
        };
        let lease = entry.timeout.map_or(LEASE_MAX, |timeout| timeout.saturating_add(LEASE_MARGIN));
        let wait = entry.timeout.unwrap_or(WAIT_MAX);
        match tokio::time::timeout(wait, claim(&**store, &key, lease)).await {
            Ok(Ok(true)) => Permission::Claimed(Claimed { store: Arc::clone(store), key: Some(key) }),
            Ok(Ok(false)) => Permission::Duplicate,
            Ok(Err(error)) => Permission::Failed(HandlerError::new(error)),
            Err(_) => Permission::Busy,
        }
    }
}

/// Waits until a key is granted (`true`) or done.
async fn claim(store: &dyn IdempotencyStore, key: &str, lease: Duration) -> Result<bool, BoxError> {
    let (mut pause, longest) = LOOK_AGAIN;
    loop {
        match store.claim(key, lease).await? {
            Claim::Granted => return Ok(true),
            Claim::Done => return Ok(false),
            Claim::Taken => seam::sleep(pause).await,
        }
        pause = (pause * 2).min(longest);
    }
}

impl Claimed {
    /// The handler has succeeded.
    pub(crate) async fn complete(mut self) {
        let Some(key) = self.key.take() else { return };
        if let Err(error) = self.store.complete(&key).await {
            tracing::error!(key, %error, "an idempotency key can't be stored: a duplicate would be handled again");
        }
    }

    /// The handler has failed.
    pub(crate) async fn release(mut self) {
        if let Some(key) = self.key.take() {
            release(&*self.store, &key).await;
        }
    }
}

async fn release(store: &dyn IdempotencyStore, key: &str) {
    if let Err(error) = store.release(key).await {
        tracing::warn!(key, %error, "an idempotency key can't be released: the next attempt waits until its lease ends");
    }
}

/// A call that was interrupted must not keep its key.
impl Drop for Claimed {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let store = Arc::clone(&self.store);
            seam::spawn("release", async move { release(&*store, &key).await });
        }
    }
}

impl fmt::Debug for Idempotency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idempotency").field("has_store", &self.store.is_some()).finish_non_exhaustive()
    }
}
