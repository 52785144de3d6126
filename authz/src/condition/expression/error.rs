//! What is wrong with an expression: faults found when it is compiled, errors met when it is evaluated.

use std::fmt;

use scopegate_document::PolicyError;

/// A fault of an expression: it does not compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConditionFault {
    /// Where, in bytes from the beginning of the expression.
    pub(crate) offset: usize,
    /// The same for people.
    pub(crate) position: Position,
    /// What is wrong: one line, lower case, user input in backticks.
    pub(crate) message: String,
    /// What would be right.
    pub(crate) help: String,
}

impl ConditionFault {
    pub(super) fn new(offset: usize, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            offset,
            position: Position::default(),
            message: message.into(),
            help: help.into(),
        }
    }

    /// The fault of the field at `path`.
    pub(crate) fn into_policy_error(self, path: &str) -> PolicyError {
        let Self {
            offset: _,
            position,
            message,
            help,
        } = self;
        PolicyError::new("invalid_condition", path, format!("{message} ({position})"), help)
    }
}

/// A place in an expression, counted from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The line.
    pub(crate) line: u16,
    /// The character of that line.
    pub(crate) column: u16,
}

impl Position {
    /// The position of the byte at `offset` of `source`.
    pub(super) fn of(source: &str, offset: usize) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let lines = before.bytes().filter(|byte| *byte == b'\n').count();
        let columns = before.rsplit('\n').next().unwrap_or_default().chars().count();
        let count = |number: usize| u16::try_from(number.saturating_add(1)).unwrap_or(u16::MAX);
        Self {
            line: count(lines),
            column: count(columns),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 | 1 => write!(f, "at character {}", self.column),
            line => write!(f, "at line {line}, character {}", self.column),
        }
    }
}

/// An expression could not be evaluated: the condition does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConditionError {
    /// The part that could not be evaluated.
    pub(crate) position: Position,
    /// Why.
    pub(crate) kind: ErrorKind,
}

/// Why an expression could not be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// What is named is absent.
    Absent,
    /// A value has a type that the operation does not take.
    WrongType,
    /// A list has no such element.
    NoSuchElement,
    /// A header or a query parameter is there several times.
    Repeated,
    /// A text is not what it is to be read as.
    Unreadable,
    /// A number is divided by zero.
    DivisionByZero,
    /// A number, a time or a text is too large.
    TooLarge,
    /// The evaluation takes more than [`super::limits::STEPS`].
    TooMuchWork,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "what is named is absent",
            Self::WrongType => "a value is of another type",
            Self::NoSuchElement => "the list has no such element",
            Self::Repeated => "the value is there several times",
            Self::Unreadable => "a text cannot be read as what it should be",
            Self::DivisionByZero => "a division by zero",
            Self::TooLarge => "a value is too large",
            Self::TooMuchWork => "the evaluation takes too long",
        })
    }
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.position)
    }
}
