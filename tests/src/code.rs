//! The sources of this repository as tokens with their lines, for tests that hold rules against them.
//!
//! Rules look at tokens, not at text, so comments and strings may say what code may not. Code under `#[cfg(test)]` is left out.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One token of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// As it is written.
    pub text: String,
    /// The line it stands in, from 1.
    pub line: usize,
}

impl Token {
    /// Whether it is a name or a keyword.
    #[must_use]
    pub fn is_word(&self) -> bool {
        self.text.starts_with(|first: char| first.is_alphabetic() || first == '_')
    }
}

/// One file of Rust code.
#[derive(Debug)]
pub struct Source {
    /// From the root of the repository, with `/`.
    pub path: String,
    /// As it is written.
    pub text: String,
    /// Without comments and tests.
    pub tokens: Vec<Token>,
}

impl Source {
    /// A file with this text.
    ///
    /// # Panics
    /// When it is no Rust.
    #[must_use]
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), tokens: tokens(text) }
    }

    /// The file at this path from the root.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    pub fn read(path: &str) -> Self {
        Self::new(path, &read(path))
    }

    /// Whether it is this module of `bus-runtime`, or inside of it.
    #[must_use]
    pub fn is_module(&self, module: &str) -> bool {
        let path = self.path.strip_prefix("bus-runtime/src/");
        let rest = path.and_then(|path| path.strip_prefix(module));
        rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }

    /// Every place where the tokens of the pattern stand side by side.
    #[must_use]
    pub fn find(&self, pattern: &str) -> Vec<String> {
        positions(&self.tokens, pattern).into_iter().map(|at| self.place(&self.tokens[at])).collect()
    }

    /// Every import of a module of `bus-runtime` that is `wanted`.
    pub fn imports(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let named = imports(&self.tokens).into_iter();
        named.filter(|name| wanted(&name.text)).map(|name| self.place(&name)).collect()
    }

    /// `path:line: text`
    #[must_use]
    pub fn place(&self, token: &Token) -> String {
        let line = self.text.lines().nth(token.line - 1).unwrap_or_default();
        format!("{}:{}: {}", self.path, token.line, line.trim())
    }
}

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The text of a file.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files below a folder, as paths from the root and in order, but for hidden ones and what is built.
///
/// # Panics
/// When there is no such folder.
#[must_use]
pub fn files(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{folder}{name}");
        if name == "target" || name.starts_with('.') {
            continue;
        }
        if entry.path().is_dir() {
            found.extend(files(&format!("{path}/")));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The Rust code below some folders, without fixtures: programs with mistakes in them, and what macros have printed.
///
/// # Panics
/// When there is none: a rule about no code would hold for ever.
#[must_use]
pub fn sources(folders: &[&str]) -> Vec<Source> {
    let is_fixture = |path: &str| path.contains("/ui/") || path.contains("/goldens/");
    let paths = folders.iter().flat_map(|folder| files(folder));
    let paths = paths.filter(|path| path.ends_with(".rs") && !is_fixture(path));
    let mut sources: Vec<_> = paths.map(|path| Source::read(&path)).collect();
    let tests: Vec<_> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        if tests.iter().any(|test| source.path.starts_with(test)) {
            source.tokens.clear();
        }
    }
    assert!(!sources.is_empty(), "there is no code in {folders:?}");
    sources
}

/// The files that hold the modules which a file has for its tests only, as the beginnings of their paths.
fn test_modules(file: &Source) -> Vec<String> {
    let folder = file.path.trim_end_matches(".rs");
    let folder = folder.strip_suffix("/mod").or(folder.strip_suffix("/lib")).unwrap_or(folder);
    let lines = file.text.lines().zip(file.text.lines().skip(1));
    let named = lines.filter(|(before, _)| before.trim() == "#[cfg(test)]").filter_map(|(_, line)| {
        let name = line.trim().strip_prefix("mod ")?.strip_suffix(';')?;
        Some([format!("{folder}/{name}.rs"), format!("{folder}/{name}/")])
    });
    named.flatten().collect()
}

/// The tokens of a program, without its comments and tests.
///
/// # Panics
/// When it is no Rust.
#[must_use]
pub fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let stream = text.parse().unwrap_or_else(|error| panic!("{error} in:\n{text}"));
    flatten(stream, &mut tokens);
    tokens
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        if is_punct(&tree, '#') && trees.peek().is_some_and(is_cfg_test) {
            // The item that the attribute stands on ends with its body, or without one with a semicolon.
            trees.find(|tree| is_punct(tree, ';') || is_body(tree));
            continue;
        }
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(Token { text: open.to_owned(), line: group.span_open().start().line });
                flatten(group.stream(), tokens);
                tokens.push(Token { text: close.to_owned(), line: group.span_close().start().line });
            }
            tree => tokens.push(Token { text: tree.to_string(), line: tree.span().start().line }),
        }
    }
}

fn is_punct(tree: &TokenTree, wanted: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

fn is_body(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn is_cfg_test(tree: &TokenTree) -> bool {
    let text = tree.to_string().replace(char::is_whitespace, "");
    let is_attribute = matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket);
    is_attribute && (text.starts_with("[cfg(test)") || text.starts_with("[cfg(all(test"))
}

/// Where the tokens of the pattern stand side by side. It may end with `(`, which then begins a group.
///
/// # Panics
/// When the pattern is no Rust.
#[must_use]
pub fn positions(tokens: &[Token], pattern: &str) -> Vec<usize> {
    let (pattern, open) = match pattern.strip_suffix('(') {
        Some(pattern) => (pattern, Some("(".to_owned())),
        None => (pattern, None),
    };
    let mut wanted: Vec<_> = self::tokens(pattern).into_iter().map(|token| token.text).collect();
    wanted.extend(open);
    let found = tokens.windows(wanted.len()).enumerate();
    found.filter(|(_, window)| window.iter().map(|token| &token.text).eq(&wanted)).map(|(at, _)| at).collect()
}

/// What stands between the first token, which opens a group, and the one that closes it.
#[must_use]
pub fn group(tokens: &[Token]) -> &[Token] {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &tokens[1.min(at)..at];
        }
    }
    tokens
}

/// The modules that code names by their path: `crate::a`, `crate::{a, b::c}`, `bus_runtime::a`.
fn imports(tokens: &[Token]) -> Vec<Token> {
    let mut named = Vec::new();
    for at in [positions(tokens, "crate::"), positions(tokens, "bus_runtime::")].concat() {
        let after = &tokens[at + 3..];
        match after.first() {
            Some(first) if first.text == "{" => named.extend(heads(group(after))),
            first => named.extend(first.cloned()),
        }
    }
    named
}

/// The first word of each part of a list.
fn heads(list: &[Token]) -> Vec<Token> {
    let (mut heads, mut depth, mut begins) = (Vec::new(), 0_usize, true);
    for token in list {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 0 => {
                begins = true;
                continue;
            }
            _ if begins => heads.push(token.clone()),
            _ => {}
        }
        begins = false;
    }
    heads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_code_without_comments_strings_and_tests() {
        let table = [
            ("use lapin::Channel;", "lapin", 1),
            ("// lapin\n/// lapin\nconst A: &str = \"lapin\";", "lapin", 0),
            ("let t = Instant :: now();", "Instant::now", 1),
            ("let t = other_now();", "Instant::now", 0),
            ("#[cfg(test)]\nmod tests { fn f() { dbg!(1); } } fn g() { dbg!(2); }", "dbg!", 1),
            ("#[cfg(all(test, unix))] use lapin; use lapin;", "lapin", 1),
            ("self.set.spawn(x); seam::spawn(\"a\", x)", ".spawn(", 1),
        ];
        for (text, pattern, count) in table {
            assert_eq!(positions(&tokens(text), pattern).len(), count, "{text}");
        }
    }

    #[test]
    fn a_place_has_file_and_line() {
        let file = Source::new("bus-runtime/src/a/b.rs", "\n\nfn f() {\n    todo!()\n}");
        assert_eq!(file.find("todo!"), ["bus-runtime/src/a/b.rs:4: todo!()"]);
        assert!(file.is_module("a") && file.is_module("a/b") && !file.is_module("b"));
    }

    #[test]
    fn modules_for_tests_are_found() {
        let text = "mod a;\n#[cfg(test)]\nmod tests;\n";
        let files = |path| test_modules(&Source::new(path, text));
        assert_eq!(files("a/src/lib.rs"), ["a/src/tests.rs", "a/src/tests/"]);
        assert_eq!(files("a/src/b.rs"), ["a/src/b/tests.rs", "a/src/b/tests/"]);
        assert_eq!(files("a/src/b/mod.rs"), ["a/src/b/tests.rs", "a/src/b/tests/"]);
    }

    #[test]
    fn imports_are_found_in_every_spelling() {
        let table: [(&str, &[&str]); 4] = [
            ("use crate::worker::Job;", &["worker"]),
            ("use crate::{app, worker::{Job, Member}, names};", &["app", "worker", "names"]),
            ("fn f() { crate::seam::now() } use bus_runtime::app::App;", &["seam", "app"]),
            ("use super::worker; use std::fmt;", &[]),
        ];
        for (text, wanted) in table {
            let named: Vec<_> = imports(&tokens(text)).into_iter().map(|token| token.text).collect();
            assert_eq!(named, wanted, "{text}");
        }
    }
}
