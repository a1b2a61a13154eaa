//! What stands in the parentheses of an attribute, as it is written; it may still be wrong.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Expr, LitStr, Meta, Path, Token, Type, parenthesized, token};

use crate::errors::{self, Errors};
use crate::support::RuntimePath;

/// The arguments of one attribute.
pub(crate) struct Args {
    /// The attribute's name.
    pub(crate) name: &'static str,
    /// What it is about: binding keys, a message type or a topic.
    pub(crate) subjects: Vec<Subject>,
    pub(crate) options: Vec<OptionArg>,
    pub(crate) runtime: RuntimePath,
    /// The attribute, where it is not the one that is being expanded.
    pub(crate) site: Option<syn::Attribute>,
}

/// An argument without a name.
pub(crate) enum Subject {
    /// `"wiki.#"`
    Text(LitStr),
    /// `UserCreated`
    Type(Box<Type>),
    /// Anything else, such as `1 + 1`.
    Other(TokenStream),
}

/// An argument with a name.
pub(crate) struct OptionArg {
    pub(crate) keyword: Ident,
    pub(crate) value: Value,
}

/// What follows the name of an option.
pub(crate) enum Value {
    /// Nothing: `terminal`
    None,
    /// `timeout = 30`
    Is(Box<Expr>),
    /// `reply = u64`
    IsType(Box<Type>),
    /// `retry(max = 5)`; the tokens inside, and with the parentheses.
    List(TokenStream, TokenStream),
}

impl Args {
    /// Reads all arguments, whatever is wrong with some of them.
    pub(crate) fn parse(name: &'static str, tokens: TokenStream, errors: &Errors) -> Self {
        let runtime = RuntimePath(None);
        let mut args = Self { name, subjects: Vec::new(), options: Vec::new(), runtime, site: None };
        for argument in list::<Argument>(tokens, errors) {
            match argument {
                Argument::Subject(subject) => args.subjects.push(subject),
                Argument::Option(option) => args.options.push(option),
                Argument::Crate(_, path) if args.runtime.0.is_none() => args.runtime.0 = Some(path),
                Argument::Crate(keyword, _) => {
                    errors.add(keyword, errors::options::twice("crate", &args.place()));
                }
            }
        }
        args
    }

    /// Reads the arguments of an attribute below the one that is being expanded.
    pub(crate) fn of_attribute(name: &'static str, attribute: &syn::Attribute, errors: &Errors) -> Self {
        let tokens = match &attribute.meta {
            Meta::List(list) => list.tokens.clone(),
            Meta::Path(_) | Meta::NameValue(_) => TokenStream::new(),
        };
        Self { site: Some(attribute.clone()), ..Self::parse(name, tokens, errors) }
    }

    /// The attribute as messages write it: `#[react(..)]`.
    pub(crate) fn place(&self) -> String {
        format!("#[{}(..)]", self.name)
    }
}

impl OptionArg {
    /// Reads the settings inside `retry(..)`.
    pub(crate) fn parse_list(tokens: TokenStream, errors: &Errors) -> Vec<Self> {
        list(tokens, errors)
    }

    pub(crate) fn name(&self) -> String {
        self.keyword.unraw().to_string()
    }
}

impl ToTokens for Subject {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Text(text) => text.to_tokens(tokens),
            Self::Type(ty) => ty.to_tokens(tokens),
            Self::Other(other) => other.to_tokens(tokens),
        }
    }
}

impl ToTokens for OptionArg {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { keyword, value } = self;
        tokens.extend(match value {
            Value::None => quote!(#keyword),
            Value::Is(value) => quote!(#keyword = #value),
            Value::IsType(value) => quote!(#keyword = #value),
            Value::List(_, list) => quote!(#keyword #list),
        });
    }
}

enum Argument {
    Subject(Subject),
    Option(OptionArg),
    Crate(Token![crate], Path),
}

/// The accepted spellings, in this order:
///
/// ```text
/// "wiki.#"                    subject
/// crate = ::facade::bus       path to the runtime, also in quotes
/// name = value                option
/// name(..)                    option with a list
/// name                        option without a value, when it is in lower case
/// UserCreated                 subject, any type
/// ```
impl Parse for Argument {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        if input.peek(LitStr) {
            return Ok(Self::Subject(Subject::Text(input.parse()?)));
        }
        if input.peek(Token![crate]) && input.peek2(Token![=]) {
            return crate_path(input);
        }
        if input.peek(Ident::peek_any) {
            let ahead = input.fork();
            let keyword = Ident::parse_any(&ahead)?;
            let alone = ahead.is_empty() || ahead.peek(Token![,]);
            let colon = ahead.peek(Token![:]) && !ahead.peek(Token![::]);
            if ahead.peek(Token![=]) || ahead.peek(token::Paren) || colon || alone && is_lower(&keyword) {
                return input.parse().map(Self::Option);
            }
        }
        let ahead = input.fork();
        if ahead.parse::<Type>().is_ok() {
            return Ok(Self::Subject(Subject::Type(input.parse()?)));
        }
        let rest = until_comma(input);
        if rest.is_empty() {
            Err(input.error(errors::options::not_an_argument()))
        } else {
            Ok(Self::Subject(Subject::Other(rest)))
        }
    }
}

impl Parse for OptionArg {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error(errors::options::not_an_argument()));
        }
        let keyword = Ident::parse_any(input)?;
        let name = keyword.unraw().to_string();
        if input.is_empty() || input.peek(Token![,]) {
            return Ok(Self { keyword, value: Value::None });
        }
        if input.peek(token::Paren) {
            let ahead = input.fork();
            let list = ahead.parse::<TokenTree>()?.into_token_stream();
            let inside;
            parenthesized!(inside in input);
            return Ok(Self { keyword, value: Value::List(inside.parse()?, list) });
        }
        if !input.peek(Token![=]) {
            return Err(syn::Error::new_spanned(&keyword, errors::options::colon(&name)));
        }
        // The value, which may be missing.
        input.parse::<Token![=]>()?;
        let value = match name.as_str() {
            _ if input.is_empty() || input.peek(Token![,]) => Value::None,
            "reply" => Value::IsType(input.parse()?),
            _ => Value::Is(input.parse()?),
        };
        Ok(Self { keyword, value })
    }
}

fn crate_path(input: ParseStream) -> syn::Result<Argument> {
    let keyword = input.parse()?;
    input.parse::<Token![=]>()?;
    let place = input.cursor().token_stream();
    let path = if input.peek(LitStr) {
        input.parse::<LitStr>()?.parse_with(Path::parse_mod_style)
    } else {
        input.call(Path::parse_mod_style)
    };
    match path {
        Ok(path) => Ok(Argument::Crate(keyword, path)),
        Err(_) if place.is_empty() => Err(syn::Error::new_spanned(keyword, errors::options::crate_path())),
        Err(error) => Err(syn::Error::new(error.span(), errors::options::crate_path())),
    }
}

fn is_lower(word: &Ident) -> bool {
    word.to_string().starts_with(|first: char| first.is_lowercase())
}

/// Reads a comma-separated list to its end; what cannot be read is reported and skipped.
fn list<T: Parse>(tokens: TokenStream, errors: &Errors) -> Vec<T> {
    let items = |input: ParseStream| {
        let mut items = Vec::new();
        while !input.is_empty() {
            match input.parse() {
                Ok(item) => items.push(item),
                Err(error) => {
                    errors.push(error);
                    until_comma(input);
                }
            }
            if !input.is_empty() && !input.peek(Token![,]) {
                errors.add_at(input.span(), errors::options::no_comma());
                // An option that follows may well be right; anything else is a part of the same mistake.
                if input.peek2(Token![=]) || input.peek2(token::Paren) {
                    continue;
                }
                until_comma(input);
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(items)
    };
    errors.ok(items.parse2(tokens)).unwrap_or_default()
}

/// Takes everything up to the next comma.
fn until_comma(input: ParseStream) -> TokenStream {
    let mut taken = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        let Ok(tree) = input.parse::<TokenTree>() else { break };
        taken.extend([tree]);
    }
    taken
}
