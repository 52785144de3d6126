//! Conditions: equalities, and `when`. An expression is a tree here; the policy has it as the text of [`Expression`],
//! and the reference finds the tree by that text.

use std::fmt;

use chrono::{Datelike, Timelike};
use serde_json::Value;

use crate::query;
use crate::scopes::Held;
use crate::value::{members, text};
use crate::{Asked, Caller, Reference, Request, actors};

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// `!a`
    Not(Box<Expression>),
    /// `a && b`
    And(Box<Expression>, Box<Expression>),
    /// `a || b`
    Or(Box<Expression>, Box<Expression>),
    /// `a == b`
    Equal(Term, Term),
    /// `a < b`, of numbers.
    Less(Term, Term),
    /// `a in b`
    In(Term, Term),
    /// `has(a.b)`
    Has(Vec<String>),
}

impl Expression {
    /// Whether it names something below this path.
    pub(crate) fn reads(&self, path: &[&str]) -> bool {
        let below = |found: &[String]| {
            found
                .iter()
                .map(String::as_str)
                .take(path.len())
                .eq(path.iter().copied())
        };
        let term = |term: &Term| matches!(term, Term::Field(found) if below(found));
        match self {
            Self::Not(one) => one.reads(path),
            Self::And(one, other) | Self::Or(one, other) => one.reads(path) || other.reads(path),
            Self::Equal(one, other) | Self::Less(one, other) | Self::In(one, other) => {
                term(one) || term(other)
            }
            Self::Has(found) => below(found),
        }
    }
}

/// A term of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A list of texts.
    Texts(Vec<String>),
    /// A field, as in `caller.subject`.
    Field(Vec<String>),
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Not(one) => write!(f, "!({one})"),
            Self::And(one, other) => write!(f, "({one}) && ({other})"),
            Self::Or(one, other) => write!(f, "({one}) || ({other})"),
            Self::Equal(one, other) => write!(f, "{one} == {other}"),
            Self::Less(one, other) => write!(f, "{one} < {other}"),
            Self::In(one, other) => write!(f, "{one} in {other}"),
            Self::Has(path) => write!(f, "has({})", path.join(".")),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{}", Value::from(text.as_str())),
            Self::Number(number) => write!(f, "{number}"),
            Self::Texts(texts) => write!(f, "{}", Value::from(texts.as_slice())),
            Self::Field(path) => write!(f, "{}", path.join(".")),
        }
    }
}

/// "`headers: {x-env: prod}`, `query: {dry_run: "true"}` (exactly once present and equal), `environment: {STAGE:
/// production}` (... absent = does not hold)".
pub(crate) fn equalities_hold(reference: &Reference<'_>, access: &Value, asked: &Asked<'_>) -> bool {
    let is = |values: &[&str], wanted: &Value| matches!(values, [value] if wanted.as_str() == Some(value));
    let parameter = |name: &str, wanted: &Value| {
        let values = query::values(asked.understood, name);
        values.is_some_and(|values| is(&values.iter().map(String::as_str).collect::<Vec<&str>>(), wanted))
    };
    let set = |name: &str| {
        let mut variables = reference.environment.iter();
        variables
            .find(|(found, _)| *found == name)
            .map(|(_, value)| *value)
    };
    members(access, "headers")
        .iter()
        .all(|(name, wanted)| !asked.request.has_twin(name) && is(&asked.request.values(name), wanted))
        && members(access, "query")
            .iter()
            .all(|(name, wanted)| parameter(name, wanted))
        && members(access, "environment")
            .iter()
            .all(|(name, wanted)| set(name) == wanted.as_str())
}

/// Whether `when` holds; nothing where it errs.
pub(crate) fn holds(
    reference: &Reference<'_>,
    access: &Value,
    asked: &Asked<'_>,
    caller: &Caller,
    held: &Held,
    now: i64,
) -> Option<bool> {
    let Some(written) = text(access, "when") else {
        return Some(true);
    };
    let mut known = reference.conditions.iter();
    let (_, expression) = known.find(|(text, _)| text == written)?;
    let mut facts = facts(reference, asked, caller, held, now);
    if expression.reads(&["request", "query"]) {
        let parameters = query::all(asked.understood)?;
        *facts.pointer_mut("/request/query")? = Value::Object(parameters);
    }
    evaluate(expression, &facts)
}

/// Whether the condition of a route reads parameters of its path.
pub(crate) fn reads_parameters(reference: &Reference<'_>, access: &Value) -> bool {
    let written = text(access, "when");
    let mut known = reference.conditions.iter();
    let found = known.find(|(text, _)| Some(text.as_str()) == written);
    found.is_some_and(|(_, expression)| expression.reads(&["request", "params"]))
}

/// "CEL: variables `request`, `caller`, `policy`": what is absent has no field.
fn facts(reference: &Reference<'_>, asked: &Asked<'_>, caller: &Caller, held: &Held, now: i64) -> Value {
    let Asked { request, route, .. } = asked;
    let time = chrono::DateTime::from_timestamp(now, 0).unwrap_or_default();
    let parameters = route
        .parameters
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())));
    let metadata = reference.policy.get("metadata").cloned().unwrap_or_default();
    let mut facts = serde_json::json!({
        "request": {
            "method": request.method,
            "query": {},
            "params": parameters.collect::<serde_json::Map<String, Value>>(),
            "headers": headers(reference, request),
            "hour_utc": time.hour(),
            "weekday_utc": time.weekday().to_string().to_lowercase(),
        },
        "caller": {
            "provider": caller.provider,
            "scopes": held.effective,
            "roles": caller.roles,
            "actors": actors::chain(caller).unwrap_or_default(),
            "claims": caller.claims,
        },
        "policy": {"name": metadata.get("name"), "version": metadata.get("version")},
    });
    let optional = [
        (
            "/request",
            "host",
            asked
                .understood
                .authority
                .as_ref()
                .map(|asked| asked.host().to_owned()),
        ),
        ("/caller", "subject", caller.subject.clone()),
        ("/caller", "client", caller.client.clone()),
        ("/caller", "tenant", caller.tenant.clone()),
        (
            "/request",
            "source",
            request.source.map(|source| source.to_canonical().to_string()),
        ),
    ];
    for (place, name, value) in optional {
        if let (Some(Value::Object(fields)), Some(value)) = (facts.pointer_mut(place), value) {
            fields.insert(name.to_owned(), Value::from(value));
        }
    }
    facts
}

/// "headers (only those of `authorization.conditions.headers: [x-region]`)"; one that came several times is null, and
/// so is one that has a twin.
fn headers(reference: &Reference<'_>, request: &Request) -> serde_json::Map<String, Value> {
    let conditions = crate::value::authorization(reference.policy)
        .get("conditions")
        .unwrap_or(&Value::Null);
    let allowed = crate::value::texts(conditions, "headers")
        .unwrap_or_default()
        .into_iter();
    let shown = |name: String| match request.values(&name).as_slice() {
        _ if request.has_twin(&name) => Some((name, Value::Null)),
        [] => None,
        [value] => Some((name, Value::from(*value))),
        _ => Some((name, Value::Null)),
    };
    allowed.filter_map(shown).collect()
}

/// "Absent value: the field is absent; naming it is an error of the condition unless `has()`." What decides from the
/// left is not looked at on the right.
fn evaluate(expression: &Expression, facts: &Value) -> Option<bool> {
    match expression {
        Expression::Not(one) => evaluate(one, facts).map(|holds| !holds),
        Expression::And(one, other) => match evaluate(one, facts)? {
            true => evaluate(other, facts),
            false => Some(false),
        },
        Expression::Or(one, other) => match evaluate(one, facts)? {
            true => Some(true),
            false => evaluate(other, facts),
        },
        Expression::Equal(one, other) => Some(value(one, facts)? == value(other, facts)?),
        Expression::Less(one, other) => Some(value(one, facts)?.as_i64()? < value(other, facts)?.as_i64()?),
        Expression::In(one, other) => Some(value(other, facts)?.as_array()?.contains(&value(one, facts)?)),
        Expression::Has(path) => {
            let (_, parent) = path.split_last()?;
            field(parent, facts)?;
            // What came several times is neither there nor not.
            let found = field(path, facts);
            if found.is_some_and(Value::is_null) {
                None
            } else {
                Some(found.is_some())
            }
        }
    }
}

fn value(term: &Term, facts: &Value) -> Option<Value> {
    match term {
        Term::Text(text) => Some(Value::from(text.as_str())),
        Term::Number(number) => Some(Value::from(*number)),
        Term::Texts(texts) => Some(Value::from(texts.as_slice())),
        Term::Field(path) => field(path, facts).filter(|value| !value.is_null()).cloned(),
    }
}

fn field<'f>(path: &[String], facts: &'f Value) -> Option<&'f Value> {
    path.iter().try_fold(facts, |value, name| value.get(name))
}
