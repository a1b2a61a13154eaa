//! What stands in the place of `#[controller]`: the impl block as it was, and a registration for each attribute of a method.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{ItemImpl, LitStr, Path, PathArguments, Token, Type};

use crate::args::{Args, Subject};
use crate::errors::{Errors, controllers as texts};
use crate::method::Method;
use crate::signature::{head, other_item, show};
use crate::support::conditions;

/// A type whose methods are handlers.
#[derive(Clone)]
pub(crate) struct Owner {
    /// As the impl block names it.
    pub(crate) path: Path,
    /// The last word of that, which the names of handlers and queues contain.
    pub(crate) name: Ident,
    /// The group of the handlers.
    pub(crate) group: LitStr,
}

/// The impl block without the attributes of its methods, and what those register or everything that is wrong.
pub(crate) fn controller(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let errors = Errors::new();
    let args = Args::parse("controller", arguments, &errors);
    let block = errors.ok(Block::parse(item.clone(), &errors));
    let registrations = block.as_ref().map(|block| block.register(&args, &errors));
    let kept = block.map_or(item, |block| block.kept());
    match errors.check() {
        Ok(()) => quote!(#kept #registrations),
        Err(problems) => {
            let problems = problems.into_compile_error();
            quote!(#kept #problems)
        }
    }
}

/// An impl block, which is emitted again whatever is wrong with it.
struct Block {
    attributes: Vec<syn::Attribute>,
    /// Everything up to the braces.
    head: ItemImpl,
    /// What stands first inside of them.
    inner: Vec<syn::Attribute>,
    methods: Vec<Method>,
    braces: Group,
}

impl Block {
    /// The body is split into its items, and no more: what is wrong with them is for the compiler to say.
    fn parse(item: TokenStream, errors: &Errors) -> syn::Result<Self> {
        let split = |input: ParseStream| Ok((syn::Attribute::parse_outer(input)?, input.parse()?));
        let (attributes, rest): (_, TokenStream) = split.parse2(item)?;
        if let Some(item) = not_an_impl.parse2(rest.clone())? {
            return Err(syn::Error::new_spanned(head(rest), texts::not_an_impl(item)));
        }
        let mut trees: Vec<TokenTree> = rest.into_iter().collect();
        let braces = match trees.pop() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => group,
            other => return Err(syn::Error::new_spanned(other, texts::no_body())),
        };
        let head = TokenStream::from_iter(trees);
        let head = syn::parse2(quote!(#head {}))?;
        let methods = |input: ParseStream| {
            let inner = syn::Attribute::parse_inner(input)?;
            let mut methods = Vec::new();
            while !input.is_empty() {
                methods.push(Method::parse(input, errors)?);
            }
            Ok((inner, methods))
        };
        let (inner, methods) = methods.parse2(braces.stream())?;
        Ok(Self { attributes, head, inner, methods, braces })
    }

    /// The registrations of all methods that are handlers.
    fn register(&self, args: &Args, errors: &Errors) -> TokenStream {
        let owner = self.owner(group(args, errors), errors);
        if !self.methods.iter().any(Method::is_handler) {
            errors.add(&self.head.self_ty, texts::no_handlers());
        }
        let Some(owner) = owner else { return TokenStream::new() };
        let methods = self.methods.iter();
        let registrations =
            methods.map(|method| method.register(&owner, &args.runtime, &self.attributes, errors));
        let named = self.named();
        quote!(#named #(#registrations)*)
    }

    /// The names of the attributes that were taken: whether they are in scope is not seen any more where they stood, and the
    /// `use` that brings them there would be said to be unused.
    fn named(&self) -> TokenStream {
        let conditions = conditions(&self.attributes);
        let names = self.methods.iter().flat_map(Method::named);
        let mut uses: Vec<TokenStream> = Vec::new();
        for name in names {
            if !uses.iter().any(|known| known.to_string() == name.to_string()) {
                uses.push(name);
            }
        }
        quote! {
            #(#conditions)*
            const _: () = {
                #(#uses)*
            };
        }
    }

    /// The one type that the methods are of; without a name for the group, it is the group.
    fn owner(&self, group: Option<LitStr>, errors: &Errors) -> Option<Owner> {
        let ItemImpl { generics, trait_, self_ty, .. } = &self.head;
        if let Some((path, _)) = trait_ {
            errors.add(path, texts::trait_impl());
            return None;
        }
        if !generics.params.is_empty() {
            errors.add(generics, texts::generic());
            return None;
        }
        let mut ty = &**self_ty;
        while let Type::Group(group) = ty {
            ty = &group.elem;
        }
        let path = match ty {
            Type::Path(ty) if ty.qself.is_none() => &ty.path,
            other => {
                errors.add(other, texts::no_name());
                return None;
            }
        };
        let last = path.segments.last()?;
        if !matches!(last.arguments, PathArguments::None) {
            errors.add(path, texts::type_arguments(&last.ident));
            return None;
        }
        let name = last.ident.clone();
        let group = group.unwrap_or_else(|| LitStr::new(&name.unraw().to_string(), name.span()));
        Some(Owner { path: path.clone(), name, group })
    }

    fn kept(&self) -> TokenStream {
        let Self { attributes, head, inner, methods, braces } = self;
        let methods = methods.iter().map(Method::kept);
        let mut body = Group::new(Delimiter::Brace, quote!(#(#inner)* #(#methods)*));
        body.set_span(braces.span());
        let head = head.to_token_stream().into_iter();
        // The braces that the head was parsed with are the last of it.
        let mut head: Vec<_> = head.collect();
        head.pop();
        quote!(#(#attributes)* #(#head)* #body)
    }
}

/// What the item is, in words, if it is no impl block.
fn not_an_impl(input: ParseStream) -> syn::Result<Option<&'static str>> {
    let ahead = input.fork();
    ahead.parse::<Option<Token![unsafe]>>()?;
    let item = match other_item(&input.fork()) {
        _ if ahead.peek(Token![impl]) => None,
        Ok(item) => Some(item.unwrap_or("a function")),
        Err(_) => Some("this"),
    };
    input.parse::<TokenStream>()?;
    Ok(item)
}

/// The name in the parentheses, if there is one.
fn group(args: &Args, errors: &Errors) -> Option<LitStr> {
    for option in &args.options {
        errors.add(&option.keyword, texts::option(&option.name()));
    }
    for second in args.subjects.iter().skip(1) {
        errors.add(second, texts::one_name());
    }
    match args.subjects.first()? {
        Subject::Text(name) if name.value().is_empty() => {
            errors.add(name, texts::empty_name());
            None
        }
        Subject::Text(name) => Some(name.clone()),
        other => {
            errors.add(other, texts::name_not_text(&show(other)));
            None
        }
    }
}
