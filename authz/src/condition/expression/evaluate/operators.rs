//! Operators on values. What does not fit in a number, a time or a text is an error, and so is a division by zero, with a
//! fraction or without.

use std::cmp::Ordering;

use chrono::TimeDelta;
use serde_json::{Map, Value as Json};

use super::{Evaluation, Outcome, convert, error};
use crate::condition::expression::error::{ConditionError, ErrorKind, Position};
use crate::condition::expression::limits::TEXT_BYTES;
use crate::condition::expression::node::{Kind, Node};
use crate::condition::expression::syntax::Operator;
use crate::condition::expression::value::{List, Text, Value};

impl<'v> Evaluation<'v> {
    pub(super) fn negate(&mut self, operand: &'v Node, at: Position) -> Outcome<'v> {
        match self.value(operand)? {
            Value::Int(number) => {
                let negated = number.checked_neg().map(Value::Int);
                negated.ok_or_else(|| error(at, ErrorKind::TooLarge))
            }
            Value::Double(number) => Ok(Value::Double(-number)),
            _ => Err(error(at, ErrorKind::WrongType)),
        }
    }

    pub(super) fn binary(
        &mut self,
        operator: Operator,
        left: &'v Node,
        right: &'v Node,
        at: Position,
    ) -> Outcome<'v> {
        let one = self.value(left)?;
        if let (Operator::In, Kind::List(elements)) = (operator, &right.kind) {
            return self.is_in_written(&one, elements, at);
        }
        let other = self.value(right)?;
        match operator {
            Operator::Equal => self.equal(&one, &other, at).map(Value::Bool),
            Operator::NotEqual => self.equal(&one, &other, at).map(|equal| Value::Bool(!equal)),
            Operator::Less => self.order(&one, &other, at, Ordering::is_lt),
            Operator::LessOrEqual => self.order(&one, &other, at, Ordering::is_le),
            Operator::Greater => self.order(&one, &other, at, Ordering::is_gt),
            Operator::GreaterOrEqual => self.order(&one, &other, at, Ordering::is_ge),
            Operator::In => self.is_in(&one, &other, at),
            Operator::Add => self.add(one, other, at),
            Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Remainder => {
                arithmetic(operator, &one, &other).map_err(|kind| error(at, kind))
            }
        }
    }

    fn order(
        &mut self,
        one: &Value<'v>,
        other: &Value<'v>,
        at: Position,
        wanted: fn(Ordering) -> bool,
    ) -> Outcome<'v> {
        self.spend_comparison(one, other, at)?;
        let order = one
            .compare(other)
            .ok_or_else(|| error(at, ErrorKind::WrongType))?;
        Ok(Value::Bool(wanted(order)))
    }

    fn spend_comparison(
        &mut self,
        one: &Value<'v>,
        other: &Value<'v>,
        at: Position,
    ) -> Result<(), ConditionError> {
        match (one, other) {
            (Value::Text(one), Value::Text(other)) => self.spend_text(one.len().min(other.len()), at),
            _ => Ok(()),
        }
    }

    /// Values of different types are not equal; whole numbers and those with a fraction are compared as numbers.
    pub(super) fn equal(
        &mut self,
        one: &Value<'v>,
        other: &Value<'v>,
        at: Position,
    ) -> Result<bool, ConditionError> {
        self.spend(1, at)?;
        self.spend_comparison(one, other, at)?;
        match (one, other) {
            (Value::Null, Value::Null) => Ok(true),
            (Value::List(one), Value::List(other)) => {
                if one.len() != other.len() {
                    return Ok(false);
                }
                for (one, other) in one.iter().zip(other.iter()) {
                    if !self.equal(&one, &other, at)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::Members(one), Value::Members(other)) => self.same_members(one, other, at),
            _ => Ok(one.compare(other) == Some(Ordering::Equal)),
        }
    }

    fn same_members(
        &mut self,
        one: &'v Map<String, Json>,
        other: &'v Map<String, Json>,
        at: Position,
    ) -> Result<bool, ConditionError> {
        if one.len() != other.len() {
            return Ok(false);
        }
        for (name, value) in one {
            let Some(other) = other.get(name) else {
                return Ok(false);
            };
            if !self.equal(&Value::of_json(value), &Value::of_json(other), at)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// `value in [a, b]`: without making the list. Every element is evaluated, as if it were made.
    fn is_in_written(&mut self, value: &Value<'v>, elements: &'v [Node], at: Position) -> Outcome<'v> {
        let mut found = false;
        for element in elements {
            let element = self.value(element)?;
            found = found || self.equal(value, &element, at)?;
        }
        Ok(Value::Bool(found))
    }

    fn is_in(&mut self, value: &Value<'v>, container: &Value<'v>, at: Position) -> Outcome<'v> {
        match (container, value) {
            (Value::List(list), _) => {
                for element in list.iter() {
                    if self.equal(value, &element, at)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            (Value::Members(members), Value::Text(name)) => Ok(Value::Bool(members.contains_key(&**name))),
            _ => Err(error(at, ErrorKind::WrongType)),
        }
    }

    fn add(&mut self, one: Value<'v>, other: Value<'v>, at: Position) -> Outcome<'v> {
        match (one, other) {
            (Value::Text(one), Value::Text(other)) => {
                let length = one.len().saturating_add(other.len());
                if length > TEXT_BYTES {
                    return Err(error(at, ErrorKind::TooLarge));
                }
                self.spend_text(length, at)?;
                Ok(Value::Text(Text::Made([&*one, &*other].concat().into())))
            }
            (Value::List(one), Value::List(other)) => {
                self.spend(one.len().saturating_add(other.len()), at)?;
                Ok(Value::List(List::Made(one.iter().chain(other.iter()).collect())))
            }
            (one, other) => arithmetic(Operator::Add, &one, &other).map_err(|kind| error(at, kind)),
        }
    }
}

fn arithmetic<'v>(operator: Operator, one: &Value<'v>, other: &Value<'v>) -> Result<Value<'v>, ErrorKind> {
    match (one, other) {
        (Value::Int(one), Value::Int(other)) => whole(operator, *one, *other).map(Value::Int),
        (Value::Double(one), Value::Double(other)) => fraction(operator, *one, *other).map(Value::Double),
        (Value::Timestamp(one), Value::Timestamp(other)) if operator == Operator::Subtract => {
            let length = convert::checked(one.signed_duration_since(*other));
            length.map(Value::Duration).ok_or(ErrorKind::TooLarge)
        }
        (Value::Timestamp(time), Value::Duration(length))
        | (Value::Duration(length), Value::Timestamp(time)) => {
            let moved = match (operator, one) {
                (Operator::Add, _) => time.checked_add_signed(*length),
                (Operator::Subtract, Value::Timestamp(_)) => time.checked_sub_signed(*length),
                _ => return Err(ErrorKind::WrongType),
            };
            moved
                .and_then(convert::in_range)
                .map(Value::Timestamp)
                .ok_or(ErrorKind::TooLarge)
        }
        (Value::Duration(one), Value::Duration(other)) => lengths(operator, one, other).map(Value::Duration),
        _ => Err(ErrorKind::WrongType),
    }
}

fn whole(operator: Operator, one: i64, other: i64) -> Result<i64, ErrorKind> {
    let result = match operator {
        Operator::Add => one.checked_add(other),
        Operator::Subtract => one.checked_sub(other),
        Operator::Multiply => one.checked_mul(other),
        Operator::Divide | Operator::Remainder if other == 0 => return Err(ErrorKind::DivisionByZero),
        Operator::Divide => one.checked_div(other),
        Operator::Remainder => one.checked_rem(other),
        _ => return Err(ErrorKind::WrongType),
    };
    result.ok_or(ErrorKind::TooLarge)
}

fn fraction(operator: Operator, one: f64, other: f64) -> Result<f64, ErrorKind> {
    let result = match operator {
        Operator::Add => one + other,
        Operator::Subtract => one - other,
        Operator::Multiply => one * other,
        Operator::Divide if other == 0.0 => return Err(ErrorKind::DivisionByZero),
        Operator::Divide => one / other,
        _ => return Err(ErrorKind::WrongType),
    };
    match result.is_finite() {
        true => Ok(result),
        false => Err(ErrorKind::TooLarge),
    }
}

fn lengths(operator: Operator, one: &TimeDelta, other: &TimeDelta) -> Result<TimeDelta, ErrorKind> {
    let length = match operator {
        Operator::Add => one.checked_add(other),
        Operator::Subtract => one.checked_sub(other),
        _ => return Err(ErrorKind::WrongType),
    };
    length.and_then(convert::checked).ok_or(ErrorKind::TooLarge)
}
