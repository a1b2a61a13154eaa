//! What a worker does at its start: `--declare`.

use bus_runtime::provision::{Apply, Declare};
use bus_runtime::topology::diff::Change;
use bus_runtime::{App, Error, ErrorKind};
use bus_tests::arena::Arena;

use crate::stages::{after, before};

fn declaring(arena: &Arena, module: &str, declare: Declare) -> App {
    let mut config = arena.config();
    config.declare = declare;
    arena.app(module).config(config)
}

async fn apply(arena: &Arena, module: &str) {
    let provision = arena.app(module).provision().await.unwrap();
    provision.apply(&Apply::default()).await.unwrap();
}

fn places(error: &Error) -> Vec<String> {
    error.places().iter().map(|(place, label)| format!("{}: {label}", place.file)).collect()
}

pub(crate) async fn never_names_everything_that_is_missing(arena: Arena) {
    let error = declaring(&arena, before::MODULE, Declare::Never).start().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.kind().code(), error.kind().exit_code()),
        (ErrorKind::NotFound, "BUS0106", 78)
    );
    let text = error.to_string();
    for name in ["audit", "react", "messages", "tickets", "tickets.dead", "bus.due"] {
        assert!(text.contains(&format!("`{}`", arena.name(name))), "{text} should name {name}");
    }
    assert!(text.ends_with("do not exist, and --declare is never"), "{text}");
    let tickets = format!("ticket needs `{}`", arena.name("tickets"));
    assert!(
        places(&error).iter().any(|place| place.contains("stages.rs") && place.contains(&tickets)),
        "{error:?}"
    );
    assert_eq!(arena.transport().inspect(&arena.name("tickets")).await.unwrap(), None);

    apply(&arena, before::MODULE).await;
    declaring(&arena, before::MODULE, Declare::Never).start().await.unwrap().shutdown().await;
}

pub(crate) async fn n6_other_arguments_are_named_with_their_place(arena: Arena) {
    apply(&arena, before::MODULE).await;
    let error = declaring(&arena, after::MODULE, Declare::Always).start().await.unwrap_err();
    assert_eq!((error.kind().code(), error.kind().exit_code()), ("BUS0107", 78));
    let queue = arena.name("tickets");
    let expected = format!(
        "queue `{queue}` exists with other arguments: x-message-ttl is 60000 on the broker and 90000 in the code"
    );
    assert_eq!(error.to_string(), expected);
    let places = places(&error);
    assert_eq!(places.len(), 1, "{places:?}");
    assert!(places[0].contains("topology/stages.rs: topology::stages::after::ticket declares x-message-ttl = 90000 (the broker has 60000)"), "{places:?}");
    assert!(error.help().unwrap().contains("topology diff"));
}

pub(crate) async fn setup_runs_first_and_its_error_ends_the_start(arena: Arena) {
    let failing = arena.app(before::MODULE).setup(async |_app| Err::<App, _>("no disk"));
    let error = failing.start().await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Setup, "the app's setup failed"));
    assert_eq!(std::error::Error::source(&error).map(ToString::to_string).as_deref(), Some("no disk"));
    assert_eq!(arena.transport().inspect(&arena.name("tickets")).await.unwrap(), None, "nothing is declared");
    let app = arena.app(before::MODULE).setup(async |app| {
        tokio::task::yield_now().await;
        Ok::<_, Error>(app.name("named by its setup"))
    });
    let bus = app.start().await.unwrap();
    assert!(format!("{bus:?}").contains("named by its setup"), "{bus:?}");
    bus.shutdown().await;
}

pub(crate) async fn missing_leaves_the_rest_as_it_is(arena: Arena) {
    apply(&arena, before::MODULE).await;
    declaring(&arena, after::MODULE, Declare::Missing).start().await.unwrap().shutdown().await;
    let now = arena.app(after::MODULE).provision().await.unwrap();
    let changes = now.diff().await.unwrap().changes;
    assert!(!changes.iter().any(|change| matches!(change, Change::MissingQueue { .. })), "{changes:?}");
    assert!(changes.iter().any(|change| matches!(change, Change::DifferentQueue { .. })), "{changes:?}");
}

pub(crate) async fn a_worker_notes_what_it_declares(arena: Arena) {
    for _ in 0..2 {
        declaring(&arena, before::MODULE, Declare::Always).start().await.unwrap().shutdown().await;
    }
    let now = arena.app(after::MODULE).provision().await.unwrap();
    let mark = now.mark().await.unwrap();
    if arena.transport().describe().system == "embedded" {
        // What ends with the process is not worth a note.
        return assert_eq!(mark, None);
    }
    assert_eq!(mark.unwrap().serial, 1, "the second start has nothing to add");
    let changes = now.diff().await.unwrap().changes;
    let left = changes.iter().filter(|change| matches!(change, Change::LeftQueue { .. }));
    assert_eq!(left.count(), 2, "{changes:?}");
}
