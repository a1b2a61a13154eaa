//! From tokens to an expression, by recursive descent.

use super::lexer::{Token, TokenKind, tokens};
use super::{ExpressionError, Field, Kind, Literal, Node, Operator};
use crate::config::{closest, parse_duration};

/// How deep parentheses and negations may nest: far beyond what people write, and far from the end of the stack.
const NESTING_MAX: usize = 64;

pub(super) fn parse(text: &str, fields: &[Field]) -> Result<Node, ExpressionError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { text, fields, tokens: &tokens, depth: 0 };
    let node = parser.any()?;
    match parser.tokens.first() {
        None => Ok(node),
        Some(token) if token.kind == TokenKind::Close => {
            Err(parser.error(token.column, "this `)` closes nothing"))
        }
        Some(token) => Err(parser.error(token.column, "expected `&&` or `||` here")),
    }
}

struct Parser<'t> {
    text: &'t str,
    fields: &'t [Field],
    tokens: &'t [Token],
    depth: usize,
}

impl<'t> Parser<'t> {
    fn next(&mut self) -> Option<&'t Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn next_if(&mut self, kind: &TokenKind) -> bool {
        let is_next = self.tokens.first().is_some_and(|token| token.kind == *kind);
        if is_next {
            self.tokens = &self.tokens[1..];
        }
        is_next
    }

    fn end(&self) -> usize {
        self.text.chars().count() + 1
    }

    fn error(&self, column: usize, message: impl Into<String>) -> ExpressionError {
        ExpressionError::new(self.text, column, message)
    }

    fn any(&mut self) -> Result<Node, ExpressionError> {
        let mut nodes = vec![self.all()?];
        while self.next_if(&TokenKind::Or) {
            nodes.push(self.all()?);
        }
        Ok(one_or(nodes, Node::Any))
    }

    fn all(&mut self) -> Result<Node, ExpressionError> {
        let mut nodes = vec![self.not()?];
        while self.next_if(&TokenKind::And) {
            nodes.push(self.not()?);
        }
        Ok(one_or(nodes, Node::All))
    }

    fn not(&mut self) -> Result<Node, ExpressionError> {
        let column = self.tokens.first().map_or_else(|| self.end(), |token| token.column);
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(self.error(column, format!("more than {NESTING_MAX} levels of nesting")));
        }
        let node = if self.next_if(&TokenKind::Not) {
            Node::Not(Box::new(self.not()?))
        } else if self.next_if(&TokenKind::Open) {
            let node = self.any()?;
            if !self.next_if(&TokenKind::Close) {
                return Err(self.error(column, "this `(` is never closed"));
            }
            node
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn comparison(&mut self) -> Result<Node, ExpressionError> {
        let Some(Token { kind, column }) = self.next() else {
            return Err(self.error(self.end(), format!("expected a field here: {}", self.names())));
        };
        let TokenKind::Word(name) = kind else {
            return Err(self.error(*column, format!("expected a field here: {}", self.names())));
        };
        let Some(field) = self.fields.iter().find(|field| field.is_named(name)) else {
            return Err(self.error(*column, self.unknown(name)));
        };
        let Some(Token { kind: TokenKind::Operator(operator), column }) = self.tokens.first() else {
            return Ok(Node::Has(name.clone()));
        };
        self.tokens = &self.tokens[1..];
        self.check_operator(*field, name, *operator, *column)?;
        let value = self.value(*field, name)?;
        Ok(Node::Compare { field: name.clone(), operator: *operator, value })
    }

    fn check_operator(
        &self,
        field: Field,
        name: &str,
        operator: Operator,
        column: usize,
    ) -> Result<(), ExpressionError> {
        let of_text = matches!(operator, Operator::Contains | Operator::ContainsNot);
        let of_both = matches!(operator, Operator::Equal | Operator::NotEqual);
        match field.kind {
            Kind::Text if !of_text && !of_both => {
                Err(self.error(column, format!("`{name}` is a text: compare it with =, !=, ~ or !~")))
            }
            Kind::Number if of_text => {
                Err(self
                    .error(column, format!("`{name}` is a number: compare it with =, !=, <, <=, > or >=")))
            }
            Kind::Duration if of_text => {
                Err(self
                    .error(column, format!("`{name}` is a length of time: compare it with <, <=, > or >=")))
            }
            _ => Ok(()),
        }
    }

    fn value(&mut self, field: Field, name: &str) -> Result<Literal, ExpressionError> {
        let Some(Token { kind, column }) = self.next() else {
            return Err(self.error(self.end(), format!("expected a value for `{name}` here")));
        };
        let (TokenKind::Word(text) | TokenKind::Quoted(text)) = kind else {
            return Err(self.error(
                *column,
                format!(
                    "expected a value for `{name}` here; put it in quotes when it holds such a character"
                ),
            ));
        };
        match field.kind {
            Kind::Text => Ok(Literal::Text(text.clone())),
            Kind::Number => text
                .parse()
                .map(Literal::Number)
                .map_err(|_| self.error(*column, format!("`{text}` is no number, and `{name}` is one"))),
            Kind::Duration => parse_duration(text).map(Literal::Duration).ok_or_else(|| {
                self.error(*column, format!("`{text}` is no duration: say 30s, 5m, 2h or 7d"))
            }),
        }
    }

    fn names(&self) -> String {
        let name = |field: &Field| match field.name.ends_with('.') {
            true => format!("{}NAME", field.name),
            false => field.name.to_owned(),
        };
        self.fields.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    fn unknown(&self, name: &str) -> String {
        match closest(name, self.fields.iter().map(|field| field.name)) {
            Some(meant) => format!("there is no field `{name}`; did you mean `{meant}`?"),
            None => format!("there is no field `{name}`; there are {}", self.names()),
        }
    }
}

fn one_or(mut nodes: Vec<Node>, several: impl FnOnce(Vec<Node>) -> Node) -> Node {
    match nodes.len() {
        1 => nodes.swap_remove(0),
        _ => several(nodes),
    }
}
