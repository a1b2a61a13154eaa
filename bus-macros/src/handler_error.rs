//! `#[derive(HandlerError)]`: what an error means for the message, said once for each of its variants.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{Attribute, Data, DeriveInput, Meta, Variant};

use crate::args::{Args, OptionArg, Subject};
use crate::duration;
use crate::errors::{Errors, handler_errors as texts, options as option_texts};
use crate::slots::{Names, Once, Slot};
use crate::suggest;
use crate::support::RuntimePath;
use crate::values;

/// The registration of an error type, or everything that is wrong.
pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let errors = Errors::new();
    let spec = ErrorSpec::validate(&input, &errors);
    match errors.check() {
        Ok(()) => spec.expand(),
        Err(problems) => problems.into_compile_error(),
    }
}

/// An error type that cannot be wrong any more.
pub(crate) struct ErrorSpec {
    pub(crate) name: Ident,
    pub(crate) judgement: Judgement,
    pub(crate) runtime: RuntimePath,
}

/// What decides about an error of the type.
pub(crate) enum Judgement {
    /// The type itself.
    Same(Disposition),
    /// Its variant.
    ByVariant(Vec<(Ident, Disposition)>),
}

/// What an error means for the message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Disposition {
    Retry(Option<Duration>),
    DeadLetter,
    Discard,
    Pause(Duration),
}

/// The attributes that say it.
const ATTRIBUTES: [&str; 4] = ["retry", "dead_letter", "discard", "pause"];
/// The options of `#[retry(..)]`.
const RETRY_NAMES: Names = Names { listed: &["after"], aliases: &[], foreign: foreign_delay };

/// What `after` is called elsewhere.
fn foreign_delay(name: &str) -> Option<&'static str> {
    matches!(name, "delay" | "countdown" | "in" | "wait").then_some("here that is after = \"5m\"")
}

/// Where the runtime is named.
const TYPE_ATTRIBUTE: &str = "handler_error";

impl ErrorSpec {
    fn validate(input: &DeriveInput, errors: &Errors) -> Self {
        let DeriveInput { ident: name, generics, data, attrs, .. } = input;
        if !generics.params.is_empty() {
            errors.add(generics, texts::generic(name));
        }
        let judgement = match data {
            Data::Enum(data) => {
                for attribute in attrs.iter().filter(|attribute| spelled(attribute).is_some()) {
                    errors.add(attribute, texts::on_enum(name, &shown(attribute)));
                }
                let judged = data.variants.iter().map(|variant| by_variant(variant, errors));
                Judgement::ByVariant(judged.collect())
            }
            Data::Struct(_) => Judgement::Same(disposition(name, attrs, errors)),
            Data::Union(data) => {
                errors.add(data.union_token, texts::union(name));
                Judgement::ByVariant(Vec::new())
            }
        };
        Self { name: name.clone(), judgement, runtime: runtime(attrs, errors) }
    }
}

fn by_variant(variant: &Variant, errors: &Errors) -> (Ident, Disposition) {
    let Variant { ident: name, attrs, fields, .. } = variant;
    for field in fields {
        for attribute in field.attrs.iter().filter(|attribute| spelled(attribute).is_some()) {
            errors.add(attribute, texts::on_field(name, &shown(attribute)));
        }
    }
    (name.clone(), disposition(name, attrs, errors))
}

/// What the one attribute of a variant, or of a struct, says; anything when an error is reported.
fn disposition(name: &Ident, attributes: &[Attribute], errors: &Errors) -> Disposition {
    let mut saying = attributes.iter().filter_map(|attribute| Some((spelled(attribute)?, attribute)));
    let Some((spelling, first)) = saying.next() else {
        missing(name, attributes, errors);
        return Disposition::DeadLetter;
    };
    for (_, second) in saying {
        errors.add(second, texts::two(name, &shown(first)));
    }
    read(spelling, first, errors)
}

/// Reports a missing disposition: at the attribute that may have been meant as one, else at the name.
fn missing(name: &Ident, attributes: &[Attribute], errors: &Errors) {
    let meant = attributes.iter().find_map(|attribute| {
        let word = attribute.path().get_ident()?.to_string();
        suggest::nearest(&word, ATTRIBUTES).map(|near| (attribute, near))
    });
    match meant {
        Some((attribute, near)) => errors.add(attribute, texts::misspelt(name, near)),
        None => errors.add(name, texts::missing(name)),
    }
}

fn spelled(attribute: &Attribute) -> Option<&'static str> {
    ATTRIBUTES.into_iter().find(|spelling| attribute.path().is_ident(spelling))
}

fn shown(attribute: &Attribute) -> String {
    format!("#[{}]", attribute.path().to_token_stream())
}

/// The accepted spellings:
///
/// ```text
/// #[retry]
/// #[retry(after = "5m")]
/// #[dead_letter]
/// #[discard]
/// #[pause("30s")]
/// ```
fn read(spelling: &'static str, attribute: &Attribute, errors: &Errors) -> Disposition {
    if let Meta::NameValue(value) = &attribute.meta {
        errors.add(value, texts::not_a_value(spelling));
        return Disposition::DeadLetter;
    }
    let args = Args::of_attribute(spelling, attribute, errors);
    match spelling {
        "retry" => Disposition::Retry(after(&args, errors)),
        "pause" => Disposition::Pause(pause(attribute, &args, errors)),
        word => {
            let disposition = if word == "discard" { Disposition::Discard } else { Disposition::DeadLetter };
            if !matches!(attribute.meta, Meta::Path(_)) {
                errors.add(attribute, texts::no_arguments(word));
            }
            disposition
        }
    }
}

/// How long the handler rests: the one argument.
fn pause(attribute: &Attribute, args: &Args, errors: &Errors) -> Duration {
    let time = match (args.subjects.as_slice(), args.options.as_slice()) {
        ([Subject::Text(text)], []) => duration::parse(&text.value()).filter(|time| !time.is_zero()),
        _ => None,
    };
    time.unwrap_or_else(|| {
        errors.add(attribute, texts::pause());
        Duration::ZERO
    })
}

fn after(args: &Args, errors: &Errors) -> Option<Duration> {
    for subject in &args.subjects {
        errors.add(subject, texts::after_has_a_name(&subject.to_token_stream()));
    }
    let (place, mut after): (_, Slot<Duration>) = (args.place(), None);
    for option in &args.options {
        set_after(&Once { option, place: &place, errors }, &mut after);
    }
    after.map(|given| given.value)
}

fn set_after(once: &Once, after: &mut Slot<Duration>) {
    match once.option.name().as_str() {
        "after" => once.set(after, values::duration),
        _ => once.unknown(&RETRY_NAMES),
    }
}

/// What `#[handler_error(crate = ..)]` says.
fn runtime(attributes: &[Attribute], errors: &Errors) -> RuntimePath {
    let mut runtime = RuntimePath(None);
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(TYPE_ATTRIBUTE)) {
        let args = Args::of_attribute(TYPE_ATTRIBUTE, attribute, errors);
        for OptionArg { keyword, .. } in &args.options {
            errors.add(keyword, texts::type_option(keyword));
        }
        for subject in &args.subjects {
            errors.add(subject, option_texts::crate_path());
        }
        runtime = args.runtime.or(&runtime);
    }
    runtime
}
