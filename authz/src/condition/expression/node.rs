//! An expression whose names and types are known: what is evaluated.

use chrono::{DateTime, TimeDelta, Utc};

use super::error::Position;
use super::syntax::{Comprehension, Operator};
use super::vocabulary::{Fact, Function, Part};
use crate::condition::zone::Zone;

/// A part, and where it was written.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) position: Position,
    pub(super) kind: Kind,
}

/// What a part is.
#[derive(Debug)]
pub(super) enum Kind {
    Constant(Constant),
    Read(Reading),
    Has(Reading),
    /// A variable of a comprehension, counted from the outermost.
    Local(usize),
    Member(Box<Node>, String),
    HasMember(Box<Node>, String),
    Index(Box<Node>, Box<Node>),
    List(Vec<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
    Choice(Box<Node>, Box<Node>, Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    Call(Function, Vec<Node>),
    /// A part of a time on the clocks of a zone.
    Clock(Part, Box<Node>, Zone),
    Comprehension {
        kind: Comprehension,
        range: Box<Node>,
        condition: Option<Box<Node>>,
        body: Box<Node>,
    },
}

/// A value that is written out.
#[derive(Debug)]
pub(super) enum Constant {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Timestamp(DateTime<Utc>),
    Duration(TimeDelta),
}

/// Something that is read from the facts.
#[derive(Debug)]
pub(super) enum Reading {
    Fact(Fact),
    Parameter(String),
    Query(String),
    /// In lower case.
    Header(String),
}
