//! Evaluation: an expression and the facts of one request in, a value or an error out. Total, and bounded in steps.
//!
//! INVARIANT: the first error ends it. CEL lets `error && false` be false and `error || true` be true; then
//! `!(error && false)` would hold. Here what comes first decides: where `a` of `a && b` or `a || b` decides, `b` is not
//! looked at; an error that is met is the outcome.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an operation takes a few types, and whatever else there is or will be is one error"
)]

use super::error::{ConditionError, ErrorKind, Position};
use super::limits::{STEP_BYTES, STEPS};
use super::node::{Constant, Kind, Node};
use super::syntax::Comprehension;
use super::value::{List, Value};
use super::{Facts, convert};

mod functions;
mod operators;
mod read;

type Outcome<'v> = Result<Value<'v>, ConditionError>;

/// One evaluation.
pub(super) struct Evaluation<'v> {
    facts: &'v Facts<'v>,
    locals: Vec<Value<'v>>,
    steps: usize,
}

const fn error(position: Position, kind: ErrorKind) -> ConditionError {
    ConditionError { position, kind }
}

impl<'v> Evaluation<'v> {
    pub(super) const fn new(facts: &'v Facts<'v>) -> Self {
        Self {
            facts,
            locals: Vec::new(),
            steps: 0,
        }
    }

    /// The steps that were taken.
    #[cfg(test)]
    pub(super) const fn steps(&self) -> usize {
        self.steps
    }

    /// Whether a part holds.
    pub(super) fn holds(&mut self, node: &'v Node) -> Result<bool, ConditionError> {
        match self.value(node)? {
            Value::Bool(value) => Ok(value),
            _ => Err(error(node.position, ErrorKind::WrongType)),
        }
    }

    fn value(&mut self, node: &'v Node) -> Outcome<'v> {
        let at = node.position;
        self.spend(1, at)?;
        match &node.kind {
            Kind::Constant(constant) => Ok(constant_value(constant)),
            Kind::Read(reading) => self.read(reading, at),
            Kind::Has(reading) => self.has(reading, at).map(Value::Bool),
            Kind::Local(index) => {
                let value = self.locals.get(*index).cloned();
                value.ok_or_else(|| error(at, ErrorKind::Absent))
            }
            Kind::Member(operand, name) => match self.value(operand)? {
                Value::Members(members) => {
                    let member = members.get(name).map(Value::of_json);
                    member.ok_or_else(|| error(at, ErrorKind::Absent))
                }
                _ => Err(error(at, ErrorKind::WrongType)),
            },
            Kind::HasMember(operand, name) => match self.value(operand)? {
                Value::Members(members) => Ok(Value::Bool(members.contains_key(name))),
                _ => Err(error(at, ErrorKind::WrongType)),
            },
            Kind::Index(operand, index) => self.index(operand, index, at),
            Kind::List(elements) => {
                let values: Result<Vec<Value<'v>>, _> =
                    elements.iter().map(|element| self.value(element)).collect();
                Ok(Value::List(List::Made(values?.into())))
            }
            Kind::Not(operand) => self.holds(operand).map(|value| Value::Bool(!value)),
            Kind::All(operands) => self.logical(operands, false),
            Kind::Any(operands) => self.logical(operands, true),
            Kind::Choice(condition, yes, no) => match self.holds(condition)? {
                true => self.value(yes),
                false => self.value(no),
            },
            Kind::Negate(operand) => self.negate(operand, at),
            Kind::Binary(operator, left, right) => self.binary(*operator, left, right, at),
            Kind::Call(function, arguments) => self.call(*function, arguments, at),
            Kind::Clock(part, time, zone) => self.clock(*part, time, *zone, at),
            Kind::Comprehension {
                kind,
                range,
                condition,
                body,
            } => self.comprehension(*kind, range, condition.as_deref(), body),
        }
    }

    /// Operands from the left, up to the first that is `decisive`.
    fn logical(&mut self, operands: &'v [Node], decisive: bool) -> Outcome<'v> {
        for operand in operands {
            if self.holds(operand)? == decisive {
                return Ok(Value::Bool(decisive));
            }
        }
        Ok(Value::Bool(!decisive))
    }

    fn index(&mut self, operand: &'v Node, index: &'v Node, at: Position) -> Outcome<'v> {
        let operand = self.value(operand)?;
        match (operand, self.value(index)?) {
            (Value::Members(members), Value::Text(name)) => {
                let member = members.get(&*name).map(Value::of_json);
                member.ok_or_else(|| error(at, ErrorKind::Absent))
            }
            (Value::List(list), Value::Int(index)) => {
                let element = usize::try_from(index).ok().and_then(|index| list.get(index));
                element.ok_or_else(|| error(at, ErrorKind::NoSuchElement))
            }
            _ => Err(error(at, ErrorKind::WrongType)),
        }
    }

    fn comprehension(
        &mut self,
        kind: Comprehension,
        range: &'v Node,
        condition: Option<&'v Node>,
        body: &'v Node,
    ) -> Outcome<'v> {
        let Value::List(list) = self.value(range)? else {
            return Err(error(range.position, ErrorKind::WrongType));
        };
        let mut kept = Vec::new();
        let mut found: usize = 0;
        for element in list.iter() {
            self.locals.push(element.clone());
            let outcome = self.element(kind, condition, body, &element, &mut kept);
            self.locals.pop();
            let holds = outcome?;
            found = found.saturating_add(usize::from(holds));
            match (kind, holds) {
                (Comprehension::All, false) => return Ok(Value::Bool(false)),
                (Comprehension::Exists, true) => return Ok(Value::Bool(true)),
                _ => {}
            }
        }
        Ok(match kind {
            Comprehension::All => Value::Bool(true),
            Comprehension::Exists => Value::Bool(false),
            Comprehension::ExistsOne => Value::Bool(found == 1),
            Comprehension::Filter | Comprehension::Map => Value::List(List::Made(kept.into())),
        })
    }

    /// Looks at one element, which is a local by now. Whether what is asked of it holds.
    fn element(
        &mut self,
        kind: Comprehension,
        condition: Option<&'v Node>,
        body: &'v Node,
        element: &Value<'v>,
        kept: &mut Vec<Value<'v>>,
    ) -> Result<bool, ConditionError> {
        if let Some(condition) = condition
            && !self.holds(condition)?
        {
            return Ok(false);
        }
        if kind == Comprehension::Map {
            kept.push(self.value(body)?);
            return Ok(true);
        }
        let holds = self.holds(body)?;
        if holds && kind == Comprehension::Filter {
            kept.push(element.clone());
        }
        Ok(holds)
    }

    fn spend(&mut self, steps: usize, at: Position) -> Result<(), ConditionError> {
        self.steps = self.steps.saturating_add(steps);
        match self.steps > STEPS {
            true => Err(error(at, ErrorKind::TooMuchWork)),
            false => Ok(()),
        }
    }

    /// Counts the work on a text of so many bytes.
    fn spend_text(&mut self, bytes: usize, at: Position) -> Result<(), ConditionError> {
        self.spend(bytes.checked_div(STEP_BYTES).unwrap_or(bytes), at)
    }
}

fn constant_value(constant: &Constant) -> Value<'_> {
    match constant {
        Constant::Null => Value::Null,
        Constant::Bool(value) => Value::Bool(*value),
        Constant::Int(value) => Value::Int(*value),
        Constant::Double(value) => Value::Double(*value),
        Constant::Text(text) => Value::text(text),
        Constant::Timestamp(time) => Value::Timestamp(*time),
        Constant::Duration(length) => Value::Duration(*length),
    }
}
