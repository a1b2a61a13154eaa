//! Variables by name, each with the place that it comes from, and how their values are read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{KNOWN, Supervisor, URL_VARIABLES, closest, file, overrides, parse_duration};
use crate::admin::AdminPort;
use crate::broker_url::{BrokerUrl, TlsOptions};
use crate::error::{Error, ErrorKind};
use crate::observe::{MetricsSettings, TraceParent, TraceSettings};
use crate::provision::Declare;

/// Variables of other message buses that programs come from, and why they are not needed.
const ELSEWHERE: [(&str, &str); 2] =
    [("APP_PATH", "the program itself is the app"), ("BACKEND_URL", "state lives in the broker")];

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "files are read for the command line alone"))]
pub(crate) enum Origin {
    /// A variable of the environment.
    Environment,
    /// The file `.env`, in builds for developers.
    #[cfg_attr(not(debug_assertions), allow(dead_code, reason = "only debug builds read it"))]
    DotEnv,
    /// A line of the configuration file.
    File {
        /// As it was named.
        path: String,
        /// From 1.
        line: usize,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("environment"),
            Self::DotEnv => f.write_str(".env"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
        }
    }
}

/// A value, and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct Var {
    pub(super) value: String,
    pub(super) origin: Origin,
}

/// Variables by name; those that are set to nothing count as not set.
#[derive(Default)]
pub(super) struct Vars(pub(super) BTreeMap<String, Var>);

impl Vars {
    /// Adds what a place says that those before it do not say. Which broker it is is said by one place alone, whatever the name
    /// of the variable.
    pub(super) fn add(&mut self, vars: impl IntoIterator<Item = (String, String, Origin)>) {
        let has_broker = self.0.keys().any(|name| names_a_broker(name));
        for (name, value, origin) in vars {
            let taken = self.0.contains_key(&name) || has_broker && names_a_broker(&name);
            if !taken && !value.is_empty() {
                self.0.insert(name, Var { value, origin });
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|var| var.value.as_str())
    }

    /// How people find the setting that a message is about.
    pub(super) fn label(&self, name: &str) -> String {
        match self.0.get(name).map(|var| &var.origin) {
            None | Some(Origin::Environment) => name.to_owned(),
            Some(Origin::DotEnv) => format!(".env: {name}"),
            Some(origin @ Origin::File { .. }) => format!("{origin}: {}", file::key_of(name)),
        }
    }

    /// Where each variable comes from.
    pub(super) fn origins(&self) -> BTreeMap<String, Origin> {
        self.0.iter().map(|(name, var)| (name.clone(), var.origin.clone())).collect()
    }

    /// The broker, and what has said so.
    pub(super) fn broker_url(&self) -> Result<Option<(BrokerUrl, String)>, Error> {
        for name in URL_VARIABLES {
            if let Some(url) = self.get(name) {
                return BrokerUrl::parse(url)
                    .map(|url| Some((url, name.to_owned())))
                    .map_err(|error| named(&self.label(name), &error));
            }
            let file = format!("{name}_FILE");
            if let Some(path) = self.get(&file) {
                return BrokerUrl::from_file(path)
                    .map_err(|error| named(&self.label(&file), &error))
                    .map(|url| Some((url, format!("{path}, which {file} names"))));
            }
        }
        match self.get("MESSAGE_BUS_TYPE") {
            None | Some("embedded") => Ok(None),
            Some("rabbitmq") => {
                let url = BrokerUrl::parse("amqp://guest:guest@localhost:5672")?;
                Ok(Some((url, "MESSAGE_BUS_TYPE".to_owned())))
            }
            Some(other) => {
                Err(Error::new(ErrorKind::Config, format!("MESSAGE_BUS_TYPE `{other}` is not supported"))
                    .with_help("it is `rabbitmq` or `embedded`; BROKER_URL wins over it"))
            }
        }
    }

    pub(super) fn http(&self) -> Result<Option<AdminPort>, Error> {
        self.get("BUS_HTTP")
            .map(|text| AdminPort::parse(text).map_err(|error| named(&self.label("BUS_HTTP"), &error)))
            .transpose()
    }

    pub(super) fn metrics(&self) -> Result<MetricsSettings, Error> {
        let text = |name| self.get(name).map(str::to_owned);
        let (token, git) = (text("BUS_METRICS_TOKEN"), text("BUS_GIT_SHA"));
        let mut metrics = MetricsSettings { token, git, ..MetricsSettings::default() };
        let named = |name, error| named(&self.label(name), &error);
        if let Some(prefix) = self.get("BUS_METRICS_PREFIX") {
            metrics.prefix =
                MetricsSettings::prefix(prefix).map_err(|error| named("BUS_METRICS_PREFIX", error))?;
        }
        if let Some(share) = self.get("BUS_METRICS_SAMPLE") {
            metrics.one_of =
                MetricsSettings::sample(share).map_err(|error| named("BUS_METRICS_SAMPLE", error))?;
        }
        Ok(metrics)
    }

    pub(super) fn traces(&self) -> Result<TraceSettings, Error> {
        let mut traces = TraceSettings::default();
        if self.get("BUS_OTEL_SETTLE_SPANS").is_some() {
            traces.settle_spans = self.flag("BUS_OTEL_SETTLE_SPANS")?;
        }
        traces.parent = match self.get("BUS_OTEL_PARENT") {
            None | Some("child") => TraceParent::Child,
            Some("link") => TraceParent::Link,
            Some(other) => {
                let name = self.label("BUS_OTEL_PARENT");
                return Err(Error::new(
                    ErrorKind::Config,
                    format!("{name} `{other}` is not how spans belong together"),
                )
                .with_help("say child or link"));
            }
        };
        if self.get("OTEL_PROPAGATORS").is_some() {
            let propagators = self.list("OTEL_PROPAGATORS");
            let has = |name: &str| propagators.iter().any(|one| one == name);
            (traces.propagates_context, traces.propagates_baggage) = (has("tracecontext"), has("baggage"));
        }
        let endpoints = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
        let is_disabled =
            self.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        traces.exports = !is_disabled
            && match self.get("OTEL_TRACES_EXPORTER") {
                Some(exporters) => exporters.split(',').any(|one| one.trim() == "otlp"),
                None => endpoints.iter().any(|name| self.get(name).is_some()),
            };
        Ok(traces)
    }

    /// What the variables of OpenTelemetry ask for that `run()` cannot do; it exports all the same, as the standard wants.
    #[cfg(feature = "otel")]
    pub(super) fn not_exported(&self) -> impl Iterator<Item = String> {
        const PROTOCOLS: &[&str] = &["http/protobuf"];
        const SAMPLERS: &[&str] = &[
            "always_on",
            "always_off",
            "traceidratio",
            "parentbased_always_on",
            "parentbased_always_off",
            "parentbased_traceidratio",
        ];
        let known = [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", PROTOCOLS),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", PROTOCOLS),
            ("OTEL_TRACES_SAMPLER", SAMPLERS),
        ];
        known.into_iter().filter_map(|(name, known)| {
            let value = self.get(name).filter(|value| !known.contains(value))?;
            Some(format!("{} `{value}` is not used; there is {}", self.label(name), known.join(", ")))
        })
    }

    pub(super) fn supervisor(&self) -> Option<Supervisor> {
        let limit = self.get("WATCHDOG_USEC").and_then(|text| text.parse().ok());
        // Both are inherited by children, whom nobody watches.
        let for_us = self.get("WATCHDOG_PID").is_none_or(|pid| pid.parse() == Ok(std::process::id()));
        let watchdog = limit.filter(|limit| for_us && *limit > 0).map(Duration::from_micros);
        self.get("NOTIFY_SOCKET").map(|socket| Supervisor { socket: socket.to_owned(), watchdog })
    }

    pub(super) fn tls(&self) -> Result<TlsOptions, Error> {
        let path = |name| self.get(name).map(PathBuf::from);
        let tls = TlsOptions {
            ca_file: path("BUS_TLS_CA"),
            cert_file: path("BUS_TLS_CERT"),
            key_file: path("BUS_TLS_KEY"),
            server_name: self.get("BUS_TLS_SERVER_NAME").map(str::to_owned),
            unverified: false,
        };
        match (&tls.cert_file, &tls.key_file) {
            (None, Some(_)) => {
                Err(Error::new(ErrorKind::Config, "BUS_TLS_KEY is set, and BUS_TLS_CERT is not")
                    .with_help("say where the certificate of that key is"))
            }
            _ => Ok(tls),
        }
    }

    pub(super) fn declare(&self) -> Result<Declare, Error> {
        let Some(text) = self.get("BUS_DECLARE") else { return Ok(Declare::default()) };
        let help = "say always, missing or never";
        Declare::named(text)
            .ok_or_else(|| self.invalid("BUS_DECLARE", text, "is not when something is declared", help))
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("0" | "false" | "no" | "off") => Ok(false),
            Some("1" | "true" | "yes" | "on") => Ok(true),
            Some(other) => Err(self.invalid(name, other, "is not 1 or 0", "say 1 or 0")),
        }
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let text = self.get(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    pub(super) fn duration(&self, name: &str) -> Result<Option<Duration>, Error> {
        let Some(text) = self.get(name) else { return Ok(None) };
        parse_duration(text).map(Some).ok_or_else(|| {
            self.invalid(
                name,
                text,
                "is not a duration",
                "plain seconds, or a number and ms, s, m or h: 30, 500ms, 5m",
            )
        })
    }

    pub(super) fn count(&self, name: &str) -> Result<Option<u16>, Error> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.parse() {
            Ok(0) | Err(_) => {
                Err(self.invalid(name, text, "is not a number from 1 to 65535", "say how many, such as 16"))
            }
            Ok(count) => Ok(Some(count)),
        }
    }

    /// Variables that mean nothing here, and why: a misspelt one, or one from another framework, fails silently otherwise.
    pub(super) fn unused(&self) -> Vec<String> {
        let elsewhere = ELSEWHERE.iter().filter(|(name, _)| self.get(name).is_some());
        let elsewhere =
            elsewhere.map(|(name, why)| format!("environment variable {name} is not used: {why}"));
        self.misspelt().into_iter().chain(elsewhere).collect()
    }

    /// Those that begin with `BUS_`, and that nobody knows.
    fn misspelt(&self) -> Vec<String> {
        let names = self.0.keys().map(String::as_str);
        names
            .filter(|name| {
                let is_known = KNOWN.contains(name) || name.starts_with(overrides::PREFIX);
                name.starts_with("BUS_") && !is_known
            })
            .map(|name| {
                // Those that other programs read too do not bear our prefix.
                let bare = name.strip_prefix("BUS_").unwrap_or(name);
                let meant = ["HANDLERS"].into_iter().chain(URL_VARIABLES).find(|known| *known == bare);
                match meant.or_else(|| closest(name, KNOWN.iter().copied())) {
                    Some(known) => format!("environment variable {name} is not used; did you mean {known}?"),
                    None => format!("environment variable {name} is not used"),
                }
            })
            .collect()
    }

    pub(super) fn invalid(&self, name: &str, value: &str, problem: impl fmt::Display, help: &str) -> Error {
        let label = self.label(name);
        Error::new(ErrorKind::Config, format!("{label} `{value}` {problem}")).with_help(help)
    }
}

fn named(variable: &str, error: &Error) -> Error {
    let mut named = Error::new(error.kind(), format!("{variable}: {error}"));
    if let Some(help) = error.help() {
        named = named.with_help(help);
    }
    match std::error::Error::source(error).map(ToString::to_string) {
        Some(cause) => named.with_source(cause),
        None => named,
    }
}

/// Whether a variable says which broker it is.
pub(super) fn names_a_broker(variable: &str) -> bool {
    let names = |url: &&str| variable == *url || variable == format!("{url}_FILE");
    URL_VARIABLES.iter().any(names) || variable == "MESSAGE_BUS_TYPE"
}
