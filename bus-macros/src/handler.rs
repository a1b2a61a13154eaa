//! What stands in the place of `#[audit]`, `#[react]` and `#[message_handler]`: parse, validate, print.

use proc_macro2::TokenStream;
use quote::quote;

use crate::args::Args;
use crate::errors::Errors;
use crate::signature::HandlerItem;
use crate::spec::{HandlerSpec, Validated};

/// The three attributes of handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    Audit,
    React,
    MessageHandler,
}

impl Attribute {
    pub(crate) const ALL: [Self; 3] = [Self::Audit, Self::React, Self::MessageHandler];

    /// The attribute of this name, under whatever path it is reached.
    pub(crate) fn named(path: &syn::Path) -> Option<Self> {
        let name = &path.segments.last()?.ident;
        Self::ALL.into_iter().find(|attribute| name == attribute.name())
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::React => "react",
            Self::MessageHandler => "message_handler",
        }
    }
}

/// The item as it was, followed by its registration or by everything that is wrong.
pub(crate) fn handler(attribute: Attribute, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let errors = Errors::new();
    let args = Args::parse(attribute.name(), arguments, &errors);
    let mut item = HandlerItem::parse(attribute, item, &errors);
    let Validated { spec, reported, last } = HandlerSpec::validate(attribute, args, &item, &errors);
    match (errors.check(), spec) {
        (Ok(()), Some(spec)) => {
            let (kept, registration) = (item.kept(last), spec.expand());
            quote!(#kept #registration)
        }
        (problems, _) => {
            let problems = problems.err().map(syn::Error::into_compile_error);
            item.forget(&reported);
            let kept = item.kept(last);
            quote!(#kept #problems)
        }
    }
}
