//! The item under an attribute: the function's signature, and everything that a handler's must not be.
//!
//! The body is not parsed: what is wrong with it is for the compiler to say.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{
    Abi, FnArg, GenericParam, Pat, PatType, ReceiverKind, ReturnType, Safety, Signature, Token, Type,
    TypeReference, Visibility, token,
};

use crate::controller::Owner;
use crate::errors::{Errors, signatures as texts};
use crate::handler::Attribute;

/// The item, which is emitted again whatever is wrong with it.
pub(crate) struct HandlerItem {
    pub(crate) attributes: Vec<syn::Attribute>,
    /// Everything behind the attributes; of a method nothing, because the impl block keeps it.
    rest: TokenStream,
    pub(crate) signature: Option<HandlerSignature>,
}

/// What is to be known of a handler's function; nothing is wrong with it.
#[derive(Clone)]
pub(crate) struct HandlerSignature {
    pub(crate) name: Ident,
    /// The type whose associated function it is.
    pub(crate) owner: Option<Owner>,
    pub(crate) receiver: Option<Receiver>,
    pub(crate) is_async: bool,
    pub(crate) arguments: Vec<Argument>,
    /// Nothing for `()` that is not written.
    pub(crate) output: Option<Type>,
}

/// How a method takes its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiver {
    /// `&self`
    Borrowed,
    /// `self: Arc<Self>`
    Shared,
}

/// An argument of a handler.
#[derive(Clone)]
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
        let parse = |input: ParseStream| HandlerSignature::parse(attribute, input, None);
        let signature = errors.ok(parse.parse2(rest.clone()));
        Self { attributes, rest, signature }
    }

    /// A method under one of its attributes.
    pub(crate) fn of_method(attributes: Vec<syn::Attribute>, signature: Option<HandlerSignature>) -> Self {
        Self { attributes, rest: TokenStream::new(), signature }
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
    /// A method, or an associated function without receiver.
    pub(crate) fn of_method(attribute: Attribute, item: TokenStream, owner: &Owner) -> syn::Result<Self> {
        (|input: ParseStream| Self::parse(attribute, input, Some(owner))).parse2(item)
    }

    fn parse(attribute: Attribute, input: ParseStream, owner: Option<&Owner>) -> syn::Result<Self> {
        if let Some(item) = other_item(&input.fork())? {
            let head = head(input.parse()?);
            return Err(syn::Error::new_spanned(head, texts::not_a_function(attribute.name(), item)));
        }
        input.parse::<Visibility>()?;
        let signature: Signature = input.parse()?;
        let has_body = input.peek(token::Brace);
        input.parse::<TokenStream>()?;
        if has_body {
            Self::validate(attribute, signature, owner)
        } else {
            Err(syn::Error::new_spanned(signature, texts::no_body(attribute.name())))
        }
    }

    fn validate(attribute: Attribute, signature: Signature, owner: Option<&Owner>) -> syn::Result<Self> {
        let errors = Errors::new();
        check_qualifiers(&signature, &errors);
        check_generics(&signature, &errors);
        let Signature { ident: name, asyncness, inputs, output, .. } = signature;
        let (mut arguments, mut receiver) = (Vec::new(), None);
        for input in inputs {
            match input {
                FnArg::Receiver(found) if owner.is_none() => {
                    errors.add(&found, texts::method(attribute.name(), &name));
                }
                FnArg::Receiver(found) => receiver = Receiver::validate(&found, &errors),
                FnArg::Typed(argument) => arguments.push(Argument::validate(argument, owner, &errors)),
            }
        }
        let output = match output {
            ReturnType::Default => None,
            ReturnType::Type(_, output) => Some(concrete(*output, owner)),
        };
        if let Some(output) = output.as_ref().filter(|output| asyncness.is_none() && is_impl(output)) {
            errors.add(output, texts::impl_future(&name));
        }
        errors.check()?;
        let is_async = asyncness.is_some();
        Ok(Self { name, owner: owner.cloned(), receiver, is_async, arguments, output })
    }

    /// The function as its module names it.
    pub(crate) fn callee(&self) -> TokenStream {
        let Self { name, owner, .. } = self;
        let owner = owner.iter().map(|owner| &owner.path);
        quote!(#(#owner::)*#name)
    }
}

impl Receiver {
    fn validate(receiver: &syn::Receiver, errors: &Errors) -> Option<Self> {
        let is_self = |ty: &Type| matches!(ty, Type::Path(path) if path.path.is_ident("Self"));
        match &receiver.kind {
            ReceiverKind::Reference(_, _, None) => return Some(Self::Borrowed),
            ReceiverKind::Reference(_, _, Some(_)) => errors.add(receiver, texts::mutable_receiver()),
            ReceiverKind::Typed(_, ty) => match &**ty {
                Type::Reference(TypeReference { mutability: None, elem, .. }) if is_self(elem) => {
                    return Some(Self::Borrowed);
                }
                Type::Reference(TypeReference { mutability: Some(_), .. }) => {
                    errors.add(receiver, texts::mutable_receiver());
                }
                Type::Path(path) if is_shared(&path.path) => return Some(Self::Shared),
                _ => errors.add(receiver, texts::owned_receiver(&show(receiver))),
            },
            _ => errors.add(receiver, texts::owned_receiver(&show(receiver))),
        }
        None
    }
}

/// `Arc<Self>`, by whatever path.
fn is_shared(path: &syn::Path) -> bool {
    let last = path.segments.last().map(show);
    last.is_some_and(|last| last == "Arc<Self>")
}

/// A type as the module names it, where `Self` is nothing.
fn concrete(ty: Type, owner: Option<&Owner>) -> Type {
    let Some(owner) = owner else { return ty };
    let tokens = replace_self(ty.to_token_stream(), &owner.path.to_token_stream());
    syn::parse2(tokens).unwrap_or(ty)
}

fn replace_self(tokens: TokenStream, owner: &TokenStream) -> TokenStream {
    let replace = |tree: TokenTree| match tree {
        TokenTree::Ident(word) if word == "Self" => {
            // Underlined where the user wrote `Self`.
            let at_word = |mut tree: TokenTree| {
                tree.set_span(word.span());
                tree
            };
            owner.clone().into_iter().map(at_word).collect()
        }
        TokenTree::Group(group) => {
            let mut replaced = Group::new(group.delimiter(), replace_self(group.stream(), owner));
            replaced.set_span(group.span());
            TokenStream::from(TokenTree::Group(replaced))
        }
        other => TokenStream::from(other),
    };
    tokens.into_iter().map(replace).collect()
}

impl Argument {
    fn validate(argument: PatType, owner: Option<&Owner>, errors: &Errors) -> Self {
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
        Self { name, ty: concrete(*ty, owner) }
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
pub(crate) fn other_item(input: ParseStream) -> syn::Result<Option<&'static str>> {
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
pub(crate) fn head(item: TokenStream) -> TokenStream {
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
    [(" :: ", "::"), (" : ", ": "), (" < ", "<"), (" >", ">"), (" ,", ","), ("& ", "&")]
        .into_iter()
        .fold(text, |text, (from, to)| text.replace(from, to))
}
