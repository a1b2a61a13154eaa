//! Options that are set at most once, and options that do not exist.

use proc_macro2::Ident;

use crate::args::OptionArg;
use crate::errors::{Errors, options as texts};
use crate::suggest;

/// An option that may be set, and the name under which it was.
pub(crate) type Slot<T> = Option<Given<T>>;

/// A value, and the name under which it was given.
pub(crate) struct Given<T> {
    pub(crate) keyword: Ident,
    pub(crate) value: T,
}

/// Which options there are at a place.
pub(crate) struct Names {
    /// Those that an error lists.
    pub(crate) listed: &'static [&'static str],
    /// Other spellings of these.
    pub(crate) aliases: &'static [&'static str],
    /// What to write for a name of another framework.
    pub(crate) foreign: fn(&str) -> Option<&'static str>,
}

/// An option that fills its slot at most once.
pub(crate) struct Once<'a> {
    pub(crate) option: &'a OptionArg,
    /// Where the option stands: `#[react(..)]`, `retry(..)`.
    pub(crate) place: &'a str,
    pub(crate) errors: &'a Errors,
}

impl Once<'_> {
    /// Reads the option's value into its slot, unless that is filled already.
    pub(crate) fn set<T>(&self, slot: &mut Slot<T>, read: impl FnOnce(&OptionArg) -> syn::Result<T>) {
        let Self { option, place, errors } = self;
        let Some(earlier) = slot else {
            let value = errors.ok(read(option));
            *slot = value.map(|value| Given { keyword: option.keyword.clone(), value });
            return;
        };
        let text = match (option.name(), earlier.keyword.to_string()) {
            (name, earlier) if name == earlier => texts::twice(&name, *place),
            (name, earlier) => texts::said_twice(&name, &earlier, *place),
        };
        errors.add(&option.keyword, text);
    }

    /// Reports an option that is not there: not yet, or misspelt, or of another framework.
    pub(crate) fn unknown(&self, names: &Names) {
        let Self { option, place, errors } = self;
        let name = option.name();
        let listed = names.listed.join(", ");
        let known = [names.listed, names.aliases].concat();
        let near = || suggest::nearest(&name, known).map(|near| format!("did you mean `{near}`?"));
        let text = match (names.foreign)(&name).map(str::to_owned).or_else(near) {
            Some(help) => texts::unknown(&name, *place, &help, &listed),
            None => texts::unknown_unlike(&name, *place, &listed),
        };
        errors.add(&option.keyword, text);
    }
}
