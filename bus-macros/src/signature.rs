//! The item under an attribute: the function's signature, and everything that a handler's must not be.
//!
//! The body is not parsed: what is wrong with it is for the compiler to say.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{
    Abi, FnArg, GenericParam, Pat, PatType, ReturnType, Safety, Signature, Token, Type, TypeReference,
    Visibility, token,
};

use crate::errors::{Errors, signatures as texts};
use crate::handler::Attribute;

/// The item, which is emitted again whatever is wrong with it.
pub(crate) struct HandlerItem {
    pub(crate) attributes: Vec<syn::Attribute>,
    /// Everything behind the attributes.
    rest: TokenStream,
    pub(crate) signature: Option<HandlerSignature>,
}

/// What is to be known of a handler's function; nothing is wrong with it.
pub(crate) struct HandlerSignature {
    pub(crate) name: Ident,
    pub(crate) is_async: bool,
    pub(crate) arguments: Vec<Argument>,
    /// Nothing for `()` that is not written.
    pub(crate) output: Option<Type>,
}

/// An argument of a handler.
pub(crate) struct Argument {
    /// Its name; other patterns have none.
    pub(crate) name: Option<String>,
    pub(crate) ty: Type,
}

impl HandlerItem {
    pub(crate) fn parse(attribute: Attribute, item: TokenStream, errors: &Errors) -> Self {
        let split = |input: ParseStream| Ok((syn::Attribute::parse_outer(input)?, input.parse()?));
        let (attributes, rest): (_, TokenStream) = match split.parse2(item.clone()) {
            Ok(parts) => parts,
            Err(error) => {
                errors.push(error);
                (Vec::new(), item)
            }
        };
        let parse = |input: ParseStream| HandlerSignature::parse(attribute, input);
        let signature = errors.ok(parse.parse2(rest.clone()));
        Self { attributes, rest, signature }
    }

    /// The item as it was, but for the lints which the framework itself provokes.
    pub(crate) fn kept(&self, last: bool) -> TokenStream {
        let Self { attributes, rest, signature } = self;
        let allow = match signature {
            Some(HandlerSignature { is_async: true, .. }) if last => quote!(#[allow(clippy::unused_async)]),
            Some(_) if last => quote!(#[allow(clippy::needless_pass_by_value)]),
            _ => TokenStream::new(),
        };
        quote!(#allow #(#attributes)* #rest)
    }

    /// Drops attributes, by their index: what is wrong with them has been said.
    pub(crate) fn forget(&mut self, indices: &[usize]) {
        let mut index = 0..;
        self.attributes.retain(|_| !index.next().is_some_and(|index| indices.contains(&index)));
    }
}

impl HandlerSignature {
    fn parse(attribute: Attribute, input: ParseStream) -> syn::Result<Self> {
        if let Some(item) = other_item(&input.fork())? {
            let head = head(input.parse()?);
            return Err(syn::Error::new_spanned(head, texts::not_a_function(attribute.name(), item)));
        }
        input.parse::<Visibility>()?;
        let signature: Signature = input.parse()?;
        let has_body = input.peek(token::Brace);
        input.parse::<TokenStream>()?;
        if has_body {
            Self::validate(attribute, signature)
        } else {
            Err(syn::Error::new_spanned(signature, texts::no_body(attribute.name())))
        }
    }

    fn validate(attribute: Attribute, signature: Signature) -> syn::Result<Self> {
        let errors = Errors::new();
        check_qualifiers(&signature, &errors);
        check_generics(&signature, &errors);
        let Signature { ident: name, asyncness, inputs, output, .. } = signature;
        let mut arguments = Vec::new();
        for input in inputs {
            match input {
                FnArg::Receiver(receiver) => errors.add(&receiver, texts::method(attribute.name())),
                FnArg::Typed(argument) => arguments.push(Argument::validate(argument, &errors)),
            }
        }
        let output = match output {
            ReturnType::Default => None,
            ReturnType::Type(_, output) => Some(*output),
        };
        if let Some(output) = output.as_ref().filter(|output| asyncness.is_none() && is_impl(output)) {
            errors.add(output, texts::impl_future(&name));
        }
        errors.check()?;
        Ok(Self { name, is_async: asyncness.is_some(), arguments, output })
    }
}

impl Argument {
    fn validate(argument: PatType, errors: &Errors) -> Self {
        let PatType { pat, ty, .. } = argument;
        let name = match &*pat {
            Pat::Ident(name) if name.subpat.is_none() => Some(name.ident.unraw().to_string()),
            _ => None,
        };
        let shown = name.clone().unwrap_or_else(|| pat.to_token_stream().to_string());
        match &*ty {
            Type::Reference(borrowed) => errors.add(&ty, texts::borrowed(&shown, &owned(borrowed))),
            ty if is_impl(ty) => errors.add(ty, texts::impl_trait(&shown)),
            _ => {}
        }
        Self { name, ty: *ty }
    }
}

fn check_qualifiers(signature: &Signature, errors: &Errors) {
    if let Some(constness) = &signature.constness {
        errors.add(constness, texts::not_const());
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        errors.add(unsafety, texts::not_unsafe());
    }
    if let Some(Abi { extern_token, .. }) = &signature.abi {
        errors.add(extern_token, texts::not_extern());
    }
    if let Some(variadic) = &signature.variadic {
        errors.add(variadic, texts::not_variadic());
    }
}

fn check_generics(signature: &Signature, errors: &Errors) {
    let borrows = signature.inputs.iter().any(|input| match input {
        FnArg::Typed(argument) => matches!(&*argument.ty, Type::Reference(_)),
        FnArg::Receiver(_) => false,
    });
    for parameter in &signature.generics.params {
        match parameter {
            // A borrowed argument is reported as that, and its lifetime goes with it.
            GenericParam::Lifetime(_) if borrows => {}
            GenericParam::Lifetime(lifetime) => errors.add(lifetime, texts::lifetime(&lifetime.lifetime)),
            _ => {
                errors.add(&signature.generics, texts::generic());
                return;
            }
        }
    }
}

/// What the item is, in words, if it is no function.
fn other_item(input: ParseStream) -> syn::Result<Option<&'static str>> {
    input.parse::<Visibility>()?;
    let fork = input.fork();
    if fork.parse::<Signature>().is_ok() {
        return Ok(None);
    }
    let items: [(bool, &'static str); 11] = [
        (input.peek(Token![struct]), "a struct"),
        (input.peek(Token![enum]), "an enum"),
        (input.peek(Token![union]), "a union"),
        (input.peek(Token![trait]), "a trait"),
        (input.peek(Token![impl]), "an impl block"),
        (input.peek(Token![mod]), "a module"),
        (input.peek(Token![const]), "a constant"),
        (input.peek(Token![static]), "a static"),
        (input.peek(Token![type]), "a type alias"),
        (input.peek(Token![use]), "an import"),
        (input.peek(Token![extern]), "a block of foreign items"),
    ];
    Ok(items.into_iter().find(|(is, _)| *is).map(|(_, name)| name))
}

/// An item up to its first body or list, which is enough to underline.
fn head(item: TokenStream) -> TokenStream {
    item.into_iter().take_while(|tree| !matches!(tree, TokenTree::Group(_))).collect()
}

/// The type to take instead of a borrowed one.
fn owned(borrowed: &TypeReference) -> String {
    match &*borrowed.elem {
        Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
        Type::Slice(slice) => format!("Vec<{}>", show(&slice.elem)),
        owned => show(owned),
    }
}

fn is_impl(ty: &Type) -> bool {
    fn holds_impl(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|tree| match tree {
            TokenTree::Ident(word) => word == "impl",
            TokenTree::Group(group) => holds_impl(group.stream()),
            _ => false,
        })
    }
    holds_impl(ty.to_token_stream())
}

/// A type as people write it.
pub(crate) fn show(ty: &impl ToTokens) -> String {
    let text = ty.to_token_stream().to_string();
    [(" :: ", "::"), (" < ", "<"), (" >", ">"), (" ,", ","), ("& ", "&")]
        .into_iter()
        .fold(text, |text, (from, to)| text.replace(from, to))
}
