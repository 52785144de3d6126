//! The types of operators.

use super::{Checked, Checker};
use crate::condition::expression::error::ConditionFault;
use crate::condition::expression::node::{Kind, Node, Reading};
use crate::condition::expression::syntax::{Expr, ExprKind, Literal, Operator};
use crate::condition::expression::types::Type;
use crate::condition::expression::vocabulary::{Fact, Object, WEEKDAYS};

impl Checker<'_> {
    pub(super) fn logical(&mut self, symbol: &str, operands: &[Expr]) -> Result<Vec<Node>, ConditionFault> {
        let who = format!("`{symbol}` joins what is");
        operands
            .iter()
            .map(|operand| self.value_of(operand, &Type::Bool, &who))
            .collect()
    }

    pub(super) fn negate(&mut self, at: usize, operand: &Expr) -> Checked {
        let (node, found) = self.check(operand)?;
        match found {
            Type::Int | Type::Double | Type::Dynamic => Ok((self.node(at, Kind::Negate(node.into())), found)),
            other => Err(ConditionFault::new(
                at,
                format!("`-` turns a number, and this is {other}"),
                "write `!` to turn true into false",
            )),
        }
    }

    pub(super) fn choice(&mut self, at: usize, condition: &Expr, yes: &Expr, no: &Expr) -> Checked {
        let condition = self.value_of(condition, &Type::Bool, "`?` chooses by what is")?;
        let (yes, one) = self.check(yes)?;
        let (no, other) = self.check(no)?;
        let message = format!("`?:` chooses between things of one type, and here are {one} and {other}");
        let found = one.or(other);
        let found = found.ok_or_else(|| {
            ConditionFault::new(
                at,
                message,
                "write two values of the same type, or `||` of two comparisons",
            )
        })?;
        Ok((
            self.node(at, Kind::Choice(condition.into(), yes.into(), no.into())),
            found,
        ))
    }

    pub(super) fn binary(&mut self, at: usize, operator: Operator, left: &Expr, right: &Expr) -> Checked {
        if operator == Operator::In {
            return self.is_in(at, left, right);
        }
        let (one, left_type) = self.check(left)?;
        let (other, right_type) = self.check(right)?;
        let result = result(operator, &left_type, &right_type)
            .ok_or_else(|| mismatch(at, operator, &left_type, &right_type))?;
        if matches!(operator, Operator::Equal | Operator::NotEqual) {
            is_a_weekday(&one, right)?;
            is_a_weekday(&other, left)?;
        }
        Ok((
            self.node(at, Kind::Binary(operator, one.into(), other.into())),
            result,
        ))
    }

    fn is_in(&mut self, at: usize, left: &Expr, right: &Expr) -> Checked {
        if let Some(object) = self.object(right) {
            return self.is_named(at, left, object);
        }
        let (one, left_type) = self.check(left)?;
        let (other, right_type) = self.check(right)?;
        let fits = match &right_type {
            Type::List(element) => left_type.meets(element),
            Type::Claims => left_type.meets(&Type::Text),
            Type::Dynamic => true,
            _ => false,
        };
        if !fits {
            return Err(mismatch(at, Operator::In, &left_type, &right_type));
        }
        if let ExprKind::List(elements) = &right.kind {
            elements
                .iter()
                .try_for_each(|element| is_a_weekday(&one, element))?;
        }
        Ok((
            self.node(at, Kind::Binary(Operator::In, one.into(), other.into())),
            Type::Bool,
        ))
    }

    /// `"x-region" in request.headers`: the same as `has`, for names with other characters.
    fn is_named(&mut self, at: usize, left: &Expr, object: Object) -> Checked {
        match (&left.kind, object) {
            (
                ExprKind::Literal(Literal::Text(name)),
                Object::Parameters | Object::Query | Object::Headers,
            ) => {
                let (reading, _) = self.reading(left.at, object, name)?;
                Ok((self.node(at, Kind::Has(reading)), Type::Bool))
            }
            _ => Err(ConditionFault::new(
                at,
                format!("`in` cannot look through `{}` for this", object.name()),
                "write a name in quotes before `in`, and a list, claims, or parameters behind it",
            )),
        }
    }
}

/// The type of `left operator right`.
fn result(operator: Operator, left: &Type, right: &Type) -> Option<Type> {
    use Type::{Bool, Double, Duration, Dynamic, Int, List, Text, Timestamp};
    match operator {
        Operator::Equal | Operator::NotEqual => left.meets(right).then_some(Bool),
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            (left.is_ordered() && left.meets(right)).then_some(Bool)
        }
        Operator::In => None,
        Operator::Add => match (left, right) {
            (Dynamic, Dynamic | Timestamp | Duration) | (Timestamp | Duration, Dynamic) => Some(Dynamic),
            (Int | Dynamic, Int) | (Int, Dynamic) => Some(Int),
            (Double | Dynamic, Double) | (Double, Dynamic) => Some(Double),
            (Text | Dynamic, Text) | (Text, Dynamic) => Some(Text),
            (Timestamp, Duration) | (Duration, Timestamp) => Some(Timestamp),
            (Duration, Duration) => Some(Duration),
            (List(_), List(_)) => left.clone().or(right.clone()).or(Some(Type::list_of(Dynamic))),
            (Dynamic, List(_)) | (List(_), Dynamic) => Some(Type::list_of(Dynamic)),
            _ => None,
        },
        Operator::Subtract => match (left, right) {
            (Dynamic, Dynamic | Duration) | (Timestamp, Dynamic) => Some(Dynamic),
            (Int | Dynamic, Int) | (Int, Dynamic) => Some(Int),
            (Double | Dynamic, Double) | (Double, Dynamic) => Some(Double),
            (Timestamp, Duration) => Some(Timestamp),
            (Timestamp | Dynamic, Timestamp) | (Duration, Duration | Dynamic) => Some(Duration),
            _ => None,
        },
        Operator::Multiply | Operator::Divide => match (left, right) {
            (Dynamic, Dynamic) => Some(Dynamic),
            (Int | Dynamic, Int) | (Int, Dynamic) => Some(Int),
            (Double | Dynamic, Double) | (Double, Dynamic) => Some(Double),
            _ => None,
        },
        Operator::Remainder => (left.meets(&Int) && right.meets(&Int)).then_some(Int),
    }
}

/// What is compared with the day of the week must be one: what never is equal would open every `!=`.
fn is_a_weekday(compared: &Node, with: &Expr) -> Result<(), ConditionFault> {
    match (&compared.kind, &with.kind) {
        (Kind::Read(Reading::Fact(Fact::WeekdayUtc)), ExprKind::Literal(Literal::Text(text)))
            if !WEEKDAYS.contains(&text.as_str()) =>
        {
            Err(ConditionFault::new(
                with.at,
                format!("`request.weekday_utc` is never `{}`", text.escape_debug()),
                format!("write one of {}", WEEKDAYS.join(", ")),
            ))
        }
        _ => Ok(()),
    }
}

fn mismatch(at: usize, operator: Operator, left: &Type, right: &Type) -> ConditionFault {
    use Type::{Double, Int, Null};
    let symbol = operator.symbol();
    let help = match (left, right) {
        (Null, _) | (_, Null) => "what is absent is not null: ask with `has(..)`",
        (Int, Double) | (Double, Int) => {
            "write both with a fraction, as in `2.0`, or turn one with `double(..)`"
        }
        (Type::Text, Type::Bool | Int | Double) | (Type::Bool | Int | Double, Type::Text) => {
            "texts are compared with texts, in quotes; `int(..)` reads a number from a text"
        }
        (_, Type::Text) if operator == Operator::In => "a part of a text is found by `contains(..)`",
        _ => "both sides must be of types that go together",
    };
    let message = format!("`{symbol}` does not go between {left} and {right}");
    ConditionFault::new(at, message, help)
}
