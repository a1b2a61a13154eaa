//! Commands: each is answered once, or its caller is told that it was not, and in time.

use std::sync::Arc;
use std::time::Duration;

use bus_runtime::prelude::*;
use bus_runtime::testing::note;
use bus_runtime::{CommandFailure, ErrorKind, Publisher};
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use crate::play::{PLANNED, Stage};
use crate::world::World;

/// The most commands of a run.
const ASKED_MAX: usize = 4;
/// How late an answer may be that was given in time: requests, answers and confirms are late.
const SLACK: Duration = Duration::from_secs(3);

/// A question; its answer is the next number.
#[derive(Debug, Serialize, Deserialize, Message)]
#[command("sim.ask", reply = usize)]
pub(crate) struct Ask(usize);

/// When a call ended, and how.
type Ended = Option<(Duration, Said)>;

/// One command that was executed.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    at: Duration,
    patience: Duration,
    /// What the calls of its handler did: the process, when each began, and how it ended.
    calls: Vec<(u32, Duration, Ended)>,
    /// What the caller was told, and when.
    told: Option<(Duration, Told)>,
}

/// What a call of the handler ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Answer,
    No,
    Panic,
    Cut,
}

/// What a caller hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Answer(usize),
    Failed,
    TimedOut,
}

#[message_handler(Ask)]
async fn answer(Ask(number): Ask, stage: State<Stage>) -> Result<usize, BoxError> {
    let call = Answering::begin(&stage, number);
    let world = Arc::clone(&stage.world);
    sleep(world.work_time()).await;
    match if world.is_calm() { 0 } else { world.draw(|rng| rng.u8(..10)) } {
        6 | 7 => {
            call.end(Said::No);
            Err("no".into())
        }
        8 => {
            call.end(Said::Panic);
            std::panic::panic_any(PLANNED);
        }
        9 => std::future::pending().await,
        _ => {
            call.end(Said::Answer);
            Ok(number + 1)
        }
    }
}

/// A call that goes on.
struct Answering {
    world: Arc<World>,
    number: usize,
    call: usize,
    said: Said,
}

impl Answering {
    fn begin(stage: &Stage, number: usize) -> Self {
        let (world, now) = (Arc::clone(&stage.world), stage.world.now());
        let call = {
            let calls = &mut world.book().asked[number].calls;
            calls.push((stage.process, now, None));
            calls.len() - 1
        };
        note(format!("question {number} is with process {}", stage.process));
        Self { world, number, call, said: Said::Cut }
    }

    fn end(mut self, said: Said) {
        self.said = said;
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        note(format!("question {}: {:?}", self.number, self.said));
        let now = self.world.now();
        self.world.book().asked[self.number].calls[self.call].2 = Some((now, self.said));
    }
}

impl World {
    /// Executes commands, one after another, while processes come and go.
    pub(crate) async fn ask(&self, client: &Publisher) {
        let count = self.draw(|rng| if rng.bool() { 0 } else { rng.usize(1..=ASKED_MAX) });
        for number in 0..count {
            let (pause, patience) =
                self.draw(|rng| (rng.u64(..1_000), [100, 1_000, 5_000, 60_000][rng.usize(..4)]));
            sleep(Duration::from_millis(pause)).await;
            let (at, patience) = (self.now(), Duration::from_millis(patience));
            self.book().asked.push(Asked { at, patience, calls: Vec::new(), told: None });
            let reply = timeout(patience + SLACK, client.execute(Ask(number)).timeout(patience)).await;
            note(format!("question {number}: {reply:?}"));
            let Ok(reply) = reply else { continue };
            let told = match reply {
                Ok(answer) => Told::Answer(answer),
                // Also when the handler took longer than its own timeout.
                Err(error) if CommandFailure::of(&error).is_some() => Told::Failed,
                Err(error) if error.kind() == ErrorKind::TimedOut => Told::TimedOut,
                Err(error) => panic!("question {number}: {error:?}"),
            };
            let now = self.now();
            self.book().asked[number].told = Some((now, told));
        }
    }
}

impl Asked {
    /// What is wrong with it, when the run is over.
    pub(crate) fn offences(&self, number: usize, is_broken: bool) -> Vec<String> {
        let end = self.at + self.patience;
        let said =
            |wanted: Said| self.calls.iter().any(|(.., end)| end.is_some_and(|(_, said)| said == wanted));
        let mut offences = Vec::new();
        match self.told {
            None => offences.push("hangs"),
            Some((_, Told::Answer(answer))) if answer != number + 1 => offences.push("has another's answer"),
            Some((_, Told::Answer(_))) if !said(Said::Answer) => {
                offences.push("has an answer that nobody gave");
            }
            Some((_, Told::Failed)) if self.calls.is_empty() => offences.push("failed without a call"),
            Some((at, Told::TimedOut)) if at < end => offences.push("was given up too early"),
            Some(_) => {}
        }
        if self.calls.iter().any(|(_, began, _)| *began > end) {
            offences.push("is handled although nobody waits for it");
        }
        if !is_broken && self.calls.len() > 1 {
            offences.push("is handled twice");
        }
        // Given in time, and yet not heard of.
        let given = |end: &Ended| {
            end.is_some_and(|(at, said)| said == Said::Answer && at + SLACK < self.at + self.patience)
        };
        let lost =
            self.calls.iter().any(|(.., end)| given(end)) && !matches!(self.told, Some((_, Told::Answer(_))));
        if lost && !is_broken {
            offences.push("was answered, and the answer is lost");
        }
        offences.into_iter().map(|what| format!("question {number} {what}: {self:?}")).collect()
    }
}
