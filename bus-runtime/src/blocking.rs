//! Handlers that hold a thread of the runtime: an `async fn` that computes, or waits without `.await`. Who looks is a thread of its
//! own, since all of the runtime's may be held.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::counters::Counters;
use crate::seam;
use crate::topology::HandlerEntry;

/// How often somebody looks.
const LOOK: Duration = Duration::from_millis(500);
/// How many looks must find the same poll before it is told: at least a second.
const LOOKS: u32 = 3;

/// What a thread of the runtime is doing.
#[derive(Default)]
struct Place {
    /// Another one for each poll that begins or ends.
    turn: AtomicU64,
    /// The address of the counters of the handler that is polled; 0 when none is.
    handler: AtomicUsize,
}

thread_local! {
    static PLACE: RefCell<Option<Arc<Place>>> = const { RefCell::new(None) };
}

/// A handler that may hold a thread.
struct Watched {
    entry: Arc<HandlerEntry>,
    counters: Weak<Counters>,
}

/// All threads that have polled a handler, and all handlers.
#[derive(Default)]
struct Watch {
    places: Mutex<Vec<Weak<Place>>>,
    handlers: Mutex<Vec<Watched>>,
}

static WATCH: OnceLock<Watch> = OnceLock::new();

/// Looks after these handlers from now on.
pub(crate) fn watch(handlers: &[(&Arc<HandlerEntry>, &Arc<Counters>)]) {
    if seam::is_simulated() {
        return;
    }
    let mut is_first = false;
    let watch = WATCH.get_or_init(|| {
        is_first = true;
        Watch::default()
    });
    let mut watched = lock(&watch.handlers);
    watched.retain(|handler| handler.counters.strong_count() > 0);
    watched.extend(
        handlers.iter().map(|(entry, counters)| Watched {
            entry: Arc::clone(entry),
            counters: Arc::downgrade(counters),
        }),
    );
    drop(watched);
    if is_first && let Err(error) = seam::thread("bus-watch", || watch.look()) {
        tracing::warn!(%error, "there is no thread to look after handlers that block the runtime");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was found at a place the last time.
struct Found {
    place: Arc<Place>,
    turn: u64,
    looks: u32,
    /// Whom it was told of.
    told: Option<(Arc<HandlerEntry>, Arc<Counters>)>,
}

impl Watch {
    fn look(&self) {
        let mut all: Vec<Found> = Vec::new();
        loop {
            seam::rest(LOOK);
            let mut places = lock(&self.places);
            places.retain(|place| place.strong_count() > 0);
            let known: Vec<_> = places.iter().filter_map(Weak::upgrade).collect();
            drop(places);
            for place in known {
                if !all.iter().any(|found| Arc::ptr_eq(&found.place, &place)) {
                    all.push(Found { place, turn: 0, looks: 0, told: None });
                }
            }
            all.iter_mut().for_each(|found| found.look(self));
            // A thread that has ended holds its place no more.
            all.retain(|found| Arc::strong_count(&found.place) > 1 || found.told.is_some());
        }
    }

    fn handler(&self, address: usize) -> Option<(Arc<HandlerEntry>, Arc<Counters>)> {
        let handlers = lock(&self.handlers);
        let found = handlers.iter().find(|handler| handler.counters.as_ptr().addr() == address)?;
        Some((Arc::clone(&found.entry), found.counters.upgrade()?))
    }
}

impl Found {
    fn look(&mut self, watch: &Watch) {
        let turn = self.place.turn.load(Ordering::Acquire);
        if turn != self.turn {
            (self.turn, self.looks) = (turn, 0);
            if let Some((entry, counters)) = self.told.take() {
                counters.blocking.take_one();
                tracing::info!(handler = %entry.name, "the handler holds a thread of the runtime no more");
            }
        }
        let address = self.place.handler.load(Ordering::Acquire);
        if address == 0 || self.told.is_some() {
            return;
        }
        self.looks += 1;
        if self.looks < LOOKS {
            return;
        }
        if let Some((entry, counters)) = watch.handler(address) {
            counters.blocking.add_one();
            tracing::warn!(
                code = "BUS0213",
                handler = %entry.name,
                place = %format_args!("{}:{}", entry.place.file, entry.place.line),
                "the handler holds a thread of the runtime: it computes, or waits without `.await`; make it a plain `fn`"
            );
            self.told = Some((entry, counters));
        }
    }
}

pin_project_lite::pin_project! {
    /// A call that says on which thread it is polled.
    pub(crate) struct Polled<F> {
        #[pin]
        call: F,
        handler: usize,
    }
}

/// Lets a call say on which thread it is polled.
pub(crate) fn polled<F: Future>(counters: &Arc<Counters>, call: F) -> Polled<F> {
    Polled { call, handler: Arc::as_ptr(counters).addr() }
}

impl<F: Future> Future for Polled<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _inside = enter(*this.handler);
        this.call.poll(cx)
    }
}

/// The thread is in a handler until this is dropped.
struct Inside {
    place: Option<Arc<Place>>,
    /// The handler that has called this one, as commands do.
    around: usize,
}

fn enter(handler: usize) -> Inside {
    let Some(watch) = WATCH.get() else { return Inside { place: None, around: 0 } };
    let place = PLACE.with_borrow_mut(|place| {
        let place = place.get_or_insert_with(|| {
            let place = Arc::<Place>::default();
            lock(&watch.places).push(Arc::downgrade(&place));
            place
        });
        Arc::clone(place)
    });
    let around = place.handler.swap(handler, Ordering::Relaxed);
    place.turn.fetch_add(1, Ordering::Release);
    Inside { place: Some(place), around }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            place.handler.store(self.around, Ordering::Relaxed);
            place.turn.fetch_add(1, Ordering::Release);
        }
    }
}
