//! A handler that cannot be wrong any more: arguments of the attribute and signature of the function, checked together.

use proc_macro2::Span;
use syn::{LitStr, Type};

use crate::args::{Args, Subject};
use crate::binding_key::BindingKey;
use crate::contradictions;
use crate::errors::{Errors, messages, options as options_texts, patterns};
use crate::handler::Attribute;
use crate::options::{ExchangeKind, Options};
use crate::siblings;
use crate::signature::{Argument, HandlerItem, HandlerSignature, show};
use crate::support::RuntimePath;
use crate::values;

/// A handler that is fit to be registered.
pub(crate) struct HandlerSpec<'a> {
    pub(crate) kind: HandlerKind,
    pub(crate) item: &'a HandlerItem,
    pub(crate) signature: &'a HandlerSignature,
    /// One for each argument of the function.
    pub(crate) sources: Vec<Source<'a>>,
    pub(crate) options: Options,
    pub(crate) runtime: RuntimePath,
    /// Where the attribute stands.
    pub(crate) site: Span,
    pub(crate) warnings: Vec<Warning>,
}

/// What a handler listens to.
pub(crate) enum HandlerKind {
    Audit { keys: Vec<LitStr> },
    React { keys: Vec<LitStr> },
    Message { ty: Box<Type> },
}

/// Where an argument comes from.
pub(crate) enum Source<'a> {
    /// Whatever its type makes of the message.
    Extract(&'a Type),
    /// A word of the routing key.
    Captured(&'a Type, &'a str),
}

/// Something that compiles and is hardly meant.
pub(crate) struct Warning {
    pub(crate) key: LitStr,
    pub(crate) text: String,
}

/// What came of an attribute.
pub(crate) struct Validated<'a> {
    pub(crate) spec: Option<HandlerSpec<'a>>,
    /// Attributes below this one that need not say again what has been reported, by their index.
    pub(crate) reported: Vec<usize>,
    pub(crate) last: bool,
}

impl<'a> HandlerSpec<'a> {
    /// Checks everything that concerns more than one token.
    pub(crate) fn validate(
        attribute: Attribute,
        args: Args,
        item: &'a HandlerItem,
        errors: &Errors,
    ) -> Validated<'a> {
        let siblings = siblings::find(&item.attributes);
        let subject = read_subject(attribute, &args, errors);
        let options = Options::read(&args, errors);
        contradictions::check(&options, errors);
        siblings::check_same_kind(attribute, &args, &siblings, errors);
        let mut validated = Validated { spec: None, reported: Vec::new(), last: siblings.is_empty() };
        let (Some(signature), Some((kind, keys))) = (&item.signature, subject) else { return validated };
        contradictions::check_manual(&options, attribute, signature, errors);
        validated.reported = siblings::check_captures(&args, signature, &siblings, errors);
        let captures = check_captures(&keys, signature, errors);
        check_exchange_kind(&keys, &options, errors);
        check_order(&options, &kind, &keys, errors);
        let ours = options.exchange.is_none() && !options.has_foreign_queue();
        let warned = keys.iter().filter(|_| ours);
        let warnings = warned.filter_map(|key| warning(key, args.name)).collect();
        let sources = signature.arguments.iter().map(|argument| source(argument, &captures)).collect();
        let site = args.site.map_or_else(Span::call_site, |attribute| attribute.pound_token.span);
        let runtime = args.runtime;
        validated.spec = Some(Self { kind, item, signature, sources, options, runtime, site, warnings });
        validated
    }
}

/// A binding key where it stands.
struct Key {
    literal: LitStr,
    key: BindingKey,
}

/// What the handler listens to, if all of it is well-formed.
fn read_subject(attribute: Attribute, args: &Args, errors: &Errors) -> Option<(HandlerKind, Vec<Key>)> {
    let kind: fn(Vec<LitStr>) -> HandlerKind = match attribute {
        Attribute::MessageHandler => {
            return Some((HandlerKind::Message { ty: read_type(args, errors)? }, Vec::new()));
        }
        Attribute::Audit => |keys| HandlerKind::Audit { keys },
        Attribute::React => |keys| HandlerKind::React { keys },
    };
    let keys = read_keys(args, errors)?;
    Some((kind(keys.iter().map(|key| key.literal.clone()).collect()), keys))
}

fn read_type(args: &Args, errors: &Errors) -> Option<Box<Type>> {
    let mut types = Vec::new();
    for subject in &args.subjects {
        match subject {
            Subject::Type(ty) => types.push(ty),
            Subject::Text(key) => errors.add(key, messages::type_is_text(&key.value())),
            Subject::Other(other) => errors.add(other, messages::type_missing()),
        }
    }
    for second in types.iter().skip(1) {
        errors.add(second, messages::one_type(&show(second)));
    }
    if args.subjects.is_empty() {
        errors.add(&args.site, messages::type_missing());
    }
    types.first().map(|ty| (*ty).clone())
}

fn read_keys(args: &Args, errors: &Errors) -> Option<Vec<Key>> {
    let name = args.name;
    if args.subjects.is_empty() {
        errors.add(&args.site, patterns::missing(name));
        return None;
    }
    let mut keys: Vec<Key> = Vec::new();
    for subject in &args.subjects {
        let Subject::Text(literal) = subject else {
            let found = show(subject);
            let text = if found.chars().any(char::is_lowercase) {
                patterns::not_text(name, &found)
            } else {
                patterns::constant(&found)
            };
            errors.add(subject, text);
            continue;
        };
        match BindingKey::parse(&literal.value(), name) {
            Err(text) => errors.add(literal, text),
            Ok(key) if keys.iter().any(|earlier| earlier.key.on_the_wire() == key.on_the_wire()) => {
                errors.add(literal, patterns::listed_twice(key.text()));
            }
            Ok(key) => keys.push(Key { literal: literal.clone(), key }),
        }
    }
    (keys.len() == args.subjects.len()).then_some(keys)
}

/// Checks that each captured word has its argument, and each key all captured words. Answers their names.
fn check_captures(keys: &[Key], signature: &HandlerSignature, errors: &Errors) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for Key { literal, key } in keys {
        for name in key.captures() {
            if names.contains(name) {
                continue;
            }
            names.push(name.clone());
            if !signature.arguments.iter().any(|argument| argument.name.as_ref() == Some(name)) {
                errors.add(literal, patterns::capture_without_argument(name, &signature.name));
                continue;
            }
            for other in keys.iter().filter(|other| !other.key.captures().contains(name)) {
                errors.add(&other.literal, patterns::capture_not_everywhere(name, other.key.text()));
            }
        }
    }
    names
}

/// Checks that an exchange which does not route by words is not bound with words.
fn check_exchange_kind(keys: &[Key], options: &Options, errors: &Errors) {
    let (Some(kind), Some(_)) = (&options.exchange_kind, &options.exchange) else { return };
    for Key { literal, key } in keys {
        match kind.value {
            ExchangeKind::Direct if key.on_the_wire().split('.').any(|word| word == "*" || word == "#") => {
                errors.add(literal, options_texts::direct_wildcard(key.text()));
            }
            ExchangeKind::Fanout if !key.is_everything() => {
                errors.add(literal, options_texts::fanout_key(key.text()));
            }
            ExchangeKind::Topic | ExchangeKind::Direct | ExchangeKind::Fanout => {}
        }
    }
}

/// Checks that a captured word by which messages are ordered is captured by each key.
fn check_order(options: &Options, kind: &HandlerKind, keys: &[Key], errors: &Errors) {
    let Some(order) = &options.ordered_by else { return };
    let text = order.value.value();
    let Some(word) = values::captured(&text) else { return };
    if matches!(kind, HandlerKind::Message { .. }) {
        errors.add(&order.value, options_texts::order_of_message(word));
    }
    let lacks = |key: &&Key| !key.key.captures().iter().any(|capture| capture == word);
    if let Some(key) = keys.iter().find(lacks) {
        errors.add(&order.value, options_texts::order_not_captured(word, key.key.text()));
    }
}

fn source<'a>(argument: &'a Argument, captures: &[String]) -> Source<'a> {
    match &argument.name {
        Some(name) if captures.contains(name) => Source::Captured(&argument.ty, name),
        _ => Source::Extract(&argument.ty),
    }
}

fn warning(Key { literal, key }: &Key, attribute: &str) -> Option<Warning> {
    let text = match key {
        key if key.is_everything() => patterns::everything(attribute),
        key if key.has_many_hashes() => patterns::many_hashes(key.text()),
        _ => return None,
    };
    Some(Warning { key: literal.clone(), text })
}
