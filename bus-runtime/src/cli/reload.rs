//! `run --reload`: builds the program anew when one of its sources changes, and puts the new one in the place of the old one.
//!
//! The program that was started watches and builds; a second process of it handles messages. That one is replaced when the
//! build has succeeded, and is told to end as by SIGTERM, so that it drains.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::time::{Duration, SystemTime};

use super::report;
use super::signals::Arriving;
use crate::config;
use crate::error::{Error, ErrorKind};
use crate::seam;

/// How often sources and processes are looked at: a change is seen within two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is watched, built and run.
pub(super) struct Reload {
    /// The program.
    program: PathBuf,
    arguments: Vec<OsString>,
    build: Vec<OsString>,
    sources: Sources,
}

impl Reload {
    /// Finds out what to watch and how to build.
    pub(super) fn new(sources: Option<&Path>, build: Option<&str>) -> Result<Self, Error> {
        if !cfg!(debug_assertions) {
            return Err(wrong("`--reload` is for debug builds, and this is a release build")
                .with_help("start it with `cargo run -- run --reload`"));
        }
        let program = std::env::current_exe()
            .map_err(|error| wrong("can't tell which file this program is").with_source(error))?;
        let package = package();
        let sources = match (sources, &package) {
            (Some(folder), _) => folder.to_owned(),
            (None, Some(package)) => package.join("src"),
            (None, None) => PathBuf::from("src"),
        };
        if !sources.is_dir() {
            return Err(wrong(&format!("there is no folder {} to watch", sources.display()))
                .with_help("say where the sources are: --src-dir, or SRC_DIR"));
        }
        let build = match build {
            Some(command) => vec!["sh".into(), "-c".into(), command.into()],
            None => cargo_build(&program, package.as_deref())?,
        };
        // The second process must not do the same.
        let arguments = config::arguments().into_iter().filter(|argument| argument != "--reload").collect();
        Ok(Self { program, arguments, build, sources: Sources::new(sources) })
    }

    /// Watches until a signal comes, and returns the exit code of the program that ran last.
    pub(super) async fn run(mut self) -> Result<ExitCode, Error> {
        let mut signals =
            Arriving::new().map_err(|error| wrong("can't listen to signals").with_source(error))?;
        report::note(&format!("watching {}: Ctrl-C to stop", self.sources.folder.display()));
        let mut worker = Some(self.start()?);
        let (mut build, mut stage) = (None, Stage::Watching);
        loop {
            tokio::select! {
                () = signals.next() => {
                    stage = Stage::Ending;
                    build.take().iter().for_each(end);
                    worker.iter().for_each(end);
                }
                () = seam::sleep(LOOK_EVERY) => {}
            }
            if let Some(status) = ended(&mut build)? {
                match status.success() {
                    true => {
                        stage = Stage::Replacing;
                        worker.iter().for_each(end);
                    }
                    false => report::note("the build has failed: what ran before goes on"),
                }
            }
            let status = ended(&mut worker)?;
            match stage {
                Stage::Ending if worker.is_none() => return Ok(status.map_or(ExitCode::SUCCESS, exit)),
                Stage::Replacing if worker.is_none() => {
                    report::note("restarting");
                    worker = Some(self.start()?);
                    stage = Stage::Watching;
                }
                Stage::Watching if build.is_none() => {
                    if let Some(changed) = self.sources.changed() {
                        report::note(&format!("{} has changed: building", changed.display()));
                        build = Some(self.build()?);
                    }
                }
                Stage::Watching | Stage::Replacing | Stage::Ending => {}
            }
            if let (Some(status), Stage::Watching) = (status, stage) {
                report::note(&format!(
                    "the program has ended ({status}): it is started again after a change"
                ));
            }
        }
    }

    fn start(&self) -> Result<Child, Error> {
        let mut command = Command::new(&self.program);
        // A variable of the environment wins over `.env` and `bus.toml`. Signals of a terminal come here first.
        command.args(&self.arguments).env("RELOAD", "0").process_group(0);
        Command::spawn(&mut command).map_err(|error| wrong("can't start the program").with_source(error))
    }

    fn build(&self) -> Result<Child, Error> {
        let (program, arguments) = self.build.split_first().ok_or_else(|| wrong("nothing to build with"))?;
        let mut command = Command::new(program);
        Command::spawn(command.args(arguments))
            .map_err(|error| wrong("can't start the build").with_source(error))
    }
}

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Watching,
    /// The program is ending, and the new one comes next.
    Replacing,
    Ending,
}

fn wrong(text: &str) -> Error {
    Error::new(ErrorKind::Config, text)
}

/// The folder of the package: what cargo has said, else the first around this one that has a manifest.
fn package() -> Option<PathBuf> {
    let around = || {
        let here = std::env::current_dir().ok()?;
        here.ancestors().find(|folder| folder.join("Cargo.toml").is_file()).map(Path::to_owned)
    };
    config::package().or_else(around)
}

/// `cargo build` for the program that runs: `target/debug/forge`, `target/debug/examples/hello`.
fn cargo_build(program: &Path, package: Option<&Path>) -> Result<Vec<OsString>, Error> {
    let (Some(package), Some(name)) = (package, program.file_stem()) else {
        return Err(wrong("there is no Cargo.toml here, so `--reload` can't build the program")
            .with_help("start it with `cargo run -- run --reload`, or say how to build it: --build"));
    };
    let folder = program.parent().and_then(Path::file_name);
    let kind = if folder == Some("examples".as_ref()) { "--example" } else { "--bin" };
    let manifest = package.join("Cargo.toml").into_os_string();
    Ok(vec!["cargo".into(), "build".into(), "--manifest-path".into(), manifest, kind.into(), name.to_owned()])
}

/// Tells a process to end, as SIGTERM does.
fn end(child: &Child) {
    // One that has ended already needs no word.
    let _ =
        rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::TERM);
}

/// How a process has ended, if it has.
fn ended(child: &mut Option<Child>) -> Result<Option<ExitStatus>, Error> {
    let Some(running) = child else { return Ok(None) };
    let status = running.try_wait().map_err(|error| wrong("can't wait for a process").with_source(error))?;
    if status.is_some() {
        *child = None;
    }
    Ok(status)
}

fn exit(status: ExitStatus) -> ExitCode {
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(70))
}

/// When each file was written last.
type Times = BTreeMap<PathBuf, SystemTime>;

/// The files that are watched. They are looked at again and again, which is simple, and good enough for sources.
struct Sources {
    folder: PathBuf,
    built: Times,
    last: Times,
}

impl Sources {
    fn new(folder: PathBuf) -> Self {
        let built = times(&folder);
        Self { folder, last: built.clone(), built }
    }

    /// A file that has changed, once nothing changes any more: an editor writes several files, one after the other.
    fn changed(&mut self) -> Option<PathBuf> {
        let now = times(&self.folder);
        let is_calm = std::mem::replace(&mut self.last, now) == self.last;
        if !is_calm || self.last == self.built {
            return None;
        }
        let (before, after) = (&self.built, &self.last);
        let written = after.iter().find(|(path, time)| before.get(*path) != Some(*time));
        let deleted = || before.iter().find(|(path, _)| !after.contains_key(*path));
        let changed = written.or_else(deleted).map(|(path, _)| path.clone());
        self.built.clone_from(&self.last);
        changed
    }
}

fn times(folder: &Path) -> Times {
    let mut times = Times::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // What cannot be read now may be there at the next look.
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(data) if data.is_dir() => folders.push(entry.path()),
                Ok(data) => times.extend(data.modified().ok().map(|time| (entry.path(), time))),
                Err(_) => {}
            }
        }
    }
    times
}
