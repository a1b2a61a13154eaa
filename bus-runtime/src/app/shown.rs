//! What the dashboard shows of an app beside what it does.

use super::App;
use crate::admin::AdminPort;
use crate::check::Finding;
use crate::config::Config;
use crate::provision::Owner;

/// What the dashboard shows of an app beside what it does.
pub(crate) struct Shown {
    /// Who declares.
    pub(crate) owner: Owner,
    /// What looks wrong with the program as a whole.
    pub(crate) findings: Vec<Finding>,
    /// Name, value and origin of every setting.
    pub(crate) settings: Vec<[String; 3]>,
    /// What the program receives and sends.
    pub(crate) asyncapi: serde_json::Value,
}

impl Shown {
    /// Nothing where no port shows it: it takes a second look at all handlers and at the configuration file.
    pub(super) fn for_port(app: &App, config: &Config) -> Option<Self> {
        AdminPort::is_wanted(config.http).then(|| Self {
            owner: app.owner(config),
            // An app that contradicts itself does not come so far.
            findings: app.check().unwrap_or_default(),
            settings: crate::cli::config::shown(config),
            asyncapi: app.document(crate::docs::asyncapi).unwrap_or_default(),
        })
    }
}
