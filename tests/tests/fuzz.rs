//! What strangers may write, tried on every run: all that is known in `fuzz/corpus/`, and then some of what is not.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::time::Instant;

use bus_runtime::fuzz::{TARGETS, Target};
use bus_tests::code;
use bus_tests::mutator::Mutator;

/// So many inputs are tried for each target that is not told otherwise: a few seconds altogether.
const RUNS: u32 = 4_000;

/// The files of a target's corpus, by their names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let read = |path: String| {
        let bytes = fs::read(code::root().join(&path)).expect("a file of the corpus");
        (path, bytes)
    };
    code::files(&format!("fuzz/corpus/{target}/")).into_iter().map(read).collect()
}

fn number(variable: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "tests are configured by the environment too")]
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{variable}={text}: {error}")))
}

/// Asks a target, and says for which input it fails.
fn ask(name: &str, target: Target, data: &[u8], origin: &str) {
    let failed = catch_unwind(|| target(data)).is_err();
    assert!(
        !failed,
        "`{name}` breaks a promise for {origin}: b\"{}\"\nmend it, and keep the input as a file of fuzz/corpus/{name}/",
        data.escape_ascii()
    );
}

#[test]
fn what_is_known_holds() {
    for (name, target) in TARGETS {
        let known = corpus(name);
        assert!(!known.is_empty(), "there is no corpus of `{name}`");
        for (path, data) in known {
            ask(name, target, &data, &path);
        }
    }
}

#[test]
fn some_of_what_is_unknown_holds() {
    let seed = number("BUS_FUZZ_SEED").unwrap_or(1);
    let runs = number("BUS_FUZZ_RUNS").map_or(RUNS, |runs| u32::try_from(runs).unwrap_or(u32::MAX));
    for (name, target) in TARGETS {
        let started = Instant::now();
        let mut mutator = Mutator::new(seed, corpus(name).into_iter().map(|(_, data)| data).collect());
        for run in 0..runs {
            let data = mutator.input();
            ask(name, target, &data, &format!("BUS_FUZZ_SEED={seed}, run {run}"));
        }
        println!("{name}: {runs} inputs in {:?}", started.elapsed());
    }
}

#[test]
fn every_target_is_one_of_libfuzzer_too() {
    let here: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let files = code::files("fuzz/fuzz_targets/").into_iter();
    let there: BTreeSet<_> = files
        .map(|path| {
            let name = path.trim_start_matches("fuzz/fuzz_targets/").trim_end_matches(".rs").to_owned();
            assert!(
                code::read(&path).contains(&format!("bus_runtime::fuzz::ask(\"{name}\", data)")),
                "{path}"
            );
            name
        })
        .collect();
    assert_eq!(here, there);
    let manifest = code::read("fuzz/Cargo.toml");
    for name in here {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}
