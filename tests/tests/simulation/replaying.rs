//! Dead letters go back to their handlers while all else goes on.

use std::time::Duration;

use bus_runtime::Bus;
use bus_runtime::dead_letters::{Control, Replay, Selection};
use bus_runtime::testing::note;
use fastrand::Rng;
use tokio::time::sleep;

use crate::cast::Role;
use crate::world::World;

/// The most replays of one process.
const REPLAYS_MAX: usize = 2;

impl World {
    /// Replays what is with the dead letters, now and then, for as long as a process works.
    pub(crate) async fn replay(&self, bus: &Bus) {
        let count = self.draw(|rng| if rng.u8(..3) == 0 { rng.usize(1..=REPLAYS_MAX) } else { 0 });
        for _ in 0..count {
            sleep(Duration::from_millis(self.draw(|rng| rng.u64(..10_000)))).await;
            let replay = self.draw(some);
            let mut selection = Selection::default();
            // Whoever replays a command wants it handled, although nobody waits for its answer any more.
            selection.queues = self.cast.roles.iter().map(Role::queue).collect();
            let under_way = UnderWay { world: self, since: self.now(), ended: false };
            let replayed = bus.dead_letters().replay(&selection, &replay, Control::default()).await;
            note(format!("replayed: {replayed:?}"));
            under_way.end();
            let failed = replayed.map(|replayed| replayed.failed);
            if !self.cast.is_limited() && !matches!(failed, Ok(0)) {
                self.book().offences.push(format!("a replay failed: {failed:?}"));
            }
        }
        std::future::pending::<()>().await;
    }
}

/// All of them, or a few.
fn some(rng: &mut Rng) -> Replay {
    let mut replay = Replay::default();
    replay.limit = rng.bool().then(|| rng.u64(1..3));
    replay
}

/// A replay that goes on; when it is dropped, what it has in hand may be there twice.
struct UnderWay<'w> {
    world: &'w World,
    since: Duration,
    ended: bool,
}

impl UnderWay<'_> {
    fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let cut = (self.since, self.world.now());
            self.world.book().breaks.push(cut);
        }
    }
}
