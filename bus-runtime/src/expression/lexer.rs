//! From text to tokens, each with its column.

use super::{ExpressionError, Operator};

/// One token, and where it begins: in characters from 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) column: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    And,
    Or,
    Not,
    Open,
    Close,
    Operator(Operator),
    /// A name, a number, or a text without quotes.
    Word(String),
    Quoted(String),
}

/// What ends a word.
fn is_special(one: char) -> bool {
    one.is_whitespace() || "()!&|=~<>\"'".contains(one)
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ExpressionError> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&first) = characters.get(at) {
        if first.is_whitespace() {
            at += 1;
            continue;
        }
        let column = at + 1;
        let kind = match first {
            '"' | '\'' => {
                let (quoted, end) = quoted(&characters, at, text)?;
                at = end;
                TokenKind::Quoted(quoted)
            }
            _ if is_special(first) => {
                let (kind, length) = symbol(first, characters.get(at + 1).copied())
                    .ok_or_else(|| single(text, column, first))?;
                at += length;
                kind
            }
            _ => {
                let word: String = characters[at..].iter().take_while(|one| !is_special(**one)).collect();
                at += word.chars().count();
                match word.as_str() {
                    "and" => TokenKind::And,
                    "or" => TokenKind::Or,
                    "not" => TokenKind::Not,
                    _ => TokenKind::Word(word),
                }
            }
        };
        tokens.push(Token { kind, column });
    }
    Ok(tokens)
}

fn symbol(first: char, second: Option<char>) -> Option<(TokenKind, usize)> {
    use Operator::{Contains, ContainsNot, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    Some(match (first, second) {
        ('&', Some('&')) => (TokenKind::And, 2),
        ('|', Some('|')) => (TokenKind::Or, 2),
        ('=', Some('=')) => (TokenKind::Operator(Equal), 2),
        ('!', Some('=')) => (TokenKind::Operator(NotEqual), 2),
        ('!', Some('~')) => (TokenKind::Operator(ContainsNot), 2),
        ('<', Some('=')) => (TokenKind::Operator(LessOrEqual), 2),
        ('>', Some('=')) => (TokenKind::Operator(GreaterOrEqual), 2),
        ('=', _) => (TokenKind::Operator(Equal), 1),
        ('~', _) => (TokenKind::Operator(Contains), 1),
        ('<', _) => (TokenKind::Operator(Less), 1),
        ('>', _) => (TokenKind::Operator(Greater), 1),
        ('!', _) => (TokenKind::Not, 1),
        ('(', _) => (TokenKind::Open, 1),
        (')', _) => (TokenKind::Close, 1),
        _ => return None,
    })
}

fn single(text: &str, column: usize, found: char) -> ExpressionError {
    ExpressionError::new(text, column, format!("a single `{found}`; write `{found}{found}`"))
}

/// The text between quotes, and where it ends.
fn quoted(characters: &[char], begin: usize, text: &str) -> Result<(String, usize), ExpressionError> {
    let quote = characters[begin];
    let (mut inner, mut at) = (String::new(), begin + 1);
    while let Some(&one) = characters.get(at) {
        match (one, characters.get(at + 1)) {
            ('\\', Some(&next)) if next == '\\' || next == '"' || next == '\'' => {
                inner.push(next);
                at += 2;
            }
            (one, _) if one == quote => return Ok((inner, at + 1)),
            (one, _) => {
                inner.push(one);
                at += 1;
            }
        }
    }
    Err(ExpressionError::new(text, begin + 1, format!("this {quote} is never closed")))
}
