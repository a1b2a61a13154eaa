//! A small language for choosing things by what they are, such as `error~"timeout" && age<2h`.
//!
//! # Grammar
//!
//! ```text
//! expression = and { ("||" | "or") and }
//! and        = not { ("&&" | "and") not }
//! not        = ("!" | "not") not | "(" expression ")" | comparison
//! comparison = field [ operator value ]
//! operator   = "=" | "==" | "!=" | "~" | "!~" | "<" | "<=" | ">" | ">="
//! field      = a name that the thing has, such as `error` or `header.x-tenant`
//! value      = "text in quotes" | 'text in quotes' | a word | a number | a duration such as 2h
//! ```
//!
//! - `~` is "contains", upper and lower case alike; `!~` is its opposite.
//! - `=` compares texts exactly; where the value holds a `*`, that stands for any text.
//! - `<`, `<=`, `>` and `>=` compare numbers and durations. A number without unit is seconds where a duration is expected.
//! - A field alone asks whether the thing has it.
//! - In quotes, `\"`, `\'` and `\\` stand for the character itself. A word needs no quotes when it has neither blanks nor any of
//!   `()!&|=~<>"'`.
//! - A comparison with a field that the thing does not have is false, and `!=` and `!~` are true then.
//!
//! A mistake is found before anything is asked, and its text points at the column.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

mod lexer;
mod parser;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A number.
    Number,
    /// A length of time.
    Duration,
}

/// A field that a thing may have. A name that ends with a dot stands for all names that begin with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

impl Field {
    /// A field with a text.
    #[must_use]
    pub const fn text(name: &'static str) -> Self {
        Self { name, kind: Kind::Text }
    }

    /// A field with a number.
    #[must_use]
    pub const fn number(name: &'static str) -> Self {
        Self { name, kind: Kind::Number }
    }

    /// A field with a length of time.
    #[must_use]
    pub const fn duration(name: &'static str) -> Self {
        Self { name, kind: Kind::Duration }
    }

    fn is_named(&self, name: &str) -> bool {
        self.name == name
            || self.name.ends_with('.') && name.len() > self.name.len() && name.starts_with(self.name)
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A number.
    Number(f64),
    /// A length of time.
    Duration(Duration),
}

/// A thing that an expression can be asked about.
pub trait Subject {
    /// The value of a field; `None` when the thing does not have it.
    fn field(&self, name: &str) -> Option<Value<'_>>;
}

/// An expression that was understood: see the [module](self) for its grammar.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    text: String,
    root: Node,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Any(Vec<Node>),
    All(Vec<Node>),
    Not(Box<Node>),
    Has(String),
    Compare { field: String, operator: Operator, value: Literal },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Contains,
    ContainsNot,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a field is compared with, of the kind that the field has.
#[derive(Clone, Debug, PartialEq)]
enum Literal {
    Text(String),
    Number(f64),
    Duration(Duration),
}

/// An expression that cannot be understood: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpressionError {
    message: String,
    text: String,
    column: usize,
}

impl Expression {
    /// Reads an expression over these fields.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str, fields: &[Field]) -> Result<Self, ExpressionError> {
        let root = parser::parse(text, fields)?;
        Ok(Self { text: text.to_owned(), root })
    }

    /// Whether it is true of a thing.
    #[must_use]
    pub fn matches(&self, subject: &impl Subject) -> bool {
        self.root.matches(subject)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl ExpressionError {
    fn new(text: &str, column: usize, message: impl Into<String>) -> Self {
        Self { message: message.into(), text: text.to_owned(), column }
    }

    /// Where it is, in characters from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// What is wrong, then the expression with a mark under the place.
impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, text, column } = self;
        let line: String = text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
        write!(f, "{message} (column {column})\n    {line}\n    {:>column$}", "^")
    }
}

impl std::error::Error for ExpressionError {}

impl Node {
    fn matches(&self, subject: &impl Subject) -> bool {
        match self {
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(subject)),
            Self::All(nodes) => nodes.iter().all(|node| node.matches(subject)),
            Self::Not(node) => !node.matches(subject),
            Self::Has(field) => subject.field(field).is_some(),
            Self::Compare { field, operator, value } => operator.holds(subject.field(field), value),
        }
    }
}

impl Operator {
    fn holds(self, found: Option<Value<'_>>, wanted: &Literal) -> bool {
        let Some(found) = found else { return matches!(self, Self::NotEqual | Self::ContainsNot) };
        match (found, wanted) {
            (Value::Text(found), Literal::Text(wanted)) => self.holds_of_text(&found, wanted),
            (Value::Number(found), Literal::Number(wanted)) => self.holds_of_order(found.partial_cmp(wanted)),
            (Value::Duration(found), Literal::Duration(wanted)) => {
                self.holds_of_order(Some(found.cmp(wanted)))
            }
            // A header that is a number where another message has text, or the other way round.
            (Value::Number(found), Literal::Text(wanted)) => self.holds_of_text(&found.to_string(), wanted),
            _ => matches!(self, Self::NotEqual | Self::ContainsNot),
        }
    }

    fn holds_of_text(self, found: &str, wanted: &str) -> bool {
        match self {
            Self::Equal => glob(wanted, found),
            Self::NotEqual => !glob(wanted, found),
            Self::Contains => found.to_lowercase().contains(&wanted.to_lowercase()),
            Self::ContainsNot => !found.to_lowercase().contains(&wanted.to_lowercase()),
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => false,
        }
    }

    fn holds_of_order(self, order: Option<std::cmp::Ordering>) -> bool {
        let Some(order) = order else { return self == Self::NotEqual };
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Contains | Self::ContainsNot => false,
        }
    }
}

/// Whether a text is as the pattern says, in which `*` stands for any text.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests;
