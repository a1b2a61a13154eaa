//! The screen as people see it, and what keys do to it.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::numbers::{Handler, Numbers, Queue};
use super::Tab;
use super::live::{frame, text_of};
use super::seen::Seen;
use super::state::{Action, Mode, Pace, Screen};
use crate::fleet::{Failure, Peer, Report, State};

fn peer(name: &str) -> Peer {
    Peer { id: format!("id-of-{name}"), name: name.to_owned(), host: "web-1".to_owned() }
}

fn worker(name: &str, state: State) -> Report {
    Report {
        peer: peer(name),
        app: "forge".to_owned(),
        version: Some("1.2.3".to_owned()),
        pid: 7,
        uptime_seconds: 200.0,
        handlers: 2,
        in_flight: 3,
        handled: 1_000,
        failed: 4,
        memory_bytes: Some(21_300_000),
        state,
        problems: Vec::new(),
    }
}

fn seen() -> Seen {
    let handler = |name: &str, failed_per_second| Handler {
        name: name.to_owned(),
        kind: "react".to_owned(),
        queue: format!("{name}.react"),
        workers: 2,
        per_second: 12.5,
        failed_per_second,
        ..Handler::default()
    };
    let queue = |name: &str, consumers, dead| Queue {
        name: name.to_owned(),
        ready: Some(5),
        consumers: Some(consumers),
        dead_letters: Some(dead),
    };
    let failure = Failure {
        at: "2026-01-02T03:04:05.000Z".to_owned(),
        handler: "wiki::save".to_owned(),
        queue: "wiki.save.react".to_owned(),
        key: "wiki.page.saved".to_owned(),
        message_id: Some("m-1".to_owned()),
        attempt: 2,
        outcome: "retried".to_owned(),
        error: "no room\u{1b}[2J for it".to_owned(),
        error_type: "String".to_owned(),
    };
    Seen {
        numbers: Numbers {
            workers: vec![worker("forge-1", State::Running), worker("forge-2", State::Quiet)],
            silent: vec![peer("forge-3")],
            handlers: vec![handler("mail::send", 0.0), handler("wiki::save", 2.0)],
            queues: vec![queue("letters", 0, 0), queue("pages", 2, 3)],
        },
        rates: [1, 5, 25].into(),
        failures: vec![("forge-1".to_owned(), failure)],
        groups: Some(Vec::new()),
    }
}

fn screen(tab: Tab) -> Screen {
    Screen { app: "forge".to_owned(), tab, seen: seen(), ..Screen::default() }
}

fn shown(screen: &Screen) -> String {
    text_of(&frame(screen, 110, 24))
}

fn press(screen: &mut Screen, keys: &str) -> Action {
    let mut last = Action::Nothing;
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Esc,
            letter => KeyCode::Char(letter),
        };
        last = screen.press(KeyEvent::new(code, KeyModifiers::NONE));
    }
    last
}

#[test]
fn the_overview_says_what_needs_attention() {
    let text = shown(&screen(Tab::Overview));
    let head =
        "forge   2 workers   25.0/s handled   2.0/s failed   6 in flight   10 waiting   3 dead letters";
    assert!(text.starts_with(head), "{text}");
    let order = ["forge-3", "letters", "forge-2", "wiki::save", "pages"];
    let places: Vec<_> = order
        .iter()
        .map(|word| text.find(&format!("\n{word} ")).unwrap_or_else(|| panic!("{text}")))
        .collect();
    assert!(places.is_sorted(), "the worst comes first: {text}");
    assert!(text.contains("the worker on web-1 does not answer"), "{text}");
    assert!(text.contains("5 messages wait, and nobody consumes it"), "{text}");
    assert!(text.contains("Handled a second, at most 25") && text.contains('█'), "{text}");
    let calm = Screen { app: "forge".to_owned(), ..Screen::default() };
    assert!(shown(&calm).contains("All is well."), "{}", shown(&calm));
}

#[test]
fn every_tab_shows_its_rows() {
    let table = [
        (Tab::Handlers, ["mail::send", "12.5", "react"]),
        (Tab::Queues, ["letters", "Waiting", "pages"]),
        (Tab::Failures, ["wiki.page.saved", "retried", "2026-01-02"]),
        (Tab::DeadLetters, ["There are no dead letters.", "", ""]),
        (Tab::Workers, ["3m 20s", "21.3 MB", "silent"]),
    ];
    for (tab, words) in table {
        let text = shown(&screen(tab));
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
    let text = shown(&screen(Tab::Failures));
    assert!(text.contains(r"no room\u{1b}[2J for it"), "it stays text: {text}");
}

#[test]
fn a_small_terminal_is_no_reason_to_fail() {
    for (width, height) in [(1, 1), (20, 5), (300, 100)] {
        for tab in [Tab::Overview, Tab::Workers] {
            let mut screen = screen(tab);
            press(&mut screen, "\n");
            let _ = frame(&screen, width, height);
        }
    }
}

#[test]
fn keys_choose_tabs_and_rows_and_show_everything_about_one() {
    let mut screen = screen(Tab::Overview);
    assert_eq!(press(&mut screen, "6"), Action::Look);
    assert_eq!(screen.tab, Tab::Workers);
    assert_eq!(press(&mut screen, "\t"), Action::Look);
    assert_eq!(screen.tab, Tab::Overview, "behind the last comes the first");
    press(&mut screen, "4\n");
    let text = shown(&screen);
    assert!(text.contains("Message") && text.contains("m-1"), "{text}");
    press(&mut screen, "\u{1b}2jjjj");
    assert_eq!(screen.chosen().unwrap().cells[0], "wiki::save", "there is no row behind the last");
    press(&mut screen, "k");
    assert_eq!(screen.chosen().unwrap().cells[0], "mail::send");
    assert_eq!(press(&mut screen, "q"), Action::Quit);
}

#[test]
fn a_filter_leaves_the_rows_with_its_text() {
    let mut screen = screen(Tab::Handlers);
    press(&mut screen, "/WIKIq");
    assert_eq!(screen.mode, Mode::Filter, "a letter of the filter is no command");
    assert!(shown(&screen).contains("No row has this text."), "{}", shown(&screen));
    screen.press(KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE));
    press(&mut screen, "\n");
    let text = shown(&screen);
    assert!(text.contains("wiki::save") && !text.contains("mail::send"), "{text}");
    press(&mut screen, "\u{1b}");
    assert!(shown(&screen).contains("mail::send"));
}

#[test]
fn a_group_is_replayed_after_a_question() {
    let mut screen = screen(Tab::Handlers);
    assert_eq!(press(&mut screen, "r"), Action::Nothing);
    assert!(shown(&screen).contains("choose one on their tab"), "{}", shown(&screen));
    screen.mode = Mode::Question("1a2b3c4d".to_owned());
    assert!(shown(&screen).contains("Send the dead letters of group 1a2b3c4d back"), "{}", shown(&screen));
    assert_eq!(press(&mut screen, "n"), Action::Nothing);
    screen.mode = Mode::Question("1a2b3c4d".to_owned());
    assert_eq!(press(&mut screen, "y"), Action::Replay("1a2b3c4d".to_owned()));
    screen.note = Some("replayed 3".to_owned());
    assert!(shown(&screen).contains("replayed 3"));
    screen.trouble = Some("there is no connection".to_owned());
    assert!(shown(&screen).starts_with("forge   there is no connection\n"), "{}", shown(&screen));
    press(&mut screen, "P");
    assert_eq!(screen.note, None, "it was read");
    assert_eq!(screen.pace, Pace::Paused);
    assert!(shown(&screen).contains("paused"));
}
