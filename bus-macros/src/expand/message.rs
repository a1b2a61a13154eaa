//! From a message's spec to its implementations of `Message` and `FromDelivery`.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};

use crate::message::{Kind, MessageSpec};
use crate::support::local;

impl MessageSpec {
    pub(crate) fn expand(&self) -> TokenStream {
        let Self { name, kind, topic, runtime, .. } = self;
        let import = runtime.import();
        let kind = kind.expand();
        let options = self.options();
        let located =
            quote_spanned!(name.span()=> .located(__bus::file!(), __bus::line!(), __bus::column!()));
        let (delivery, arguments) = (local("delivery"), local("arguments"));
        quote! {
            const _: () = {
                #import
                // The compiler would offer this type where another one is not a message.
                #[diagnostic::do_not_recommend]
                impl __bus::Message for #name {
                    type Kind = #kind;
                    const TOPIC: &'static __bus::str = #topic;
                    #options
                }
                #[diagnostic::do_not_recommend]
                impl __bus::FromDelivery for #name {
                    fn from_delivery(#delivery: &__bus::Delivery) -> __bus::Result<Self, __bus::Rejection> {
                        __bus::decode::<Self>(#delivery)
                    }
                    fn describe(#arguments: &mut __bus::Arguments) {
                        #arguments.payload::<Self>();
                    }
                }
                __bus::submit! {
                    __bus::MessageRegistration::of::<#name>().described_by(__bus::schema_of!(#name)) #located
                }
            };
        }
    }

    /// The constants that differ from those of the trait.
    fn options(&self) -> TokenStream {
        let Self { name: _, kind, topic: _, version, exchange, ttl, priority, runtime: _ } = self;
        let version = version.as_ref().map(|given| Literal::u32_unsuffixed(given.value)).into_iter();
        let exchange = exchange.as_ref().map(|given| &given.value).into_iter();
        let terminal = matches!(kind, Kind::Event { terminal: true }).then_some(true).into_iter();
        let ttl = ttl.as_ref().map(|given| Literal::u128_unsuffixed(given.value.as_millis())).into_iter();
        let priority = priority.as_ref().map(|given| Literal::u8_unsuffixed(given.value)).into_iter();
        quote! {
            #(const VERSION: __bus::u32 = #version;)*
            #(const EXCHANGE: __bus::Option<&'static __bus::str> = __bus::Some(#exchange);)*
            #(const TERMINAL: __bus::bool = #terminal;)*
            #(const TTL_MILLIS: __bus::Option<__bus::u64> = __bus::Some(#ttl);)*
            #(const PRIORITY: __bus::Option<__bus::u8> = __bus::Some(#priority);)*
        }
    }
}

impl Kind {
    fn expand(&self) -> TokenStream {
        match self {
            Self::Event { .. } => quote!(__bus::Event),
            Self::Task => quote!(__bus::Task),
            Self::Command { reply: None } => quote!(__bus::Command<()>),
            Self::Command { reply: Some(reply) } => quote!(__bus::Command<#reply>),
        }
    }
}
