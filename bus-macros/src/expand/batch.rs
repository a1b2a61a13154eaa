//! A handler with `batch(..)`: two functions, one for what each message contributes and one for the call.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;

use crate::signature::HandlerSignature;
use crate::spec::{HandlerKind, Source};
use crate::support::{ends, local};

/// `|delivery| __bus::Ok(__bus::vec![__bus::item::<Vec<Json>>(&delivery)?])`
pub(super) fn item(sources: &[Source]) -> TokenStream {
    let delivery = local(if sources.is_empty() { "_delivery" } else { "delivery" });
    let items = sources.iter().map(|source| match source {
        Source::Extract(ty) => quote!(__bus::item::<#ty>(#delivery)?),
        Source::Captured(ty, name) => quote!(__bus::captured_item::<#ty>(#delivery, #name)?),
    });
    quote!(|#delivery| __bus::Ok(__bus::vec![#(#items),*]))
}

/// `|mut batch| { __bus::boxed_batch(async move { .. }) }`
pub(super) fn call(kind: &HandlerKind, signature: &HandlerSignature, sources: &[Source]) -> TokenStream {
    let HandlerSignature { name, is_async, output, .. } = signature;
    let (batch, future, callee) = (local("batch"), local("future"), signature.callee());
    let arguments = sources.iter().map(|source| match source {
        Source::Extract(ty) => quote!(__bus::arguments::<#ty>(&mut #batch)?),
        Source::Captured(ty, _) => quote!(__bus::captured_arguments::<#ty>(&mut #batch)?),
    });
    let start = if *is_async {
        quote!(let #future = #callee(#(#arguments),*);)
    } else {
        let names: Vec<_> = (1..=sources.len()).map(|n| local(&format!("argument_{n}"))).collect();
        quote! {
            #(let #names = #arguments;)*
            let #future = __bus::blocking_batch(#batch, move || #callee(#(#names),*));
        }
    };
    let judged = judge(kind, output.as_ref(), &quote!(#future.await));
    let body = quote!({ #start #judged });
    let parameter = match (sources.is_empty(), is_async) {
        (true, true) => local("_batch").to_token_stream(),
        (true, false) => batch.to_token_stream(),
        (false, _) => quote!(mut #batch),
    };
    // A future that is not `Send` is underlined at the handler's name.
    let boxed = quote_spanned!(name.span()=> __bus::boxed_batch(async move #body));
    quote!(|#parameter| { #boxed })
}

/// As for one message, with the outcomes of many.
fn judge(kind: &HandlerKind, output: Option<&Type>, returned: &TokenStream) -> TokenStream {
    match (kind, output) {
        (HandlerKind::Message { ty }, output) => {
            let output = output.map_or_else(|| quote!(_), ToTokens::to_token_stream);
            let (start, end) = ends(ty);
            let open = quote_spanned!(start=> __bus::outcomes_of::<);
            let close = quote_spanned!(end=> >(#returned));
            quote!(#open #ty, #output #close)
        }
        (_, Some(output)) => quote!(__bus::outcomes::<#output>(#returned)),
        (_, None) => quote!(__bus::outcomes(#returned)),
    }
}
