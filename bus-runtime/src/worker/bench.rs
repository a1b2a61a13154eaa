//! Where a message is worked on. One that ends without waiting leaves the place to the next, with its memory.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::job::Job;
use super::lanes::Slot;

/// A place in memory where a message is worked on; a future that is ready when the work is done.
pub(super) type Bench = Pin<Box<dyn Work>>;

/// The work on one message after the other.
pub(super) trait Work: Future<Output = ()> + Send {
    /// Puts the next message on the bench, which has nothing on it.
    fn begin(self: Pin<&mut Self>, job: Job, slot: Slot);
}

pin_project! {
    struct Place<W, F> {
        begin: W,
        #[pin]
        work: Option<F>,
    }
}

/// A bench with nothing on it.
pub(super) fn new() -> Bench {
    Box::pin(Place { begin: |job: Job, slot: Slot| job.run(slot), work: None })
}

impl<W, F> Future for Place<W, F>
where
    F: Future<Output = ()>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut work = self.project().work;
        let ended = work.as_mut().as_pin_mut().is_none_or(|work| work.poll(cx).is_ready());
        if !ended {
            return Poll::Pending;
        }
        work.set(None);
        Poll::Ready(())
    }
}

impl<W, F> Work for Place<W, F>
where
    W: FnMut(Job, Slot) -> F + Send,
    F: Future<Output = ()> + Send,
{
    fn begin(self: Pin<&mut Self>, job: Job, slot: Slot) {
        let mut place = self.project();
        place.work.set(Some((place.begin)(job, slot)));
    }
}
