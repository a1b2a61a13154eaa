//! The option `ordered_by`: which part of a message says whose turn it is.

use std::fmt;

use super::contradictions::bad_order;
use super::handler::HandlerEntry;
use crate::error::Error;

/// What messages that are handled strictly one after another have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OrderedBy {
    /// A field of the JSON body, by the names on the way to it: `customer.id`.
    Field(Vec<String>),
    /// A header: `header:tenant`.
    Header(String),
    /// A word of the routing key that the binding keys capture: `{page}`.
    Captured(String),
}

impl OrderedBy {
    /// Reads it as an attribute holds it; `None` when a name is empty.
    fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("header:") {
            return (!name.is_empty()).then(|| Self::Header(name.to_owned()));
        }
        if let Some(name) = text.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            return (!name.is_empty()).then(|| Self::Captured(name.to_owned()));
        }
        let names: Vec<_> = text.split('.').map(str::to_owned).collect();
        (!names.iter().any(String::is_empty)).then_some(Self::Field(names))
    }
}

impl OrderedBy {
    /// What the option stands for. The attributes have checked it; a registration by hand has not been.
    pub(super) fn of(text: &str, entry: &HandlerEntry) -> Result<Self, Error> {
        let order = Self::parse(text).ok_or_else(|| bad_order(text, "a name in it is empty", entry))?;
        match &order {
            Self::Captured(name) if !entry.keys.iter().all(|key| key.captures(name)) => {
                Err(bad_order(text, "not all of its binding keys capture that word", entry))
            }
            _ => Ok(order),
        }
    }
}

impl fmt::Display for OrderedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(names) => f.write_str(&names.join(".")),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Captured(name) => write!(f, "{{{name}}}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_shown() {
        for text in ["order", "customer.id", "header:tenant", "{page}"] {
            assert_eq!(OrderedBy::parse(text).unwrap().to_string(), text);
        }
        for text in ["", ".", "customer.", ".id", "a..b", "header:", "{}"] {
            assert_eq!(OrderedBy::parse(text), None, "{text}");
        }
    }
}
