//! The invariants of ARCHITECTURE.md, held against the sources: a test that fails names the file and the line.

use std::fmt;
use std::fs;

use bus_tests::code::{self, Source, positions, sources};
use bus_tests::{quoted, rows};

const RUNTIME: &str = "bus-runtime/src/";
const MACROS: &str = "bus-macros/src/";
const CRATES: [&str; 3] = [RUNTIME, MACROS, "bus-examples/src/"];
const EVERYTHING: [&str; 5] = ["bus-runtime/", "bus-macros/", "bus-examples/", "fuzz/", "tests/"];

/// Words that say what is.
const VOCABULARY: [&str; 8] =
    ["names", "binding_key", "broker_url", "envelope", "error", "message", "outcome", "policy"];
/// Functions from registrations and outcomes to decisions: the same input gives the same output.
const DECISIONS: [&str; 7] = ["topology", "routing", "check", "shape", "settle", "arrival", "copies"];

/// The most lines of a file that a person reads from top to bottom; documentation and tests do not count.
const LINES_MAX: usize = 450;

/// The most lines of an example of one feature, its test included.
const EXAMPLE_LINES_MAX: usize = 30;

#[test]
fn generated_code_names_nothing_but_the_private_door() {
    let offences = sources(&[MACROS]).into_iter().flat_map(|file| quoted::foreign_names(&file));
    refuse(
        offences,
        "code in `quote!` reaches the runtime as `__bus::` and everything else as `#interpolation`",
    );
}

#[test]
fn the_macros_depend_on_three_crates() {
    let manifest = code::read("bus-macros/Cargo.toml");
    let sections: Vec<_> = manifest.split("\n[").collect();
    let section = sections.iter().find_map(|section| section.strip_prefix("dependencies]\n")).unwrap();
    let names: Vec<_> = section.lines().filter_map(|line| line.split_once(['.', ' ', '='])).collect();
    let names: Vec<_> = names.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["proc-macro2", "quote", "syn"], "every user waits for what this crate depends on");
}

#[test]
fn lapin_is_known_to_its_transport_only() {
    let outside = |file: &Source| !file.is_module("transport/rabbitmq");
    let named = sources(&CRATES).into_iter().filter(outside).flat_map(|file| file.find("lapin"));
    refuse(named, "`lapin` belongs to transport/rabbitmq/");
    let contract = Source::read("bus-runtime/src/transport/mod.rs");
    refuse(contract.find("pub mod rabbitmq"), "no public signature may name the client library");
}

#[test]
fn inventory_is_known_to_the_registration_only() {
    let outside = |file: &Source| !file.is_module("registration") && !file.is_module("private");
    let named = sources(&CRATES).into_iter().filter(outside).flat_map(|file| file.find("inventory"));
    refuse(named, "link-time collection belongs to registration.rs");
}

#[test]
fn vocabulary_and_decisions_are_pure() {
    let impure = ["async", "await", "tokio", "Instant::now", "SystemTime::now", "fastrand", "now_v7", "seam"];
    let pure = modules(&VOCABULARY).into_iter().chain(modules(&DECISIONS));
    let offences = pure.flat_map(|file| impure.map(|word| file.find(word)).concat());
    refuse(offences, "no async, no clock, no randomness here: pass the value in");
}

#[test]
fn the_vocabulary_imports_only_itself() {
    let offences = modules(&VOCABULARY).into_iter().flat_map(|file| {
        // `message.publish()` is a method of the trait `Message`; it builds what the module `publish` sends.
        let extra = if file.is_module("message") { "publish" } else { "" };
        // Types at the root are re-exports; `use` takes them from their modules.
        let is_module = |name: &str| name.starts_with(char::is_lowercase);
        file.imports(|name| is_module(name) && !VOCABULARY.contains(&name) && name != extra)
    });
    refuse(offences, "the vocabulary stands below everything else");
}

#[test]
fn decisions_import_nothing_that_runs() {
    let running =
        ["app", "cli", "command", "config", "due", "hub", "publish", "scope", "transport", "worker"];
    let decisions = modules(&DECISIONS).into_iter();
    let offences = decisions.flat_map(|file| file.imports(|name| running.contains(&name)));
    refuse(offences, "what decides stands below what runs");
}

#[test]
fn adapters_know_messages_and_topology_and_nothing_of_handlers() {
    let above = [
        "app",
        "cli",
        "extract",
        "hub",
        "middleware",
        "publish",
        "registration",
        "scope",
        "settle",
        "worker",
    ];
    let adapters = modules(&["transport/embedded", "transport/rabbitmq"]).into_iter();
    let offences = adapters.flat_map(|file| file.imports(|name| above.contains(&name)));
    refuse(offences, "a transport carries messages; who handles them is not its business");
}

#[test]
fn the_environment_is_read_in_config_only() {
    let readers = ["var", "var_os", "vars", "vars_os", "args", "args_os", "try_from_default_env"];
    let outside = |file: &Source| !file.is_module("config");
    let offences = sources(&[RUNTIME]).into_iter().filter(outside).flat_map(|file| {
        let allowed = match file.path.strip_prefix(RUNTIME) {
            // Without a name, an app is called as its file is.
            Some("app/mod.rs") => "args_os",
            // RUST_LOG is the log filter's own variable, in a syntax that only its parser knows.
            Some("cli/log.rs") => "try_from_default_env",
            _ => "",
        };
        let readers = readers.iter().filter(|reader| **reader != allowed);
        readers.flat_map(|reader| file.find(&format!("::{reader}("))).collect::<Vec<_>>()
    });
    refuse(offences, "settings enter through config.rs");
}

#[test]
fn tasks_start_in_the_seam_only() {
    let starters = ["tokio::spawn", "task::spawn", "thread::spawn", "spawn_blocking", "spawn_local"];
    // A worker interrupts all of its handlers at once, which is what a `JoinSet` is for.
    let of_workers = ["JoinSet", ".spawn("];
    let outside = |file: &Source| !file.is_module("seam");
    let offences = sources(&[RUNTIME]).into_iter().filter(outside).flat_map(|file| {
        let sets = of_workers.map(|starter| file.find(starter)).concat();
        let of_worker = ["worker/mod", "worker/due"].iter().any(|name| file.is_module(name));
        let sets = if of_worker { Vec::new() } else { sets };
        starters.map(|starter| file.find(starter)).concat().into_iter().chain(sets).collect::<Vec<_>>()
    });
    refuse(offences, "a simulation owns all tasks: start them with seam::spawn");
}

#[test]
fn clock_and_chance_come_from_the_seam_only() {
    let chance = ["SystemTime::now", "fastrand", "now_v7", "new_v4"];
    let clock = ["Instant::now", "time::sleep("];
    let outside = |file: &Source| !file.is_module("seam");
    let offences = sources(&[RUNTIME]).into_iter().filter(outside).flat_map(|file| {
        // A server and a network keep their own time: a simulation ends where this adapter begins.
        let clock = if file.is_module("transport/rabbitmq") { &[] } else { &clock[..] };
        chance.iter().chain(clock).flat_map(|reader| file.find(reader)).collect::<Vec<_>>()
    });
    refuse(offences, "a simulation owns time and randomness: ask the seam");
}

#[test]
fn a_select_tries_its_branches_in_their_order() {
    // A network and signals have no seed.
    let outside = |file: &Source| !file.is_module("transport/rabbitmq") && !file.is_module("cli");
    let offences = sources(&[RUNTIME]).into_iter().filter(outside).flat_map(|file| unbiased(&file));
    refuse(
        offences,
        "tokio draws the order by itself, and a seed would not give the same run twice: `biased;`",
    );
}

#[test]
fn a_message_is_settled_by_whoever_consumes_its_queue() {
    // The right that the handlers share, what is given back when draining, the queue of due messages, the queue of replies, the
    // former queues of renamed handlers, the notes about what was declared, and what tests do. Then the dead letters, which
    // no handler consumes.
    let consumers = [
        "right",
        "worker/drain",
        "due",
        "command",
        "rename",
        "provision/mark",
        "testing/link",
        "testing/stand_in",
        "conformance",
        "dead_letters/edit",
        "dead_letters/fates",
        "dead_letters/purge",
        "dead_letters/replay",
        // What workers are asked, which no handler consumes.
        "fleet/station",
        // A queue of copies that `tail` has for itself.
        "cli/tail",
        // The queue that `bench` makes for itself.
        "cli/bench",
    ];
    let outside = |file: &Source| !consumers.iter().any(|name| file.is_module(name));
    let offences = sources(&[RUNTIME]).into_iter().filter(outside);
    refuse(
        offences.flat_map(|file| file.find("settler.settle(")),
        "a message is settled once, and in one place",
    );
    let contract = Source::read("bus-runtime/src/transport/mod.rs");
    let settle = contract.find("pub fn settle(self, verdict: Verdict)");
    assert_eq!(settle.len(), 1, "settling uses up the right to settle");
}

#[test]
fn every_channel_has_a_named_bound() {
    let offences = sources(&CRATES).into_iter().flat_map(|file| unnamed_bounds(&file));
    refuse(offences, "a channel has a bound, and the bound a name with its reason");
}

#[test]
fn unfinished_code_is_not_committed() {
    let marks = ["todo!", "unimplemented!", "dbg!"];
    let offences =
        sources(&EVERYTHING).into_iter().flat_map(|file| marks.map(|mark| file.find(mark)).concat());
    refuse(offences, "finish it, or leave it out");
}

#[test]
fn every_file_says_what_it_owns() {
    let silent = sources(&EVERYTHING).into_iter().filter(|file| !opens_with_a_sentence(&file.text));
    let offences =
        silent.map(|file| format!("{}:1: {}", file.path, file.text.lines().next().unwrap_or_default()));
    refuse(offences, "the first line is `//! ` and a sentence");
}

#[test]
fn every_file_can_be_read_whole() {
    let counted = sources(&EVERYTHING).into_iter().map(|file| (code_lines(&file.text), file.path));
    let long = counted.filter(|(lines, _)| *lines > LINES_MAX);
    refuse(
        long.map(|(lines, path)| format!("{path}:1: {lines} lines of code")),
        "split it where the subject changes",
    );
}

#[test]
fn examples_are_short() {
    let features = sources(&["bus-examples/"]).into_iter();
    let features = features.filter(|file| file.path.starts_with("bus-examples/examples/features/"));
    let counted = features
        .filter(|file| !file.path.ends_with("/main.rs"))
        .map(|file| (file.text.lines().count(), file.path));
    let long = counted.filter(|(lines, _)| *lines > EXAMPLE_LINES_MAX);
    refuse(long.map(|(lines, path)| format!("{path}:1: {lines} lines")), "an example shows one thing");
}

#[test]
fn nothing_new_stands_at_the_top() {
    let folders = ["bus-examples", "bus-macros", "bus-runtime", "fuzz", "tests", "target"];
    let files = [
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "clippy.toml",
        "rust-toolchain.toml",
        "rustfmt.toml",
    ];
    let entries = fs::read_dir(code::root()).unwrap().map(|entry| entry.unwrap().file_name());
    let names = entries.map(|name| name.to_string_lossy().into_owned());
    let known = |name: &str| name.starts_with('.') || folders.contains(&name) || files.contains(&name);
    refuse(names.filter(|name| !known(name)), "a capability is a module, a dump is rubbish");
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let offences = code::files("").into_iter().flat_map(|path| {
        // What is no text is test data.
        let text = fs::read_to_string(code::root().join(&path)).unwrap_or_default();
        let lines = text.lines().enumerate().filter(|(_, line)| names_a_machine(line));
        lines.map(|(at, line)| format!("{path}:{}: {}", at + 1, line.trim())).collect::<Vec<_>>()
    });
    refuse(offences, "a path of one machine means nothing on another");
}

/// Rows whose tests are still to come.
const ROWS_TO_COME: &[&str] = &[];

#[test]
fn every_row_has_a_test() {
    let (rows, tests) = (rows::rows(), rows::tests());
    let lacking = rows.iter().filter(|row| !tests.contains_key(&row.name));
    let lacking = lacking.filter(|row| !ROWS_TO_COME.contains(&row.name.as_str()));
    refuse(
        lacking.map(|row| format!("{}: {}", row.name, row.promise)),
        "a test is named after its row: `fn t1_..`",
    );
    let unknown = tests.iter().filter(|(name, _)| !rows.iter().any(|row| row.name == **name));
    refuse(
        unknown.flat_map(|(_, tests)| tests).map(|test| format!("{}: {}", test.place, test.name)),
        "a row stands in the document",
    );
}

fn refuse(offences: impl IntoIterator<Item = impl fmt::Display>, rule: &str) {
    let offences: Vec<_> = offences.into_iter().map(|offence| format!("\n  {offence}")).collect();
    assert!(offences.is_empty(), "{rule}{}\n", offences.concat());
}

/// The files of some modules of the runtime; each module has one.
fn modules(names: &[&str]) -> Vec<Source> {
    let (mut found, all) = (Vec::new(), sources(&[RUNTIME]));
    for name in names {
        assert!(all.iter().any(|file| file.is_module(name)), "there is no module `{name}` any more");
    }
    found.extend(all.into_iter().filter(|file| names.iter().any(|name| file.is_module(name))));
    found
}

/// Each `select!` whose branches are tried in an order that is drawn.
fn unbiased(file: &Source) -> Vec<String> {
    let begins = positions(&file.tokens, "select!").into_iter();
    let is_biased = |at: usize| file.tokens.get(at + 3).is_some_and(|token| token.text == "biased");
    begins.filter(|at| !is_biased(*at)).map(|at| file.place(&file.tokens[at])).collect()
}

/// Channels without a bound, and those whose bound is a bare number.
fn unnamed_bounds(file: &Source) -> Vec<String> {
    let unbounded = file.tokens.iter().filter(|token| token.text.to_lowercase().starts_with("unbounded"));
    let is_number =
        |at: usize| file.tokens.get(at).is_some_and(|token| token.text.starts_with(char::is_numeric));
    let bare = positions(&file.tokens, "channel(").into_iter().filter(|at| is_number(at + 2));
    let mut offences: Vec<_> =
        unbounded.chain(bare.map(|at| &file.tokens[at])).map(|token| file.place(token)).collect();
    // The standard library's has a bound only under its other name, `sync_channel`.
    offences.extend(file.find("std::sync::mpsc::channel"));
    offences
}

fn opens_with_a_sentence(text: &str) -> bool {
    let paragraph = text.lines().map_while(|line| line.strip_prefix("//! ")).collect::<Vec<_>>().join(" ");
    let begins = paragraph.starts_with(|first: char| first.is_uppercase() || first == '`');
    begins && paragraph.contains(' ') && paragraph.ends_with(['.', '?', ':'])
}

/// Lines that are neither documentation nor tests.
fn code_lines(text: &str) -> usize {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).count()
}

fn names_a_machine(line: &str) -> bool {
    // In halves, or this file would name one itself.
    let homes =
        [("/ho", "me/"), ("/ro", "ot/"), ("/Us", "ers/"), ("/wo", "rk/"), ("C:", "\\"), (".cargo/", "reg")];
    let is_path = |at: usize| {
        // In `wiki/home/index` it is no home, nor in `{project}/home/`.
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || "_-.*}".contains(before))
    };
    homes
        .iter()
        .any(|(first, second)| line.match_indices(&format!("{first}{second}")).any(|(at, _)| is_path(at)))
}

// Each judgement can be a refusal; those of the scanner are tested beside it.

#[test]
fn bounds_are_judged() {
    let table = [
        ("let (a, b) = mpsc::unbounded_channel();", 1),
        ("fn f(a: UnboundedSender<u8>) {}", 1),
        ("let (a, b) = mpsc::channel(256);", 1),
        ("let (a, b) = std::sync::mpsc::channel();", 1),
        ("let (a, b) = mpsc::channel(WAITING_MAX); let c = oneshot::channel();", 0),
    ];
    for (text, count) in table {
        assert_eq!(unnamed_bounds(&Source::new("a.rs", text)).len(), count, "{text}");
    }
}

#[test]
fn selects_are_judged() {
    let select = |first: &str| {
        let text =
            format!("async fn f() {{ tokio::select! {{ {first} () = a() => {{}} () = b() => {{}} }} }}");
        unbiased(&Source::new("a.rs", &text)).len()
    };
    assert_eq!((select(""), select("biased;")), (1, 0));
}

#[test]
fn first_lines_are_judged() {
    assert!(opens_with_a_sentence("//! What carries\n//! messages.\n\nuse x;"));
    for text in ["use x;", "//! stub\nuse x;", "//! what it is.", "//!\n//! Late.", "/// Not for the file."] {
        assert!(!opens_with_a_sentence(text), "{text}");
    }
}

#[test]
fn lengths_are_judged() {
    assert_eq!(code_lines("//! Doc.\nfn f() {}\n    // why\n\n#[cfg(test)]\nmod tests {\n}\n"), 2);
}

#[test]
fn machines_are_judged() {
    for text in [concat!("see /ho", "me/ann/src"), concat!("\"/wo", "rk/x\""), concat!("C:", "\\x")] {
        assert!(names_a_machine(text), "{text}");
    }
    for text in [concat!("wiki/ho", "me/index"), "/usr/bin/env", "/var/lib/rabbitmq"] {
        assert!(!names_a_machine(text), "{text}");
    }
}
