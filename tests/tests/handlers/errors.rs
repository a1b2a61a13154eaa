//! Errors that say what they mean for the message: `#[derive(HandlerError)]`.

use bus_runtime::{Attempt, HandlerError, prelude::*};
use bus_tests::arena::{Arena, Calls};

/// What has become of the messages: how often each was called, and how each of the dead ones died.
async fn ends(arena: &Arena, bus: &bus_runtime::Bus, dead: u64) -> Vec<String> {
    let queue = bus.plan().queues[0].dead.clone();
    let queue = queue.trim_start_matches(arena.name("").as_str());
    arena.until_ready(queue, dead).await;
    bus.settled().await.unwrap();
    let text =
        |letter: &bus_runtime::Envelope, name| letter.headers.text(name).unwrap_or_default().to_owned();
    let letters = arena.take(queue).await;
    let mut ends: Vec<_> = letters
        .iter()
        .map(|letter| {
            format!(
                "{} {} {}",
                text(letter, "bus-routing-key"),
                text(letter, "bus-reason"),
                text(letter, "bus-error")
            )
        })
        .collect();
    ends.sort();
    ends
}

pub(crate) mod each_variant_decides {
    use super::*;

    #[derive(Debug, thiserror::Error, HandlerError)]
    enum MailError {
        #[error("refused")]
        #[retry]
        Refused,
        #[error("throttled for {0} s")]
        #[retry(after = "100ms")]
        Throttled(u64),
        #[error("no such address: {address}")]
        #[dead_letter]
        Unknown { address: String },
        #[error("sent already")]
        #[discard]
        Sent,
        #[error("the file")]
        #[dead_letter]
        File(#[from] std::io::Error),
    }

    /// Each variant says something else than `on_error`.
    #[react("variant.*", on_error = "dead_letter", retry(max = 1, initial = "50ms"))]
    async fn mail(key: RoutingKey, attempt: Attempt, calls: State<Calls>) -> Result<(), MailError> {
        calls.add(format!("{key} {attempt}"));
        match key.as_str() {
            "variant.refused" => Err(MailError::Refused),
            "variant.throttled" if attempt == Attempt(1) => Err(MailError::Throttled(3)),
            "variant.unknown" => Err(MailError::Unknown { address: "nobody".to_owned() }),
            "variant.sent" => Err(MailError::Sent),
            "variant.file" => Err(std::io::Error::other("torn"))?,
            _ => Ok(()),
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        for key in ["refused", "throttled", "unknown", "sent", "file"] {
            bus.react(format!("variant.{key}"), &()).await.unwrap();
        }
        calls.until(7).await;
        assert_eq!(
            ends(&arena, &bus, 3).await,
            [
                "variant.file permanent the file: torn",
                "variant.refused failed refused",
                "variant.unknown permanent no such address: nobody",
            ]
        );
        let stats = bus.stats().handlers.remove(0);
        assert_eq!((stats.called, stats.handled, stats.retried, stats.discarded), (7, 1, 2, 1));
        bus.shutdown().await;
    }
}

pub(crate) mod errors_in_errors_decide {
    use super::*;

    #[derive(Debug, thiserror::Error, HandlerError)]
    #[error("the disk is full")]
    #[dead_letter]
    struct Full;

    /// It says nothing itself.
    #[derive(Debug, thiserror::Error)]
    enum StoreError {
        #[error("not stored")]
        Disk(#[from] Full),
    }

    /// Its own word wins over that of its source.
    #[derive(Debug, thiserror::Error, HandlerError)]
    enum OuterError {
        #[error("outer")]
        #[discard]
        Store(#[from] StoreError),
    }

    #[react("nested.*", retry(max = 1, initial = "50ms"))]
    async fn store(key: RoutingKey, calls: State<Calls>) -> Result<(), HandlerError> {
        calls.add(&key);
        let inner = StoreError::from(Full);
        match key.as_str() {
            "nested.source" => Err(inner)?,
            "nested.boxed" => Err(BoxError::from(inner))?,
            "nested.outer" => Err(OuterError::from(inner))?,
            "nested.said" => Err(HandlerError::transient(Full)),
            _ => Ok(()),
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        for key in ["source", "boxed", "outer", "said"] {
            bus.react(format!("nested.{key}"), &()).await.unwrap();
        }
        assert_eq!(
            ends(&arena, &bus, 3).await,
            [
                "nested.boxed permanent not stored: the disk is full",
                "nested.said failed the disk is full",
                "nested.source permanent not stored: the disk is full",
            ]
        );
        let stats = bus.stats().handlers.remove(0);
        assert_eq!((stats.called, stats.retried, stats.discarded), (5, 1, 1));
        bus.shutdown().await;
    }
}
