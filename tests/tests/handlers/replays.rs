//! Dead letters that go back to their handlers, or into a file and out of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus_runtime::dead_letters::{Canary, CanaryFate, Control, DeadLetters, Ended, Letter, Replay, Selection};
use bus_runtime::prelude::*;
use bus_runtime::{Attempt, Redelivered};
use bus_tests::arena::{Arena, Calls};

use crate::dead_letters::{all, until_dead, where_};

/// Whether the handlers of a test fail.
#[derive(Clone, Default)]
struct Broken(Arc<AtomicBool>);

impl Broken {
    fn yes() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    fn mend(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), String> {
        if self.0.load(Ordering::SeqCst) { Err("it is broken".to_owned()) } else { Ok(()) }
    }
}

pub(crate) mod r11_a_replay_calls_the_handler_as_new {
    use super::*;

    #[react("replay.*.saved", retry(max = 1, initial = "20ms"))]
    async fn index(
        key: RoutingKey,
        body: Json,
        attempt: Attempt,
        redelivered: Redelivered,
        broken: State<Broken>,
        calls: State<Calls>,
    ) -> Result<(), String> {
        broken.check()?;
        calls.add(format!("{key} {} {attempt} {}", *body, redelivered.0));
        Ok(())
    }

    #[react("replay.#")]
    async fn sibling(calls: State<Calls>) {
        calls.add("sibling");
    }

    pub(crate) async fn run(arena: Arena) {
        let (calls, broken) = (Calls::default(), Broken::yes());
        let app = arena.app(module_path!()).state(calls.clone()).state(broken.clone());
        let bus = app.start().await.unwrap();
        for page in ["a", "b", "c"] {
            bus.react(format!("replay.{page}.saved"), &page).await.unwrap();
        }
        let dead = bus.plan().queues.iter().find(|queue| queue.name.contains("index")).unwrap().dead.clone();
        let dead = dead.trim_start_matches(arena.name("").as_str()).to_owned();
        arena.until_ready(&dead, 3).await;
        calls.until(3).await;
        let letters = bus.dead_letters();

        let mut dry = Replay::default();
        dry.dry_run = true;
        assert_eq!(letters.replay(&Selection::default(), &dry, Control::default()).await.unwrap().moved, 3);
        let mut one = Replay::default();
        one.limit = Some(1);
        let replayed = letters.replay(&where_("key=replay.b.*"), &one, Control::default()).await.unwrap();
        assert_eq!((replayed.moved, replayed.ended), (1, Ended::Limit));
        // It is still broken: the letter comes back, and knows that it was replayed.
        arena.until_ready(&dead, 3).await;
        let again = letters.list(&where_("replays=1"), 10).await.unwrap().letters;
        assert_eq!((again.len(), again[0].attempts), (1, Some(2)));

        broken.mend();
        let replayed = letters.replay(&Selection::default(), &Replay::default(), Control::default()).await;
        let replayed = replayed.unwrap();
        assert_eq!((replayed.moved, replayed.failed, replayed.ended), (3, 0, Ended::Done));
        calls.until(6).await;
        bus.settled().await.unwrap();
        let mut all_calls = calls.all();
        all_calls.sort();
        let wanted = [
            r#"replay.a.saved "a" 1 false"#,
            r#"replay.b.saved "b" 1 false"#,
            r#"replay.c.saved "c" 1 false"#,
            "sibling",
            "sibling",
            "sibling",
        ];
        assert_eq!(all_calls, wanted, "siblings are not called again");
        assert_eq!(all(&letters).await.len(), 0);
        bus.shutdown().await;
    }
}

pub(crate) mod r11_a_replay_is_for_the_member_that_failed {
    use super::*;

    #[react("members.#", queue = "members.shared", retry = "none")]
    async fn fails(broken: State<Broken>, calls: State<Calls>) -> Result<(), String> {
        broken.check()?;
        calls.add("mended");
        Ok(())
    }

    #[react("members.#", queue = "members.shared")]
    async fn succeeds(calls: State<Calls>) {
        calls.add("succeeds");
    }

    pub(crate) async fn run(arena: Arena) {
        let (calls, broken) = (Calls::default(), Broken::yes());
        let app = arena.app(module_path!()).state(calls.clone()).state(broken.clone());
        let bus = app.start().await.unwrap();
        bus.react("members.x", &()).await.unwrap();
        until_dead(&arena, &bus, 1).await;
        broken.mend();
        let letters = bus.dead_letters();
        let mut keep = Replay::default();
        keep.keep = true;
        for replay in [keep, Replay::default()] {
            let replayed = letters.replay(&Selection::default(), &replay, Control::default()).await.unwrap();
            assert_eq!(replayed.moved, 1);
        }
        calls.until(3).await;
        bus.settled().await.unwrap();
        let mut all_calls = calls.all();
        all_calls.sort();
        assert_eq!(all_calls, ["mended", "mended", "succeeds"]);
        assert_eq!(all(&letters).await.len(), 0);
        bus.shutdown().await;
    }
}

pub(crate) mod canaries_go_first {
    use super::*;

    #[react("canary.#", retry(max = 1, initial = "20ms"))]
    async fn sings(broken: State<Broken>, calls: State<Calls>) -> Result<(), String> {
        broken.check()?;
        calls.add("sings");
        Ok(())
    }

    pub(crate) async fn run(arena: Arena) {
        let (calls, broken) = (Calls::default(), Broken::yes());
        let app = arena.app(module_path!()).state(calls.clone()).state(broken.clone());
        let bus = app.start().await.unwrap();
        for number in 0..20 {
            bus.react(format!("canary.{number}"), &number).await.unwrap();
        }
        until_dead(&arena, &bus, 20).await;
        let letters = bus.dead_letters();
        let mut replay = Replay::default();
        replay.canary = Some(Canary { count: 5, abort_over: 70.0, wait: Duration::from_secs(60) });
        let replayed = letters.replay(&Selection::default(), &replay, Control::default()).await.unwrap();
        assert_eq!((replayed.moved, replayed.ended), (5, Ended::Aborted), "{replayed:?}");
        let fate = replayed.canary.unwrap();
        assert!(fate.dead > 3 && fate.handled == 0, "{fate:?}");
        until_dead(&arena, &bus, 20).await;
        assert_eq!(calls.count(), 0, "the others did not follow");

        broken.mend();
        let replayed = letters.replay(&Selection::default(), &replay, Control::default()).await.unwrap();
        assert_eq!((replayed.moved, replayed.ended), (20, Ended::Done), "{replayed:?}");
        let CanaryFate { handled, dead, undecided, .. } = replayed.canary.unwrap();
        assert_eq!((handled, dead, undecided), (5, 0, 0));
        calls.until(20).await;
        assert_eq!(all(&letters).await.len(), 0);
        bus.shutdown().await;
    }
}

pub(crate) mod a_replay_that_cannot_go_on_loses_nothing {
    use super::*;

    #[react("stuck.#", retry = "none")]
    async fn fails() -> Result<(), String> {
        Err("no".to_owned())
    }

    pub(crate) async fn run(arena: Arena) {
        let bus = arena.app(module_path!()).start().await.unwrap();
        for number in 0..10 {
            bus.react("stuck.x", &number).await.unwrap();
        }
        until_dead(&arena, &bus, 10).await;
        let letters = bus.dead_letters();
        let before = all(&letters).await;
        let mut nowhere = Replay::default();
        nowhere.to = Some(arena.name("nowhere"));
        let replayed = letters.replay(&Selection::default(), &nowhere, Control::default()).await.unwrap();
        assert_eq!((replayed.moved, replayed.failed), (0, 10));
        assert!(replayed.problems[0].problem.contains("does not exist"), "{replayed:?}");

        // Whoever stops a replay stops between two letters.
        let mut slow = Replay::default();
        slow.per_second = Some(0.1);
        let begun = tokio::sync::Notify::new();
        let control = Control::new(begun.notified(), |_| begun.notify_one());
        let replayed = letters.replay(&Selection::default(), &slow, control).await.unwrap();
        assert_eq!((replayed.moved, replayed.ended), (1, Ended::Stopped));
        until_dead(&arena, &bus, 10).await;

        // And whoever drops it in the middle has at most copies.
        let replay = Replay::default();
        let selection = Selection::default();
        let dropped = letters.replay(&selection, &replay, Control::default());
        let _ = tokio::time::timeout(Duration::from_micros(500), dropped).await;
        bus.settled().await.unwrap();
        let everything_is_back = async {
            let mut bodies = BTreeSet::new();
            while bodies.len() < before.len() {
                bodies.extend(all(&letters).await.iter().map(|letter| letter.envelope.body.to_vec()));
            }
        };
        tokio::time::timeout(Duration::from_secs(15), everything_is_back).await.expect("nothing is lost");
        bus.shutdown().await;
    }
}

pub(crate) mod export_and_import_bring_everything_back {
    use super::*;

    #[react("export.#", retry = "none")]
    async fn fails() -> Result<(), String> {
        Err("no \"quotes\"\nand two lines".to_owned())
    }

    pub(crate) async fn run(arena: Arena) {
        let bus = arena.app(module_path!()).start().await.unwrap();
        let exchange = arena.name("react").to_string();
        let bodies: [&[u8]; 4] = [b"{}", b"\xff\x00\xfe", b"", "ä\n\u{1}".as_bytes()];
        for body in bodies {
            let message = bus.publish_raw(&exchange, "export.x", body.to_vec());
            message
                .header("n", 7_i64)
                .header("f", 0.1)
                .header("nested", vec![1_i64.into(), "x".into()])
                .await
                .unwrap();
        }
        until_dead(&arena, &bus, 4).await;
        let letters = bus.dead_letters();
        let before = all(&letters).await;
        let mut file = Vec::new();
        assert_eq!(letters.export(&Selection::default(), &mut file).await.unwrap(), 4);
        assert_eq!(DeadLetters::check(file.as_slice()), Ok(4));
        assert_eq!(letters.purge(&Selection::default()).await.unwrap(), 4);
        until_dead(&arena, &bus, 0).await;
        assert_eq!(letters.import(file.as_slice(), None).await.unwrap().letters, 4);
        let after = all(&letters).await;
        let envelopes =
            |letters: &[Letter]| letters.iter().map(|one| (*one.envelope).clone()).collect::<Vec<_>>();
        let key = |envelope: &bus_runtime::Envelope| envelope.properties.message_id.clone();
        let (mut one, mut other) = (envelopes(&before), envelopes(&after));
        one.sort_by_key(key);
        other.sort_by_key(key);
        assert_eq!(one, other);

        let broken = [&file[..], b"\n{\"schema\":1}\nnonsense\n"].concat();
        let mistakes = DeadLetters::check(broken.as_slice()).unwrap_err();
        let lines: Vec<_> = mistakes.iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines, [6, 7]);
        bus.shutdown().await;
    }
}
