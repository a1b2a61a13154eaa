//! What the macros print, as far as it stands in `quote!`: whether it names anything that the user's code could mean otherwise.

use crate::code::{Source, Token, group, positions};

const PRIMITIVES: [&str; 10] = ["bool", "char", "str", "u8", "u16", "u32", "u64", "usize", "i32", "i64"];
const KEYWORDS: [&str; 10] = ["as", "for", "if", "impl", "in", "match", "move", "return", "super", "use"];
/// What follows one of these is declared, or belongs to what stands before.
const DECLARES: [&str; 8] = ["const", "fn", "let", "mod", "struct", "type", "'", "."];
/// They continue `__bus::HandlerRegistration::`, which another `quote!` prints before them.
const CONTINUES: [&str; 6] =
    ["audit", "audit_in_batches", "react", "react_in_batches", "message", "message_in_batches"];

/// The names in quoted code that come neither from `__bus` nor from an interpolation, as places.
#[must_use]
pub fn foreign_names(file: &Source) -> Vec<String> {
    let bodies = bodies(&file.tokens);
    bodies.iter().flat_map(|body| foreign(body)).map(|token| file.place(token)).collect()
}

/// What stands inside of `quote!(..)`, `quote_spanned!(span=> ..)` and their kin.
fn bodies(tokens: &[Token]) -> Vec<&[Token]> {
    let mut bodies = Vec::new();
    for name in ["quote", "parse_quote"] {
        let plain = positions(tokens, &format!("{name}!")).into_iter();
        bodies.extend(plain.map(|at| group(&tokens[at + 2..])));
        let spanned = positions(tokens, &format!("{name}_spanned!")).into_iter();
        bodies.extend(spanned.map(|at| {
            let body = group(&tokens[at + 2..]);
            let arrow = positions(body, "=>").first().map_or(0, |arrow| arrow + 2);
            &body[arrow..]
        }));
    }
    bodies
}

fn foreign(body: &[Token]) -> Vec<&Token> {
    let mut foreign = Vec::new();
    let mut at = 0;
    while at < body.len() {
        match (body[at].text.as_str(), text(body, at + 1)) {
            ("#", "[") => at += group(&body[at + 1..]).len() + 3,
            // A repetition, which is looked into.
            ("#", "(") => at += 1,
            ("#", _) => at += 2,
            _ => {
                if body[at].is_word() && !is_ours(body, at) {
                    foreign.push(&body[at]);
                }
                at += 1;
            }
        }
    }
    foreign
}

fn text(body: &[Token], at: usize) -> &str {
    body.get(at).map_or("", |token| token.text.as_str())
}

/// Whether this word means the same in every program.
fn is_ours(body: &[Token], at: usize) -> bool {
    let word = body[at].text.as_str();
    let before = |count: usize| at.checked_sub(count).map_or("", |before| text(body, before));
    let heads_path = text(body, at + 1) == ":" && text(body, at + 2) == ":";
    if before(1) == ":" && before(2) == ":" {
        // `::bus_runtime` begins a path, `Delivery` in `__bus::Delivery` goes on with one.
        let goes_on =
            at >= 3 && (body[at - 3].is_word() || before(3) == ">") && !KEYWORDS.contains(&before(3));
        return goes_on || word == "bus_runtime" && text(body, at + 3) == "__private";
    }
    if KEYWORDS.contains(&word) || CONTINUES.contains(&word) || DECLARES.contains(&before(1)) {
        return true;
    }
    if heads_path || word == "Self" {
        return matches!(word, "__bus" | "Self");
    }
    let is_call = text(body, at + 1) == "(" || text(body, at + 1) == "!" && text(body, at + 2) != "=";
    let is_type = word.starts_with(char::is_uppercase) || PRIMITIVES.contains(&word);
    !is_call && !is_type
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_names_are_fine() {
        let table = [
            "quote!(use ::bus_runtime::__private as __bus;)",
            "quote!(use #path::__private as __bus;)",
            "quote!(__bus::extract::<#ty>(&#delivery)?)",
            "quote!(__bus::#enumeration::#variant)",
            "quote!(#[allow(clippy::unused_async)] #(#attributes)* #rest)",
            "quote!(const TOPIC: &'static __bus::str = #topic; type Kind = __bus::Event;)",
            "quote_spanned!(at(name)=> async move { #name(#(#arguments),*).await })",
            "quote!(fn describe(arguments: &mut __bus::Arguments) { arguments.payload::<Self>(); })",
            "quote!(react(#id, &[#(#keys),*], #call))",
            "let x = syn::parse2::<Item>(tokens);",
        ];
        for text in table {
            assert_eq!(foreign_names(&Source::new("a.rs", text)), [""; 0], "{text}");
        }
    }

    #[test]
    fn names_that_a_user_could_shadow_are_found() {
        let table = [
            "quote!(::bus_runtime::app())",
            "quote!(crate::registry::Registry)",
            "quote!(Some(#value))",
            "quote!(let x: u32 = 1;)",
            "quote!(std::vec::Vec::new())",
            "quote!(use ::std::vec::Vec;)",
            "quote!(println!(\"x\"))",
            "quote!(drop(#value))",
            "quote_spanned!(span=> Box::pin(#future))",
            "quote!(impl Message for #name {})",
            "parse_quote!(f::<#ty, String>)",
        ];
        for text in table {
            assert!(!foreign_names(&Source::new("a.rs", text)).is_empty(), "{text}");
        }
    }
}
