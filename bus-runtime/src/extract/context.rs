//! On whose behalf a message was sent: project, mount point, user and session.

use serde::Deserialize;

use super::FromDelivery;
use crate::delivery::Delivery;
use crate::envelope::{Envelope, header};
use crate::outcome::Rejection;

/// On whose behalf a message was sent, and which instance of an application it is for (`audit`) or from (`react`).
///
/// Each part is read from its header (`bus-project-id`, `bus-mount-point`, `bus-user-id`, `bus-session-id`) or, when there is
/// none and the body is a JSON object, from the field `project_id`, `mount_point`, `user_id` or `session_id`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    project_id: Option<String>,
    mount_point: Option<String>,
    user_id: Option<String>,
    session_id: Option<String>,
}

impl Context {
    /// The project.
    #[must_use]
    pub fn project_id(&self) -> Option<&str> {
        self.project_id.as_deref()
    }

    /// Where in the project the application is mounted.
    #[must_use]
    pub fn mount_point(&self) -> Option<&str> {
        self.mount_point.as_deref()
    }

    /// The user.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.user_id.as_deref()
    }

    /// The session.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    pub(crate) fn of(envelope: &Envelope) -> Self {
        let from_header = |name| envelope.headers.text(name).map(str::to_owned);
        let headers = Self {
            project_id: from_header(header::PROJECT_ID),
            mount_point: from_header(header::MOUNT_POINT),
            user_id: from_header(header::USER_ID),
            session_id: from_header(header::SESSION_ID),
        };
        if headers.project_id.is_some() && headers.mount_point.is_some() && headers.user_id.is_some() {
            return headers;
        }
        let body: ContextFields = serde_json::from_slice(&envelope.body).unwrap_or_default();
        Self {
            project_id: headers.project_id.or(body.project_id),
            mount_point: headers.mount_point.or(body.mount_point),
            user_id: headers.user_id.or(body.user_id),
            session_id: headers.session_id.or(body.session_id),
        }
    }
}

/// The fields of a body that make up the context; a field of another type than text is as good as none.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ContextFields {
    #[serde(deserialize_with = "text")]
    project_id: Option<String>,
    #[serde(deserialize_with = "text")]
    mount_point: Option<String>,
    #[serde(deserialize_with = "text")]
    user_id: Option<String>,
    #[serde(deserialize_with = "text")]
    session_id: Option<String>,
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
        Ok(Self::of(delivery.envelope()))
    }
}
