//! An expression as it is written, before its types are known.

/// A part of an expression and where it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expr {
    /// Bytes from the beginning of the source: of an operator, the operator's.
    pub(super) at: usize,
    /// How many parts lie one in another here.
    pub(super) height: usize,
    pub(super) kind: ExprKind,
}

/// What a part is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ExprKind {
    Literal(Literal),
    Name(String),
    /// `a.b`
    Member(Box<Expr>, String),
    /// `has(a.b)`
    Has(Box<Expr>, String),
    /// `a[b]`
    Index(Box<Expr>, Box<Expr>),
    List(Vec<Expr>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    /// `a && b && c`
    All(Vec<Expr>),
    /// `a || b || c`
    Any(Vec<Expr>),
    /// `a ? b : c`
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `f(a)` or `a.f(b)`; what it is called on is the first argument.
    Call {
        function: String,
        is_member: bool,
        arguments: Vec<Expr>,
    },
    /// `list.exists(x, body)` and its like.
    Comprehension {
        kind: Comprehension,
        range: Box<Expr>,
        variable: String,
        /// Of `map` with three arguments, the second.
        condition: Option<Box<Expr>>,
        body: Box<Expr>,
    },
}

/// A value that is written out.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
}

/// An operator between two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    /// As it is written.
    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

/// What is asked of the elements of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comprehension {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

impl Comprehension {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "all" => Self::All,
            "exists" => Self::Exists,
            "exists_one" => Self::ExistsOne,
            "filter" => Self::Filter,
            "map" => Self::Map,
            _ => return None,
        })
    }
}
