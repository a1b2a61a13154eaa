//! From a test to the functions that run it, one for each broker.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Attribute;
use syn::spanned::Spanned;

use crate::support::{conditions, local};
use crate::test::{Broker, TestSpec};

impl TestSpec {
    /// ```text
    /// #[__private::testing::test]
    /// fn it_is_called() {
    ///     use ::bus_runtime::__private as __bus;
    ///     async fn it_is_called(bus: TestBus) { .. }
    ///     __bus::testing::in_virtual_time(__bus::testing::Settings { .. }, |bus| async move { .. });
    /// }
    /// ```
    pub(crate) fn expand(&self) -> TokenStream {
        match &self.settings.on {
            None => self.alone(),
            Some(on) => self.on_each(&on.value),
        }
    }

    /// One test, with a clock of its own.
    fn alone(&self) -> TokenStream {
        let Self { attributes, visibility, signature, body, .. } = self;
        let (name, private, import) = (&signature.ident, self.runtime.path(), self.runtime.import());
        let settings = &self.settings;
        let run = if self.arguments.is_empty() && settings.app.is_none() && settings.handlers.is_none() {
            quote!(__bus::testing::without_bus(#name);)
        } else {
            let (settings, test) = (self.settings(), self.test(&quote!(#name)));
            quote!(__bus::testing::in_virtual_time(#settings, #test);)
        };
        quote! {
            #[#private::testing::test]
            #(#attributes)*
            #visibility fn #name() {
                #import
                #[allow(clippy::unused_async)]
                #signature #body
                #run
            }
        }
    }

    /// The function, and beside it a module of its name with a test for each broker.
    fn on_each(&self, brokers: &[Broker]) -> TokenStream {
        let Self { attributes, visibility, signature, body, .. } = self;
        let (name, import) = (&signature.ident, self.runtime.import());
        let conditions = conditions(attributes);
        let (of_tests, of_function): (Vec<_>, Vec<_>) = attributes.iter().partition(|one| is_of_tests(one));
        let (settings, test) = (self.settings(), self.test(&quote!(super::#name)));
        let tests = brokers.iter().map(|broker| {
            let broker = match broker {
                Broker::Embedded => "embedded",
                Broker::RabbitMq => "rabbitmq",
            };
            let (broker, run) = (Ident::new(broker, name.span()), format_ident!("on_{broker}"));
            quote! {
                #[__bus::testing::test]
                #(#of_tests)*
                fn #broker() {
                    __bus::testing::#run(#settings, #test);
                }
            }
        });
        quote! {
            #[cfg(test)]
            #(#of_function)*
            #[allow(clippy::unused_async)]
            #visibility #signature #body
            #(#conditions)*
            #[cfg(test)]
            mod #name {
                #import
                #[allow(unused_imports)]
                use super::*;
                #(#tests)*
            }
        }
    }

    /// `__bus::testing::Settings { app: build, handlers: &["wiki::*"] }`
    fn settings(&self) -> TokenStream {
        let app = self.settings.app.as_ref().map(|app| &app.value);
        let app = app.map_or_else(|| quote!(__bus::testing::app), |app| quote!(#app));
        let handlers = self.settings.handlers.iter().flat_map(|handlers| &handlers.value);
        quote!(__bus::testing::Settings { app: #app, handlers: &[#(#handlers),*] })
    }

    /// `|bus| async move { it_is_called(__bus::testing::argument::<_, TestBus>(&bus)).await }`
    fn test(&self, function: &TokenStream) -> TokenStream {
        let bus = local("bus");
        let arguments = self.arguments.iter().map(|ty| {
            // A type that is no argument is underlined where it stands.
            quote_spanned!(ty.span()=> __bus::testing::argument::<_, #ty>(&#bus))
        });
        quote!(|#bus| async move { #function(#(#arguments),*).await })
    }
}

/// Whether an attribute is for the function that the test harness calls.
fn is_of_tests(attribute: &Attribute) -> bool {
    ["ignore", "should_panic"].iter().any(|name| attribute.path().is_ident(name))
}
