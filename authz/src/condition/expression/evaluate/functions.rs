//! Functions on values.

use chrono::TimeDelta;

use super::{Evaluation, Outcome, convert, error};
use crate::condition::expression::error::{ConditionError, ErrorKind, Position};
use crate::condition::expression::node::Node;
use crate::condition::expression::value::{Text, Value};
use crate::condition::expression::vocabulary::{Function, Part};
use crate::condition::zone::Zone;
use scopegate_document::UnixTime;

impl<'v> Evaluation<'v> {
    pub(super) fn call(&mut self, function: Function, arguments: &'v [Node], at: Position) -> Outcome<'v> {
        let Some((first, rest)) = arguments.split_first() else {
            return Err(error(at, ErrorKind::WrongType));
        };
        let value = self.value(first)?;
        self.spend_value(&value, at)?;
        match rest.first() {
            Some(argument) => {
                let argument = self.value(argument)?;
                self.spend_value(&argument, at)?;
                in_text(function, &value, &argument)
            }
            None => alone(function, value),
        }
        .map_err(|kind| error(at, kind))
    }

    fn spend_value(&mut self, value: &Value<'v>, at: Position) -> Result<(), ConditionError> {
        match value {
            Value::Text(text) => self.spend_text(text.len(), at),
            _ => Ok(()),
        }
    }

    /// A part of a time on the clocks of `zone`, or of a length of time.
    pub(super) fn clock(&mut self, part: Part, time: &'v Node, zone: Zone, at: Position) -> Outcome<'v> {
        let found = match self.value(time)? {
            Value::Timestamp(time) => {
                let offset = zone.offset_at(UnixTime(time.timestamp()));
                let local = time.checked_add_signed(TimeDelta::seconds(offset.into()));
                local
                    .map(|local| convert::part(part, local))
                    .ok_or(ErrorKind::TooLarge)
            }
            Value::Duration(length) => convert::length(part, length).ok_or(ErrorKind::WrongType),
            _ => Err(ErrorKind::WrongType),
        };
        found.map(Value::Int).map_err(|kind| error(at, kind))
    }
}

fn in_text<'v>(function: Function, value: &Value<'v>, argument: &Value<'v>) -> Result<Value<'v>, ErrorKind> {
    let (Value::Text(text), Value::Text(part)) = (value, argument) else {
        return Err(ErrorKind::WrongType);
    };
    Ok(Value::Bool(match function {
        Function::Contains => text.contains(&**part),
        Function::StartsWith => text.starts_with(&**part),
        Function::EndsWith => text.ends_with(&**part),
        _ => return Err(ErrorKind::WrongType),
    }))
}

fn alone(function: Function, value: Value<'_>) -> Result<Value<'_>, ErrorKind> {
    match function {
        Function::Size => size(&value).map(Value::Int),
        Function::ToInt => to_int(&value).map(Value::Int),
        Function::ToDouble => to_double(&value).map(Value::Double),
        Function::ToText => to_text(value),
        Function::ToTimestamp => match value {
            Value::Timestamp(_) => Ok(value),
            Value::Int(seconds) => convert::unix(seconds)
                .map(Value::Timestamp)
                .ok_or(ErrorKind::TooLarge),
            Value::Text(text) => convert::timestamp(&text)
                .map(Value::Timestamp)
                .ok_or(ErrorKind::Unreadable),
            _ => Err(ErrorKind::WrongType),
        },
        Function::ToDuration => match value {
            Value::Duration(_) => Ok(value),
            Value::Text(text) => convert::duration(&text)
                .map(Value::Duration)
                .ok_or(ErrorKind::Unreadable),
            _ => Err(ErrorKind::WrongType),
        },
        Function::Part(part) => match value {
            Value::Duration(length) => convert::length(part, length)
                .map(Value::Int)
                .ok_or(ErrorKind::WrongType),
            _ => Err(ErrorKind::WrongType),
        },
        Function::Contains | Function::StartsWith | Function::EndsWith => Err(ErrorKind::WrongType),
    }
}

/// Characters of a text, elements of a list, members of a claim.
fn size(value: &Value<'_>) -> Result<i64, ErrorKind> {
    let size = match value {
        Value::Text(text) => text.chars().count(),
        Value::List(list) => list.len(),
        Value::Members(members) => members.len(),
        _ => return Err(ErrorKind::WrongType),
    };
    i64::try_from(size).map_err(|_| ErrorKind::TooLarge)
}

fn to_int(value: &Value<'_>) -> Result<i64, ErrorKind> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::Double(number) => convert::whole(*number).ok_or(ErrorKind::TooLarge),
        Value::Text(text) => text.parse().map_err(|_| ErrorKind::Unreadable),
        Value::Timestamp(time) => Ok(time.timestamp()),
        _ => Err(ErrorKind::WrongType),
    }
}

fn to_double(value: &Value<'_>) -> Result<f64, ErrorKind> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "what CEL says of `double(int)`")]
        Value::Int(number) => Ok(*number as f64),
        Value::Double(number) => Ok(*number),
        Value::Text(text) => convert::double(text).ok_or(ErrorKind::Unreadable),
        _ => Err(ErrorKind::WrongType),
    }
}

fn to_text(value: Value<'_>) -> Result<Value<'_>, ErrorKind> {
    match value {
        Value::Text(_) => Ok(value),
        Value::Bool(true) => Ok(Value::text("true")),
        Value::Bool(false) => Ok(Value::text("false")),
        Value::Int(number) => Ok(Value::Text(Text::Made(number.to_string().into()))),
        _ => Err(ErrorKind::WrongType),
    }
}
