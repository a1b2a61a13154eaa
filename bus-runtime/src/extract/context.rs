//! On whose behalf a message was sent: project, mount point, user and session.

use std::any::type_name;
use std::fmt;

use serde::Deserialize;

use super::{FromDelivery, State, StateMap};
use crate::delivery::Delivery;
use crate::envelope::{Envelope, header};
use crate::error::{Error, ErrorKind};
use crate::outcome::Rejection;

/// On whose behalf a message was sent, and which instance of an application it is for (`audit`) or from (`react`).
///
/// Each part is read from its header (`bus-project-id`, `bus-mount-point`, `bus-user-id`, `bus-session-id`) or, when there is
/// none and the body is a JSON object, from the field `project_id`, `mount_point`, `user_id` or `session_id`.
#[derive(Clone, Default)]
pub struct Context {
    parts: Parts,
    state: StateMap,
}

/// The fields of a body that make up the context; a field of another type than text is as good as none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Parts {
    #[serde(deserialize_with = "text")]
    project_id: Option<String>,
    #[serde(deserialize_with = "text")]
    mount_point: Option<String>,
    #[serde(deserialize_with = "text")]
    user_id: Option<String>,
    #[serde(deserialize_with = "text")]
    session_id: Option<String>,
}

impl Context {
    /// The project.
    #[must_use]
    pub fn project_id(&self) -> Option<&str> {
        self.parts.project_id.as_deref()
    }

    /// Where in the project the application is mounted.
    #[must_use]
    pub fn mount_point(&self) -> Option<&str> {
        self.parts.mount_point.as_deref()
    }

    /// The user.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.parts.user_id.as_deref()
    }

    /// The session.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.parts.session_id.as_deref()
    }

    /// What the app was given as [`state`](crate::App::state), for [`Instances`](crate::Instances) to find theirs in.
    ///
    /// # Errors
    /// [`MissingState`](ErrorKind::MissingState) when the app was not given any of this type.
    pub fn state<T: Send + Sync + 'static>(&self) -> Result<State<T>, Error> {
        self.state.get().map(State).ok_or_else(|| {
            Error::new(ErrorKind::MissingState, format!("the app has no state of type {}", type_name::<T>()))
                .with_help("give it to the app: bus_runtime::app().state(..)")
        })
    }

    pub(crate) fn with_state(self, state: &StateMap) -> Self {
        Self { state: state.clone(), ..self }
    }

    pub(crate) fn of(envelope: &Envelope) -> Self {
        let from_header = |name| envelope.headers.text(name).map(str::to_owned);
        let headers = Parts {
            project_id: from_header(header::PROJECT_ID),
            mount_point: from_header(header::MOUNT_POINT),
            user_id: from_header(header::USER_ID),
            session_id: from_header(header::SESSION_ID),
        };
        if headers.project_id.is_some() && headers.mount_point.is_some() && headers.user_id.is_some() {
            return headers.into();
        }
        let body: Parts = serde_json::from_slice(&envelope.body).unwrap_or_default();
        let parts = Parts {
            project_id: headers.project_id.or(body.project_id),
            mount_point: headers.mount_point.or(body.mount_point),
            user_id: headers.user_id.or(body.user_id),
            session_id: headers.session_id.or(body.session_id),
        };
        parts.into()
    }
}

impl From<Parts> for Context {
    fn from(parts: Parts) -> Self {
        Self { parts, state: StateMap::default() }
    }
}

/// Two contexts are the same when all their parts are; the state of the app is none of them.
impl PartialEq for Context {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl Eq for Context {}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { project_id, mount_point, user_id, session_id } = &self.parts;
        f.debug_struct("Context")
            .field("project_id", project_id)
            .field("mount_point", mount_point)
            .field("user_id", user_id)
            .field("session_id", session_id)
            .finish_non_exhaustive()
    }
}

fn text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

impl FromDelivery for Context {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        Ok(Self::of(delivery.envelope()).with_state(delivery.scope().all_state()))
    }
}
