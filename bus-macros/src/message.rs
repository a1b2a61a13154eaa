//! `#[derive(Message)]`: what a message type says of itself, checked and printed.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{Data, DeriveInput, GenericParam, LitStr, Type};

use crate::args::{Args, OptionArg, Subject, Value};
use crate::binding_key::check_topic;
use crate::errors::{Errors, messages as texts, options as option_texts};
use crate::slots::{Names, Once, Slot};
use crate::support::RuntimePath;
use crate::values;

/// The implementations of `Message` and `FromDelivery`, or everything that is wrong.
pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let errors = Errors::new();
    check_type(&input, &errors);
    let spec = read_kind(&input, &errors)
        .and_then(|(kind, args)| MessageSpec::validate(kind, &input.ident, args, &errors));
    match (errors.check(), spec) {
        (Ok(()), Some(spec)) => spec.expand(),
        (problems, _) => problems.err().map(syn::Error::into_compile_error).unwrap_or_default(),
    }
}

/// A message type that cannot be wrong any more.
pub(crate) struct MessageSpec {
    pub(crate) name: Ident,
    pub(crate) kind: Kind,
    pub(crate) topic: LitStr,
    pub(crate) version: Slot<u32>,
    pub(crate) exchange: Slot<LitStr>,
    pub(crate) ttl: Slot<Duration>,
    pub(crate) priority: Slot<u8>,
    pub(crate) runtime: RuntimePath,
}

/// The three attributes of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attribute {
    Event,
    Task,
    Command,
}

impl Attribute {
    const ALL: [Self; 3] = [Self::Event, Self::Task, Self::Command];

    fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Task => "task",
            Self::Command => "command",
        }
    }

    fn with_article(self) -> &'static str {
        match self {
            Self::Event => "an event",
            Self::Task => "a task",
            Self::Command => "a command",
        }
    }

    /// The names of its options.
    fn names(self) -> &'static Names {
        const fn names(listed: &'static [&'static str]) -> Names {
            Names { listed, aliases: &[], foreign: |_| None }
        }
        match self {
            Self::Event => const { &names(&["version", "exchange", "terminal", "ttl", "priority", "crate"]) },
            Self::Task => const { &names(&["version", "exchange", "ttl", "priority", "crate"]) },
            Self::Command => const { &names(&["reply", "version", "exchange", "ttl", "priority", "crate"]) },
        }
    }
}

/// Event, task or command, with what only that kind has.
pub(crate) enum Kind {
    Event { terminal: bool },
    Task,
    Command { reply: Option<Box<Type>> },
}

/// What is set of a message's options.
#[derive(Default)]
struct Options {
    version: Slot<u32>,
    exchange: Slot<LitStr>,
    terminal: Slot<bool>,
    ttl: Slot<Duration>,
    priority: Slot<u8>,
    reply: Slot<Box<Type>>,
}

/// A message is one owned type.
fn check_type(input: &DeriveInput, errors: &Errors) {
    let DeriveInput { ident: name, generics, data, .. } = input;
    if let Data::Union(union) = data {
        errors.add(union.union_token, texts::union(name));
    }
    for parameter in &generics.params {
        match parameter {
            GenericParam::Lifetime(lifetime) => {
                errors.add(lifetime, texts::borrows(name, &lifetime.lifetime));
            }
            GenericParam::Type(_) | GenericParam::Const(_) => {
                errors.add(generics, texts::generic(name));
                return;
            }
        }
    }
}

/// The one attribute that says what kind of message it is.
fn read_kind(input: &DeriveInput, errors: &Errors) -> Option<(Attribute, Args)> {
    let mut kinds = input.attrs.iter().filter_map(|attribute| {
        let kind = Attribute::ALL.into_iter().find(|kind| attribute.path().is_ident(kind.name()))?;
        Some((kind, attribute))
    });
    let Some((kind, attribute)) = kinds.next() else {
        errors.add(&input.ident, texts::no_kind(&input.ident, &topic_for(&input.ident)));
        return None;
    };
    for (_, second) in kinds {
        errors.add(second, texts::two_kinds(&input.ident, kind.with_article()));
    }
    let tokens = match &attribute.meta {
        syn::Meta::List(list) => list.tokens.clone(),
        syn::Meta::Path(_) => TokenStream::new(),
        syn::Meta::NameValue(pair) => {
            errors.add(pair, texts::topic_not_text(kind.name(), &topic_for(&input.ident)));
            return None;
        }
    };
    let args = Args::parse(kind.name(), tokens, errors);
    if args.subjects.is_empty() {
        errors.add(attribute, texts::no_topic(&input.ident, kind.name(), &topic_for(&input.ident)));
    }
    Some((kind, args))
}

impl MessageSpec {
    fn validate(attribute: Attribute, name: &Ident, args: Args, errors: &Errors) -> Option<Self> {
        let topic = read_topic(name, attribute, &args.subjects, errors);
        let Options { version, exchange, terminal, ttl, priority, reply } =
            Options::read(attribute, &args, errors);
        let runtime = args.runtime;
        let kind = match attribute {
            Attribute::Event => Kind::Event { terminal: terminal.is_some_and(|terminal| terminal.value) },
            Attribute::Command => Kind::Command { reply: reply.map(|reply| reply.value) },
            Attribute::Task => Kind::Task,
        };
        Some(Self { name: name.clone(), kind, topic: topic?, version, exchange, ttl, priority, runtime })
    }
}

impl Options {
    fn read(attribute: Attribute, args: &Args, errors: &Errors) -> Self {
        let place = args.place();
        let mut options = Self::default();
        for option in &args.options {
            options.set(attribute, &Once { option, place: &place, errors });
        }
        options
    }

    fn set(&mut self, attribute: Attribute, once: &Once) {
        let Once { option, errors, .. } = once;
        match (option.name().as_str(), attribute) {
            ("version", _) => once.set(&mut self.version, |option| values::number(option, 1..=u32::MAX)),
            ("exchange", _) => once.set(&mut self.exchange, values::name),
            ("ttl", _) => once.set(&mut self.ttl, values::queue_time),
            ("priority", _) => once.set(&mut self.priority, |option| values::number(option, 0..=u8::MAX)),
            ("terminal", Attribute::Event) => once.set(&mut self.terminal, terminal),
            ("terminal", _) => errors.add(option, texts::terminal_elsewhere(attribute.with_article())),
            ("reply", Attribute::Command) => once.set(&mut self.reply, reply),
            ("reply", _) => errors.add(option, texts::reply_elsewhere(attribute.name())),
            ("kind", _) => errors.add(option, texts::kind_option(attribute.name())),
            _ => once.unknown(attribute.names()),
        }
    }
}

/// `terminal` or `terminal = true`.
fn terminal(option: &OptionArg) -> syn::Result<bool> {
    match option.value {
        Value::None => Ok(true),
        _ => values::flag(option),
    }
}

fn reply(option: &OptionArg) -> syn::Result<Box<Type>> {
    match &option.value {
        Value::IsType(reply) => Ok(reply.clone()),
        _ => Err(values::problem(option, option_texts::no_value("reply", "reply = u64"))),
    }
}

fn read_topic(name: &Ident, attribute: Attribute, subjects: &[Subject], errors: &Errors) -> Option<LitStr> {
    let mut topics = subjects.iter();
    let Subject::Text(topic) = topics.next()? else {
        let text = texts::topic_not_text(attribute.name(), &topic_for(name));
        errors.add(subjects.first().map(ToTokens::to_token_stream), text);
        return None;
    };
    for second in topics {
        errors.add(second, texts::two_topics());
    }
    if topic.value().is_empty() {
        errors.add(topic, texts::no_topic(name, attribute.name(), &topic_for(name)));
    } else if let Err(text) = check_topic(&topic.value()) {
        errors.add(topic, text);
    }
    Some(topic.clone())
}

/// A topic that would suit a type: `order.placed` for `OrderPlaced`.
fn topic_for(name: &Ident) -> String {
    let mut topic = String::new();
    for letter in name.to_string().chars() {
        if letter.is_uppercase() && !topic.is_empty() {
            topic.push('.');
        }
        topic.extend(letter.to_lowercase());
    }
    topic
}
