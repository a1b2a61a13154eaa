//! The settings as a list, for people who ask what holds and why.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Config, Patience, Secret};
use crate::observe::TraceParent;
use crate::provision::Declare;
use crate::registration::Timeout;
use crate::topology::HandlerOverride;

/// One setting: what holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Setting {
    /// The variable that sets it.
    pub(crate) variable: Cow<'static, str>,
    /// For programs; durations are seconds.
    pub(crate) value: Value,
    /// For people.
    pub(crate) text: String,
}

impl Config {
    /// All settings that can be made from outside, without passwords.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let mut all = self.of_running();
        all.extend(self.of_access());
        all.extend(self.of_observing());
        all
    }

    /// How metrics and traces are made.
    fn of_observing(&self) -> Vec<Setting> {
        vec![
            set("BUS_METRICS_PREFIX", text(Some(self.metrics.prefix.clone()))),
            set("BUS_METRICS_SAMPLE", share(self.metrics.one_of)),
            set("BUS_METRICS_TOKEN", text(self.metrics.token.as_ref().map(|_| "***".to_owned()))),
            set("BUS_GIT_SHA", text(self.metrics.git.clone())),
            set("BUS_STATE_DIR", text(self.state_dir.as_ref().map(|path| path.display().to_string()))),
            set(
                "BUS_OTEL_SETTLE_SPANS",
                (json!(self.traces.settle_spans), self.traces.settle_spans.to_string()),
            ),
            set("BUS_OTEL_PARENT", text(Some(parent(self.traces.parent).to_owned()))),
        ]
    }

    fn of_running(&self) -> Vec<Setting> {
        let path =
            |path: &Option<std::path::PathBuf>| text(path.as_ref().map(|path| path.display().to_string()));
        vec![
            set(
                "BROKER_URL",
                match &self.broker_url {
                    Some(url) => text(Some(url.to_string())),
                    None => text(Some("embedded:".to_owned())),
                },
            ),
            set("BUS_REQUIRE_BROKER", (json!(self.require_broker), self.require_broker.to_string())),
            set(
                "BUS_WAIT_FOR_BROKER",
                match self.wait_for_broker {
                    Some(Patience::Forever) => text(Some("forever".to_owned())),
                    Some(Patience::For(time)) => seconds(Some(time)),
                    None => (Value::Null, "forever for run, else not at all".to_owned()),
                },
            ),
            set("BUS_DECLARE", text(Some(declare(self.declare).to_owned()))),
            set("BUS_CONTROL", (json!(self.control), self.control.to_string())),
            set("BUS_EXCHANGE", text(Some(self.plan.messages.clone()))),
            set("HANDLERS", list(&self.handlers)),
            set("BUS_GROUPS", list(&self.groups)),
            set("BUS_EXCLUDE", list(&self.exclude)),
            set("BUS_TIMEOUT", seconds(self.plan.timeout)),
            set("BUS_CONCURRENCY", (json!(self.plan.concurrency), self.plan.concurrency.to_string())),
            set(
                "BUS_PREFETCH",
                match self.plan.prefetch {
                    Some(prefetch) => (json!(prefetch), prefetch.to_string()),
                    None => (Value::Null, "2 x concurrency".to_owned()),
                },
            ),
            set("BUS_ACK_TIMEOUT", seconds(self.ack_timeout)),
            set("BUS_PUBLISH_TIMEOUT", seconds(Some(self.publish_timeout))),
            set("BUS_SHUTDOWN_GRACE", seconds(Some(self.grace))),
            set(
                "BUS_HTTP",
                match self.http {
                    Some(port) => text(Some(port.to_string())),
                    None => (Value::Null, "127.0.0.1:9464 for run, else off".to_owned()),
                },
            ),
            set(
                "BUS_MANAGEMENT_URL",
                match &self.management_url {
                    Some(url) => text(Some(masked(url))),
                    None => (Value::Null, "port 15672 of the broker".to_owned()),
                },
            ),
            set("BUS_TLS_CA", path(&self.tls.ca_file)),
            set("BUS_TLS_CERT", path(&self.tls.cert_file)),
            set("BUS_TLS_KEY", path(&self.tls.key_file)),
            set("BUS_TLS_SERVER_NAME", text(self.tls.server_name.clone())),
            set("RELOAD", (json!(self.reload), self.reload.to_string())),
            set("SRC_DIR", path(&self.src_dir)),
            set("BUS_OUTPUT", text(self.output.clone().or_else(|| Some("table".to_owned())))),
            set(
                "BUS_LOG_FORMAT",
                match &self.log_format {
                    Some(format) => text(Some(format.clone())),
                    None => (Value::Null, "compact on a terminal, else json".to_owned()),
                },
            ),
        ]
    }
}

fn parent(parent: TraceParent) -> &'static str {
    match parent {
        TraceParent::Child => "child",
        TraceParent::Link => "link",
    }
}

impl Config {
    /// Who may use the admin port.
    fn of_access(&self) -> Vec<Setting> {
        vec![
            set("BUS_HTTP_TOKEN", secret(self.http_access.token.as_ref())),
            set("BUS_HTTP_READ_TOKEN", secret(self.http_access.read_token.as_ref())),
            set("BUS_HTTP_BASIC_AUTH", secret(self.http_access.basic_auth.as_ref())),
            set("BUS_HTTP_TRUST_HEADER", text(self.http_access.trust_header.clone())),
            set(
                "BUS_HTTP_SHOW_BODIES",
                match self.http_access.show_bodies {
                    Some(shown) => (json!(shown), shown.to_string()),
                    None => (Value::Null, "in debug builds".to_owned()),
                },
            ),
            set(
                "BUS_HTTP_ALLOW_EDIT",
                (json!(self.http_access.allow_edit), self.http_access.allow_edit.to_string()),
            ),
        ]
    }
}

/// Whether a secret is set, and nothing more of it.
fn secret(secret: Option<&Secret>) -> (Value, String) {
    text(secret.map(|_| "***".to_owned()))
}

/// One of so many as a share.
fn share(one_of: u32) -> (Value, String) {
    let share = if one_of == 0 { 0.0 } else { 1.0 / f64::from(one_of) };
    (json!(share), share.to_string())
}

impl Config {
    /// What is set for single handlers.
    pub(crate) fn handler_settings(&self) -> Vec<Setting> {
        let mut all = Vec::new();
        for HandlerOverride { handler, timeout, retries, concurrency, prefetch, rate_limit } in
            &self.plan.overrides
        {
            let mut add = |option: &str, set: Option<(Value, String)>| {
                let variable =
                    Cow::Owned(format!("{}{handler}__{}", super::overrides::PREFIX, option.to_uppercase()));
                all.extend(set.map(|(value, text)| Setting { variable, value, text }));
            };
            let number = |number: u32| (json!(number), number.to_string());
            add(
                "timeout",
                timeout.map(|timeout| match timeout {
                    Timeout::After(time) => seconds(Some(time)),
                    Timeout::Never => seconds(None),
                }),
            );
            add("retries", retries.map(number));
            add("concurrency", concurrency.map(|count| number(count.into())));
            add("prefetch", prefetch.map(|count| number(count.into())));
            add("rate_limit", rate_limit.map(|limit| text(Some(limit.to_string()))));
        }
        all
    }
}

fn set(variable: &'static str, (value, text): (Value, String)) -> Setting {
    Setting { variable: variable.into(), value, text }
}

fn text(text: Option<String>) -> (Value, String) {
    (json!(text), text.unwrap_or_else(|| "none".to_owned()))
}

fn list(all: &[String]) -> (Value, String) {
    (json!(all), if all.is_empty() { "none".to_owned() } else { all.join(",") })
}

fn seconds(time: Option<Duration>) -> (Value, String) {
    let text = time.map_or_else(|| "none".to_owned(), |time| humantime::format_duration(time).to_string());
    (json!(time.map(|time| time.as_secs_f64())), text)
}

fn declare(declare: Declare) -> &'static str {
    match declare {
        Declare::Always => "always",
        Declare::Missing => "missing",
        Declare::Never => "never",
    }
}

/// The URL with `***` for its login.
fn masked(url: &str) -> String {
    let login = url.find("://").map_or(0, |scheme| scheme + 3);
    match url.rfind('@') {
        Some(at) if at >= login => format!("{}***{}", &url[..login], &url[at..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KNOWN;

    #[test]
    fn every_variable_is_a_setting() {
        let settings = Config::default().settings();
        let is_told = |name: &&&str| settings.iter().any(|setting| setting.variable == **name);
        let untold: Vec<_> = KNOWN.iter().filter(|name| !is_told(name)).collect();
        assert_eq!(
            untold,
            [
                &"BUS_CONFIG",
                &"BUS_HTTP_BASIC_AUTH_FILE",
                &"BUS_HTTP_READ_TOKEN_FILE",
                &"BUS_HTTP_TOKEN_FILE",
                &"BUS_SIM_SEED",
                &"BUS_SIM_SEEDS",
                &"BUS_TEST_AMQP_URL",
                &"BUS_TEST_REQUIRE_RABBITMQ",
                &"BUS_TEST_LONG",
                &"BUS_SOAK_SECONDS"
            ]
        );
    }

    #[test]
    fn passwords_are_masked() {
        assert_eq!(masked("http://ann:s3cret@rabbit:15672"), "http://***@rabbit:15672");
        assert_eq!(masked("http://rabbit:15672"), "http://rabbit:15672");
    }
}
