//! From the TOML of the configuration file to variables, each with its line.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{OTHER_KEYS, Vars, key_of};
use super::{KNOWN, Origin, closest, overrides};
use crate::error::{Error, ErrorKind};
use crate::topology::override_name;

/// Settings of tests, and the name of the file itself.
const NO_KEYS: [&str; 5] = ["BUS_CONFIG", "BUS_TEST_", "BUS_SOAK_", "BUS_SIM_", "BUS_HANDLER__"];

/// The variables that a file stands for.
pub(super) fn vars(path: &str, text: &str) -> Result<Vars, Error> {
    let file = File { path, text };
    let table = DeTable::parse(text)
        .map_err(|error| file.error(error.span().unwrap_or_default(), error.message()))?;
    let mut vars = Vec::new();
    for (key, value) in table.get_ref() {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("handler", DeValue::Table(handlers)) => file.handlers(handlers, &mut vars)?,
            (name, _) => file.setting(name, key.span(), value, &mut vars)?,
        }
    }
    Ok(vars)
}

struct File<'f> {
    path: &'f str,
    text: &'f str,
}

impl File<'_> {
    fn origin(&self, span: &Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or_default();
        Origin::File { path: self.path.to_owned(), line: before.matches('\n').count() + 1 }
    }

    fn error(&self, span: Range<usize>, message: impl AsRef<str>) -> Error {
        Error::new(ErrorKind::Config, format!("{}: {}", self.origin(&span), message.as_ref()))
    }

    /// A setting, or a table of those whose names begin with its own: `[tls]` and `ca` are `tls_ca`.
    fn setting(
        &self,
        name: &str,
        span: Range<usize>,
        value: &Spanned<DeValue<'_>>,
        vars: &mut Vars,
    ) -> Result<(), Error> {
        if let DeValue::Table(table) = value.get_ref() {
            return table.iter().try_for_each(|(key, value)| {
                self.setting(&format!("{name}_{}", key.get_ref()), key.span(), value, vars)
            });
        }
        let Some((_, variable)) = keys().find(|(key, _)| key == name) else {
            let keys: Vec<_> = keys().map(|(key, _)| key).collect();
            let near = closest(name, keys.iter().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let error = self.error(span, format!("there is no setting `{name}`{near}"));
            return Err(error.with_help(format!("settings are {} and [handler.\"..\"]", keys.join(", "))));
        };
        vars.push((variable, self.plain(name, value)?, self.origin(&span)));
        Ok(())
    }

    /// `[handler."wiki::on_wiki"]`.
    fn handlers(&self, handlers: &DeTable<'_>, vars: &mut Vars) -> Result<(), Error> {
        for (handler, options) in handlers {
            let name = handler.get_ref();
            let DeValue::Table(options) = options.get_ref() else {
                let text = format!("`{name}` is no table of options");
                return Err(self
                    .error(handler.span(), text)
                    .with_help(format!("[handler.\"{name}\"]\ntimeout = \"60s\"")));
            };
            for (option, value) in options {
                let key = option.get_ref();
                if !overrides::OPTIONS.contains(&&**key) {
                    let near = closest(key, overrides::OPTIONS);
                    let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                    let error = self.error(option.span(), format!("handlers have no option `{key}`{near}"));
                    return Err(error.with_help(format!("options are {}", overrides::OPTIONS.join(", "))));
                }
                let variable =
                    format!("{}{}__{}", overrides::PREFIX, override_name(name), key.to_uppercase());
                vars.push((variable, self.plain(key, value)?, self.origin(&option.span())));
            }
        }
        Ok(())
    }

    /// The value as a variable would have it.
    fn plain(&self, name: &str, value: &Spanned<DeValue<'_>>) -> Result<String, Error> {
        Ok(match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.as_str().to_owned(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Array(all) => {
                let all: Result<Vec<_>, _> = all.iter().map(|one| self.plain(name, one)).collect();
                all?.join(",")
            }
            _ => {
                let text = format!("`{name}` is a text, a whole number, true or false, or a list of texts");
                return Err(self.error(value.span(), text));
            }
        })
    }
}

/// Every key with its variable.
fn keys() -> impl Iterator<Item = (String, String)> {
    let is_key = |name: &&&str| !NO_KEYS.iter().any(|no| name.starts_with(no));
    let ours = KNOWN.iter().filter(is_key).map(|name| (key_of(name), (*name).to_owned()));
    ours.chain(OTHER_KEYS.iter().map(|(key, variable)| ((*key).to_owned(), (*variable).to_owned())))
}
