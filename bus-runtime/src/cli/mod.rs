//! The command line that `run()` gives a binary.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use self::colour::Colour;
use crate::app::App;
use crate::broker_url::BrokerUrl;
use crate::config::{Config, parse_duration};
use crate::error::{Error, ErrorKind};

mod banner;
mod bench;
mod call;
mod check;
mod clean;
mod codes;
mod colour;
mod completions;
pub(crate) mod config;
#[cfg(feature = "dashboard")]
mod dashboard;
mod describe;
mod dlq;
mod docs;
mod doctor;
pub(crate) mod drift;
mod explain;
mod export;
mod fleet;
mod handlers;
#[cfg(feature = "admin")]
mod health;
#[cfg(feature = "admin")]
mod http;
mod log;
mod migrate;
mod notify;
mod numbers;
mod progress;
mod publish;
mod queues;
#[cfg(unix)]
mod reload;
mod report;
mod request;
mod run;
mod setup;
mod signals;
mod snippet;
mod stats;
mod table;
mod tail;
mod top;
mod topology;
mod workers;

pub use run::RunArgs;

/// What the exit codes mean, for `--help`.
const EXIT_CODES: &str = "\
Exit codes:
  0   success, and a clean end after SIGTERM or SIGINT
  1   the answer is bad: `check` found problems, `topology diff` differences, `health` an unhealthy program, nobody receives a message, a replay was aborted, a worker does not answer
  2   the command line or its input is wrong
  3   some of it could not be done
  69  the broker can't be reached
  70  internal error
  75  handlers were interrupted, and their messages went back to their queues; or the embedded broker still held messages
  77  the broker refused the user
  78  the configuration or the handlers are wrong";

/// Where `--help` lists the options that all commands share.
const EVERYWHERE: &str = "Options of every command";

/// The exit code for a wrong command line.
const USAGE: u8 = 2;

/// Nothing can hide what stands on a command line.
const VISIBLE_PASSWORD: &str = "whoever runs `ps` on this machine sees the password in --broker-url; set BROKER_URL, or BROKER_URL_FILE to a file that holds the URL";

/// The options that all commands share. Flatten them into your own `clap` parser next to [`Command`].
#[derive(Args, Clone, Debug, Default)]
pub struct Options {
    /// The broker, as amqp://user:password@host:port/vhost; without one, the embedded broker in this process
    /// [env: BROKER_URL, AMQP_URL, RABBITMQ_URL, CLOUDAMQP_URL, or the same with _FILE]
    #[arg(help_heading = EVERYWHERE, short, long, global = true, value_name = "URL")]
    broker_url: Option<String>,
    /// Accepted for compatibility and ignored: state lives in the broker
    #[arg(help_heading = EVERYWHERE, long, global = true, value_name = "URL", hide = true)]
    backend_url: Option<String>,
    /// The configuration file; bus.toml if there is one [env: BUS_CONFIG]
    #[arg(help_heading = EVERYWHERE, short, long = "config", global = true, value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// How results are printed [env: BUS_OUTPUT]
    #[arg(help_heading = EVERYWHERE, short, long, global = true, value_enum, value_name = "FORMAT")]
    output: Option<Output>,
    /// Only these columns of a table, in this order: name,queue
    #[arg(help_heading = EVERYWHERE, long, global = true, value_name = "NAME,..", value_delimiter = ',')]
    columns: Vec<String>,
    /// Leave out the names of the columns
    #[arg(help_heading = EVERYWHERE, long, global = true)]
    no_header: bool,
    /// How the progress of what takes long is shown
    #[arg(help_heading = EVERYWHERE, long, global = true, value_enum, value_name = "FORM")]
    progress: Option<progress::Form>,
    /// When errors and the log are coloured; without it, NO_COLOR and CLICOLOR_FORCE say so
    #[arg(help_heading = EVERYWHERE, long, global = true, value_enum, value_name = "WHEN")]
    color: Option<Colour>,
    /// How the log is printed; json when it does not go to a terminal [env: BUS_LOG_FORMAT]
    #[arg(help_heading = EVERYWHERE, long, global = true, value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Log more (-v debug, -vv trace); RUST_LOG wins
    #[arg(help_heading = EVERYWHERE, short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Log errors only; RUST_LOG wins
    #[arg(help_heading = EVERYWHERE, short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Table,
    /// One document for programs.
    Json,
    /// One JSON object a line.
    Jsonl,
}

/// How the log is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Several lines an event.
    Pretty,
    /// One line an event.
    Compact,
    /// One JSON object a line.
    Json,
}

/// The commands of a Bus program. Flatten them into your own `clap` sub-commands:
///
/// ```no_run
/// use std::process::ExitCode;
/// use clap::{Parser, Subcommand};
///
/// #[derive(Parser)]
/// struct Cli {
///     #[command(flatten)]
///     options: bus_runtime::cli::Options,
///     #[command(subcommand)]
///     command: Command,
/// }
///
/// #[derive(Subcommand)]
/// enum Command {
///     /// Fill the database
///     Seed,
///     #[command(flatten)]
///     Bus(bus_runtime::cli::Command),
/// }
///
/// fn main() -> ExitCode {
///     let cli = Cli::parse();
///     match cli.command {
///         Command::Seed => ExitCode::SUCCESS,
///         Command::Bus(command) => bus_runtime::app().execute(command, &cli.options),
///     }
/// }
/// ```
#[derive(Clone, Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Handle messages until stopped
    #[command(visible_alias = "worker", alias = "start")]
    Run(Box<RunArgs>),
    /// Handle messages on the embedded broker, whatever broker is configured (the same as `run -b embedded:`)
    Embedded(Box<RunArgs>),
    /// List the handlers, or explain who receives a routing key
    #[command(visible_alias = "list")]
    Handlers(handlers::HandlersArgs),
    /// Tell everything about a handler: bindings, queue, options and what has set them; no broker is asked
    Describe(describe::DescribeArgs),
    /// Declare the exchanges, queues and bindings that the handlers need (the same as `topology apply`)
    Setup(setup::SetupArgs),
    /// Publish a message by hand
    #[command(visible_alias = "send")]
    Publish(Box<publish::PublishArgs>),
    /// Send a command by hand, and print what its handler replies; 1 when the handler failed
    Request(request::RequestArgs),
    /// Measure how fast messages go through the broker, on a queue that is removed afterwards
    Bench(bench::BenchArgs),
    /// Call one handler with one message in this process, without a broker; 1 when it fails
    Call(call::CallArgs),
    /// Show a copy of what is published, as it happens; nobody's messages are consumed
    Tail(tail::TailArgs),
    /// Look at the queues of the handlers, pause one, let it go on, purge it
    Queues(queues::QueuesArgs),
    /// List the workers that share the broker, and let them be quiet, go on, or drain and end
    Workers(workers::WorkersArgs),
    /// Show what the workers do and what waits in the queues, on one screen
    Stats(stats::StatsArgs),
    /// Watch the workers, their handlers and queues on this terminal; needs the feature `top`
    Top(top::TopArgs),
    /// Ask the program that runs on this machine whether it does its work; 1 when it does not
    #[cfg(feature = "admin")]
    Health(health::HealthArgs),
    /// Show the dashboard alone: no handler runs, and nothing is declared
    #[cfg(feature = "dashboard")]
    Dashboard(dashboard::DashboardArgs),
    /// Look at dead letters, replay, edit, export, import and delete them
    Dlq(Box<dlq::DlqArgs>),
    /// Look for whatever keeps the program from running: settings, network, TLS, login, permissions, topology
    Doctor(doctor::DoctorArgs),
    /// Tell what a code such as BUS0301, or an exit code, means
    Explain(codes::CodeArgs),
    /// Write documents about the program: AsyncAPI, JSON Schemas, diagrams, alerts, dashboards; no broker is asked
    Docs(docs::DocsArgs),
    /// Print what makes a shell complete the commands and options of this program
    Completions(completions::CompletionsArgs),
    /// Show the settings, and where each of them comes from
    Config(config::ConfigArgs),
    /// Check the handlers against each other, without a broker
    Check(check::CheckArgs),
    /// Show, compare, declare or export the exchanges, queues and bindings that the handlers need
    Topology(topology::TopologyArgs),
    /// Write a file that RabbitMQ imports (the same as `topology export`)
    Definitions(topology::ExportArgs),
}

/// Without a command, the program runs its handlers: the options of `run` may stand here
#[derive(Parser)]
#[command(after_help = EXIT_CODES, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

/// Every command and option, under the name of the program.
fn grammar(app: &App) -> clap::Command {
    let name = app.app_name();
    let command = <Cli as clap::CommandFactory>::command().name(name.clone()).bin_name(name);
    // A script should not break because another command begins alike.
    let command = command.infer_subcommands(std::io::stdin().is_terminal());
    match app.app_version() {
        Some(version) => command.version(version.to_owned()),
        None => command,
    }
}

impl App {
    /// Gives the program its command line, runs what it says, and returns the exit code.
    ///
    /// Without a command the app runs: it starts a runtime, installs logging, connects, declares, consumes, and drains after
    /// SIGTERM or SIGINT. `--help` tells the rest.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let parsed = grammar(&self)
            .try_get_matches()
            .and_then(|matches| <Cli as clap::FromArgMatches>::from_arg_matches(&matches));
        match parsed {
            Ok(Cli { options, command, run }) => {
                self.execute(command.unwrap_or(Command::Run(Box::new(run))), &options)
            }
            Err(error) => {
                let _ = error.print();
                ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
            }
        }
    }

    /// Runs one command of the command line, for programs that have a command line of their own: see [`Command`].
    #[must_use]
    pub fn execute(mut self, command: Command, options: &Options) -> ExitCode {
        options.decide(self.app_name());
        let config = match options.config() {
            Ok(config) => config,
            Err(error) => return report::failed(&[error]),
        };
        let found = config.clone();
        // What the code sets wins over environment and file, and the command line over all.
        let mut config = match (self.config.take(), Config::from_env()) {
            (Some(set), Ok(from)) => set.rebased(&from, &found),
            (Some(set), Err(_)) => set,
            (None, _) => found.clone(),
        };
        if options.broker_url.is_some() {
            config.broker_url.clone_from(&found.broker_url);
            config.broker_from.clone_from(&found.broker_from);
        }
        self.note_unused_overrides(&mut config);
        for warning in &config.warnings {
            report::warning(warning);
        }
        let (format, log_format) = match options.formats(&config) {
            Ok(formats) => formats,
            Err(error) => return report::failed(&[error]),
        };
        if log_format == Some(LogFormat::Json) {
            report::as_events();
        }
        let tracing = config.clone();
        let app = self.config(config);
        let install = |app: &App| log::install(app, &tracing, options, log_format);
        let ended = command.execute(app, &found, format, install);
        log::finish();
        match table::missed() {
            None => ended,
            Some((column, columns)) => {
                report::note(&format!("there is no column {column}; there are {}", columns.join(", ")));
                ExitCode::from(USAGE)
            }
        }
    }
}

impl Options {
    /// The settings of the environment, with what the command line says over them: for [`App::config`] in commands of your own.
    ///
    /// # Errors
    /// As [`Config::from_env`], and for a broker's URL on the command line.
    pub fn config(&self) -> Result<Config, Error> {
        let url = self.broker_url.as_deref().map(BrokerUrl::parse).transpose()?;
        let has_secret = url.as_ref().is_some_and(BrokerUrl::has_secret);
        let mut config = Config::from_env_and(url, self.config_file.as_deref())?;
        if has_secret {
            config.warnings.push(VISIBLE_PASSWORD.to_owned());
        }
        Ok(config)
    }
}

impl Options {
    /// Notes how everything is printed.
    fn decide(&self, app: String) {
        report::name(app);
        colour::decide(self.color);
        progress::decide(self.progress);
        let header = if self.no_header { table::Header::Left } else { table::Header::Shown };
        table::decide(table::Look::new(&self.columns, header));
        if self.log_format == Some(LogFormat::Json) {
            report::as_events();
        }
    }

    /// How results and the log are printed: by the command line, else by the environment.
    fn formats(&self, config: &Config) -> Result<(Output, Option<LogFormat>), Error> {
        let output =
            self.output.map_or_else(|| named("BUS_OUTPUT", config.output.as_deref()), |set| Ok(Some(set)))?;
        let log = self
            .log_format
            .map_or_else(|| named("BUS_LOG_FORMAT", config.log_format.as_deref()), |set| Ok(Some(set)))?;
        Ok((output.unwrap_or_default(), log))
    }
}

impl Command {
    /// Runs the command; those with a log of their own begin it.
    fn execute(self, app: App, found: &Config, format: Output, log: impl FnOnce(&App)) -> ExitCode {
        match self {
            Self::Run(arguments) => {
                log(&app);
                run::run(app, &arguments)
            }
            Self::Embedded(arguments) => {
                log(&app);
                run::embedded(app, &arguments)
            }
            Self::Handlers(arguments) => handlers::handlers(&app, &arguments, format),
            Self::Describe(arguments) => describe::describe(&app, &arguments, format),
            Self::Setup(arguments) => setup::setup(app, &arguments, format),
            Self::Publish(arguments) => {
                log(&app);
                publish::publish(app, *arguments)
            }
            Self::Request(arguments) => {
                log(&app);
                request::request(app, &arguments, format)
            }
            Self::Bench(arguments) => bench::bench(&app, &arguments, format),
            Self::Call(arguments) => {
                log(&app);
                call::call(app, &arguments, format)
            }
            Self::Tail(arguments) => tail::tail(&app, &arguments, format),
            Self::Queues(arguments) => queues::queues(&app, &arguments, format),
            Self::Workers(arguments) => workers::workers(&app, &arguments, format),
            Self::Stats(arguments) => stats::stats(&app, &arguments, format),
            Self::Top(arguments) => top::top(&app, &arguments),
            #[cfg(feature = "admin")]
            Self::Health(arguments) => health::health(&app, &arguments, format),
            #[cfg(feature = "dashboard")]
            Self::Dashboard(arguments) => {
                log(&app);
                dashboard::dashboard(app, &arguments)
            }
            Self::Dlq(arguments) => {
                log(&app);
                dlq::dlq(&app, &arguments, format)
            }
            Self::Explain(arguments) => codes::explain(&arguments, format),
            Self::Docs(arguments) => docs::docs(&app, &arguments),
            Self::Completions(arguments) => completions::completions(&app, &arguments),
            Self::Config(arguments) => config::config(&app, found, &arguments, format),
            Self::Check(arguments) => check::check(app, &arguments, format),
            Self::Doctor(arguments) => doctor::doctor(app, &arguments, format),
            Self::Topology(arguments) => topology::topology(app, &arguments, format),
            Self::Definitions(arguments) => topology::export(&app, &arguments),
        }
    }
}

/// The choice that a variable of the environment names.
fn named<T: ValueEnum>(variable: &str, value: Option<&str>) -> Result<Option<T>, Error> {
    let Some(value) = value else { return Ok(None) };
    T::from_str(value, true).map(Some).map_err(|_| {
        let choices: Vec<_> = T::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
        let choices: Vec<_> = choices.iter().map(clap::builder::PossibleValue::get_name).collect();
        Error::new(ErrorKind::Config, format!("{variable} `{value}` is not one of {}", choices.join(", ")))
    })
}

/// Runs a future on a runtime of its own.
fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Error> {
    if tokio::runtime::Handle::try_current().is_ok() {
        return Err(Error::new(
            ErrorKind::NestedRuntime,
            "bus_runtime::run() starts its own runtime, but one is already running",
        )
        .with_help("remove #[tokio::main], or use bus_runtime::app().serve(..).await"));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(ErrorKind::Config, "can't start the async runtime").with_source(error))?;
    let value = runtime.block_on(future);
    // A plain `fn` handler that does not return must not keep the program from ending.
    runtime.shutdown_timeout(BLOCKING_GRACE);
    Ok(value)
}

/// How long blocking handlers may go on after everything else has ended.
const BLOCKING_GRACE: std::time::Duration = std::time::Duration::from_millis(100);

/// Reads the address of the admin port on the command line.
#[cfg(feature = "admin")]
fn admin_port(text: &str) -> Result<crate::admin::AdminPort, String> {
    crate::admin::AdminPort::parse(text).map_err(|error| {
        let help = error.help().unwrap_or_default();
        format!("{error}: {help}")
    })
}

/// Reads what the names of metrics begin with.
fn metrics_prefix(text: &str) -> Result<String, String> {
    crate::MetricsSettings::prefix(text).map_err(|error| {
        let help = error.help().unwrap_or_default();
        format!("{error}: {help}")
    })
}

/// Reads a duration of the command line.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    parse_duration(text)
        .ok_or_else(|| "say plain seconds, or a number and ms, s, m or h: 30, 500ms, 5m".to_owned())
}

/// Reads a rate of the command line, as so many a second.
fn rate(text: &str) -> Result<f64, String> {
    let (count, per) = match text.split_once('/') {
        Some((count, "s")) => (count, 1.0),
        Some((count, "m")) => (count, 60.0),
        Some((count, "h")) => (count, 3600.0),
        None => (text, 1.0),
        Some(_) => ("", 1.0),
    };
    let count: Option<f64> =
        count.trim().parse().ok().filter(|count: &f64| count.is_finite() && *count > 0.0);
    count
        .map(|count| count / per)
        .ok_or_else(|| "say how many a second, a minute or an hour: 50/s, 30/m, 100/h".to_owned())
}
