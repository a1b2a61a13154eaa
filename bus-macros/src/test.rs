//! What stands in the place of `#[bus_runtime::test]`: the function as it was, and the tests that run it.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, FnArg, LitStr, Signature, Token, Type, Visibility, token};

use crate::args::{Args, OptionArg, Value};
use crate::errors::{Errors, options, signatures, tests as texts};
use crate::signature::{head, other_item};
use crate::slots::{Names, Once, Slot};
use crate::support::RuntimePath;
use crate::values;

/// The attribute as messages write it.
const NAME: &str = "bus_runtime::test";
/// The same, with its arguments.
const PLACE: &str = "#[bus_runtime::test(..)]";

/// The names of all options.
const NAMES: Names = Names {
    listed: &["app", "handlers", "on", "crate"],
    aliases: &[],
    foreign: |name| match name {
        "flavor" | "start_paused" | "worker_threads" => Some(
            "leave it out: the test has one thread, and a clock that stands still unless it says on(rabbitmq)",
        ),
        "broker" | "brokers" | "transport" => Some("here that is on(embedded, rabbitmq)"),
        "state" | "setup" => Some("here that is app = build, a function that returns the app with its state"),
        "groups" => Some("here that is app = build, a function that returns bus_runtime::app().groups(..)"),
        "timeout" => Some("leave it out: a test that does not settle panics by itself"),
        _ => None,
    },
};

/// A test and how it is run; nothing is wrong with it.
pub(crate) struct TestSpec {
    pub(crate) attributes: Vec<syn::Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: TokenStream,
    pub(crate) arguments: Vec<Type>,
    pub(crate) settings: Settings,
    pub(crate) runtime: RuntimePath,
}

/// What the attribute says.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) app: Slot<Expr>,
    pub(crate) handlers: Slot<Vec<LitStr>>,
    pub(crate) on: Slot<Vec<Broker>>,
}

/// What a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broker {
    Embedded,
    RabbitMq,
}

/// The tests, or the function with everything that is wrong.
pub(crate) fn test(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let errors = Errors::new();
    let args = Args::parse(NAME, arguments, &errors);
    for subject in &args.subjects {
        errors.add(subject, texts::subject(&subject.to_token_stream()));
    }
    let settings = Settings::read(&args, &errors);
    let parse = |input: ParseStream| TestSpec::parse(input, settings, args.runtime);
    let spec = errors.ok(parse.parse2(item.clone()));
    match (errors.check(), spec) {
        (Ok(()), Some(spec)) => spec.expand(),
        (problems, _) => {
            let problems = problems.err().map(syn::Error::into_compile_error);
            // Kept, so that its imports are used; nothing runs it.
            quote!(#[allow(dead_code)] #item #problems)
        }
    }
}

impl TestSpec {
    fn parse(input: ParseStream, settings: Settings, runtime: RuntimePath) -> syn::Result<Self> {
        let attributes = syn::Attribute::parse_outer(input)?;
        if let Some(item) = other_item(&input.fork())? {
            let head = head(input.parse()?);
            return Err(syn::Error::new_spanned(head, signatures::not_a_function(NAME, item)));
        }
        let visibility = input.parse()?;
        let signature: Signature = input.parse()?;
        let has_body = input.peek(token::Brace);
        let body = input.parse()?;
        if !has_body {
            return Err(syn::Error::new_spanned(signature, signatures::no_body(NAME)));
        }
        let errors = Errors::new();
        if signature.asyncness.is_none() {
            errors.add(signature.fn_token, texts::not_async(&signature.ident));
        }
        if !signature.generics.params.is_empty() {
            errors.add(&signature.generics, texts::generic());
        }
        let mut arguments = Vec::new();
        for argument in &signature.inputs {
            match argument {
                FnArg::Receiver(receiver) => errors.add(receiver, texts::method()),
                FnArg::Typed(argument) => match &*argument.ty {
                    Type::Reference(borrowed) => {
                        errors.add(&argument.ty, texts::borrowed(&borrowed.elem.to_token_stream()));
                    }
                    ty => arguments.push(ty.clone()),
                },
            }
        }
        errors.check()?;
        Ok(Self { attributes, visibility, signature, body, arguments, settings, runtime })
    }
}

impl Settings {
    fn read(args: &Args, errors: &Errors) -> Self {
        let mut settings = Self::default();
        for option in &args.options {
            let once = Once { option, place: PLACE, errors };
            match option.name().as_str() {
                "app" => once.set(&mut settings.app, app),
                "handlers" => once.set(&mut settings.handlers, handlers),
                "on" => once.set(&mut settings.on, brokers),
                _ => once.unknown(&NAMES),
            }
        }
        settings
    }
}

/// `app = build`
fn app(option: &OptionArg) -> syn::Result<Expr> {
    match &option.value {
        Value::Is(app) => Ok((**app).clone()),
        _ => Err(values::problem(
            option,
            options::no_value("app", "app = build, where fn build() -> bus_runtime::App"),
        )),
    }
}

/// `handlers("wiki::*", "billing::send")`
fn handlers(option: &OptionArg) -> syn::Result<Vec<LitStr>> {
    let globs = list::<LitStr>(option, "handlers(\"wiki::*\")", texts::not_globs)?;
    Ok(globs)
}

/// `on(embedded, rabbitmq)`
fn brokers(option: &OptionArg) -> syn::Result<Vec<Broker>> {
    let words = list::<Ident>(option, "on(embedded, rabbitmq)", texts::not_brokers)?;
    let errors = Errors::new();
    let mut brokers = Vec::new();
    for word in words {
        let broker = match word.to_string().as_str() {
            "embedded" => Broker::Embedded,
            "rabbitmq" => Broker::RabbitMq,
            other => {
                errors.add(&word, texts::no_broker(other));
                continue;
            }
        };
        if brokers.contains(&broker) {
            errors.add(&word, texts::broker_twice(&word));
        }
        brokers.push(broker);
    }
    errors.check().map(|()| brokers)
}

/// What stands in the parentheses of an option.
fn list<T: syn::parse::Parse>(
    option: &OptionArg,
    example: &str,
    wrong: fn(&str) -> String,
) -> syn::Result<Vec<T>> {
    let Value::List(inside, whole) = &option.value else {
        return Err(values::problem(option, options::no_list(&option.name(), example)));
    };
    if inside.is_empty() {
        return Err(values::problem(option, options::empty_list(&option.name(), example)));
    }
    let parsed = Punctuated::<T, Token![,]>::parse_terminated.parse2(inside.clone());
    parsed.map(|list| list.into_iter().collect()).map_err(|_| syn::Error::new_spanned(whole, wrong(example)))
}
