//! Walks the history of a git repository with `git log`.

use std::ffi::OsStr;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::scm::Commit;

mod log;

pub use log::{CHANGES_MAX, Log, MESSAGE_BYTES_MAX, Origin};

/// Why the history of a repository cannot be walked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// There is no git on this machine.
    #[error("git is not installed, or not on the PATH")]
    NoGit,
    /// There is no repository.
    #[error("{path} is not in a git repository: {said}", path = .path.display())]
    NoRepository {
        /// Where it was looked for.
        path: PathBuf,
        /// What git said.
        said: String,
    },
    /// There is a repository, and no commit in it.
    #[error("the repository {path} has no commits yet", path = .path.display())]
    Empty {
        /// Where it is.
        path: PathBuf,
    },
    /// `git log` stopped half-way; its own words are on the standard error.
    #[error("`git log` ended with {0}")]
    Failed(std::process::ExitStatus),
    /// `git log` cannot be run, or its output is not what was asked for.
    #[error("the output of `git log` cannot be read")]
    Io(#[from] io::Error),
}

/// The commits of a repository, from the oldest to the newest. Only one of them is in memory at a time.
#[derive(Debug)]
pub struct History {
    repository: PathBuf,
    total: u64,
    log: Log<BufReader<ChildStdout>>,
    git: Git,
    ended: bool,
}

impl History {
    /// Begins to walk from the `HEAD` of the repository that `path` is in; with a limit only the newest commits.
    ///
    /// # Errors
    /// No git, no repository, or no commit in it.
    pub fn of(path: &Path, limit: Option<u64>) -> Result<Self, GitError> {
        let repository = top_level(path)?;
        if ask(path, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?.is_err() {
            return Err(GitError::Empty { path: repository });
        }
        let at_most = limit.map(|limit| format!("--max-count={limit}"));
        let mut count = vec!["rev-list", "--count", "HEAD"];
        count.extend(at_most.as_deref());
        let total = ask(path, count)?.ok().and_then(|count| count.parse().ok()).unwrap_or_default();

        let mut git = Git(command(path).args(log::ARGUMENTS).args(at_most).stdout(Stdio::piped()).spawn()?);
        let output = git.0.stdout.take().ok_or_else(|| io::Error::other("git has no output"))?;
        let log = Log::new(BufReader::new(output), Origin::of_repository(&repository));
        Ok(Self { repository, total, log, git, ended: false })
    }

    /// Where the repository is.
    #[must_use]
    pub fn repository(&self) -> &Path {
        &self.repository
    }

    /// How many commits there are to walk.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }
}

impl Iterator for History {
    type Item = Result<Commit, GitError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let commit = self.log.next().map(|commit| commit.map_err(GitError::Io));
        self.ended = !matches!(commit, Some(Ok(_)));
        commit.or_else(|| self.git.wait().err().map(Err))
    }
}

/// A running `git log`, which does not outlive the walk.
#[derive(Debug)]
struct Git(Child);

impl Git {
    /// Waits until it has ended well.
    fn wait(&mut self) -> Result<(), GitError> {
        match self.0.wait()? {
            status if status.success() => Ok(()),
            status => Err(GitError::Failed(status)),
        }
    }
}

impl Drop for Git {
    fn drop(&mut self) {
        // Both fail when it has ended, which is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The directory that a repository is called by.
fn top_level(path: &Path) -> Result<PathBuf, GitError> {
    let git_dir = ask(path, ["rev-parse", "--absolute-git-dir"])?
        .map_err(|said| GitError::NoRepository { path: path.to_owned(), said })?;
    // A bare repository has no work tree, and is itself the git directory.
    let work_tree = ask(path, ["rev-parse", "--show-toplevel"])?;
    Ok(PathBuf::from(work_tree.unwrap_or(git_dir)))
}

/// What git answers, or what it complains of.
fn ask<S: AsRef<OsStr>>(
    path: &Path,
    question: impl IntoIterator<Item = S>,
) -> Result<Result<String, String>, GitError> {
    let output = command(path).args(question).output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => GitError::NoGit,
        _ => GitError::Io(error),
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() {
        return Ok(Ok(text(&output.stdout)));
    }
    let said = text(&output.stderr);
    Ok(Err(said.lines().next().unwrap_or_default().trim_start_matches("fatal: ").to_owned()))
}

/// A git that looks at `path` only, never asks for a password, and speaks English.
fn command(path: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(path).stdin(Stdio::null());
    git.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0");
    // A git hook sets these, and they would lead to another repository.
    git.env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .env_remove("GIT_PREFIX");
    git
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scm::ChangeKind;

    /// A repository in a directory of its own, whatever the configuration of the machine.
    struct Repository(tempfile::TempDir);

    impl Repository {
        fn new() -> Self {
            let repository = Self(tempfile::tempdir().unwrap());
            repository.git(&["init", "-q", "-b", "main"]);
            repository
        }

        fn git(&self, arguments: &[&str]) {
            let mut git = command(self.0.path());
            for role in ["AUTHOR", "COMMITTER"] {
                git.env(format!("GIT_{role}_NAME"), "Ada Ü")
                    .env(format!("GIT_{role}_EMAIL"), "ada@example.org");
            }
            git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
            let output = git.args(arguments).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }

        fn commit(&self, message: &str) {
            self.git(&["add", "-A"]);
            self.git(&["commit", "-q", "--allow-empty", "--allow-empty-message", "-m", message]);
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        fn history(&self, limit: Option<u64>) -> Vec<Commit> {
            let history = History::of(self.0.path(), limit).unwrap();
            let total = history.total();
            let commits: Vec<Commit> = history.map(Result::unwrap).collect();
            assert_eq!(commits.len() as u64, total);
            commits
        }
    }

    #[test]
    fn walks_from_the_oldest_commit_to_the_newest() {
        let repository = Repository::new();
        repository.write("docs/über uns.md", "one\ntwo\nthree\n");
        repository.commit("first\n\nwith a body, fixes #1\n");
        repository.git(&["mv", "docs/über uns.md", "new\nline.md"]);
        repository.commit("");
        repository.git(&["rm", "-q", "new\nline.md"]);
        repository.commit("last");

        let commits = repository.history(None);
        assert_eq!(commits.iter().map(|commit| commit.sequence).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(commits.iter().map(|commit| commit.parents).collect::<Vec<_>>(), [0, 1, 1]);
        assert_eq!(commits[0].message.trim_end(), "first\n\nwith a body, fixes #1");
        assert_eq!(
            (commits[0].author.name.as_str(), commits[0].author.email.as_str()),
            ("Ada Ü", "ada@example.org")
        );
        assert!(commits[0].time > 0 && commits[0].hash.0.len() == 40);
        assert_eq!(commits[1].subject(), "(no message)");

        let kinds: Vec<_> = commits.iter().map(|commit| commit.changes[0].kind).collect();
        assert_eq!(kinds, [ChangeKind::Added, ChangeKind::Renamed, ChangeKind::Deleted]);
        assert_eq!(commits[1].changes[0].path, "new\nline.md");
        assert_eq!(commits[1].changes[0].from.as_deref(), Some("docs/über uns.md"));
    }

    #[test]
    fn a_limit_keeps_the_newest_commits() {
        let repository = Repository::new();
        for message in ["one", "two", "three"] {
            repository.commit(message);
        }
        let subjects: Vec<_> = repository.history(Some(2)).iter().map(|c| c.subject().to_owned()).collect();
        assert_eq!(subjects, ["two", "three"]);
    }

    #[test]
    fn a_merge_lists_no_files_and_two_parents() {
        let repository = Repository::new();
        repository.commit("root");
        repository.git(&["checkout", "-q", "-b", "side"]);
        repository.write("side.md", "side");
        repository.commit("side");
        repository.git(&["checkout", "-q", "main"]);
        repository.write("main.md", "main");
        repository.commit("main");
        repository.git(&["merge", "-q", "--no-edit", "side"]);

        let merge = repository.history(None).pop().unwrap();
        assert_eq!((merge.parents, merge.changes.len()), (2, 0));
    }

    #[test]
    fn a_bare_and_shallow_clone_is_walked_too() {
        let repository = Repository::new();
        repository.write("a.md", "a");
        repository.commit("one");
        repository.commit("two");
        let origin = format!("file://{}", repository.0.path().display());
        repository.git(&["clone", "-q", "--bare", "--depth=1", &origin, "clone.git"]);

        let clone = History::of(&repository.0.path().join("clone.git"), None).unwrap();
        assert_eq!(clone.total(), 1);
        let commits: Vec<Commit> = clone.map(Result::unwrap).collect();
        assert_eq!((commits[0].subject(), commits[0].project_id.as_str()), ("two", "clone"));
        assert_eq!(commits[0].changes[0].path, "a.md");
    }

    #[test]
    fn a_damaged_repository_is_an_error_after_what_can_be_read() {
        let repository = Repository::new();
        repository.commit("one");
        repository.write("a.md", "a");
        repository.commit("two");
        let tree = ask(repository.0.path(), ["rev-parse", "HEAD^{tree}"]).unwrap().unwrap();
        let (directory, file) = tree.split_at(2);
        std::fs::remove_file(repository.0.path().join(".git/objects").join(directory).join(file)).unwrap();

        let mut history = History::of(repository.0.path(), None).unwrap();
        assert_eq!(history.next().unwrap().unwrap().subject(), "one");
        let error = history.find_map(Result::err).unwrap();
        assert!(matches!(error, GitError::Failed(_)), "{error}");
        assert!(history.next().is_none());
    }

    #[test]
    fn an_empty_repository_and_no_repository_are_told_apart() {
        let repository = Repository::new();
        let error = History::of(repository.0.path(), None).unwrap_err();
        assert!(matches!(error, GitError::Empty { .. }), "{error}");

        let error = History::of(Path::new("/"), None).unwrap_err();
        assert!(matches!(error, GitError::NoRepository { .. }), "{error}");
        let error = History::of(&repository.0.path().join("nowhere"), None).unwrap_err();
        assert!(error.to_string().contains("No such file"), "{error}");
    }
}
