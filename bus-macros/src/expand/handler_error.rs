//! From an error type's spec to its registration.

use proc_macro2::TokenStream;
use quote::quote;

use super::options::duration;
use crate::handler_error::{Disposition, ErrorSpec, Judgement};
use crate::support::local;

impl ErrorSpec {
    pub(crate) fn expand(&self) -> TokenStream {
        let Self { name, judgement, runtime } = self;
        let import = runtime.import();
        let error = local("error");
        let judge = match judgement {
            Judgement::Same(disposition) => {
                let disposition = disposition.expand();
                quote!(|_| #disposition)
            }
            Judgement::ByVariant(variants) => {
                let arms = variants.iter().map(|(variant, disposition)| {
                    let disposition = disposition.expand();
                    quote!(#name::#variant { .. } => #disposition,)
                });
                quote!(|#error| match *#error { #(#arms)* })
            }
        };
        quote! {
            #[allow(deprecated)]
            const _: () = {
                #import
                const __REGISTRATION: __bus::ErrorRegistration =
                    __bus::ErrorRegistration::new(|#error| __bus::disposition::<#name>(#error, #judge));
                __bus::submit! { __REGISTRATION }
            };
        }
    }
}

impl Disposition {
    fn expand(self) -> TokenStream {
        match self {
            Self::Retry(None) => quote!(__bus::Disposition::Retry(__bus::None)),
            Self::Retry(Some(after)) => {
                let after = duration(after);
                quote!(__bus::Disposition::Retry(__bus::Some(#after)))
            }
            Self::DeadLetter => quote!(__bus::Disposition::DeadLetter),
            Self::Pause(time) => {
                let time = duration(time);
                quote!(__bus::Disposition::Pause(#time))
            }
            Self::Discard => quote!(__bus::Disposition::Discard),
        }
    }
}
