//! Settings from the environment, from `.env` and from the configuration file. The only place that reads them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::admin::AdminPort;
use crate::broker_url::{BrokerUrl, TlsOptions};
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::observe::{MetricsSettings, TraceSettings};
use crate::provision::Declare;
use crate::topology::PlanSettings;
use crate::transport::PUBLISH_TIMEOUT;

mod access;
#[cfg(feature = "cli")]
mod document;
mod file;
mod overrides;
#[cfg(feature = "cli")]
mod process;
#[cfg(feature = "testing")]
mod seeds;
#[cfg(feature = "cli")]
mod settings;
mod vars;

#[cfg(feature = "cli")]
pub(crate) use process::{arguments, editor, package, wants_colours};
#[cfg(feature = "testing")]
pub(crate) use seeds::simulation_seeds;
#[cfg(feature = "cli")]
pub(crate) use settings::Setting;
pub(crate) use vars::Origin;
use vars::{Vars, names_a_broker};

pub use access::{HttpAccess, Secret};

/// RabbitMQ's own default of `consumer_timeout`.
const ACK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30 * 60);
/// How long handlers may go on after a signal: below the 30 s after which Kubernetes and Docker kill.
pub(crate) const GRACE_DEFAULT: Duration = Duration::from_secs(25);
/// Variables that may hold the broker's URL, in the order in which they are looked at.
const URL_VARIABLES: [&str; 4] = ["BROKER_URL", "AMQP_URL", "RABBITMQ_URL", "CLOUDAMQP_URL"];

/// Every `BUS_*` variable that means something.
const KNOWN: &[&str] = &[
    "BUS_ACK_TIMEOUT",
    "BUS_CONCURRENCY",
    "BUS_CONFIG",
    "BUS_CONTROL",
    "BUS_DECLARE",
    "BUS_EXCHANGE",
    "BUS_EXCLUDE",
    "BUS_GIT_SHA",
    "BUS_GROUPS",
    "BUS_HTTP",
    "BUS_HTTP_ALLOW_EDIT",
    "BUS_HTTP_BASIC_AUTH",
    "BUS_HTTP_BASIC_AUTH_FILE",
    "BUS_HTTP_READ_TOKEN",
    "BUS_HTTP_READ_TOKEN_FILE",
    "BUS_HTTP_SHOW_BODIES",
    "BUS_HTTP_TOKEN",
    "BUS_HTTP_TOKEN_FILE",
    "BUS_HTTP_TRUST_HEADER",
    "BUS_LOG_FORMAT",
    "BUS_MANAGEMENT_URL",
    "BUS_METRICS_PREFIX",
    "BUS_METRICS_SAMPLE",
    "BUS_METRICS_TOKEN",
    "BUS_OTEL_PARENT",
    "BUS_OTEL_SETTLE_SPANS",
    "BUS_OUTPUT",
    "BUS_PREFETCH",
    "BUS_PUBLISH_TIMEOUT",
    "BUS_REQUIRE_BROKER",
    "BUS_SHUTDOWN_GRACE",
    "BUS_SIM_SEED",
    "BUS_SIM_SEEDS",
    "BUS_STATE_DIR",
    "BUS_TEST_AMQP_URL",
    "BUS_TEST_REQUIRE_RABBITMQ",
    "BUS_TEST_LONG",
    "BUS_SOAK_SECONDS",
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
    /// What has said which broker it is, such as `BROKER_URL`, for people to read.
    pub broker_from: Option<String>,
    /// Refuse to start without a broker's URL: `BUS_REQUIRE_BROKER`.
    pub require_broker: bool,
    /// Only handlers that match one of these globs: `HANDLERS`.
    pub handlers: Vec<String>,
    /// None of the handlers that match one of these globs: `BUS_EXCLUDE`.
    pub exclude: Vec<String>,
    /// Only handlers of these groups: `BUS_GROUPS`.
    pub groups: Vec<String>,
    /// How long to try to reach a broker that is away at start: `BUS_WAIT_FOR_BROKER`. `None` is for ever for `run`, and not at
    /// all for everything else.
    pub wait_for_broker: Option<Patience>,
    /// How long handlers may go on after a signal: `BUS_SHUTDOWN_GRACE`.
    pub grace: Duration,
    /// After how long RabbitMQ takes a message back that is not acknowledged, its `consumer_timeout`: `BUS_ACK_TIMEOUT`. `None`
    /// is never.
    pub ack_timeout: Option<Duration>,
    /// How long a publish waits for its confirm: `BUS_PUBLISH_TIMEOUT`.
    pub publish_timeout: Duration,
    /// What is declared at start: `BUS_DECLARE`.
    pub declare: Declare,
    /// Whether the app joins the workers of its broker at the exchange `bus.control`, and can be asked there: `BUS_CONTROL`.
    pub control: bool,
    /// Where RabbitMQ's management API is, which `topology diff` sees bindings through: `BUS_MANAGEMENT_URL`. `None` is port
    /// 15672 of the broker's host.
    pub management_url: Option<String>,
    /// How TLS is spoken, where an `amqps://` URL does not say: `BUS_TLS_CA`, `BUS_TLS_CERT`, `BUS_TLS_KEY` and
    /// `BUS_TLS_SERVER_NAME`.
    pub tls: TlsOptions,
    /// Whether and where the app answers over HTTP: `BUS_HTTP`. `None` is 127.0.0.1:9464 for `run`, and not at all for
    /// everything else.
    pub http: Option<AdminPort>,
    /// How metrics are taken and shown: `BUS_METRICS_PREFIX`, `BUS_METRICS_SAMPLE`, `BUS_METRICS_TOKEN` and `BUS_GIT_SHA`.
    pub metrics: MetricsSettings,
    /// How traces are made: `BUS_OTEL_SETTLE_SPANS`, `BUS_OTEL_PARENT`, and what OpenTelemetry calls its own.
    pub traces: TraceSettings,
    /// A directory of this worker's own, where the dashboard keeps what handlers did of late, so that it goes on after a restart:
    /// `BUS_STATE_DIR`. It is written once a minute and at the end.
    pub state_dir: Option<PathBuf>,
    /// Who may use the admin port: `BUS_HTTP_TOKEN` and its like.
    pub http_access: HttpAccess,
    /// Who watches over the process and wants to be told how it is: `NOTIFY_SOCKET` and `WATCHDOG_USEC`, which systemd sets.
    pub supervisor: Option<Supervisor>,
    /// Names and defaults of what is declared: `BUS_EXCHANGE`, `BUS_TIMEOUT`, `BUS_CONCURRENCY`, `BUS_PREFETCH`.
    pub plan: PlanSettings,
    /// Whether `run` builds the program anew and restarts it when a source changes: `RELOAD`.
    pub reload: bool,
    /// The folder of the sources that `run --reload` looks at: `SRC_DIR`; `src` of the package without it.
    pub src_dir: Option<PathBuf>,
    /// How results are printed: `BUS_OUTPUT`.
    pub output: Option<String>,
    /// How the log is printed: `BUS_LOG_FORMAT`.
    pub log_format: Option<String>,
    /// What looks wrong but does no harm, such as a misspelt variable.
    pub warnings: Vec<String>,
    /// Where each variable comes from that was set.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "the command line tells it"))]
    pub(crate) origins: BTreeMap<String, Origin>,
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
            broker_from: None,
            require_broker: false,
            handlers: Vec::new(),
            exclude: Vec::new(),
            groups: Vec::new(),
            wait_for_broker: None,
            grace: GRACE_DEFAULT,
            ack_timeout: Some(ACK_TIMEOUT_DEFAULT),
            publish_timeout: PUBLISH_TIMEOUT,
            declare: Declare::default(),
            control: true,
            management_url: None,
            tls: TlsOptions::default(),
            http: None,
            metrics: MetricsSettings::default(),
            traces: TraceSettings::default(),
            state_dir: None,
            http_access: HttpAccess::default(),
            supervisor: None,
            plan: PlanSettings::default(),
            reload: false,
            src_dir: None,
            output: None,
            log_format: None,
            warnings: Vec::new(),
            origins: BTreeMap::new(),
        }
    }
}

/// Where tests find RabbitMQ: `BUS_TEST_AMQP_URL`.
#[cfg(all(feature = "testing", feature = "rabbitmq"))]
#[derive(Clone, Debug)]
pub(crate) enum TestBroker {
    /// Here.
    At(Box<BrokerUrl>),
    /// Nowhere, and `BUS_TEST_REQUIRE_RABBITMQ` says that this is a failure.
    Required,
    /// Nowhere.
    None,
}

#[cfg(all(feature = "testing", feature = "rabbitmq"))]
impl TestBroker {
    /// What the environment says.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) and [`Url`](ErrorKind::Url), as for [`Config::from_env`].
    pub(crate) fn from_env() -> Result<Self, Error> {
        let mut vars = Vars::default();
        vars.add(environment().map(|(name, value)| (name, value, Origin::Environment)));
        match vars.get("BUS_TEST_AMQP_URL") {
            Some(url) => Ok(Self::At(Box::new(BrokerUrl::parse(url)?))),
            None if vars.flag("BUS_TEST_REQUIRE_RABBITMQ")? => Ok(Self::Required),
            None => Ok(Self::None),
        }
    }
}

impl Config {
    /// What the environment says; where it says nothing, `.env` in builds with `debug_assertions`, and then the file that
    /// `BUS_CONFIG` names or `bus.toml`, if there is one.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) for a value that cannot be used, naming its variable, and for a file that cannot be read;
    /// [`Url`](ErrorKind::Url) for a broker's URL.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_env_and(None, None)
    }

    /// What the environment says, with this broker and this configuration file in place of those that it names: a wrong
    /// `BROKER_URL` does not matter then.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub(crate) fn from_env_and(url: Option<BrokerUrl>, config_file: Option<&Path>) -> Result<Self, Error> {
        let mut vars = Vars::default();
        vars.add(environment().map(|(name, value)| (name, value, Origin::Environment)));
        vars.add(file::dot_env()?);
        let config_file = config_file.or_else(|| vars.get("BUS_CONFIG").map(Path::new));
        let of_file = file::read(config_file)?;
        vars.add(of_file);
        if url.is_some() {
            vars.0.retain(|name, _| !names_a_broker(name));
        }
        let mut config = Self::of(&vars)?;
        if let Some(url) = url {
            if let Some(exchange) = url.exchange() {
                config.plan.messages = exchange.to_string();
            }
            config.broker_url = Some(url);
            config.broker_from = Some("--broker-url".to_owned());
        }
        Ok(config)
    }

    /// What these variables say.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_vars(vars: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let mut set = Vars::default();
        set.add(vars.into_iter().map(|(name, value)| (name, value, Origin::Environment)));
        if let Some(path) = set.get("BUS_CONFIG").map(str::to_owned) {
            set.add(file::read(Some(Path::new(&path)))?);
        }
        Self::of(&set)
    }

    fn of(vars: &Vars) -> Result<Self, Error> {
        let (broker_url, broker_from) = vars.broker_url()?.unzip();
        let mut config = Self {
            broker_url,
            broker_from,
            require_broker: vars.flag("BUS_REQUIRE_BROKER")?,
            handlers: vars.list("HANDLERS"),
            exclude: vars.list("BUS_EXCLUDE"),
            groups: vars.list("BUS_GROUPS"),
            declare: vars.declare()?,
            management_url: vars.get("BUS_MANAGEMENT_URL").map(str::to_owned),
            tls: vars.tls()?,
            http: vars.http()?,
            metrics: vars.metrics()?,
            traces: vars.traces()?,
            state_dir: vars.get("BUS_STATE_DIR").map(Into::into),
            http_access: HttpAccess::of(vars)?,
            supervisor: vars.supervisor(),
            reload: vars.flag("RELOAD")?,
            src_dir: vars.get("SRC_DIR").map(PathBuf::from),
            output: vars.get("BUS_OUTPUT").map(str::to_owned),
            log_format: vars.get("BUS_LOG_FORMAT").map(str::to_owned),
            warnings: vars.unused(),
            origins: vars.origins(),
            ..Self::default()
        };
        #[cfg(feature = "otel")]
        config.warnings.extend(vars.not_exported().filter(|_| config.traces.exports));
        if vars.get("BUS_CONTROL").is_some() {
            config.control = vars.flag("BUS_CONTROL")?;
        }
        if let Some(grace) = vars.duration("BUS_SHUTDOWN_GRACE")? {
            config.grace = grace;
        }
        if let Some(limit) = vars.duration("BUS_ACK_TIMEOUT")? {
            config.ack_timeout = (!limit.is_zero()).then_some(limit);
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
        config.plan.overrides = overrides::read(vars, &mut config.warnings)?;
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

/// Fields that are as they were in `from` become those of `onto`; a field that is in no list does not compile.
#[cfg(feature = "cli")]
macro_rules! rebase {
    ($type:ident $set:expr, $from:expr, $onto:expr; $($field:ident),+; but $($other:ident),*) => {{
        let $type { $($field: _,)+ $($other: _,)* } = &$set;
        $(if $set.$field == $from.$field {
            $set.$field.clone_from(&$onto.$field);
        })+
    }};
}

#[cfg(feature = "cli")]
impl Config {
    /// What the code has set, over what the command line found: what the code has not touched since `from` is that of `onto`.
    pub(crate) fn rebased(mut self, from: &Self, onto: &Self) -> Self {
        rebase!(Config self, from, onto;
            broker_url, broker_from, require_broker, handlers, exclude, groups, wait_for_broker, grace, ack_timeout,
            publish_timeout, declare, control, management_url, tls, http, http_access, metrics, traces, state_dir,
            supervisor, reload, src_dir, output, log_format;
            but plan, warnings, origins);
        rebase!(PlanSettings self.plan, from.plan, onto.plan;
            prefix, audit, react, messages, timeout, retry, concurrency, prefetch, overrides, instance; but);
        self.warnings.clone_from(&onto.warnings);
        self.origins.clone_from(&onto.origins);
        self
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

fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
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
    fn o4_a_bad_value_names_its_variable() {
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
            ("BUS_METRICS_PREFIX", "my-app"),
            ("BUS_METRICS_SAMPLE", "2"),
            ("BUS_OTEL_PARENT", "both"),
            ("BUS_OTEL_SETTLE_SPANS", "some"),
            ("BUS_CONTROL", "maybe"),
        ];
        for (name, value) in table {
            let error = from(&[(name, value)]).unwrap_err();
            assert!(error.to_string().starts_with(name), "{error}");
        }
    }

    /// Secrets look alike when they are printed.
    #[cfg(feature = "cli")]
    #[test]
    fn a_secret_that_the_code_sets_wins_over_the_one_of_the_environment() {
        let found = from(&[("BROKER_URL", "amqp://app:old@rabbit"), ("BUS_HTTP_TOKEN", "old")]).unwrap();
        let mut set = found.clone();
        set.broker_url = Some("amqp://app:new@rabbit".parse().unwrap());
        set.http_access.token = Some(Secret::new("new"));
        let config = set.rebased(&found, &found);
        assert_eq!(config.broker_url, Some("amqp://app:new@rabbit".parse().unwrap()));
        assert_eq!(config.http_access.token, Some(Secret::new("new")));
    }

    #[test]
    fn a_variable_of_another_message_bus_is_not_silently_ignored() {
        let config = from(&[("BACKEND_URL", "redis://localhost"), ("APP_PATH", "")]).unwrap();
        assert_eq!(
            config.warnings,
            ["environment variable BACKEND_URL is not used: state lives in the broker"]
        );
    }

    #[test]
    fn a_misspelt_variable_is_pointed_out() {
        let config =
            from(&[("BUS_PREFTECH", "8"), ("BUS_STOP_AREA", "x"), ("BUS_HANDLERS", "wiki::*")]).unwrap();
        assert_eq!(
            config.warnings,
            [
                "environment variable BUS_HANDLERS is not used; did you mean HANDLERS?",
                "environment variable BUS_PREFTECH is not used; did you mean BUS_PREFETCH?",
                "environment variable BUS_STOP_AREA is not used"
            ]
        );
    }
}
