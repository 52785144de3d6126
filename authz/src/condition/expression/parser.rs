//! From tokens to an expression, within the limits of size and depth (CEL specification, "Syntax").

use super::error::ConditionFault;
use super::lexer::{Lexer, Token, TokenKind};
use super::limits::{DEPTH, PARTS, SOURCE_BYTES};
use super::syntax::{Expr, ExprKind, Operator};

mod primary;

/// Operators between two parts, by how tightly they bind.
const LEVELS: [&[(&str, Operator)]; 3] = [
    &[
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<", Operator::Less),
        ("<=", Operator::LessOrEqual),
        (">", Operator::Greater),
        (">=", Operator::GreaterOrEqual),
        ("in", Operator::In),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[
        ("*", Operator::Multiply),
        ("/", Operator::Divide),
        ("%", Operator::Remainder),
    ],
];

/// Reads an expression.
pub(super) fn parse(source: &str) -> Result<Expr, ConditionFault> {
    if source.len() > SOURCE_BYTES {
        return Err(ConditionFault::new(
            SOURCE_BYTES,
            format!(
                "the expression has {} bytes, and {SOURCE_BYTES} are the most",
                source.len()
            ),
            "split the route, or decide it where the data is",
        ));
    }
    let mut lexer = Lexer::new(source);
    let token = lexer.next()?;
    let mut parser = Parser {
        lexer,
        token,
        depth: 0,
        parts: 0,
    };
    let expression = parser.expression()?;
    match parser.token.kind == TokenKind::End {
        true => Ok(expression),
        false => Err(parser.unexpected("an operator, or the end")),
    }
}

struct Parser<'s> {
    lexer: Lexer<'s>,
    token: Token<'s>,
    depth: usize,
    parts: usize,
}

impl<'s> Parser<'s> {
    fn expression(&mut self) -> Result<Expr, ConditionFault> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > DEPTH {
            return Err(too_deep(self.token.at));
        }
        let condition = self.logical("||", ExprKind::Any, |parser| {
            parser.logical("&&", ExprKind::All, |parser| parser.binary(0))
        })?;
        let at = self.token.at;
        let expression = match self.accept("?")? {
            false => condition,
            true => {
                let yes = self.logical("||", ExprKind::Any, |parser| {
                    parser.logical("&&", ExprKind::All, |parser| parser.binary(0))
                })?;
                self.expect(":")?;
                let no = self.expression()?;
                let height = condition.height.max(yes.height).max(no.height);
                let kind = ExprKind::Choice(condition.into(), yes.into(), no.into());
                self.part(at, height, kind)?
            }
        };
        self.depth = self.depth.saturating_sub(1);
        Ok(expression)
    }

    /// Operands of a logical operator; where there is one alone, that one.
    fn logical(
        &mut self,
        symbol: &'static str,
        kind: fn(Vec<Expr>) -> ExprKind,
        operand: fn(&mut Self) -> Result<Expr, ConditionFault>,
    ) -> Result<Expr, ConditionFault> {
        let first = operand(self)?;
        let at = self.token.at;
        if !self.is(symbol) {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.accept(symbol)? {
            operands.push(operand(self)?);
        }
        let height = tallest(&operands);
        self.part(at, height, kind(operands))
    }

    fn binary(&mut self, level: usize) -> Result<Expr, ConditionFault> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let next = level.saturating_add(1);
        let mut left = self.binary(next)?;
        loop {
            let found = operators.iter().find(|(symbol, _)| self.is(symbol));
            let Some((_, operator)) = found else {
                return Ok(left);
            };
            let at = self.token.at;
            self.advance()?;
            let right = self.binary(next)?;
            let height = left.height.max(right.height);
            left = self.part(at, height, ExprKind::Binary(*operator, left.into(), right.into()))?;
        }
    }

    fn unary(&mut self) -> Result<Expr, ConditionFault> {
        let TokenKind::Symbol(symbol @ ("!" | "-")) = self.token.kind else {
            return self.postfix(None);
        };
        let mut places = Vec::new();
        while self.is(symbol) {
            places.push(self.token.at);
            self.advance()?;
            if places.len() > DEPTH {
                return Err(too_deep(self.token.at));
            }
        }
        let number = match (symbol, &self.token.kind) {
            ("-", TokenKind::Integer(_) | TokenKind::Double(_)) => places.pop(),
            _ => None,
        };
        let mut expression = self.postfix(number)?;
        while let Some(at) = places.pop() {
            let height = expression.height;
            let kind = match symbol {
                "!" => ExprKind::Not(expression.into()),
                _ => ExprKind::Negate(expression.into()),
            };
            expression = self.part(at, height, kind)?;
        }
        Ok(expression)
    }

    /// A primary part and the members, elements and calls behind it. `negative`: where a minus before a number is.
    fn postfix(&mut self, negative: Option<usize>) -> Result<Expr, ConditionFault> {
        let mut expression = self.primary(negative)?;
        loop {
            let at = self.token.at;
            if self.accept(".")? {
                expression = self.member(expression)?;
            } else if self.accept("[")? {
                let index = self.expression()?;
                self.expect("]")?;
                let height = expression.height.max(index.height);
                expression = self.part(at, height, ExprKind::Index(expression.into(), index.into()))?;
            } else {
                return Ok(expression);
            }
        }
    }

    fn part(&mut self, at: usize, height: usize, kind: ExprKind) -> Result<Expr, ConditionFault> {
        self.parts = self.parts.saturating_add(1);
        if self.parts > PARTS {
            return Err(ConditionFault::new(
                at,
                format!("the expression has more than {PARTS} parts"),
                "split the route, or decide it where the data is",
            ));
        }
        let height = height.saturating_add(1);
        match height > DEPTH {
            true => Err(too_deep(at)),
            false => Ok(Expr { at, height, kind }),
        }
    }

    fn is(&self, symbol: &str) -> bool {
        match self.token.kind {
            TokenKind::Symbol(found) => found == symbol,
            TokenKind::Name(name) => name == symbol && name == "in",
            TokenKind::Integer(_) | TokenKind::Double(_) | TokenKind::Text(_) | TokenKind::End => false,
        }
    }

    fn accept(&mut self, symbol: &str) -> Result<bool, ConditionFault> {
        let found = self.is(symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, symbol: &str) -> Result<(), ConditionFault> {
        match self.accept(symbol)? {
            true => Ok(()),
            false => Err(self.unexpected(&format!("`{symbol}`"))),
        }
    }

    /// Takes the token and gives it.
    fn advance(&mut self) -> Result<Token<'s>, ConditionFault> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn unexpected(&self, wanted: &str) -> ConditionFault {
        expected(wanted, &self.token)
    }
}

fn expected(wanted: &str, found: &Token<'_>) -> ConditionFault {
    let shown = match &found.kind {
        TokenKind::Name(name) => format!("`{name}`"),
        TokenKind::Symbol(symbol) => format!("`{symbol}`"),
        TokenKind::Integer(_) | TokenKind::Double(_) => "a number".to_owned(),
        TokenKind::Text(_) => "a text".to_owned(),
        TokenKind::End => "the end".to_owned(),
    };
    ConditionFault::new(
        found.at,
        format!("here is {shown}, where {wanted} should be"),
        "an expression reads as in `request.hour_utc >= 6 && !(\"contractor\" in caller.roles)`",
    )
}

fn too_deep(at: usize) -> ConditionFault {
    ConditionFault::new(
        at,
        format!("the expression is nested more than {DEPTH} deep"),
        "write it flatter: `&&` and `||` of many parts need no brackets",
    )
}

fn tallest(parts: &[Expr]) -> usize {
    parts.iter().map(|part| part.height).max().unwrap_or_default()
}
