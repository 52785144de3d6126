//! What expressions can name: the facts of a request and its caller, and functions.

use super::types::Type;

/// Something whose members alone can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Object {
    Request,
    Caller,
    Policy,
    Parameters,
    Query,
    Headers,
}

impl Object {
    /// As it is written.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Caller => "caller",
            Self::Policy => "policy",
            Self::Parameters => "request.params",
            Self::Query => "request.query",
            Self::Headers => "request.headers",
        }
    }

    /// The variables of an expression.
    pub(super) const VARIABLES: [Self; 3] = [Self::Request, Self::Caller, Self::Policy];

    /// The members with names of the language's own.
    pub(super) const fn members(self) -> &'static [(&'static str, Member)] {
        match self {
            Self::Request => REQUEST,
            Self::Caller => CALLER,
            Self::Policy => POLICY,
            Self::Parameters | Self::Query | Self::Headers => &[],
        }
    }
}

/// A member with a name of the language's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    Object(Object),
    Fact(Fact),
}

/// A fact of the request, its caller or the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fact {
    Method,
    Host,
    Path,
    Time,
    HourUtc,
    WeekdayUtc,
    Source,
    Provider,
    Subject,
    Client,
    Tenant,
    Scopes,
    Roles,
    Actors,
    IssuedAt,
    ExpiresAt,
    AuthenticatedAt,
    Claims,
    PolicyName,
    PolicyVersion,
}

const REQUEST: &[(&str, Member)] = &[
    ("method", Member::Fact(Fact::Method)),
    ("host", Member::Fact(Fact::Host)),
    ("path", Member::Fact(Fact::Path)),
    ("params", Member::Object(Object::Parameters)),
    ("query", Member::Object(Object::Query)),
    ("headers", Member::Object(Object::Headers)),
    ("time", Member::Fact(Fact::Time)),
    ("hour_utc", Member::Fact(Fact::HourUtc)),
    ("weekday_utc", Member::Fact(Fact::WeekdayUtc)),
    ("source", Member::Fact(Fact::Source)),
];

const CALLER: &[(&str, Member)] = &[
    ("provider", Member::Fact(Fact::Provider)),
    ("subject", Member::Fact(Fact::Subject)),
    ("client", Member::Fact(Fact::Client)),
    ("tenant", Member::Fact(Fact::Tenant)),
    ("scopes", Member::Fact(Fact::Scopes)),
    ("roles", Member::Fact(Fact::Roles)),
    ("actors", Member::Fact(Fact::Actors)),
    ("issued_at", Member::Fact(Fact::IssuedAt)),
    ("expires_at", Member::Fact(Fact::ExpiresAt)),
    ("authenticated_at", Member::Fact(Fact::AuthenticatedAt)),
    ("claims", Member::Fact(Fact::Claims)),
];

const POLICY: &[(&str, Member)] = &[
    ("name", Member::Fact(Fact::PolicyName)),
    ("version", Member::Fact(Fact::PolicyVersion)),
];

impl Fact {
    pub(super) fn type_of(self) -> Type {
        match self {
            Self::Method
            | Self::Host
            | Self::Path
            | Self::WeekdayUtc
            | Self::Source
            | Self::Provider
            | Self::Subject
            | Self::Client
            | Self::Tenant
            | Self::PolicyName
            | Self::PolicyVersion => Type::Text,
            Self::HourUtc => Type::Int,
            Self::Time | Self::IssuedAt | Self::ExpiresAt | Self::AuthenticatedAt => Type::Timestamp,
            Self::Scopes | Self::Roles | Self::Actors => Type::list_of(Type::Text),
            Self::Claims => Type::Claims,
        }
    }
}

/// The days of `request.weekday_utc`, from Sunday on.
pub(super) const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    ToInt,
    ToDouble,
    ToText,
    ToTimestamp,
    ToDuration,
    Part(Part),
}

/// A part of a time or of a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    Month,
    Date,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
}

/// How a function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Called {
    /// `f(a)`
    Alone,
    /// `a.f()`
    On,
    /// Either way.
    Both,
}

/// The functions, each with how it is called.
pub(super) const FUNCTIONS: &[(&str, Called, Function)] = &[
    ("size", Called::Both, Function::Size),
    ("contains", Called::On, Function::Contains),
    ("startsWith", Called::On, Function::StartsWith),
    ("endsWith", Called::On, Function::EndsWith),
    ("int", Called::Alone, Function::ToInt),
    ("double", Called::Alone, Function::ToDouble),
    ("string", Called::Alone, Function::ToText),
    ("timestamp", Called::Alone, Function::ToTimestamp),
    ("duration", Called::Alone, Function::ToDuration),
    ("getFullYear", Called::On, Function::Part(Part::Year)),
    ("getMonth", Called::On, Function::Part(Part::Month)),
    ("getDate", Called::On, Function::Part(Part::Date)),
    ("getDayOfMonth", Called::On, Function::Part(Part::DayOfMonth)),
    ("getDayOfWeek", Called::On, Function::Part(Part::DayOfWeek)),
    ("getDayOfYear", Called::On, Function::Part(Part::DayOfYear)),
    ("getHours", Called::On, Function::Part(Part::Hours)),
    ("getMinutes", Called::On, Function::Part(Part::Minutes)),
    ("getSeconds", Called::On, Function::Part(Part::Seconds)),
];
