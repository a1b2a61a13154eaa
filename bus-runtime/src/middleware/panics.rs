//! Where a handler panicked: only a panic hook is told, so ours notes it for whoever catches the panic.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Once;

use crate::outcome::HandlerError;

thread_local! {
    /// The place of the last panic of this thread that nobody has caught yet.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic on its way from another thread, with its place.
struct Panicked {
    text: String,
    place: Option<String>,
}

/// Notes the places of panics from now on. The hook that was there before is called, too.
pub(crate) fn note_places() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
            PLACE.with_borrow_mut(|noted| *noted = place);
            before(info);
        }));
    });
}

fn take_place() -> Option<String> {
    PLACE.with_borrow_mut(Option::take)
}

/// Calls a function whose panic will be caught in another thread.
pub(crate) fn carrying_place<T>(call: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic_text(panic.as_ref()).to_owned();
        resume_unwind(Box::new(Panicked { text, place: take_place() }))
    })
}

/// The error that a panic stands for. To be called where it was caught.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> HandlerError {
    let (text, place) = match panic.downcast_ref::<Panicked>() {
        Some(Panicked { text, place }) => (text.as_str(), place.clone()),
        None => (panic_text(panic), take_place()),
    };
    HandlerError::panic(match place {
        Some(place) => format!("panicked at {place}: {text}"),
        None => format!("panicked: {text}"),
    })
}

/// What a panic says.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a value that is not text")
}
