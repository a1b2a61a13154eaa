//! The events that tell of sessions.

use serde::{Deserialize, Serialize};

/// A session was opened. Handlers of its own hear nothing of it: they come later.
///
/// ```
/// use bus_runtime::SessionStarted;
/// use bus_runtime::prelude::*;
///
/// #[message_handler(SessionStarted)]
/// async fn watch(started: SessionStarted) {
///     println!("{} has begun", started.session_id);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bus_macros::Message)]
#[event("bus.session.started", terminal)]
#[non_exhaustive]
pub struct SessionStarted {
    /// What the session is called.
    pub session_id: String,
}

/// A session has ended, or was dropped. It is the last message of the session: its own handlers hear of it after
/// [`Session::end`](crate::Session::end), and not when the session was dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bus_macros::Message)]
#[event("bus.session.ended", terminal)]
#[non_exhaustive]
pub struct SessionEnded {
    /// What the session is called.
    pub session_id: String,
}
