//! What all expansions need: the path to the runtime, names that nobody can shadow, and the item's `#[cfg]`s.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Path, Token};

/// Where generated code finds the runtime: `::bus_runtime`, or what `crate = ..` says.
pub(crate) struct RuntimePath(pub(crate) Option<Path>);

impl RuntimePath {
    /// This one, or another one where it says nothing.
    pub(crate) fn or(self, other: &Self) -> Self {
        Self(self.0.or_else(|| other.0.clone()))
    }

    /// `::bus_runtime::__private`
    pub(crate) fn path(&self) -> TokenStream {
        match &self.0 {
            Some(path) => quote!(#path::__private),
            None => quote!(::bus_runtime::__private),
        }
    }

    /// `use ::bus_runtime::__private as __bus;`
    pub(crate) fn import(&self) -> TokenStream {
        match &self.0 {
            Some(path) => quote!(use #path::__private as __bus;),
            None => quote!(
                use ::bus_runtime::__private as __bus;
            ),
        }
    }
}

/// The name of a local of generated code, which hides nothing of the user's: a handler may have the same name.
pub(crate) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// Where tokens begin and where they end.
pub(crate) fn ends(tokens: &impl ToTokens) -> (Span, Span) {
    let mut spans = tokens.to_token_stream().into_iter().map(|tree| tree.span());
    let start = spans.next().unwrap_or_else(Span::call_site);
    (start, spans.last().unwrap_or(start))
}

/// What of an item's attributes must stand on the generated code too: without its `#[cfg]` that would name an item which
/// is not there.
pub(crate) fn conditions(attributes: &[Attribute]) -> Vec<TokenStream> {
    let is_condition = |meta: &Meta| meta.path().is_ident("cfg");
    pick(attributes, is_condition)
}

/// The item's doc comment, if it has one.
pub(crate) fn documentation(attributes: &[Attribute]) -> Option<String> {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(line), .. }) => Some(line.value()),
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<_> =
        lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// The `#[allow(deprecated)]` and its kin among an item's attributes, for the code that warns.
pub(crate) fn deprecation_levels(attributes: &[Attribute]) -> Vec<TokenStream> {
    let is_level = |meta: &Meta| {
        let level = ["allow", "expect", "warn"].iter().any(|level| meta.path().is_ident(level));
        level && meta.to_token_stream().to_string().contains("deprecated")
    };
    pick(attributes, is_level)
}

/// The attributes that are wanted, also from inside `#[cfg_attr(condition, ..)]`.
fn pick(attributes: &[Attribute], wanted: impl Fn(&Meta) -> bool) -> Vec<TokenStream> {
    let mut picked = Vec::new();
    for attribute in attributes {
        let meta = &attribute.meta;
        if wanted(meta) {
            picked.push(quote!(#[#meta]));
        } else if let Some((condition, inner)) = conditional(meta) {
            let inner = inner.into_iter().filter(&wanted);
            picked.extend(inner.map(|meta| quote!(#[cfg_attr(#condition, #meta)])));
        }
    }
    picked
}

/// The two parts of `cfg_attr(condition, attribute, ..)`.
pub(crate) fn conditional(meta: &Meta) -> Option<(Meta, Punctuated<Meta, Token![,]>)> {
    let list = meta.require_list().ok().filter(|list| list.path.is_ident("cfg_attr"))?;
    let parts = |input: ParseStream| {
        let condition = input.parse()?;
        input.parse::<Token![,]>()?;
        Ok((condition, Punctuated::parse_terminated(input)?))
    };
    parts.parse2(list.tokens.clone()).ok()
}
