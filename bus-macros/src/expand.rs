//! From a handler's spec to the code that registers it. Generated code calls; it does not compute.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{LitStr, Type};

use crate::signature::HandlerSignature;
use crate::spec::{HandlerKind, HandlerSpec, Source, Warning};
use crate::support::{at, conditions, deprecation_levels, local};

mod options;

impl HandlerSpec<'_> {
    /// ```text
    /// const _: () = {
    ///     use ::bus_runtime::__private as __bus;
    ///     const __REGISTRATION: __bus::HandlerRegistration =
    ///         __bus::HandlerRegistration::react(id, &["wiki.#"], call).taking(..).identified_by(..).located(..);
    ///     __bus::submit! { __REGISTRATION }
    /// };
    /// ```
    pub(crate) fn expand(&self) -> TokenStream {
        let Self { kind, item, signature, sources, options, runtime, warnings } = self;
        let conditions = conditions(&item.attributes);
        let levels = deprecation_levels(&item.attributes);
        let import = runtime.import();
        let new = new(kind, &signature.name, &call(kind, signature, sources));
        let taking = taking(sources);
        let handler = &signature.name;
        let options = options::expand(options);
        let warnings = warnings.iter().map(|warning| warn(warning, &conditions, &levels));
        let deprecated = allow_deprecated(&item.attributes);
        quote! {
            #(#conditions)*
            #deprecated
            const _: () = {
                #import
                const __REGISTRATION: __bus::HandlerRegistration = __bus::HandlerRegistration::#new
                    #taking
                    .identified_by(|| __bus::type_id_of(&#handler))
                    .located(__bus::file!(), __bus::line!(), __bus::column!())
                    #options;
                __bus::submit! { __REGISTRATION }
            };
            #(#warnings)*
        }
    }
}

/// `react(id, &["wiki.#"], call)`
fn new(kind: &HandlerKind, handler: &Ident, call: &TokenStream) -> TokenStream {
    let id = id(handler);
    match kind {
        HandlerKind::Audit { keys } => quote!(audit(#id, &[#(#keys),*], #call)),
        HandlerKind::React { keys } => quote!(react(#id, &[#(#keys),*], #call)),
        HandlerKind::Message { ty } => quote!(message::<#ty>(#id, #call)),
    }
}

/// `handler_id!(on_wiki)`; a raw name is written without its `r#`.
fn id(handler: &Ident) -> TokenStream {
    let plain = handler.unraw();
    if plain == *handler {
        return quote!(__bus::handler_id!(#handler));
    }
    let plain = LitStr::new(&plain.to_string(), handler.span());
    quote!(__bus::handler_id!(#plain))
}

/// `|delivery| __bus::boxed(async move { .. })`
fn call(kind: &HandlerKind, signature: &HandlerSignature, sources: &[Source]) -> TokenStream {
    let HandlerSignature { name, is_async, arguments: _, output } = signature;
    let delivery = if sources.is_empty() && *is_async { local("_delivery") } else { local("delivery") };
    let arguments = sources.iter().map(|source| extract(source, &delivery));
    // The type is said again so that one which is no outcome is underlined where it stands.
    let output = output.as_ref().map(|output| quote!(#output));
    let judge = match (kind, output) {
        (HandlerKind::Message { ty }, Some(output)) => quote!(__bus::outcome_of::<#ty, #output>),
        (HandlerKind::Message { ty }, None) => quote!(__bus::outcome_of::<#ty, _>),
        (_, Some(output)) => quote!(__bus::outcome::<#output>),
        (_, None) => quote!(__bus::outcome),
    };
    let body = if *is_async {
        quote!(#judge(#name(#(#arguments),*).await))
    } else {
        // Extracted here, where the delivery is; called on a thread for blocking work.
        let names: Vec<_> = (1..=sources.len()).map(|n| local(&format!("argument_{n}"))).collect();
        quote! {
            #(let #names = #arguments;)*
            #judge(__bus::blocking(&#delivery, move || #name(#(#names),*)).await)
        }
    };
    // A future that is not `Send` is underlined at the handler's name.
    let future = quote_spanned!(at(name)=> async move { #body });
    quote!(|#delivery| __bus::boxed(#future))
}

/// `__bus::extract::<Json>(&delivery)?`; a type that is no argument is underlined where it stands.
fn extract(source: &Source, delivery: &Ident) -> TokenStream {
    match source {
        Source::Extract(ty) => quote!(__bus::extract::<#ty>(&#delivery)?),
        Source::Captured(ty, name) => quote!(__bus::captured::<#ty>(&#delivery, #name)?),
    }
}

/// `.taking(|arguments| { arguments.take::<Json>(); })`
fn taking(sources: &[Source]) -> TokenStream {
    let arguments = local("arguments");
    let extracted = sources.iter().filter_map(|source| match source {
        Source::Extract(ty) => Some(*ty),
        Source::Captured(..) => None,
    });
    let takes: Vec<_> = extracted.map(|ty| quote!(#arguments.take::<#ty>();)).collect();
    if takes.is_empty() {
        return TokenStream::new();
    }
    quote!(.taking(|#arguments| { #(#takes)* }))
}

/// A warning on stable Rust is the use of something deprecated, which underlines the binding key.
fn warn(Warning { key, text }: &Warning, conditions: &[TokenStream], levels: &[TokenStream]) -> TokenStream {
    let name = Ident::new("this_binding_key", key.span());
    quote! {
        #(#conditions)*
        #(#levels)*
        const _: () = {
            #[deprecated(note = #text)]
            #[allow(non_upper_case_globals)]
            const #name: () = ();
            #name
        };
    }
}

/// The attribute of a handler that is deprecated itself: generated code is no reason to warn about it.
fn allow_deprecated(attributes: &[syn::Attribute]) -> Option<TokenStream> {
    let deprecated = attributes.iter().any(|attribute| attribute.path().is_ident("deprecated"));
    deprecated.then(|| quote!(#[allow(deprecated)]))
}
