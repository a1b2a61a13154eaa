//! The attributes of Bus.

use proc_macro::TokenStream;

use crate::args::Attribute;

// In travelling order: what stands in the parentheses, the item, both together, and what comes out.
mod args;
mod binding_key;
mod contradictions;
mod duration;
mod expand;
mod handler;
mod message;
mod options;
mod siblings;
mod signature;
mod spec;
mod suggest;
mod values;

mod errors;
mod support;

#[cfg(test)]
mod goldens;

/// Imperative.
#[proc_macro_attribute]
pub fn audit(arguments: TokenStream, item: TokenStream) -> TokenStream {
    handler::handler(Attribute::Audit, arguments.into(), item.into()).into()
}

/// Advisory.
#[proc_macro_attribute]
pub fn react(arguments: TokenStream, item: TokenStream) -> TokenStream {
    handler::handler(Attribute::React, arguments.into(), item.into()).into()
}

/// Typed.
#[proc_macro_attribute]
pub fn message_handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    handler::handler(Attribute::MessageHandler, arguments.into(), item.into()).into()
}

/// A message.
#[proc_macro_derive(Message, attributes(event, task, command))]
pub fn message(item: TokenStream) -> TokenStream {
    message::derive(item.into()).into()
}
