//! The other handler attributes of the same function: what may not be said twice, and what all must say.
//!
//! An attribute sees those that stand below it; so each two of them meet once, in the upper one.

use quote::ToTokens;
use syn::{LitStr, Meta, Type};

use crate::args::{Args, Attribute, Subject};
use crate::binding_key::BindingKey;
use crate::errors::{self, Errors};
use crate::options;
use crate::signature::{HandlerSignature, show};

/// A handler attribute below this one.
pub(crate) struct Sibling {
    args: Args,
    /// Where it stands among the item's attributes.
    index: usize,
}

/// The handler attributes among an item's.
pub(crate) fn find(attributes: &[syn::Attribute]) -> Vec<Sibling> {
    let siblings = attributes.iter().enumerate().filter_map(|(index, attribute)| {
        let name = &attribute.path().segments.last()?.ident;
        let kind = Attribute::HANDLERS.into_iter().find(|kind| name == kind.name())?;
        let tokens = match &attribute.meta {
            Meta::List(list) => list.tokens.clone(),
            _ => return None,
        };
        // What is wrong with it, it will say itself.
        let ignored = Errors::new();
        let args = Args::parse(kind, tokens, &ignored);
        ignored.check().ok().map(|()| Sibling { args, index })
    });
    siblings.collect()
}

/// Checks what two attributes of one kind must not both say: they share one queue.
pub(crate) fn check_same_kind(args: &Args, siblings: &[Sibling], errors: &Errors) {
    let same: Vec<_> = siblings.iter().filter(|sibling| sibling.args.attribute == args.attribute).collect();
    for subject in &args.subjects {
        match subject {
            Subject::Text(key) => check_key(key, args.attribute, &same, errors),
            Subject::Type(ty) => check_type(ty, &same, errors),
            Subject::Other(_) => {}
        }
    }
    // Each message type has a queue of its own.
    if args.attribute == Attribute::MessageHandler {
        return;
    }
    for option in &args.options {
        let name = option.name();
        let name = options::canonical(&name);
        let twin = |sibling: &&Sibling| {
            sibling
                .args
                .options
                .iter()
                .find(|twin| options::canonical(&twin.name()) == name)
                .map(|twin| twin.keyword.clone())
        };
        if let Some(keyword) = same.iter().find_map(twin) {
            errors.add(keyword, errors::options::stacked_twice(name, args.attribute.name()));
        }
    }
}

fn check_key(key: &LitStr, attribute: Attribute, same: &[&Sibling], errors: &Errors) {
    let Ok(ours) = BindingKey::parse(&key.value(), attribute.name()) else { return };
    let twin = same
        .iter()
        .flat_map(|sibling| sibling.args.keys())
        .find(|(_, theirs)| theirs.on_the_wire() == ours.on_the_wire());
    if let Some((literal, theirs)) = twin {
        errors.add(literal, errors::patterns::stacked_twice(theirs.text(), attribute.name()));
    }
}

fn check_type(ty: &Type, same: &[&Sibling], errors: &Errors) {
    let ours = show(ty);
    let mut types = same.iter().flat_map(|sibling| &sibling.args.subjects);
    let twin = types.find(|subject| matches!(subject, Subject::Type(theirs) if show(theirs) == ours));
    if let Some(Subject::Type(twin)) = twin {
        errors.add(twin, errors::messages::stacked_twice(&ours));
    }
}

/// Checks that an argument which is a captured word for one attribute is one for all. Answers which attributes have been
/// reported, by their index.
pub(crate) fn check_captures(
    args: &Args,
    signature: &HandlerSignature,
    siblings: &[Sibling],
    errors: &Errors,
) -> Vec<usize> {
    let mut reported = Vec::new();
    for name in signature.arguments.iter().filter_map(|argument| argument.name.as_deref()) {
        let ours = args.captures(name);
        for sibling in siblings {
            let theirs = sibling.args.captures(name);
            if ours == theirs || reported.contains(&sibling.index) {
                continue;
            }
            let lacking = if ours { &sibling.args } else { args };
            let text = errors::patterns::capture_not_in_sibling(name, lacking.attribute.name());
            match lacking.subjects.first() {
                Some(subject) => errors.add(subject, text),
                None => continue,
            }
            reported.push(sibling.index);
        }
    }
    reported
}

impl Args {
    /// The binding keys that are well-formed.
    fn keys(&self) -> impl Iterator<Item = (&LitStr, BindingKey)> {
        self.subjects.iter().filter_map(|subject| match subject {
            Subject::Text(literal) => {
                BindingKey::parse(&literal.value(), self.attribute.name()).ok().map(|key| (literal, key))
            }
            Subject::Type(_) | Subject::Other(_) => None,
        })
    }

    /// Whether one of its keys captures the word.
    fn captures(&self, name: &str) -> bool {
        self.keys().any(|(_, key)| key.captures().iter().any(|capture| capture == name))
    }
}

impl ToTokens for Subject {
    fn to_tokens(&self, tokens: &mut proc_macro2::TokenStream) {
        match self {
            Self::Text(text) => text.to_tokens(tokens),
            Self::Type(ty) => ty.to_tokens(tokens),
            Self::Other(other) => other.to_tokens(tokens),
        }
    }
}
