//! This part of CEL beside a whole one: what holds here must hold there.
//!
//! Where both differ on purpose, ours errs: it absorbs no errors, divides nothing by zero, takes nothing that is there
//! several times. So an outcome of ours is compared, and an error of ours is not.

use std::collections::HashMap;

use cel::objects::Key;
use cel::{Context, ExecutionError, Program, Value};
use proptest::prelude::ProptestConfig;
use proptest::proptest;
use serde_json::Value as Json;

use super::properties::{almost_expressions, claims};
use super::writer::expressions;
use super::{THESE_DO_NOT, THESE_HOLD, World, compile};
use crate::condition::expression::{Facts, vocabulary};
use crate::condition::zone::Zone;

fn text(text: &str) -> Value {
    Value::from(text)
}

fn mapping(members: impl IntoIterator<Item = (String, Value)>) -> Value {
    let members = members
        .into_iter()
        .map(|(name, value)| (Key::String(name.into()), value));
    Value::Map(members.collect::<HashMap<Key, Value>>().into())
}

fn named<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let present = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    mapping(present)
}

fn list(texts: &[String]) -> Value {
    Value::List(texts.iter().map(|item| text(item)).collect::<Vec<_>>().into())
}

fn of_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64().expect("a number")),
        },
        Json::String(value) => text(value),
        Json::Array(values) => Value::List(values.iter().map(of_json).collect::<Vec<_>>().into()),
        Json::Object(members) => mapping(members.iter().map(|(name, value)| (name.clone(), of_json(value)))),
    }
}

fn time(seconds: i64) -> Option<Value> {
    let time = chrono::DateTime::from_timestamp_secs(seconds)?;
    Some(Value::Timestamp(time.fixed_offset()))
}

/// The facts as the other interpreter takes them; what is there several times is left out.
fn context(facts: &Facts<'_>) -> Context<'static, 'static> {
    let local = Zone::UTC.local(facts.now);
    let once = |pairs: &[(&str, &str)]| {
        let counted = |name: &str| pairs.iter().filter(|(other, _)| *other == name).count();
        let pairs = pairs.iter().filter(|(name, _)| counted(name) == 1);
        mapping(pairs.map(|(name, value)| (name.to_string(), text(value))))
    };
    let weekday = vocabulary::WEEKDAYS[usize::try_from(local.weekday).expect("a day")];
    let request = named([
        ("method", Some(text(facts.method))),
        ("host", facts.host.map(text)),
        ("path", facts.path.map(text)),
        ("params", Some(once(facts.parameters))),
        ("query", Some(once(facts.query))),
        ("headers", Some(named([("x-region", Some(text("eu-1")))]))),
        ("time", time(facts.now.0)),
        ("hour_utc", Some(Value::Int(local.second / 3_600))),
        ("weekday_utc", Some(text(weekday))),
        (
            "source",
            facts
                .source
                .map(|source| text(&source.to_canonical().to_string())),
        ),
    ]);
    let caller = named([
        ("provider", Some(text(facts.provider))),
        ("subject", facts.subject.map(text)),
        ("client", facts.client.map(text)),
        ("tenant", facts.tenant.map(text)),
        ("scopes", Some(list(facts.scopes))),
        ("roles", Some(list(facts.roles))),
        ("actors", Some(list(facts.actors))),
        ("issued_at", facts.issued_at.and_then(|at| time(at.0))),
        (
            "authenticated_at",
            facts.authenticated_at.and_then(|at| time(at.0)),
        ),
        ("claims", Some(of_json(&Json::Object(facts.claims.clone())))),
    ]);
    let policy = named([
        ("name", facts.policy_name.map(text)),
        ("version", facts.policy_version.map(text)),
    ]);
    let mut context = Context::default();
    for (name, value) in [("request", request), ("caller", caller), ("policy", policy)] {
        context.add_variable_from_value(name, value);
    }
    context
}

/// What the other interpreter says: whether it holds; nothing where it errs.
fn other(source: &str, facts: &Facts<'_>) -> Option<bool> {
    let program = Program::compile(source).unwrap_or_else(|fault| panic!("{source}: {fault}"));
    match program.execute(&context(facts)) {
        Ok(Value::Bool(holds)) => Some(holds),
        _ => None,
    }
}

/// Where the other interpreter is not to be followed.
fn is_ours_alone(source: &str) -> bool {
    // Names of headers have no case here; the hours of a time are those of UTC, however it was written (CEL
    // specification, "Standard Definitions").
    source.contains("X-Region") || source.contains("+02:00\").getHours()")
}

#[test]
fn what_is_tabled_is_the_same_in_another_interpreter() {
    let world = World::new();
    for (sources, holds) in [(THESE_HOLD, true), (THESE_DO_NOT, false)] {
        for source in sources.iter().filter(|source| !is_ours_alone(source)) {
            assert_eq!(other(source, &world.facts()), Some(holds), "{source}");
        }
    }
}

/// Whether the other interpreter errs for a duration that CEL has and it does not: it counts nanoseconds in 64 bits, 292
/// years, where the specification has ten thousand ("Well-Known Types", `google.protobuf.Duration`).
fn is_too_long_for_other(source: &str, facts: &Facts<'_>) -> bool {
    let executed = Program::compile(source).map(|program| program.execute(&context(facts)));
    matches!(
        executed,
        Ok(Err(ExecutionError::Overflow(
            _,
            Value::Timestamp(_) | Value::Duration(_),
            _
        )))
    )
}

/// What is no expression here, or errs, need not be so there.
fn compare(source: &str, claims: &Json) {
    let mut world = World::new();
    world.claims = claims.as_object().expect("an object").clone();
    let outcome = compile(source).map(|condition| condition.evaluate(&world.facts()));
    match outcome {
        Ok(Ok(_)) if is_too_long_for_other(source, &world.facts()) => {}
        Ok(Ok(holds)) => assert_eq!(
            other(source, &world.facts()),
            Some(holds),
            "{source} with {claims}"
        ),
        Ok(Err(_)) => assert!(Program::compile(source).is_ok(), "{source}"),
        Err(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn what_holds_here_holds_in_another_interpreter(source in expressions(), claims in claims()) {
        compare(&source, &claims);
    }

    #[test]
    fn what_is_read_here_is_read_alike_by_another_parser(source in almost_expressions(), claims in claims()) {
        compare(&source, &claims);
    }
}

#[test]
fn durations_of_centuries_are_compared_here_though_the_other_interpreter_has_none() {
    let world = World::new();
    let centuries = "request.time - timestamp(19100000000) < duration(\"0s\")";
    assert!(is_too_long_for_other(centuries, &world.facts()));
    assert!(!is_too_long_for_other(
        "request.time - timestamp(1910000000) < duration(\"0s\")",
        &world.facts()
    ));
    assert_eq!(compile(centuries).unwrap().evaluate(&world.facts()), Ok(true));
    compare(centuries, &Json::Object(Default::default()));
}
