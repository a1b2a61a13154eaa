//! Reads what `git log -z --name-status` prints: one stream of tokens, each ended by a NUL.

use std::io::{self, BufRead};
use std::path::Path;

use crate::scm::{Change, ChangeKind, Commit, CommitHash, Person};

/// The most bytes that are kept of a commit's message: enough for people, and little for a broker.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// The most files that are listed of a commit: the first commit of a shallow clone names every file that there is.
pub const CHANGES_MAX: usize = 1000;

/// The byte before each commit; a list of files has none at that place.
const COMMIT_MARK: u8 = 1;

/// What `git log` is asked for. A user's configuration has no say in it.
pub(super) const ARGUMENTS: [&str; 20] = [
    "-c",
    "log.showSignature=false",
    "-c",
    "log.follow=false",
    "-c",
    "diff.relative=false",
    "--no-pager",
    "log",
    "-z",
    "--reverse",
    "--topo-order",
    "--no-color",
    "--no-ext-diff",
    "--no-notes",
    "--encoding=UTF-8",
    "--find-renames",
    "--no-diff-merges",
    "--name-status",
    "--format=tformat:%x01%H%x00%P%x00%aN%x00%aE%x00%at%x00%B",
    "HEAD",
];

/// Where the commits of a feed come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The project.
    pub project_id: String,
    /// Where in the project the repository is mounted.
    pub mount_point: String,
}

impl Origin {
    /// The project is called as the directory of the repository is.
    #[must_use]
    pub fn of_repository(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.strip_suffix(".git").unwrap_or(&name);
        let project_id = if name.is_empty() { "project" } else { name }.to_owned();
        Self { project_id, mount_point: "code".to_owned() }
    }
}

/// The commits in the output of `git log`.
#[derive(Debug)]
pub struct Log<R> {
    output: R,
    origin: Origin,
    sequence: u64,
    /// The token that begins the next commit, read while looking for more files of the last one.
    ahead: Option<String>,
    ended: bool,
}

impl<R: BufRead> Log<R> {
    /// Reads the commits that come from there.
    pub fn new(output: R, origin: Origin) -> Self {
        Self { output, origin, sequence: 0, ahead: None, ended: false }
    }

    fn commit(&mut self) -> io::Result<Option<Commit>> {
        let Some(first) = self.ahead.take().map_or_else(|| self.token(), |token| Ok(Some(token)))? else {
            return Ok(None);
        };
        let Some(hash) = first.strip_prefix(char::from(COMMIT_MARK)) else { return Err(garbled(&first)) };
        let parents = self.field()?.split_whitespace().count();
        let author = Person { name: self.field()?, email: self.field()? };
        let time = self.field()?.parse().unwrap_or_default();
        let message = self.field()?;
        let (changes, changes_left_out) = self.changes()?;
        self.sequence += 1;
        Ok(Some(Commit {
            project_id: self.origin.project_id.clone(),
            mount_point: self.origin.mount_point.clone(),
            sequence: self.sequence,
            hash: CommitHash(hash.to_owned()),
            parents,
            author,
            time,
            message,
            changes,
            changes_left_out,
        }))
    }

    /// The files of a commit, up to the limit, and how many more there are.
    fn changes(&mut self) -> io::Result<(Vec<Change>, usize)> {
        let (mut changes, mut left_out) = (Vec::new(), 0);
        while let Some(token) = self.token()? {
            let status = token.trim_start_matches('\n');
            if status.starts_with(char::from(COMMIT_MARK)) {
                self.ahead = Some(status.to_owned());
                break;
            }
            if status.is_empty() {
                continue;
            }
            let change = self.change(kind(status).ok_or_else(|| garbled(status))?)?;
            if changes.len() < CHANGES_MAX {
                changes.push(change);
            } else {
                left_out += 1;
            }
        }
        Ok((changes, left_out))
    }

    fn change(&mut self, kind: ChangeKind) -> io::Result<Change> {
        let has_two_paths = matches!(kind, ChangeKind::Renamed | ChangeKind::Copied);
        let from = has_two_paths.then(|| self.field()).transpose()?;
        Ok(Change { kind, path: self.field()?, from })
    }

    fn field(&mut self) -> io::Result<String> {
        self.token()?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// The bytes up to the next NUL as text, without what is over the limit.
    fn token(&mut self) -> io::Result<Option<String>> {
        let mut token = Vec::new();
        let mut any = false;
        loop {
            let bytes = self.output.fill_buf()?;
            if bytes.is_empty() {
                return Ok(any.then(|| text(&token)));
            }
            any = true;
            let end = bytes.iter().position(|&byte| byte == 0);
            let piece = &bytes[..end.unwrap_or(bytes.len())];
            token.extend_from_slice(&piece[..piece.len().min(MESSAGE_BYTES_MAX - token.len())]);
            let consumed = piece.len() + usize::from(end.is_some());
            self.output.consume(consumed);
            if end.is_some() {
                return Ok(Some(text(&token)));
            }
        }
    }
}

impl<R: BufRead> Iterator for Log<R> {
    type Item = io::Result<Commit>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let commit = self.commit().transpose();
        self.ended = !matches!(commit, Some(Ok(_)));
        commit
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `R087` is a rename: the number says how alike the two files are.
fn kind(status: &str) -> Option<ChangeKind> {
    let (letter, likeness) = status.split_at_checked(1)?;
    if !likeness.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(match letter {
        "A" => ChangeKind::Added,
        "C" => ChangeKind::Copied,
        "D" => ChangeKind::Deleted,
        "R" => ChangeKind::Renamed,
        "T" => ChangeKind::TypeChanged,
        "M" | "U" | "X" | "B" => ChangeKind::Modified,
        _ => return None,
    })
}

fn garbled(token: &str) -> io::Error {
    let start: String = token.chars().take(40).collect();
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{start:?} is neither a commit nor a change of a file"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads output in which `|` stands for NUL and `^` for the mark of a commit.
    fn read(output: &str) -> Vec<io::Result<Commit>> {
        read_bytes(output.replace('|', "\0").replace('^', "\x01").as_bytes())
    }

    fn read_bytes(output: &[u8]) -> Vec<io::Result<Commit>> {
        // A buffer of three bytes: every token comes in pieces.
        let reader = io::BufReader::with_capacity(3, output);
        Log::new(reader, Origin::of_repository(Path::new("/tmp/forge.git"))).collect()
    }

    fn commits(output: &str) -> Vec<Commit> {
        read(output).into_iter().map(Result::unwrap).collect()
    }

    #[test]
    fn reads_commits_with_and_without_files() {
        let commits = commits(
            "^aa||Ada|a@b|5|one\n|\nA|a file|R100|old\nname|new\nname|\
             ^bb|aa|Bob|b@b|6|two\n\n#1\n|\
             ^cc|aa bb|Bob|b@b|7||",
        );
        let hashes: Vec<_> = commits.iter().map(|commit| commit.hash.0.as_str()).collect();
        assert_eq!(hashes, ["aa", "bb", "cc"]);
        assert_eq!(commits[0].project_id, "forge");
        assert_eq!(commits[0].changes[0].path, "a file");
        assert_eq!(commits[0].changes[1].from.as_deref(), Some("old\nname"));
        assert_eq!((commits[1].time, commits[1].message.as_str()), (6, "two\n\n#1\n"));
        assert_eq!((commits[2].parents, commits[2].sequence), (2, 3));
    }

    #[test]
    fn a_file_called_like_the_mark_of_a_commit_is_a_file() {
        let commits = commits("^aa||||0||\nA|^bb|M|M|");
        assert_eq!(commits.len(), 1);
        let paths: Vec<_> = commits[0].changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["\x01bb", "M"]);
    }

    #[test]
    fn text_that_is_not_utf_8_is_read_as_well_as_it_can_be() {
        let read = read_bytes(b"\x01aa\0\0J\xfcrg\0\0\x30\0caf\xe9\0\nA\0\xff.md\0");
        let commit = read[0].as_ref().unwrap();
        assert_eq!(commit.author.name, "J\u{fffd}rg");
        assert_eq!(commit.changes[0].path, "\u{fffd}.md");
    }

    #[test]
    fn what_is_over_the_limits_is_left_out_and_counted() {
        let message = "m".repeat(MESSAGE_BYTES_MAX + 1);
        let files = "A|file|".repeat(CHANGES_MAX + 1);
        let commits = commits(&format!("^aa||||0|{message}|\n{files}^bb||||0|next|"));
        assert_eq!(commits[0].message.len(), MESSAGE_BYTES_MAX);
        assert_eq!((commits[0].changes.len(), commits[0].changes_left_out), (CHANGES_MAX, 1));
        assert_eq!(commits[1].message, "next");
    }

    #[test]
    fn nothing_is_no_commits_and_rubbish_is_one_error() {
        assert!(read("").is_empty());
        for rubbish in ["fatal: no|", "^aa|", "^aa||||0|m|\nZ9|path|", "^aa||||0|m|\nR100|old"] {
            let read = read(rubbish);
            assert!(matches!(&read[..], [Err(_)]), "{rubbish:?}: {read:?}");
        }
    }

    #[test]
    fn a_project_is_called_as_its_directory() {
        let project = |path| Origin::of_repository(Path::new(path)).project_id;
        assert_eq!(project("/srv/git/bus.git"), "bus");
        assert_eq!(project("/srv/ada/bus"), "bus");
        assert_eq!(project("/"), "project");
    }
}
