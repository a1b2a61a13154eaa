//! One item of a controller's impl block: the attributes that make it a handler, and everything else as it was.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::parse::ParseStream;
use syn::parse_quote;

use crate::args::Args;
use crate::controller::Owner;
use crate::errors::Errors;
use crate::handler::Attribute;
use crate::signature::{HandlerItem, HandlerSignature};
use crate::spec::{HandlerSpec, Validated};
use crate::support::{RuntimePath, conditional, conditions, ends};

/// One item of an impl block.
pub(crate) struct Method {
    /// What makes it a handler, from top to bottom.
    handlers: Vec<Handler>,
    /// All other attributes.
    attributes: Vec<syn::Attribute>,
    /// Everything behind the attributes.
    rest: TokenStream,
}

/// An attribute that makes a method a handler.
struct Handler {
    kind: Attribute,
    attribute: syn::Attribute,
    /// The `#[cfg]` that `cfg_attr` puts on it.
    condition: Option<syn::Attribute>,
}

impl Method {
    /// Takes one item, which ends with its braces or with a semicolon. A constant with braces is taken in two parts, which
    /// makes no difference: everything is emitted again.
    pub(crate) fn parse(input: ParseStream, errors: &Errors) -> syn::Result<Self> {
        let all = errors.ok(syn::Attribute::parse_outer(input)).unwrap_or_default();
        let (mut handlers, mut attributes) = (Vec::new(), Vec::new());
        for attribute in all {
            take(attribute, &mut handlers, &mut attributes);
        }
        let mut rest = TokenStream::new();
        while !input.is_empty() {
            let tree = input.parse::<TokenTree>()?;
            let last = match &tree {
                TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                TokenTree::Punct(sign) => sign.as_char() == ';',
                _ => false,
            };
            rest.extend([tree]);
            if last {
                break;
            }
        }
        Ok(Self { handlers, attributes, rest })
    }

    pub(crate) fn is_handler(&self) -> bool {
        !self.handlers.is_empty()
    }

    /// The item as it was, but for the attributes that were taken and the lints which the framework itself provokes.
    pub(crate) fn kept(&self) -> TokenStream {
        let Self { handlers: _, attributes, rest } = self;
        let allow = self.is_handler().then(|| allow(rest)).flatten();
        quote!(#allow #(#attributes)* #rest)
    }

    /// `use react as _;` for each attribute that makes it a handler.
    pub(crate) fn named(&self) -> impl Iterator<Item = TokenStream> {
        let outer = conditions(&self.attributes);
        self.handlers.iter().map(move |Handler { attribute, condition, .. }| {
            let path = attribute.path();
            // A name that is not in scope is underlined where it stands.
            let (start, _) = ends(path);
            quote_spanned!(start=> #(#outer)* #condition #[allow(unused_imports)] use #path as _;)
        })
    }

    /// One registration for each attribute that makes it a handler; `outer` are the attributes of the impl block.
    pub(crate) fn register(
        &self,
        owner: &Owner,
        runtime: &RuntimePath,
        outer: &[syn::Attribute],
        errors: &Errors,
    ) -> TokenStream {
        let Some(first) = self.handlers.first() else { return TokenStream::new() };
        let signature = errors.ok(HandlerSignature::of_method(first.kind, self.rest.clone(), owner));
        let mut reported = Vec::new();
        let mut registrations = TokenStream::new();
        for (index, handler) in self.handlers.iter().enumerate() {
            if reported.contains(&index) {
                continue;
            }
            let Handler { kind, attribute, condition } = handler;
            let below = self.handlers.iter().enumerate().skip(index + 1);
            let siblings: Vec<_> = below.filter(|(_, other)| handler.meets(other)).collect();
            let mut attributes = [outer, &self.attributes].concat();
            attributes.extend(condition.clone());
            let own = attributes.len();
            attributes.extend(siblings.iter().map(|(_, sibling)| sibling.attribute.clone()));
            let args = Args::of_attribute(kind.name(), attribute, errors);
            let item = HandlerItem::of_method(attributes, signature.clone());
            let Validated { spec, reported: told, .. } = HandlerSpec::validate(*kind, args, &item, errors);
            reported
                .extend(told.into_iter().filter_map(|told| Some(siblings.get(told.checked_sub(own)?)?.0)));
            registrations
                .extend(spec.map(|spec| HandlerSpec { runtime: spec.runtime.or(runtime), ..spec }.expand()));
        }
        registrations
    }
}

impl Handler {
    /// Whether the two stand on the method at one time, so that they must not contradict each other.
    fn meets(&self, other: &Self) -> bool {
        self.condition.is_none() && other.condition.is_none()
    }
}

/// Allows the lint that a handler provokes: with nothing to await, or with arguments that it only looks at.
fn allow(item: &TokenStream) -> Option<TokenStream> {
    let words = ["async", "fn"];
    let mut idents = item.clone().into_iter().filter_map(|tree| match tree {
        TokenTree::Ident(word) => words.iter().position(|known| word == known),
        _ => None,
    });
    Some(match idents.next()? {
        0 => quote!(#[allow(clippy::unused_async)]),
        _ => quote!(#[allow(clippy::needless_pass_by_value)]),
    })
}

/// Sorts an attribute: those that make a handler apart, also out of `#[cfg_attr(condition, react(..), inline)]`.
fn take(attribute: syn::Attribute, handlers: &mut Vec<Handler>, others: &mut Vec<syn::Attribute>) {
    if let Some(kind) = Attribute::named(attribute.path()) {
        handlers.push(Handler { kind, attribute, condition: None });
        return;
    }
    let Some((condition, inner)) = conditional(&attribute.meta) else { return others.push(attribute) };
    if !inner.iter().any(|meta| Attribute::named(meta.path()).is_some()) {
        return others.push(attribute);
    }
    for meta in inner {
        match Attribute::named(meta.path()) {
            Some(kind) => handlers.push(Handler {
                kind,
                attribute: syn::Attribute { meta, ..attribute.clone() },
                condition: Some(parse_quote!(#[cfg(#condition)])),
            }),
            None => others.push(parse_quote!(#[cfg_attr(#condition, #meta)])),
        }
    }
}
