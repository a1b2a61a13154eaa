//! Settings from the environment. The only place that reads it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::admin::AdminPort;
use crate::broker_url::{BrokerUrl, TlsOptions};
use crate::error::{Error, ErrorKind};
use crate::provision::Declare;
use crate::topology::PlanSettings;
use crate::transport::PUBLISH_TIMEOUT;

/// How long handlers may go on after a signal: below the 30 s after which Kubernetes and Docker kill.
pub(crate) const GRACE_DEFAULT: Duration = Duration::from_secs(25);
/// Variables that may hold the broker's URL, in the order in which they are looked at.
const URL_VARIABLES: [&str; 4] = ["BROKER_URL", "AMQP_URL", "RABBITMQ_URL", "CLOUDAMQP_URL"];

/// Every `BUS_*` variable that means something.
const KNOWN: [&str; 20] = [
    "BUS_CONCURRENCY",
    "BUS_DECLARE",
    "BUS_EXCHANGE",
    "BUS_EXCLUDE",
    "BUS_HTTP",
    "BUS_LOG_FORMAT",
    "BUS_MANAGEMENT_URL",
    "BUS_OUTPUT",
    "BUS_PREFETCH",
    "BUS_PUBLISH_TIMEOUT",
    "BUS_REQUIRE_BROKER",
    "BUS_SHUTDOWN_GRACE",
    "BUS_TEST_AMQP_URL",
    "BUS_TEST_REQUIRE_RABBITMQ",
    "BUS_TIMEOUT",
    "BUS_TLS_CA",
    "BUS_TLS_CERT",
    "BUS_TLS_KEY",
    "BUS_TLS_SERVER_NAME",
    "BUS_WAIT_FOR_BROKER",
];

/// The settings of an app. What the code sets wins over what the environment says, but for the command line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The broker; `None` is the embedded one.
    pub broker_url: Option<BrokerUrl>,
    /// Refuse to start without a broker's URL: `BUS_REQUIRE_BROKER`.
    pub require_broker: bool,
    /// Only handlers that match one of these globs: `HANDLERS`.
    pub handlers: Vec<String>,
    /// None of the handlers that match one of these globs: `BUS_EXCLUDE`.
    pub exclude: Vec<String>,
    /// How long to try to reach a broker that is away at start: `BUS_WAIT_FOR_BROKER`. `None` is for ever for `run`, and not at
    /// all for everything else.
    pub wait_for_broker: Option<Patience>,
    /// How long handlers may go on after a signal: `BUS_SHUTDOWN_GRACE`.
    pub grace: Duration,
    /// How long a publish waits for its confirm: `BUS_PUBLISH_TIMEOUT`.
    pub publish_timeout: Duration,
    /// What is declared at start: `BUS_DECLARE`.
    pub declare: Declare,
    /// Where RabbitMQ's management API is, which `topology diff` sees bindings through: `BUS_MANAGEMENT_URL`. `None` is port
    /// 15672 of the broker's host.
    pub management_url: Option<String>,
    /// How TLS is spoken, where an `amqps://` URL does not say: `BUS_TLS_CA`, `BUS_TLS_CERT`, `BUS_TLS_KEY` and
    /// `BUS_TLS_SERVER_NAME`.
    pub tls: TlsOptions,
    /// Whether and where the app answers over HTTP: `BUS_HTTP`. `None` is 127.0.0.1:9464 for `run`, and not at all for
    /// everything else.
    pub http: Option<AdminPort>,
    /// Who watches over the process and wants to be told how it is: `NOTIFY_SOCKET` and `WATCHDOG_USEC`, which systemd sets.
    pub supervisor: Option<Supervisor>,
    /// Names and defaults of what is declared: `BUS_EXCHANGE`, `BUS_TIMEOUT`, `BUS_CONCURRENCY`, `BUS_PREFETCH`.
    pub plan: PlanSettings,
    /// How results are printed: `BUS_OUTPUT`.
    pub output: Option<String>,
    /// How the log is printed: `BUS_LOG_FORMAT`.
    pub log_format: Option<String>,
    /// What looks wrong but does no harm, such as a misspelt variable.
    pub warnings: Vec<String>,
}

/// A supervisor that wants to be told how the process is, as systemd does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Supervisor {
    /// The socket that it listens at; `@` begins the name of an abstract one.
    pub socket: String,
    /// How long it waits for a sign of life before it ends the process.
    pub watchdog: Option<Duration>,
}

/// How long to try to reach a broker that is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// For this time; zero means one attempt.
    For(Duration),
    /// Until it is there.
    Forever,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            broker_url: None,
            require_broker: false,
            handlers: Vec::new(),
            exclude: Vec::new(),
            wait_for_broker: None,
            grace: GRACE_DEFAULT,
            publish_timeout: PUBLISH_TIMEOUT,
            declare: Declare::default(),
            management_url: None,
            tls: TlsOptions::default(),
            http: None,
            supervisor: None,
            plan: PlanSettings::default(),
            output: None,
            log_format: None,
            warnings: Vec::new(),
        }
    }
}

impl Config {
    /// What the environment says.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) for a value that cannot be used, naming its variable; [`Url`](ErrorKind::Url) for a
    /// broker's URL.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_vars(environment())
    }

    /// What the environment says, but for the broker, which is this one: a wrong `BROKER_URL` does not matter then.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) for a value that cannot be used, naming its variable.
    #[cfg(feature = "cli")]
    pub(crate) fn from_env_with(url: BrokerUrl) -> Result<Self, Error> {
        let mut config = Self::from_vars(environment().filter(|(name, _)| !names_a_broker(name)))?;
        if let Some(exchange) = url.exchange() {
            config.plan.messages = exchange.to_string();
        }
        config.broker_url = Some(url);
        Ok(config)
    }

    /// What these variables say.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_vars(vars: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let vars = Vars(vars.into_iter().filter(|(_, value)| !value.is_empty()).collect());
        let mut config = Self {
            broker_url: vars.broker_url()?,
            require_broker: vars.flag("BUS_REQUIRE_BROKER")?,
            handlers: vars.list("HANDLERS"),
            exclude: vars.list("BUS_EXCLUDE"),
            declare: vars.declare()?,
            management_url: vars.get("BUS_MANAGEMENT_URL").map(str::to_owned),
            tls: vars.tls()?,
            http: vars.http()?,
            supervisor: vars.supervisor(),
            output: vars.get("BUS_OUTPUT").map(str::to_owned),
            log_format: vars.get("BUS_LOG_FORMAT").map(str::to_owned),
            warnings: vars.unknown(),
            ..Self::default()
        };
        if let Some(grace) = vars.duration("BUS_SHUTDOWN_GRACE")? {
            config.grace = grace;
        }
        config.wait_for_broker = match vars.get("BUS_WAIT_FOR_BROKER") {
            Some("forever") => Some(Patience::Forever),
            _ => vars.duration("BUS_WAIT_FOR_BROKER")?.map(Patience::For),
        };
        if let Some(timeout) = vars.duration("BUS_PUBLISH_TIMEOUT")? {
            config.publish_timeout = timeout;
        }
        if let Some(timeout) = vars.duration("BUS_TIMEOUT")? {
            config.plan.timeout = (!timeout.is_zero()).then_some(timeout);
        }
        if let Some(concurrency) = vars.count("BUS_CONCURRENCY")? {
            config.plan.concurrency = concurrency;
        }
        config.plan.prefetch = vars.count("BUS_PREFETCH")?;
        let exchange = config
            .broker_url
            .as_ref()
            .and_then(BrokerUrl::exchange)
            .map(crate::names::ExchangeName::as_str)
            .or(vars.get("BUS_EXCHANGE"));
        if let Some(exchange) = exchange {
            config.plan.messages = exchange.to_owned();
        }
        Ok(config)
    }
}

/// Variables by name; those that are set to nothing count as not set.
struct Vars(BTreeMap<String, String>);

impl Vars {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn broker_url(&self) -> Result<Option<BrokerUrl>, Error> {
        for name in URL_VARIABLES {
            if let Some(url) = self.get(name) {
                return BrokerUrl::parse(url).map(Some).map_err(|error| named(name, &error));
            }
            let file = format!("{name}_FILE");
            if let Some(path) = self.get(&file) {
                return BrokerUrl::from_file(path).map(Some).map_err(|error| named(&file, &error));
            }
        }
        match self.get("MESSAGE_BUS_TYPE") {
            None | Some("embedded") => Ok(None),
            Some("rabbitmq") => BrokerUrl::parse("amqp://guest:guest@localhost:5672").map(Some),
            Some(other) => {
                Err(Error::new(ErrorKind::Config, format!("MESSAGE_BUS_TYPE `{other}` is not supported"))
                    .with_help("it is `rabbitmq` or `embedded`; BROKER_URL wins over it"))
            }
        }
    }

    fn http(&self) -> Result<Option<AdminPort>, Error> {
        self.get("BUS_HTTP")
            .map(|text| AdminPort::parse(text).map_err(|error| named("BUS_HTTP", &error)))
            .transpose()
    }

    fn supervisor(&self) -> Option<Supervisor> {
        let limit = self.get("WATCHDOG_USEC").and_then(|text| text.parse().ok());
        // Both are inherited by children, whom nobody watches.
        let for_us = self.get("WATCHDOG_PID").is_none_or(|pid| pid.parse() == Ok(std::process::id()));
        let watchdog = limit.filter(|limit| for_us && *limit > 0).map(Duration::from_micros);
        self.get("NOTIFY_SOCKET").map(|socket| Supervisor { socket: socket.to_owned(), watchdog })
    }

    fn tls(&self) -> Result<TlsOptions, Error> {
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

    fn declare(&self) -> Result<Declare, Error> {
        let Some(text) = self.get("BUS_DECLARE") else { return Ok(Declare::default()) };
        let help = "say always, missing or never";
        Declare::named(text)
            .ok_or_else(|| invalid("BUS_DECLARE", text, "is not when something is declared", help))
    }

    fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("0" | "false" | "no" | "off") => Ok(false),
            Some("1" | "true" | "yes" | "on") => Ok(true),
            Some(other) => Err(invalid(name, other, "is not 1 or 0", "say 1 or 0")),
        }
    }

    fn list(&self, name: &str) -> Vec<String> {
        let text = self.get(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    fn duration(&self, name: &str) -> Result<Option<Duration>, Error> {
        let Some(text) = self.get(name) else { return Ok(None) };
        parse_duration(text).map(Some).ok_or_else(|| {
            invalid(
                name,
                text,
                "is not a duration",
                "plain seconds, or a number and ms, s, m or h: 30, 500ms, 5m",
            )
        })
    }

    fn count(&self, name: &str) -> Result<Option<u16>, Error> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.parse() {
            Ok(0) | Err(_) => {
                Err(invalid(name, text, "is not a number from 1 to 65535", "say how many, such as 16"))
            }
            Ok(count) => Ok(Some(count)),
        }
    }

    /// Variables that begin with `BUS_` and mean nothing: a misspelt one fails silently otherwise.
    fn unknown(&self) -> Vec<String> {
        let names = self.0.keys().map(String::as_str);
        names
            .filter(|name| name.starts_with("BUS_") && !KNOWN.contains(name))
            .map(|name| match closest(name, KNOWN) {
                Some(known) => format!("environment variable {name} is not used; did you mean {known}?"),
                None => format!("environment variable {name} is not used"),
            })
            .collect()
    }
}

/// Reads `30` (seconds), `500ms`, `30s`, `5m` or `1h`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    match text.trim().parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_duration(text.trim()).ok(),
    }
}

/// The most similar of some words, when one is similar enough to be meant.
pub(crate) fn closest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    const DISTANCE_MAX: usize = 3;
    words
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .filter(|(distance, _)| *distance <= DISTANCE_MAX)
        .min()
        .map(|(_, known)| known)
}

fn invalid(name: &str, value: &str, problem: impl fmt::Display, help: &str) -> Error {
    Error::new(ErrorKind::Config, format!("{name} `{value}` {problem}")).with_help(help)
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

fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Whether a variable says which broker it is.
#[cfg(feature = "cli")]
fn names_a_broker(variable: &str) -> bool {
    let names = |url: &&str| variable == *url || variable == format!("{url}_FILE");
    URL_VARIABLES.iter().any(names) || variable == "MESSAGE_BUS_TYPE"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(vars: &[(&str, &str)]) -> Result<Config, Error> {
        Config::from_vars(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn values_are_read() {
        let config = from(&[
            ("HANDLERS", "wiki::*, billing::send"),
            ("BUS_SHUTDOWN_GRACE", "500ms"),
            ("BUS_TIMEOUT", "0"),
            ("BUS_CONCURRENCY", "4"),
            ("BUS_REQUIRE_BROKER", "yes"),
            ("BUS_EXCHANGE", "events"),
            ("BUS_DECLARE", "missing"),
            ("BUS_MANAGEMENT_URL", "http://rabbit:15672"),
        ])
        .unwrap();
        assert_eq!(config.handlers, ["wiki::*", "billing::send"]);
        assert_eq!(config.grace, Duration::from_millis(500));
        assert_eq!(config.plan.timeout, None);
        assert_eq!(config.plan.concurrency, 4);
        assert!(config.require_broker && config.broker_url.is_none());
        assert_eq!(config.plan.messages, "events");
        assert_eq!(config.declare, Declare::Missing);
        assert_eq!(config.management_url.as_deref(), Some("http://rabbit:15672"));
    }

    #[test]
    fn a_bad_value_names_its_variable() {
        let table = [
            ("BUS_CONCURRENCY", "0"),
            ("BUS_PREFETCH", "many"),
            ("BUS_DECLARE", "sometimes"),
            ("BUS_TIMEOUT", "30 parsecs"),
            ("BUS_REQUIRE_BROKER", "maybe"),
            ("BROKER_URL", "localhost:5672"),
            ("MESSAGE_BUS_TYPE", "kafka"),
            ("AMQP_URL_FILE", "/nowhere/at/all"),
            ("BUS_TLS_KEY", "/etc/key.pem"),
            ("BUS_HTTP", "here"),
        ];
        for (name, value) in table {
            let error = from(&[(name, value)]).unwrap_err();
            assert!(error.to_string().starts_with(name), "{error}");
        }
    }

    #[test]
    fn a_misspelt_variable_is_pointed_out() {
        let config = from(&[("BUS_PREFTECH", "8"), ("BUS_STOP_AREA", "x"), ("BUS_PREFETCH", "8")]).unwrap();
        assert_eq!(
            config.warnings,
            [
                "environment variable BUS_PREFTECH is not used; did you mean BUS_PREFETCH?",
                "environment variable BUS_STOP_AREA is not used"
            ]
        );
    }
}
