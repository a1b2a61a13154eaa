//! The other handler attributes of the same function: what may not be said twice, and what all must say.
//!
//! An attribute sees those that stand below it; so each two of them meet once, in the upper one.

use syn::{LitStr, Meta, Type};

use crate::args::{Args, Subject};
use crate::binding_key::BindingKey;
use crate::errors::{self, Errors};
use crate::handler::Attribute;
use crate::options;
use crate::signature::{HandlerSignature, show};
use crate::values;

/// A handler attribute below this one.
pub(crate) struct Sibling {
    attribute: Attribute,
    args: Args,
    /// Where it stands among the item's attributes.
    index: usize,
}

/// The handler attributes among an item's.
pub(crate) fn find(attributes: &[syn::Attribute]) -> Vec<Sibling> {
    let siblings = attributes.iter().enumerate().filter_map(|(index, attribute)| {
        let kind = Attribute::named(attribute.path())?;
        let tokens = match &attribute.meta {
            Meta::List(list) => list.tokens.clone(),
            _ => return None,
        };
        // What is wrong with it, it will say itself.
        let ignored = Errors::new();
        let args = Args::parse(kind.name(), tokens, &ignored);
        ignored.check().ok().map(|()| Sibling { attribute: kind, args, index })
    });
    siblings.collect()
}

/// Checks what two attributes of one kind and exchange must not both say: they share one queue.
pub(crate) fn check_same_kind(attribute: Attribute, args: &Args, siblings: &[Sibling], errors: &Errors) {
    let is_same =
        |sibling: &&Sibling| sibling.attribute == attribute && sibling.args.exchange() == args.exchange();
    let same: Vec<_> = siblings.iter().filter(is_same).collect();
    for subject in &args.subjects {
        match subject {
            Subject::Text(key) => check_key(key, args.name, &same, errors),
            Subject::Type(ty) => check_type(ty, &same, errors),
            Subject::Other(_) => {}
        }
    }
    // Each message type has a queue of its own.
    if attribute != Attribute::MessageHandler {
        check_options(args, &same, errors);
    }
}

fn check_options(args: &Args, same: &[&Sibling], errors: &Errors) {
    // An exchange that is named on both is what makes them share the queue.
    for option in args.options.iter().filter(|option| option.name() != "exchange") {
        let name = option.name();
        let name = options::canonical(&name);
        let mut theirs = same.iter().flat_map(|sibling| &sibling.args.options);
        if let Some(twin) = theirs.find(|theirs| options::canonical(&theirs.name()) == name) {
            errors.add(&twin.keyword, errors::options::stacked_twice(name, &args.place()));
        }
    }
}

fn check_key(key: &LitStr, attribute: &str, same: &[&Sibling], errors: &Errors) {
    let Ok(ours) = BindingKey::parse(&key.value(), attribute) else { return };
    let twin = same
        .iter()
        .flat_map(|sibling| sibling.args.keys())
        .find(|(_, theirs)| theirs.on_the_wire() == ours.on_the_wire());
    if let Some((literal, theirs)) = twin {
        errors.add(literal, errors::patterns::stacked_twice(theirs.text(), attribute));
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

/// Checks that an argument which is a captured word for one attribute is one for all. Answers which attributes lack a word
/// and have been told so, by their index.
pub(crate) fn check_captures(
    args: &Args,
    signature: &HandlerSignature,
    siblings: &[Sibling],
    errors: &Errors,
) -> Vec<usize> {
    let mut lacking = Vec::new();
    for name in signature.arguments.iter().filter_map(|argument| argument.name.as_deref()) {
        if !args.captures(name) {
            if siblings.iter().any(|sibling| sibling.args.captures(name)) {
                errors.add(args.subjects.first(), errors::patterns::capture_not_in_sibling(name, args.name));
            }
            continue;
        }
        for Sibling { args, index, .. } in siblings {
            if !args.captures(name) && !lacking.contains(index) {
                errors.add(args.subjects.first(), errors::patterns::capture_not_in_sibling(name, args.name));
                lacking.push(*index);
            }
        }
    }
    lacking
}

impl Args {
    /// The binding keys that are well-formed.
    fn keys(&self) -> impl Iterator<Item = (&LitStr, BindingKey)> {
        self.subjects.iter().filter_map(|subject| match subject {
            Subject::Text(literal) => {
                BindingKey::parse(&literal.value(), self.name).ok().map(|key| (literal, key))
            }
            Subject::Type(_) | Subject::Other(_) => None,
        })
    }

    /// The exchange of others that it names.
    fn exchange(&self) -> Option<String> {
        let exchange = self.options.iter().find(|option| option.name() == "exchange")?;
        values::name(exchange).ok().map(|name| name.value())
    }

    /// Whether one of its keys captures the word.
    fn captures(&self, name: &str) -> bool {
        self.keys().any(|(_, key)| key.captures().iter().any(|capture| capture == name))
    }
}
