//! What the attributes expand to, compared with the files under `goldens/`.
//!
//! `UPDATE_EXPECT=1 cargo test -p bus-macros` writes those files anew.

use std::path::Path;
use std::{env, fs};

use proc_macro2::TokenStream;
use quote::quote;

use crate::controller::controller;
use crate::handler::{Attribute, handler};
use crate::{handler_error, message};

/// Compares an expansion with its golden file, whose first line says what it is.
pub(crate) fn check(name: &str, expansion: TokenStream) {
    let file = syn::parse2(expansion).expect("an expansion is a list of items");
    let actual = format!("//! The expansion `{name}` of `goldens.rs`.\n\n{}", prettyplease::unparse(&file));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/goldens").join(format!("{name}.rs"));
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &actual).expect("the golden file can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(actual == expected, "{name} expands to\n{actual}\nUPDATE_EXPECT=1 makes it the golden file");
}

fn react(arguments: TokenStream, item: TokenStream) -> TokenStream {
    handler(Attribute::React, arguments, item)
}

#[test]
fn quickstart() {
    let item = quote! {
        async fn on_wiki(key: RoutingKey, data: Json) {
            println!("{key}: {data}");
        }
    };
    check("quickstart", react(quote!("wiki.#"), item));
}

#[test]
fn no_arguments() {
    check(
        "no_arguments",
        react(
            quote!("tick"),
            quote!(
                async fn on_tick() {}
            ),
        ),
    );
}

/// The attribute below is left to expand by itself, and the `#[cfg]` stands on the registration too.
#[test]
fn stacked() {
    let item = quote! {
        /// Watches.
        #[react("scm.tag")]
        #[cfg(feature = "audit")]
        #[cfg_attr(test, cfg(unix), inline)]
        pub(crate) async fn auditor(data: Json<Comment>) -> Result<(), ForgeError> {
            data.check()
        }
    };
    check("stacked", handler(Attribute::Audit, quote!("scm.commit", "hello_forge.#"), item));
}

#[test]
fn options() {
    let arguments = quote! {
        "wiki.#", timeout = 30,
        retry(max = 5, initial = "500ms", factor = 2, max_delay = "1h", jitter = "25%", give_up_after = "2h"),
        on_error = "dead_letter", error_hook = hooks::report, ack = "manual", concurrency = 8, prefetch = 16,
        breaker(failures = 3, window = "1m", pause = "30s"), rate_limit = "100/s",
        queue = "billing", name = "bill", group = "money", priority = -1, when = is_paid,
        ordered_by = "customer.id", queue_type = "classic", max_length = 10_000, overflow = "reject_publish", ttl = "5m", max_priority = 10,
        single_active = true, exclusive = false,
    };
    check(
        "options",
        react(
            arguments,
            quote!(
                async fn bill(settle: Settle) {}
            ),
        ),
    );
}

#[test]
fn options_for_what_others_own() {
    let arguments = quote! {
        "wiki.#", exchange = "events", exchange_kind = "topic", declare = "never", formerly = "app::money::bill",
    };
    check(
        "options_for_what_others_own",
        react(
            arguments,
            quote!(
                async fn bill() {}
            ),
        ),
    );
}

#[test]
fn options_in_other_words() {
    let arguments = quote! {
        "wiki.#", timeout = "none", retry = "none", requeue_on_exception = false, exception_handler = report,
        auto_ack = false, fanout = "each", when = |message| message.body_len() > 0, crate = ::facade::bus,
    };
    check(
        "options_in_other_words",
        react(
            arguments,
            quote!(
                async fn bill() -> Result<Outcome, BillError> {}
            ),
        ),
    );
}

#[test]
fn captures() {
    let item = quote! {
        async fn notify(page: PageId, edit: Json<Edit>, mail: State<Mailer>) -> Result<(), MailError> {
            mail.send(page, edit).await
        }
    };
    check("captures", react(quote!("wiki.{page}.edited"), item));
}

#[test]
fn plain_function() {
    let item = quote! {
        fn resize(key: RoutingKey, Json(image): Json<Image>) -> Result<(), String> {
            image.resize(key)
        }
    };
    check("plain_function", react(quote!("image.*"), item));
}

#[test]
fn raw_name() {
    check(
        "raw_name",
        react(
            quote!("wiki.{type}"),
            quote!(
                async fn r#match(r#type: String) {}
            ),
        ),
    );
}

#[test]
fn warning() {
    let item = quote! {
        #[allow(dead_code, deprecated)]
        async fn everything() {}
    };
    check("warning", react(quote!("#"), item));
}

#[test]
fn message_handler() {
    let item = quote! {
        async fn create(command: CreateUser, db: State<Pool>) -> Result<u64, CreateError> {
            db.insert(command).await
        }
    };
    check("message_handler", handler(Attribute::MessageHandler, quote!(CreateUser), item));
}

#[test]
fn event() {
    let item = quote! {
        #[event("user.created")]
        struct UserCreated { user_id: u64, email: String }
    };
    check("event", message::derive(item));
}

#[test]
fn task() {
    let item = quote! {
        #[task("invoice.send", version = 2, exchange = "billing", ttl = "5m", priority = 9)]
        struct SendInvoice { order: u64 }
    };
    check("task", message::derive(item));
}

#[test]
fn command() {
    let item = quote! {
        #[command("user.create", reply = Result<u64, String>)]
        enum CreateUser { Named(String), Guest }
    };
    check("command", message::derive(item));
}

#[test]
fn terminal_event() {
    let item = quote! {
        #[event("page.indexed", terminal, crate = ::facade::bus)]
        struct PageIndexed;
    };
    check("terminal_event", message::derive(item));
}

/// A method that takes its instance, one that shares it, and a function that takes none; what is no handler stays as it is.
#[test]
fn controller_of_instances() {
    let item = quote! {
        /// The wiki.
        #[cfg(feature = "wiki")]
        impl Wiki {
            #![allow(dead_code)]
            const PAGES_MAX: usize = { 7 };

            /// Saves.
            #[audit("wiki.{page}.save")]
            async fn save(&self, page: Page, data: Json<Edit>) -> Result<(), Error> {
                self.pages.save(page, data)
            }

            #[react("scm.#", group = "own")]
            #[bus::react("git.#")]
            #[audit("scm.#")]
            async fn index(self: std::sync::Arc<Self>) {}

            #[message_handler(SaveTicket)]
            fn ticket(&self, ticket: SaveTicket) {}

            #[cfg_attr(unix, react("unix.#", timeout = 3), inline)]
            pub async fn once(kept: Json<Vec<Self>>) -> Result<(), <Self as Fails>::Error> { Ok(()) }

            fn helper(&self) -> usize { Self::PAGES_MAX }
        }
    };
    check("controller_of_instances", controller(quote!("wiki"), item));
}

#[test]
fn controller_by_path() {
    let item = quote! {
        impl super::r#type::r#Wiki {
            #[react("#")]
            async fn r#match(&self) {}
        }
    };
    check("controller_by_path", controller(quote!(crate = ::facade::bus), item));
}

/// Whatever is wrong, the impl block is there without the attributes, and each mistake is reported.
#[test]
fn controller_mistakes() {
    let item = quote! {
        impl Wiki {
            #[react("wiki.page*", timout = 30)]
            #[react]
            async fn on_wiki(&mut self, page: &str) { page.show(); }

            #[audit("a.{word}", "b")]
            #[audit("c")]
            async fn owned(self: Box<Self>, word: String) { half(typed) }

            #[react("a")]
            const NUMBER: u8 = 3;
        }
    };
    check("controller_mistakes", controller(quote!(Wiki, timeout = 3), item));
}

/// Whatever is wrong, the item is there, and each mistake is reported.
#[test]
fn mistakes() {
    let item = quote! {
        #[audit("wiki.#", "wiki.#")]
        async fn on_wiki(&self, page: &str) { page.show(); }
    };
    check("mistakes", react(quote!("wiki.page*", timout = 30, timeout = 0), item));
}

/// What nobody would write on purpose, and people have under the cursor while they type.
const ODD_ARGUMENTS: &[&str] = &[
    "",
    ",",
    ",,",
    "=",
    "= 3",
    "timeout",
    "timeout =",
    "timeout = ,",
    "timeout: 3",
    "timeout = 3 4",
    "timeout()",
    "timeout(3)",
    "retry",
    "retry()",
    "retry(,)",
    "retry(max)",
    "retry(max = )",
    "retry(\"none\")",
    "retry = none",
    "crate",
    "crate =",
    "crate = 3",
    "crate = \"a b\"",
    "crate = ::a, crate = ::b",
    "\"a\" \"b\"",
    "\"a\", = 3",
    "\"a\"; 3",
    "{}",
    "()",
    "[]",
    "b\"a\"",
    "c\"a\"",
    "'a'",
    "'a",
    "1",
    "-1",
    "1..2",
    "a::b",
    "a::<b>",
    "&str",
    "fn()",
    "_",
    "!",
    "#",
    "$a",
    "self",
    "r#type",
    "r#type = 3",
    "\"a\", when = 3",
    "\"a\", error_hook = |m| true",
    "\"a\", max_length = 1.0",
    "\"a\", priority = --1",
    "\"a\", priority = -\"1\"",
    "\"a\", factor = 2",
    "\"a\", retry(jitter = \"101%\")",
    "\"a\", retry(jitter = \"x%\")",
    "\"a\", retry(factor = 1e309)",
    "\"a\", timeout = 1e5",
    "\"a\", timeout = 99999999999999999999",
    "\"a\", timeout = 3u8",
    "\"a\", concurrency = 0x_zz",
    "\"a\", ttl = \"50000h\"",
    "\"a\", ttl = 0",
    "\"a\", queue = \"a\\0\"",
    "\"a\", batch",
    "\"{\"",
    "\"}\"",
    "\"{}{}\"",
    "\"é.{é}\"",
    "\"\\u{1F600}*\"",
    "\"a\", exclusive = true, fanout = \"each\", single_active = true",
];

/// What `#[controller]` may find below it.
const ODD_BLOCKS: &[&str] = &[
    "",
    "fn f() {}",
    "struct S;",
    "impl",
    "impl {}",
    "impl W;",
    "impl W {}",
    "impl W { #[react(\"a\")] }",
    "impl W { #[react(\"a\")] async }",
    "impl W { #[react(\"a\")] async fn f(&self) }",
    "impl W { #[react(\"a\")] async fn f(&self); }",
    "impl W { #[react(\"a\")] async fn f(&self) {} half }",
    "impl W { #[react = 3] async fn f(&self) {} }",
    "impl W { #[react(\"a\")] m! { } }",
    "impl W<u8> { #[react(\"a\")] async fn f() {} }",
    "impl<T> W { #[react(\"a\")] async fn f() {} }",
    "impl T for W { #[react(\"a\")] async fn f() {} }",
    "impl dyn W { #[react(\"a\")] async fn f() {} }",
    "impl !T for W {}",
    "unsafe impl W { #[react(\"a\")] async fn f<T>() {} }",
    "impl W { #[react(\"a\")] async fn f(self) {} }",
    "impl W { #[react(\"a\")] async fn f(&mut self) {} }",
    "impl W { #[react(\"a\")] async fn f(self: &mut Self) {} }",
    "impl W { #[react(\"a\")] async fn f(self: Pin<&Self>) {} }",
    "impl W { #[react(\"a\")] async fn f<'a>(&'a self) {} }",
    "impl W { #[cfg_attr(unix)] #[react(\"*a\")] async fn f(&self) {} }",
];

#[test]
fn a_controller_is_kept_whatever_stands_below() {
    for block in ODD_BLOCKS {
        let Ok(item) = block.parse::<TokenStream>() else { continue };
        let expansion = controller(TokenStream::new(), item).to_string();
        let accepted = expansion.contains("__REGISTRATION");
        assert!(accepted != expansion.contains("compile_error"), "{block}: {expansion}");
        // What stands behind the handlers is for the compiler to refuse.
        assert!(!accepted || block.contains("half"), "{block}: {expansion}");
        let body = block.rsplit("] ").next().unwrap_or_default();
        let body = body.parse::<TokenStream>().unwrap_or_default().to_string();
        assert!(expansion.contains(&body), "{block}: {expansion}");
    }
    for arguments in ODD_ARGUMENTS {
        let Ok(tokens) = arguments.parse::<TokenStream>() else { continue };
        let expansion = controller(tokens, quote!(impl W { #[react("a")] async fn f(&self) {} }));
        let expansion = expansion.to_string();
        assert!(expansion.contains("impl W"), "{arguments}: {expansion}");
        let accepted = expansion.contains("__REGISTRATION");
        assert!(accepted != expansion.contains("compile_error"), "{arguments}: {expansion}");
    }
}

#[test]
fn the_item_is_kept_whatever_stands_in_the_parentheses() {
    let item = quote!(pub async fn on_wiki(key: RoutingKey) { half typed });
    for arguments in ODD_ARGUMENTS {
        let Ok(tokens) = arguments.parse::<TokenStream>() else { continue };
        for attribute in Attribute::ALL {
            let expansion = handler(attribute, tokens.clone(), item.clone()).to_string();
            assert!(expansion.contains(&item.to_string()), "{arguments}: {expansion}");
            let accepted = expansion.contains("__REGISTRATION");
            assert!(accepted != expansion.contains("compile_error"), "{arguments}: {expansion}");
            // A type may be spelt in many ways.
            assert!(!accepted || attribute == Attribute::MessageHandler, "{arguments}: {expansion}");
        }
    }
}

#[test]
fn error_enum() {
    let item = quote! {
        enum MailError {
            #[retry]
            Refused,
            #[retry(after = "5m")]
            Throttled { until: u64 },
            #[error("no {0}")]
            #[dead_letter]
            Unknown(#[from] Unknown),
            #[discard]
            Sent,
            #[pause("500ms")]
            Away,
        }
    };
    check("error_enum", handler_error::derive(item));
}

#[test]
fn error_struct() {
    let item = quote! {
        #[retry(after = 90)]
        #[handler_error(crate = ::facade::bus)]
        struct Busy(u64);
    };
    check("error_struct", handler_error::derive(item));
}
