//! Without a dashboard, nothing is kept.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::admin::AdminPort;
use crate::delivery::Metadata;
use crate::outcome::Outcome;
use crate::settle::Settlement;
use crate::topology::HandlerEntry;

/// Nothing.
#[derive(Debug, Default)]
pub(crate) struct History;

impl History {
    pub(crate) fn for_port(_: Option<AdminPort>, _: usize) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "it stands for one that keeps something")]
    pub(crate) fn keep_in(&self, _: &Path, _: &str, _: &[Arc<HandlerEntry>]) {}

    #[expect(clippy::unused_self, reason = "it stands for one that keeps something")]
    pub(crate) fn is_kept(&self) -> bool {
        false
    }

    #[expect(clippy::unused_self, reason = "it stands for one that keeps something")]
    pub(crate) fn note(
        &self,
        _: &Arc<HandlerEntry>,
        _: &Metadata,
        _: (&Outcome, &Settlement),
        _: Option<Duration>,
        _: Option<&str>,
    ) {
    }
}
