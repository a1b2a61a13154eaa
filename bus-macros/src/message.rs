//! `#[derive(Message)]`: what a message type says of itself, checked and printed.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{Data, DeriveInput, GenericParam, LitStr, Type};

use crate::args::{Args, Attribute, OptionArg, Subject, Value};
use crate::binding_key::check_topic;
use crate::errors::{Errors, messages as texts, options as option_texts};
use crate::options::{self, Once, Slot};
use crate::support::{RuntimePath, local};
use crate::values;

/// The implementations of `Message` and `FromDelivery`, or everything that is wrong.
pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let errors = Errors::new();
    check_type(&input, &errors);
    let spec = read_kind(&input, &errors).and_then(|args| MessageSpec::validate(&input.ident, args, &errors));
    match (errors.check(), spec) {
        (Ok(()), Some(spec)) => spec.expand(),
        (problems, _) => problems.err().map(syn::Error::into_compile_error).unwrap_or_default(),
    }
}

/// A message type that cannot be wrong any more.
struct MessageSpec {
    name: Ident,
    kind: Kind,
    topic: LitStr,
    version: Slot<u32>,
    exchange: Slot<LitStr>,
    ttl: Slot<Duration>,
    priority: Slot<u8>,
    runtime: RuntimePath,
}

/// Event, task or command, with what only that kind has.
enum Kind {
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
fn read_kind(input: &DeriveInput, errors: &Errors) -> Option<Args> {
    let mut kinds = input.attrs.iter().filter_map(|attribute| {
        let kind = Attribute::KINDS.into_iter().find(|kind| attribute.path().is_ident(kind.name()))?;
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
    let args = Args::parse(kind, tokens, errors);
    if args.subjects.is_empty() {
        errors.add(attribute, texts::no_topic(&input.ident, kind.name(), &topic_for(&input.ident)));
    }
    Some(args)
}

impl MessageSpec {
    fn validate(name: &Ident, args: Args, errors: &Errors) -> Option<Self> {
        let Args { attribute, subjects, options, runtime } = args;
        let topic = read_topic(name, attribute, &subjects, errors);
        let Options { version, exchange, terminal, ttl, priority, reply } =
            Options::read(attribute, &options, errors);
        let kind = match attribute {
            Attribute::Event => Kind::Event { terminal: terminal.is_some_and(|terminal| terminal.value) },
            Attribute::Command => Kind::Command { reply: reply.map(|reply| reply.value) },
            _ => Kind::Task,
        };
        Some(Self { name: name.clone(), kind, topic: topic?, version, exchange, ttl, priority, runtime })
    }

    fn expand(&self) -> TokenStream {
        let Self { name, kind, topic, version, exchange, ttl, priority, runtime } = self;
        let import = runtime.import();
        let (delivery, arguments) = (local("delivery"), local("arguments"));
        let kind_type = kind.type_tokens();
        let terminal = matches!(kind, Kind::Event { terminal: true }).then(|| {
            quote!(
                const TERMINAL: __bus::bool = true;
            )
        });
        let version = version.as_ref().map(|given| {
            let version = proc_macro2::Literal::u32_unsuffixed(given.value);
            quote!(const VERSION: __bus::u32 = #version;)
        });
        let exchange = exchange.as_ref().map(|given| {
            let exchange = &given.value;
            quote!(const EXCHANGE: __bus::Option<&'static __bus::str> = __bus::Some(#exchange);)
        });
        let ttl = ttl.as_ref().map(|given| {
            let millis = proc_macro2::Literal::u128_unsuffixed(given.value.as_millis());
            quote!(const TTL_MILLIS: __bus::Option<__bus::u64> = __bus::Some(#millis);)
        });
        let priority = priority.as_ref().map(|given| {
            let priority = proc_macro2::Literal::u8_unsuffixed(given.value);
            quote!(const PRIORITY: __bus::Option<__bus::u8> = __bus::Some(#priority);)
        });
        quote! {
            const _: () = {
                #import
                impl __bus::Message for #name {
                    type Kind = #kind_type;
                    const TOPIC: &'static __bus::str = #topic;
                    #version #exchange #terminal #ttl #priority
                }
                impl __bus::FromDelivery for #name {
                    fn from_delivery(#delivery: &__bus::Delivery) -> __bus::Result<Self, __bus::Rejection> {
                        __bus::decode::<Self>(#delivery)
                    }
                    fn describe(#arguments: &mut __bus::Arguments) {
                        #arguments.payload::<Self>();
                    }
                }
            };
        }
    }
}

impl Kind {
    fn type_tokens(&self) -> TokenStream {
        match self {
            Self::Event { .. } => quote!(__bus::Event),
            Self::Task => quote!(__bus::Task),
            Self::Command { reply: None } => quote!(__bus::Command<()>),
            Self::Command { reply: Some(reply) } => quote!(__bus::Command<#reply>),
        }
    }
}

impl Options {
    fn read(attribute: Attribute, given: &[OptionArg], errors: &Errors) -> Self {
        let mut options = Self::default();
        for option in given {
            options.set(option, attribute, errors);
        }
        options
    }

    fn set(&mut self, option: &OptionArg, attribute: Attribute, errors: &Errors) {
        let once = Once { option, place: &attribute.place(), errors };
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
            _ => {
                let known = options::of_message(attribute);
                options::unknown(option, &attribute.place(), known, &[], errors);
            }
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

impl Attribute {
    fn with_article(self) -> &'static str {
        match self {
            Self::Event => "an event",
            Self::Task => "a task",
            Self::Command => "a command",
            handler => handler.name(),
        }
    }
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
