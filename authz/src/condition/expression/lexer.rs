//! From the text of an expression to its tokens (CEL specification, "Syntax").

use super::error::ConditionFault;

/// A token and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'s> {
    pub(super) at: usize,
    pub(super) kind: TokenKind<'s>,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind<'s> {
    /// A name or a word of the language.
    Name(&'s str),
    /// A whole number, without its sign.
    Integer(u64),
    /// A number with a fraction or an exponent.
    Double(f64),
    /// A text, its escapes read.
    Text(String),
    /// An operator or a bracket.
    Symbol(&'static str),
    /// The end of the expression.
    End,
}

/// Operators and brackets; of two that fit, the longer comes first.
const SYMBOLS: [&str; 24] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", ".", ",", "(", ")",
    "[", "]", "{", "}",
];

/// Reads tokens one after another.
#[derive(Debug)]
pub(super) struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    pub(super) const fn new(source: &'s str) -> Self {
        Self { source, at: 0 }
    }

    /// The next token; at the end, the end again and again.
    pub(super) fn next(&mut self) -> Result<Token<'s>, ConditionFault> {
        self.skip_space();
        let at = self.at;
        let kind = match self.rest().chars().next() {
            None => TokenKind::End,
            Some(quote @ ('"' | '\'')) => self.text(quote, false)?,
            Some(first) if first.is_ascii_digit() => self.number()?,
            Some('.')
                if self
                    .rest()
                    .chars()
                    .nth(1)
                    .is_some_and(|next| next.is_ascii_digit()) =>
            {
                self.number()?
            }
            Some(first) if first.is_ascii_alphabetic() || first == '_' => self.name()?,
            Some(other) => self.symbol(other)?,
        };
        Ok(Token { at, kind })
    }

    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn advance(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    /// Takes what `belongs` and gives it.
    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'s str {
        let rest = self.rest();
        let end = rest.find(|character| !belongs(character)).unwrap_or(rest.len());
        self.advance(end);
        rest.get(..end).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        loop {
            self.take(|character| matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{c}'));
            if !self.rest().starts_with("//") {
                return;
            }
            self.take(|character| character != '\n');
        }
    }

    fn symbol(&mut self, first: char) -> Result<TokenKind<'s>, ConditionFault> {
        let rest = self.rest();
        let found = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol));
        let symbol = found.ok_or_else(|| {
            let help = match first {
                '=' => "write `==` to compare",
                '&' => "write `&&` where both sides must hold",
                '|' => "write `||` where either side will do",
                '`' => "write a member whose name has other characters as `caller.claims[\"a-b\"]`",
                _ => "texts are written in quotes; see the operators of CEL",
            };
            let message = format!("`{}` means nothing here", first.escape_debug());
            ConditionFault::new(self.at, message, help)
        })?;
        self.advance(symbol.len());
        Ok(TokenKind::Symbol(symbol))
    }

    /// A name, or a text behind a prefix.
    fn name(&mut self) -> Result<TokenKind<'s>, ConditionFault> {
        let at = self.at;
        let name = self.take(|character| character.is_ascii_alphanumeric() || character == '_');
        let Some(quote @ ('"' | '\'')) = self.rest().chars().next() else {
            return Ok(TokenKind::Name(name));
        };
        match name {
            "r" | "R" => self.text(quote, true),
            _ => Err(ConditionFault::new(
                at,
                format!("`{name}` before a text means nothing here"),
                "write the text alone, or `r` before a text whose `\\` stand for themselves",
            )),
        }
    }

    fn number(&mut self) -> Result<TokenKind<'s>, ConditionFault> {
        let at = self.at;
        let text = self.number_text();
        let fault = |message: &str, help: &str| {
            Err(ConditionFault::new(
                at,
                format!("`{}` {message}", text.escape_debug()),
                help,
            ))
        };
        if text.ends_with(['u', 'U']) && !text.starts_with("0x") {
            return fault(
                "is an unsigned number, and there are none here",
                "write it without the `u`",
            );
        }
        if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            return match u64::from_str_radix(digits, 16) {
                Ok(number) if !digits.starts_with('+') => Ok(TokenKind::Integer(number)),
                _ => fault("is no number", "write hexadecimal digits, as in `0x1F`"),
            };
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return match text.parse() {
                Ok(number) => Ok(TokenKind::Integer(number)),
                Err(_) => fault("is too large", "whole numbers go up to 9223372036854775807"),
            };
        }
        // Its grammar of numbers is this one, but that it wants a digit first and no zero before another digit.
        let digits = text.trim_start_matches('0');
        let padded = if digits.starts_with(['.', 'e', 'E']) {
            format!("0{digits}")
        } else {
            digits.to_owned()
        };
        match serde_json::from_str::<f64>(&padded) {
            Ok(number) => Ok(TokenKind::Double(number)),
            Err(_) => fault("is no number", "write digits, as in `1`, `0.5`, `1e3`"),
        }
    }

    /// The characters of a number; of something that looks like one, enough to say so.
    fn number_text(&mut self) -> &'s str {
        let start = self.source.get(self.at..).unwrap_or_default();
        let begin = self.at;
        let word = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let whole = self.take(word);
        let is_hexadecimal = whole.starts_with("0x") || whole.starts_with("0X");
        let mut exponent = !is_hexadecimal && whole.ends_with(['e', 'E']);
        let fraction = self.rest().strip_prefix('.').and_then(|rest| rest.chars().next());
        if !exponent && fraction.is_some_and(|next| next.is_ascii_digit()) {
            self.advance(1);
            exponent = self.take(word).ends_with(['e', 'E']);
        }
        if exponent && self.rest().starts_with(['+', '-']) {
            self.advance(1);
            self.take(word);
        }
        start.get(..self.at.saturating_sub(begin)).unwrap_or_default()
    }

    /// A text from its quote on. Three quotes go over lines; raw ones have no escapes.
    fn text(&mut self, quote: char, is_raw: bool) -> Result<TokenKind<'s>, ConditionFault> {
        let begin = self.at;
        let one: &str = if quote == '"' { "\"" } else { "'" };
        let three: &str = if quote == '"' { "\"\"\"" } else { "'''" };
        let is_long = self.rest().starts_with(three);
        let end = if is_long { three } else { one };
        self.advance(end.len());
        let mut text = String::new();
        loop {
            let rest = self.rest();
            if rest.starts_with(end) {
                self.advance(end.len());
                return Ok(TokenKind::Text(text));
            }
            match rest.chars().next() {
                Some('\\') if !is_raw => text.push(self.escape()?),
                Some(character) if is_long || !matches!(character, '\n' | '\r') => {
                    self.advance(character.len_utf8());
                    text.push(character);
                }
                _ => {
                    let help = format!("close it with `{end}`");
                    return Err(ConditionFault::new(begin, "the text has no end", help));
                }
            }
        }
    }

    /// The character that an escape stands for.
    fn escape(&mut self) -> Result<char, ConditionFault> {
        let at = self.at;
        self.advance(1);
        let kind = self.rest().chars().next().unwrap_or_default();
        self.advance(kind.len_utf8());
        let read = match kind {
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            '\\' | '?' | '"' | '\'' | '`' => Some(kind),
            'x' | 'X' => self.code(2, 16),
            'u' => self.code(4, 16),
            'U' => self.code(8, 16),
            '0'..='3' => {
                self.at = at.saturating_add(1);
                self.code(3, 8)
            }
            _ => None,
        };
        read.ok_or_else(|| {
            ConditionFault::new(
                at,
                "an escape that stands for nothing",
                "write `\\\\` for a `\\`, or `r` before the text",
            )
        })
    }

    fn code(&mut self, length: usize, radix: u32) -> Option<char> {
        let digits = self.rest().get(..length)?;
        if !digits.chars().all(|digit| digit.is_digit(radix)) {
            return None;
        }
        self.advance(length);
        char::from_u32(u32::from_str_radix(digits, radix).ok()?)
    }
}
