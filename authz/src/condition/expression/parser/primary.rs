//! The parts that operators stand between: values, names, calls, lists, and what is behind them.

use super::{Parser, expected, tallest};
use crate::condition::expression::error::ConditionFault;
use crate::condition::expression::lexer::TokenKind;
use crate::condition::expression::syntax::{Comprehension, Expr, ExprKind, Literal};

/// Words that CEL keeps for the languages it is embedded in.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "namespace",
    "package",
    "return",
    "var",
    "void",
    "while",
];

impl Parser<'_> {
    pub(super) fn member(&mut self, operand: Expr) -> Result<Expr, ConditionFault> {
        let at = self.token.at;
        let TokenKind::Name(name) = self.token.kind else {
            return Err(self.unexpected("the name of a member"));
        };
        if is_literal(name) || name == "in" {
            return Err(self.unexpected("the name of a member"));
        }
        self.advance()?;
        if !self.accept("(")? {
            let height = operand.height;
            return self.part(at, height, ExprKind::Member(operand.into(), name.to_owned()));
        }
        let arguments = self.list(")")?;
        match Comprehension::named(name) {
            Some(kind) => self.comprehension(at, name, kind, operand, arguments),
            None => self.call(at, name, Some(operand), arguments),
        }
    }

    fn call(
        &mut self,
        at: usize,
        name: &str,
        receiver: Option<Expr>,
        arguments: Vec<Expr>,
    ) -> Result<Expr, ConditionFault> {
        let is_member = receiver.is_some();
        let arguments: Vec<Expr> = receiver.into_iter().chain(arguments).collect();
        let height = tallest(&arguments);
        let function = name.to_owned();
        self.part(
            at,
            height,
            ExprKind::Call {
                function,
                is_member,
                arguments,
            },
        )
    }

    fn comprehension(
        &mut self,
        at: usize,
        name: &str,
        kind: Comprehension,
        range: Expr,
        arguments: Vec<Expr>,
    ) -> Result<Expr, ConditionFault> {
        let height = range.height.max(tallest(&arguments));
        let mut arguments = arguments.into_iter();
        let variable = arguments.next().map(|argument| argument.kind);
        let (first, second, more) = (arguments.next(), arguments.next(), arguments.next());
        let (condition, body) = match (first, second, more) {
            (Some(body), None, None) => (None, Some(body)),
            (Some(condition), Some(body), None) if kind == Comprehension::Map => {
                (Some(condition), Some(body))
            }
            _ => (None, None),
        };
        let (Some(ExprKind::Name(variable)), Some(body)) = (variable, body) else {
            return Err(ConditionFault::new(
                at,
                format!("`{name}` takes the name of a variable and what is asked of each element"),
                format!("write it as in `caller.roles.{name}(role, role.startsWith(\"ops-\"))`"),
            ));
        };
        let kind = ExprKind::Comprehension {
            kind,
            range: range.into(),
            variable,
            condition: condition.map(Box::new),
            body: body.into(),
        };
        self.part(at, height, kind)
    }

    pub(super) fn primary(&mut self, negative: Option<usize>) -> Result<Expr, ConditionFault> {
        let at = negative.unwrap_or(self.token.at);
        let token = self.advance()?;
        let kind = match token.kind {
            TokenKind::Integer(number) => {
                let number = i128::from(number);
                let signed = i64::try_from(if negative.is_some() {
                    number.saturating_neg()
                } else {
                    number
                });
                ExprKind::Literal(Literal::Int(signed.map_err(|_| {
                    ConditionFault::new(
                        at,
                        "the number is too large",
                        "whole numbers go up to 9223372036854775807",
                    )
                })?))
            }
            TokenKind::Double(number) => {
                ExprKind::Literal(Literal::Double(if negative.is_some() { -number } else { number }))
            }
            TokenKind::Text(text) => ExprKind::Literal(Literal::Text(text)),
            TokenKind::Name(name) => return self.named(at, name),
            TokenKind::Symbol("(") => {
                let inner = self.expression()?;
                self.expect(")")?;
                return Ok(inner);
            }
            TokenKind::Symbol("[") => {
                let elements = self.list("]")?;
                let height = tallest(&elements);
                return self.part(at, height, ExprKind::List(elements));
            }
            TokenKind::Symbol("{") => {
                let help = "compare with `==` and `?:` in place of looking up";
                return Err(ConditionFault::new(at, "mappings cannot be written here", help));
            }
            TokenKind::Symbol(_) | TokenKind::End => return Err(expected("a value or a name", &token)),
        };
        self.part(at, 0, kind)
    }

    /// A word of the language, a name, or the call of a function.
    fn named(&mut self, at: usize, name: &str) -> Result<Expr, ConditionFault> {
        let kind = match name {
            "true" => ExprKind::Literal(Literal::Bool(true)),
            "false" => ExprKind::Literal(Literal::Bool(false)),
            "null" => ExprKind::Literal(Literal::Null),
            "in" => {
                let help = "write it between a value and a list, as in `\"clerk\" in caller.roles`";
                return Err(ConditionFault::new(at, "`in` has nothing before it", help));
            }
            _ if RESERVED.contains(&name) => {
                let help = "CEL keeps this word for other languages; give the variable another name";
                return Err(ConditionFault::new(
                    at,
                    format!("`{name}` is a reserved word"),
                    help,
                ));
            }
            _ if self.accept("(")? => {
                let arguments = self.list(")")?;
                return match name {
                    "has" => self.has(at, arguments),
                    _ => self.call(at, name, None, arguments),
                };
            }
            _ => ExprKind::Name(name.to_owned()),
        };
        self.part(at, 0, kind)
    }

    fn has(&mut self, at: usize, arguments: Vec<Expr>) -> Result<Expr, ConditionFault> {
        let mut arguments = arguments.into_iter();
        match (arguments.next(), arguments.next()) {
            (Some(only), None) => {
                if let ExprKind::Member(operand, name) = only.kind {
                    let height = operand.height;
                    return self.part(only.at, height, ExprKind::Has(operand, name));
                }
                Err(no_member(at))
            }
            _ => Err(no_member(at)),
        }
    }

    /// Expressions up to `end`.
    fn list(&mut self, end: &'static str) -> Result<Vec<Expr>, ConditionFault> {
        let mut elements = Vec::new();
        while !self.accept(end)? {
            if !elements.is_empty() {
                self.expect(",")?;
                // A list may end with a comma; arguments may not.
                if end == "]" && self.accept(end)? {
                    break;
                }
            }
            elements.push(self.expression()?);
        }
        Ok(elements)
    }
}

fn no_member(at: usize) -> ConditionFault {
    ConditionFault::new(
        at,
        "`has` asks for one member, by its name",
        "write `has(caller.claims.department)`, or `\"a-b\" in caller.claims` for a name with other characters",
    )
}

fn is_literal(name: &str) -> bool {
    matches!(name, "true" | "false" | "null")
}
