//! From a handler's spec to the code that registers it. Generated code calls; it does not compute.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{LitStr, Type};

use crate::controller::Owner;
use crate::signature::{HandlerSignature, Receiver, show};
use crate::spec::{HandlerKind, HandlerSpec, Source, Warning};
use crate::support::{conditions, deprecation_levels, documentation, ends, local};

mod batch;
mod handler_error;
mod message;
mod options;
mod test;

impl HandlerSpec<'_> {
    /// ```text
    /// const _: () = {
    ///     use ::bus_runtime::__private as __bus;
    ///     const __REGISTRATION: __bus::HandlerRegistration = {
    ///         let id = __bus::handler_id!(on_wiki);
    ///         let call: __bus::HandlerFn = |delivery| { .. };
    ///         __bus::HandlerRegistration::react(id, &["wiki.#"], call).taking(..).identified_by(..).located(..)
    ///     };
    ///     __bus::submit! { __REGISTRATION }
    /// };
    /// ```
    pub(crate) fn expand(&self) -> TokenStream {
        let Self { kind, item, signature, sources, options, runtime, site, warnings } = self;
        let conditions = conditions(&item.attributes);
        let levels = deprecation_levels(&item.attributes);
        let import = runtime.import();
        let (id, call) = (local("id"), local("call"));
        let handler_id = handler_id(signature);
        let item_fn = local("item");
        let (functions, new) = if options.batch.is_some() {
            let (of_one, of_all) = (batch::item(sources), batch::call(kind, signature, sources));
            let functions = quote! {
                let #item_fn: __bus::ItemFn = #of_one;
                let #call: __bus::BatchFn = #of_all;
            };
            (functions, new_in_batches(kind, &id, &item_fn, &call))
        } else {
            let closure = closure(kind, signature, sources);
            (quote!(let #call: __bus::HandlerFn = #closure;), new(kind, &id, &call))
        };
        let take = if options.batch.is_some() { quote!(take_batch) } else { quote!(take) };
        let taking = taking(kind, sources, &take);
        let handler = signature.callee();
        let group = signature.owner.iter().map(|owner| &owner.group);
        let instances = instances(signature);
        let located = quote_spanned!(*site=> .located(__bus::file!(), __bus::line!(), __bus::column!()));
        let documented = documentation(&item.attributes).map(|text| quote!(.documented(#text)));
        let options = options::expand(options);
        let warnings = warnings.iter().map(|warning| warn(warning, &conditions, &levels));
        let deprecated = allow_deprecated(&item.attributes);
        quote! {
            #(#conditions)*
            #deprecated
            const _: () = {
                #import
                const __REGISTRATION: __bus::HandlerRegistration = {
                    let #id = #handler_id;
                    #functions
                    __bus::HandlerRegistration::#new
                        #(.in_group(#group))*
                        #instances
                        #taking
                        .identified_by(|| __bus::type_id_of(&#handler))
                        #located
                        #documented
                        #options
                };
                __bus::submit! { __REGISTRATION }
            };
            #(#warnings)*
        }
    }
}

/// `react(id, &["wiki.#"], call)`
fn new(kind: &HandlerKind, id: &Ident, call: &Ident) -> TokenStream {
    match kind {
        HandlerKind::Audit { keys } => quote!(audit(#id, &[#(#keys),*], #call)),
        HandlerKind::React { keys } => quote!(react(#id, &[#(#keys),*], #call)),
        HandlerKind::Message { ty } => quote!(message::<#ty>(#id, #call)),
    }
}

/// `react_in_batches(id, &["wiki.#"], item, call)`
fn new_in_batches(kind: &HandlerKind, id: &Ident, item: &Ident, call: &Ident) -> TokenStream {
    match kind {
        HandlerKind::Audit { keys } => quote!(audit_in_batches(#id, &[#(#keys),*], #item, #call)),
        HandlerKind::React { keys } => quote!(react_in_batches(#id, &[#(#keys),*], #item, #call)),
        HandlerKind::Message { ty } => quote!(message_in_batches::<#ty>(#id, #item, #call)),
    }
}

/// `handler_id!(on_wiki)`, `handler_id!(Wiki::save)`; a raw name is written without its `r#`.
fn handler_id(signature: &HandlerSignature) -> TokenStream {
    let HandlerSignature { name, owner, .. } = signature;
    let words: Vec<_> = owner.iter().map(|owner| &owner.name).chain([name]).collect();
    let plain: Vec<_> = words.iter().map(|word| word.unraw().to_string()).collect();
    if words.iter().zip(&plain).all(|(word, plain)| *word == plain) {
        return quote!(__bus::handler_id!(#(#words)::*));
    }
    let plain = LitStr::new(&plain.join("::"), name.span());
    quote!(__bus::handler_id!(#plain))
}

/// `.on_instances(|| __bus::instances_of!(Wiki))`, underlined at the type where it cannot be shared.
fn instances(signature: &HandlerSignature) -> Option<TokenStream> {
    signature.receiver?;
    let owner = &signature.owner.as_ref()?.path;
    Some(quote!(.on_instances(|| __bus::instances_of!(#owner))))
}

/// `|delivery| { __bus::boxed(async move { .. }) }`
fn closure(kind: &HandlerKind, signature: &HandlerSignature, sources: &[Source]) -> TokenStream {
    let HandlerSignature { name, owner, receiver, is_async, arguments: _, output } = signature;
    let unused = sources.is_empty() && receiver.is_none() && *is_async;
    let delivery = local(if unused { "_delivery" } else { "delivery" });
    let arguments = sources.iter().map(|source| extract(source, &delivery));
    let (instance, future, callee) = (local("instance"), local("future"), signature.callee());
    let taken = receiver.map(|receiver| match receiver {
        Receiver::Borrowed => quote!(&#instance),
        Receiver::Shared => quote!(#instance),
    });
    let taken = taken.iter();
    let found = receiver
        .and(owner.as_ref())
        .map(|Owner { path, .. }| quote!(let #instance = __bus::instance::<#path>(&#delivery)?;));
    let start = if *is_async {
        let arguments = taken.cloned().chain(arguments);
        quote!(#found let #future = #callee(#(#arguments),*);)
    } else {
        // Extracted here, where the delivery is; called on a thread for blocking work.
        let names: Vec<_> = (1..=sources.len()).map(|n| local(&format!("argument_{n}"))).collect();
        let passed = taken.cloned().chain(names.iter().map(ToTokens::to_token_stream));
        quote! {
            #found
            #(let #names = #arguments;)*
            let #future = __bus::blocking(&#delivery, move || #callee(#(#passed),*));
        }
    };
    let judged = judge(kind, output.as_ref(), &quote!(#future.await));
    let body = quote!({ #start #judged });
    // A future that is not `Send` is underlined at the handler's name.
    let boxed = quote_spanned!(name.span()=> __bus::boxed(async move #body));
    quote!(|#delivery| { #boxed })
}

/// `__bus::outcome::<Result<(), Error>>(call.await)`; the type is said again so that one which is no outcome is underlined
/// where it stands.
fn judge(kind: &HandlerKind, output: Option<&Type>, returned: &TokenStream) -> TokenStream {
    match (kind, output) {
        (HandlerKind::Message { ty }, output) => {
            let output = output.map_or_else(|| quote!(_), ToTokens::to_token_stream);
            // The whole call is underlined at the message type, as its other use in `message::<..>` is: so the compiler
            // takes both for one mistake where the type is no message.
            let (start, end) = ends(ty);
            let open = quote_spanned!(start=> __bus::outcome_of::<);
            let close = quote_spanned!(end=> >(#returned));
            quote!(#open #ty, #output #close)
        }
        (_, Some(output)) => quote!(__bus::outcome::<#output>(#returned)),
        (_, None) => quote!(__bus::outcome(#returned)),
    }
}

/// `__bus::extract::<Json>(&delivery)?`; a type that is no argument is underlined where it stands.
fn extract(source: &Source, delivery: &Ident) -> TokenStream {
    match source {
        Source::Extract(ty) => quote!(__bus::extract::<#ty>(&#delivery)?),
        Source::Captured(ty, name) => quote!(__bus::captured::<#ty>(&#delivery, #name)?),
    }
}

/// `.taking(|arguments| { arguments.take::<Json>(); })`
fn taking(kind: &HandlerKind, sources: &[Source], take: &TokenStream) -> TokenStream {
    let arguments = local("arguments");
    let extracted = sources.iter().filter_map(|source| match source {
        Source::Extract(ty) => Some(*ty),
        Source::Captured(..) => None,
    });
    let takes: Vec<_> = extracted
        .map(|ty| {
            let check = other_message(kind, ty);
            quote!(#arguments.#take::<#ty>(); #check)
        })
        .collect();
    if takes.is_empty() {
        return TokenStream::new();
    }
    quote!(.taking(|#arguments| { #(#takes)* }))
}

/// Refuses an argument that is the body of another message; nothing where that can be seen.
fn other_message(kind: &HandlerKind, argument: &Type) -> Option<TokenStream> {
    let HandlerKind::Message { ty } = kind else { return None };
    let own = show(ty);
    let known = [own.clone(), format!("MessageOf<{own}>"), format!("Vec<{own}>"), format!("Batch<{own}>")];
    if known.contains(&show(argument)) {
        return None;
    }
    let (start, end) = ends(argument);
    let name = quote_spanned!(start=> __bus::not_another_message!);
    let arguments = quote_spanned!(end=> (#argument, #ty));
    Some(quote!(#name #arguments;))
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
