//! The option `batch`: its settings, each with its type.

use std::time::Duration;

use crate::args::{OptionArg, Value};
use crate::errors::{Errors, options as texts};
use crate::slots::{Names, Once, Slot};
use crate::values;

/// The names of all settings.
const NAMES: Names = Names { listed: &["size", "wait"], aliases: &[], foreign };

/// The most messages of one call: their bodies are in memory, and the prefetch holds twice as many.
const SIZE_MAX: u16 = 10_000;
/// The longest that the first message waits: far below the half hour after which RabbitMQ takes a message back.
const WAIT_MAX: Duration = Duration::from_secs(600);

const EXAMPLE: &str = "batch(size = 100, wait = \"1s\")";

/// The settings of `batch(..)`.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) size: u16,
    pub(crate) wait: Slot<Duration>,
}

impl Batch {
    /// Reads `batch(size = 100, wait = "1s")`.
    pub(crate) fn read(option: &OptionArg) -> syn::Result<Self> {
        let Value::List(inside, _) = &option.value else {
            return Err(values::problem(option, texts::no_list("batch", EXAMPLE)));
        };
        let errors = Errors::new();
        let (mut size, mut wait) = (None, None);
        for setting in &OptionArg::parse_list(inside.clone(), &errors) {
            let once = Once { option: setting, place: "batch(..)", errors: &errors };
            match setting.name().as_str() {
                "size" => once.set(&mut size, |setting| values::number(setting, 1..=SIZE_MAX)),
                "wait" => once.set(&mut wait, waiting),
                _ => once.unknown(&NAMES),
            }
        }
        errors.check()?;
        match size {
            Some(size) => Ok(Self { size: size.value, wait }),
            None => Err(values::problem(option, texts::batch_without_size(EXAMPLE))),
        }
    }
}

fn waiting(setting: &OptionArg) -> syn::Result<Duration> {
    match values::duration(setting)? {
        long if long > WAIT_MAX => Err(values::problem(setting, texts::batch_wait())),
        wait => Ok(wait),
    }
}

/// What other frameworks call the settings.
fn foreign(name: &str) -> Option<&'static str> {
    match name {
        "max" | "max_size" | "batch_size" | "count" => Some("here that is size = 100"),
        "timeout" | "max_wait" | "batch_timeout" | "linger" | "interval" => {
            Some("here that is wait = \"1s\"")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use crate::goldens::check;
    use crate::handler::{Attribute, handler};

    #[test]
    fn batch() {
        let item = quote! {
            async fn index(pages: Vec<Json<Page>>, name: Vec<String>, db: State<Db>) -> Result<Vec<Outcome>, DbError> {
                db.insert(pages).await
            }
        };
        check(
            "batch",
            handler(Attribute::React, quote!("wiki.{name}", batch(size = 100, wait = "500ms")), item),
        );
    }

    #[test]
    fn plain_batch() {
        let item = quote! {
            fn count(views: Batch<Viewed>) {}
        };
        check("plain_batch", handler(Attribute::MessageHandler, quote!(Viewed, batch(size = 100)), item));
    }
}
