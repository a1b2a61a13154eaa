//! What handlers did of late, in a file: the lines of the dashboard go on after a restart.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::rates::{SECONDS, Step};

/// What the file says that it is. Another version is not read.
const SCHEMA: &str = "bus.history/1";
/// A file that is larger than this is none of ours.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What each handler did, second by second, up to a moment.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    schema: String,
    /// The last second, since 1970.
    until: u64,
    /// Handled, failed and dead, the oldest second first.
    handlers: BTreeMap<String, Vec<[u32; 3]>>,
}

impl Saved {
    pub(super) fn of<'h>(handlers: impl IntoIterator<Item = (&'h str, Vec<Step>)>, now: SystemTime) -> Self {
        let steps =
            |steps: Vec<Step>| steps.into_iter().map(|step| [step.handled, step.failed, step.dead]).collect();
        let handlers = handlers.into_iter().map(|(name, all)| (name.to_owned(), steps(all))).collect();
        Self { schema: SCHEMA.to_owned(), until: seconds(now), handlers }
    }

    /// What a handler did before, with nothing in the seconds since then.
    pub(super) fn steps(&self, handler: &str, now: SystemTime) -> Vec<Step> {
        let away = usize::try_from(seconds(now).saturating_sub(self.until)).unwrap_or(SECONDS).min(SECONDS);
        let Some(known) = self.handlers.get(handler).filter(|_| away < SECONDS) else { return Vec::new() };
        let before = known.iter().map(|[handled, failed, dead]| Step {
            handled: *handled,
            failed: *failed,
            dead: *dead,
        });
        let all: Vec<_> = before.chain(std::iter::repeat_n(Step::default(), away)).collect();
        all[all.len().saturating_sub(SECONDS)..].to_vec()
    }

    /// Writes it beside the file and puts it in its place, so that whoever reads it reads all of it.
    pub(super) fn write(&self, path: &Path) -> std::io::Result<()> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&beside, serde_json::to_vec(self)?)?;
        std::fs::rename(&beside, path)
    }

    /// Reads it; `None` when there is none yet.
    pub(super) fn read(path: &Path) -> std::io::Result<Option<Self>> {
        let size = match std::fs::metadata(path) {
            Ok(found) => found.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let wrong = |what: String| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
        if size > BYTES_MAX {
            return Err(wrong(format!("it has {size} bytes, which is more than we write")));
        }
        let saved: Self = serde_json::from_slice(&std::fs::read(path)?)?;
        match saved.schema == SCHEMA {
            true => Ok(Some(saved)),
            false => Err(wrong(format!("it is `{}`, and not {SCHEMA}", saved.schema))),
        }
    }
}

/// The file of an app.
pub(super) fn file(directory: &Path, app: &str) -> PathBuf {
    let plain = |one: char| if one.is_alphanumeric() || "-_.".contains(one) { one } else { '_' };
    directory.join(format!("{}.history.json", app.chars().map(plain).collect::<String>()))
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(handled: u32) -> Step {
        Step { handled, failed: 1, dead: 0 }
    }

    #[test]
    fn what_was_before_comes_back_with_the_time_between() {
        let then = UNIX_EPOCH + Duration::from_secs(1_000);
        let saved = Saved::of([("a::b", vec![step(3), step(4)])], then);
        let later = |seconds| then + Duration::from_secs(seconds);
        assert_eq!(saved.steps("a::b", later(0)), [step(3), step(4)]);
        assert_eq!(saved.steps("a::b", later(1)), [step(3), step(4), Step::default()]);
        let full = saved.steps("a::b", later(SECONDS as u64 - 1));
        assert_eq!((full.len(), full[0]), (SECONDS, step(4)));
        assert!(saved.steps("a::b", later(SECONDS as u64)).is_empty());
        assert!(saved.steps("other", then).is_empty());
        assert_eq!(saved.steps("a::b", UNIX_EPOCH), [step(3), step(4)], "a clock that was put back");
    }

    #[test]
    fn a_file_is_all_or_nothing() {
        let directory = std::env::temp_dir().join(format!("bus-history-{}", std::process::id()));
        let path = file(&directory, "my/app");
        assert!(path.ends_with("my_app.history.json"));
        assert!(Saved::read(&path).unwrap().is_none());
        let saved = Saved::of([("a", vec![step(1)])], UNIX_EPOCH);
        saved.write(&path).unwrap();
        assert_eq!(Saved::read(&path).unwrap(), Some(saved));
        for broken in ["", "{", "{\"schema\":\"bus.history/2\",\"until\":0,\"handlers\":{}}"] {
            std::fs::write(&path, broken).unwrap();
            assert!(Saved::read(&path).is_err(), "{broken}");
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
