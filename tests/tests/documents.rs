//! The documents say what the code says: names of files, options, variables and codes, and programs that stand in two places.

use std::collections::BTreeSet;

use bus_tests::code::{files, read, root};

/// What does not belong to the name of an option.
const NO_NAME: fn(char) -> bool = |letter| !letter.is_alphanumeric() && letter != '_';
const DOCUMENTS: [&str; 4] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];

#[test]
fn files_that_are_named_are_there() {
    let all: BTreeSet<String> = files("").into_iter().collect();
    // Files of those who use Bus.
    let of_users = ["bus.toml", "asyncapi.yaml"];
    let is_there = |name: &str| {
        let places = [String::new(), "bus-runtime/src/".to_owned()].map(|folder| format!("{folder}{name}"));
        let folder = |place: &String| place.ends_with('/') && root().join(place).is_dir();
        places.iter().any(|place| all.contains(place) || folder(place))
            || in_a_folder_named_before(&all, name)
            || of_users.contains(&name)
    };
    for document in DOCUMENTS {
        for name in named_files(&read(document)) {
            assert!(is_there(&name), "{document} names `{name}`, which is not there");
        }
    }
}

#[test]
fn tests_that_are_named_are_there() {
    let tidy = read("tests/tests/tidy.rs");
    let architecture = read("ARCHITECTURE.md");
    let named: Vec<_> = in_backticks(&architecture).filter_map(|name| name.strip_prefix("tidy::")).collect();
    assert!(!named.is_empty(), "ARCHITECTURE.md names the tests of its invariants");
    for name in named {
        assert!(tidy.contains(&format!("#[test]\nfn {name}()")), "there is no test `{name}`");
    }
}

#[test]
fn the_quickstart_is_the_same_everywhere() {
    let readme = read("README.md");
    let quickstart = readme.split("```rust").nth(1).and_then(|block| block.split("```").next());
    let (_, quickstart) = quickstart.and_then(|block| block.split_once('\n')).expect("the quickstart");
    let documented: String =
        quickstart.lines().map(|line| format!("/// {line}").trim_end().to_owned() + "\n").collect();
    assert!(read("bus-runtime/src/lib.rs").contains(&documented), "`run()` is documented by the quickstart");
}

#[test]
fn the_expansion_is_what_the_macro_prints() {
    let golden = read("bus-macros/src/goldens/quickstart.rs");
    let (_, expansion) = golden.split_once("\n\n").expect("a first line");
    assert!(
        read("README.md").contains(expansion.trim()),
        "README.md shows another expansion than the golden file"
    );
    let (_, constant) = expansion.split_once("}\nconst").expect("the registration");
    assert!(read("ARCHITECTURE.md").contains(constant.trim()), "so does ARCHITECTURE.md");
}

#[test]
fn every_option_is_documented() {
    let readme = read("README.md");
    for file in ["bus-macros/src/options.rs", "bus-macros/src/retry.rs", "bus-macros/src/message.rs"] {
        let source = read(file);
        let names =
            ["listed: &[", "aliases: &[", "names(&["].map(|list| texts_of_list(&source, list)).concat();
        assert!(!names.is_empty(), "{file} lists no options");
        for name in names {
            let told = in_backticks(&readme).any(|code| code.split(NO_NAME).any(|word| word == name));
            assert!(told, "README.md does not tell `{name}`");
        }
    }
}

#[test]
fn every_variable_is_documented_and_no_other() {
    let is_variable = |text: &str| {
        let is_name = text.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
        is_name && !text.ends_with('_') && (text.contains('_') || text == "HANDLERS")
    };
    let sources =
        files("bus-runtime/src/config/").into_iter().chain(["bus-runtime/src/config.rs".to_owned()]);
    let product = sources.map(|path| {
        let text = read(&path);
        text.split("#[cfg(test)]")
            .next()
            .unwrap_or_default()
            .split("#[cfg(all(test")
            .next()
            .unwrap_or_default()
            .to_owned()
    });
    let product: String = product.collect();
    let known: BTreeSet<_> = product.split('"').skip(1).step_by(2).filter(|text| is_variable(text)).collect();
    let readme = read("README.md");
    let section = readme.split("### Environment").nth(1).and_then(|rest| rest.split("\n#").next());
    let cells = section.expect("the section").lines().filter_map(|line| line.strip_prefix("| "));
    let cells: Vec<_> = cells.filter_map(|line| line.split(" | ").next()).collect();
    let told: BTreeSet<_> =
        cells.iter().flat_map(|cell| in_backticks(cell)).filter(|name| is_variable(name)).collect();
    // The log filter reads it, and `_FILE` stands for four names.
    let told: BTreeSet<_> = told.into_iter().filter(|name| !["RUST_LOG", "_FILE"].contains(name)).collect();
    assert_eq!(told, known);
}

#[test]
fn every_exit_code_is_documented() {
    let cli = read("bus-runtime/src/cli/mod.rs");
    let (_, codes) = cli.split_once("Exit codes:\n").expect("the text of --help");
    let codes = codes.split("\";").next().unwrap_or_default();
    let readme = read("README.md");
    for line in codes.lines() {
        let (code, meaning) = line.trim().split_once("  ").expect("a code and its meaning");
        let row = format!("| {code} | {} |", meaning.trim());
        assert!(readme.contains(&row), "README.md lacks the row {row}");
    }
}

#[test]
fn every_code_has_a_text_and_every_text_a_code() {
    let told: BTreeSet<_> = codes(&read("bus-runtime/src/cli/codes.md"), "## BUS").into_iter().collect();
    let product = files("bus-runtime/src/").into_iter().filter(|path| {
        path.ends_with(".rs")
            && !path.ends_with("tests.rs")
            && !path.contains("/tests/")
            && !path.ends_with("cli/codes.rs")
    });
    let printed: BTreeSet<_> = product
        .flat_map(|path| {
            let text = read(&path);
            codes(text.split("#[cfg(test)]\nmod ").next().unwrap_or_default(), "\"BUS")
        })
        .collect();
    assert!(printed.len() > 40, "{printed:?}");
    assert_eq!(printed, told);
}

/// The codes that stand behind this text.
fn codes(text: &str, before: &str) -> Vec<String> {
    let found = text.split(before).skip(1).filter_map(|rest| rest.get(..4));
    found
        .filter(|digits| digits.chars().all(|one| one.is_ascii_digit()))
        .map(|digits| format!("BUS{digits}"))
        .collect()
}

/// Names in backticks that are those of files or folders.
fn named_files(text: &str) -> Vec<String> {
    let is_path = |name: &&str| {
        let is_plain = name.chars().all(|letter| letter.is_alphanumeric() || "_-./".contains(letter));
        let ends = [".rs", ".md", ".toml", ".sh", "/"].iter().any(|end| name.ends_with(end));
        is_plain && ends && name.len() > 1
    };
    in_backticks(text).filter(is_path).map(|name| name.trim_start_matches("./").to_owned()).collect()
}

/// A table says `args.rs` where the text before it says in which folder that is.
fn in_a_folder_named_before(all: &BTreeSet<String>, name: &str) -> bool {
    !name.contains('/') && all.contains(&format!("bus-macros/src/{name}"))
}

fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The texts in each list that begins so.
fn texts_of_list<'s>(source: &'s str, begin: &str) -> Vec<&'s str> {
    let lists = source.split(begin).skip(1).filter_map(|rest| rest.split(']').next());
    lists.flat_map(|list| list.split('"').skip(1).step_by(2)).collect()
}

#[test]
fn names_are_found_in_texts() {
    assert_eq!(named_files("see `a/b.rs`, `./run.sh`, `x`, `f()` and `cc/`"), ["a/b.rs", "run.sh", "cc/"]);
    assert_eq!(texts_of_list("A { listed: &[\"x\",\n \"y\"], other: &[\"z\"] }", "listed: &["), ["x", "y"]);
}
