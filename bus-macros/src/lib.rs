//! The attributes of Bus.

use proc_macro::TokenStream;

/// Placeholder.
#[proc_macro_attribute]
pub fn audit(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// Placeholder.
#[proc_macro_attribute]
pub fn react(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// Placeholder.
#[proc_macro_attribute]
pub fn message_handler(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// Placeholder.
#[proc_macro_derive(Message, attributes(event, task, command))]
pub fn message(_item: TokenStream) -> TokenStream {
    TokenStream::new()
}
