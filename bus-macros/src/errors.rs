//! The error sink, and under `errors/` every message text, one table per kind of mistake.

use std::cell::RefCell;
use std::fmt::Display;
use std::thread;

use proc_macro2::Span;
use quote::ToTokens;

/// Writes a table of message texts: one function per line, whose arguments stand in the braces of the text.
///
/// The first line of a text is the fact; after a blank line come `help:` (the way out) and `note:` (why it is so).
macro_rules! texts {
    ($($name:ident($($argument:ident),*) => $text:literal;)*) => {
        $(
            pub(crate) fn $name($($argument: &(impl std::fmt::Display + ?Sized)),*) -> String {
                format!($text)
            }
        )*
    };
}

pub(crate) mod controllers;
pub(crate) mod handler_errors;
pub(crate) mod messages;
pub(crate) mod options;
pub(crate) mod patterns;
pub(crate) mod signatures;
pub(crate) mod tests;

/// Collects all problems of one attribute, so that they are reported together.
///
/// Dropping it without [`check`](Self::check) is a bug in this crate and panics.
pub(crate) struct Errors {
    list: RefCell<Option<Vec<syn::Error>>>,
}

impl Errors {
    pub(crate) fn new() -> Self {
        Self { list: RefCell::new(Some(Vec::new())) }
    }

    /// Reports a problem with these tokens, all of which are underlined.
    pub(crate) fn add(&self, tokens: impl ToTokens, text: impl Display) {
        self.push(syn::Error::new_spanned(tokens, text));
    }

    /// Reports a problem at a place.
    pub(crate) fn add_at(&self, span: Span, text: impl Display) {
        self.push(syn::Error::new(span, text));
    }

    pub(crate) fn push(&self, error: syn::Error) {
        if let Some(list) = self.list.borrow_mut().as_mut() {
            list.push(error);
        }
    }

    /// The value, or nothing after its error is reported.
    pub(crate) fn ok<T>(&self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// All problems as one error.
    pub(crate) fn check(self) -> syn::Result<()> {
        let mut list = self.list.take().unwrap_or_default().into_iter();
        let Some(mut first) = list.next() else { return Ok(()) };
        list.for_each(|next| first.combine(next));
        Err(first)
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        if !thread::panicking() {
            assert!(self.list.borrow().is_none(), "the errors of an attribute were not checked");
        }
    }
}
