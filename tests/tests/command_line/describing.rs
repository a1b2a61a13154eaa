//! Commands that only tell: they ask no broker, so a wrong address does not matter.

use crate::Desk;

#[test]
fn codes_and_exit_codes_are_explained() {
    let desk = Desk::new();
    let all = desk.json(&["explain"]);
    assert_eq!(all["schema"], "bus.codes/1");
    assert!(all["items"].as_array().unwrap().len() > 50);
    assert!(desk.ok(&["explain", "301"]).starts_with("BUS0301: an event has no handler"));
    assert!(desk.ok(&["explain", "78"]).contains("BUS0006  the broker's URL cannot be used"));
    assert_eq!(desk.json(&["explain", "bus0006"])["exit_code"], 78);
    let unknown = desk.run(&["explain", "BUS0399"]);
    assert_eq!((unknown.code, unknown.out.as_str()), (2, ""));
    assert!(unknown.err.starts_with("there is no code BUS0399\n"), "{}", unknown.err);
}

#[test]
fn an_error_says_where_more_is_said() {
    let told = Desk::new().run(&["-b", "localhost:5672", "handlers"]);
    assert_eq!((told.code, told.out.as_str()), (78, ""));
    assert!(told.err.starts_with("error[BUS0006]: "), "{}", told.err);
    assert!(told.err.ends_with("see: desk explain BUS0006\n"), "{}", told.err);
}

#[test]
fn shells_complete_and_man_explains() {
    let desk = Desk::new();
    for (shell, sign) in [("bash", "_desk()"), ("zsh", "#compdef desk"), ("fish", "complete -c desk")] {
        let script = desk.ok(&["completions", shell]);
        assert!(script.contains(sign) && script.contains("describe"), "{shell}");
    }
    assert_eq!(desk.run(&["completions", "cmd"]).code, 2);
    let page = desk.ok(&["docs", "man"]);
    assert!(page.contains(".TH desk 1") && page.contains("Exit codes"), "{page}");
}

/// Each setting from another place.
fn settled() -> Desk {
    Desk::new()
        .file("bus.toml", "broker_url = \"amqp://app:s3cret@filed\"\nconcurrency = 4\ntimeout = \"5s\"\nprefetch = 3\n\n[handler.\"desk::pack\"]\nretries = 7\n")
        .file(".env", "BUS_TIMEOUT=6s\nBUS_PREFETCH=30\n")
        .with("BUS_PREFETCH", "40")
        .with("BUS_HANDLER__DESK__PACK__TIMEOUT", "2m")
}

#[test]
fn o4_every_setting_says_where_it_comes_from() {
    let told = settled().json(&["config", "show"]);
    let of = |name: &str| {
        let items = told["items"].as_array().unwrap();
        let item =
            items.iter().find(|item| item["name"] == name).unwrap_or_else(|| panic!("{name}: {told:#}"));
        (item["value"].clone(), item["origin"].as_str().unwrap().to_owned())
    };
    assert_eq!(of("BROKER_URL"), ("amqp://app:***@filed:5672".into(), "bus.toml:1".to_owned()));
    assert_eq!(of("BUS_CONCURRENCY"), (4.into(), "bus.toml:2".to_owned()));
    assert_eq!(of("BUS_TIMEOUT"), (6.0.into(), ".env".to_owned()));
    assert_eq!(of("BUS_PREFETCH"), (40.into(), "environment".to_owned()));
    assert_eq!(of("BUS_SHUTDOWN_GRACE"), (7.0.into(), "code".to_owned()));
    assert_eq!(of("BUS_EXCHANGE"), ("messages".into(), "default".to_owned()));
    assert_eq!(of("BUS_HANDLER__DESK__PACK__RETRIES"), (7.into(), "bus.toml:7".to_owned()));
    assert_eq!(of("BUS_HANDLER__DESK__PACK__TIMEOUT"), (120.0.into(), "environment".to_owned()));
    let table = settled().ok(&["-b", "amqp://other", "config", "show", "--origin", "--changed"]);
    let words: Vec<_> =
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert!(words.contains(&"BROKER_URL amqp://guest:***@other:5672 --broker-url".to_owned()), "{table}");
    assert!(!table.contains("default"), "{table}");
}

#[test]
fn a_mistake_in_the_file_is_told_with_its_line() {
    let desk = Desk::new().file("other.toml", "\nconcurency = 4\n");
    let told = desk.run(&["-c", "other.toml", "handlers"]);
    assert_eq!(told.code, 78);
    assert!(
        told.err.starts_with(
            "error[BUS0010]: other.toml:2: there is no setting `concurency`; did you mean `concurrency`?\n"
        ),
        "{}",
        told.err
    );
    let told = Desk::new().with("BUS_CONFIG", "missing.toml").run(&["handlers"]);
    assert_eq!(told.code, 78, "{}", told.err);
    let told = Desk::new().file("bus.toml", "timeout = \"soon\"").run(&["handlers"]);
    assert!(
        told.err.starts_with("error[BUS0010]: bus.toml:1: timeout `soon` is not a duration"),
        "{}",
        told.err
    );
    let told = Desk::new().with("BUS_HANDLER__DESK__PAKC__TIMEOUT", "1").run(&["handlers"]);
    assert_eq!(told.code, 0);
    assert!(
        told.err.contains(
            "there is no handler DESK__PAKC, and what is set for it is not used; did you mean DESK__PACK?"
        ),
        "{}",
        told.err
    );
}

#[test]
fn a_handler_is_described_with_what_has_set_its_options() {
    let told = settled().ok(&["describe", "pack"]);
    assert!(
        told.starts_with(
            "desk::pack\n  Packs what was ordered.\n  \n  An order without lines is refused.\n\n  kind "
        ),
        "{told}"
    );
    for line in [
        "message       desk::OrderPlaced, version 2, topic order.placed",
        "timeout              2m         environment (BUS_HANDLER__DESK__PACK__TIMEOUT)",
        "retries              7          bus.toml:7 (BUS_HANDLER__DESK__PACK__RETRIES)",
        "concurrency          2          attribute",
        "prefetch             40         environment (BUS_PREFETCH)",
    ] {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.lines().any(|told| words(told) == words(line)), "{line} is not in\n{told}");
    }
    let told = settled().json(&["describe"]);
    assert_eq!(told["items"].as_array().unwrap().len(), 4);
    let told = Desk::new().run(&["describe", "desk::pakc"]);
    assert_eq!(told.code, 78);
    assert!(told.err.contains("there is no handler desk::pakc; did you mean desk::pack?"), "{}", told.err);
}
