//! What must hold of any expression over any claims.

use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof};
use proptest::proptest;
use proptest::sample::Index;
use serde_json::{Value as Json, json};

use super::writer::expressions;
use super::{World, compile};
use crate::condition::expression::error::ErrorKind;
use crate::condition::expression::evaluate::Evaluation;
use crate::condition::expression::limits::STEPS;

/// A piece of an expression.
fn piece() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "request",
        "caller",
        "policy",
        ".",
        "method",
        "claims",
        "a",
        "x",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "\"t\"",
        "'",
        "\"",
        "\"\"\"",
        "\\",
        "1",
        "0",
        "-",
        "9223372036854775808",
        "1e9",
        ".5",
        "0x",
        "+",
        "*",
        "/",
        "%",
        "!",
        "&&",
        "||",
        "==",
        "!=",
        "<",
        ">=",
        "in",
        " in ",
        "?",
        ":",
        ",",
        " ",
        "\n",
        "//",
        "true",
        "null",
        "has(",
        ".exists(x, ",
        ".map(x, ",
        "size(",
        "roles",
        "scopes",
        "time",
        ".getHours(",
        "timestamp(",
        "é",
        "\u{0}",
        "r\"",
    ])
}

/// Pieces of expressions, in no order that makes sense.
fn pieces() -> impl Strategy<Value = String> {
    vec(piece(), 0..60).prop_map(|pieces| pieces.concat())
}

/// Expressions in which a few characters were replaced by a piece, or that lost brackets.
pub(super) fn almost_expressions() -> impl Strategy<Value = String> {
    let replaced = (expressions(), any::<Index>(), 0..3_usize, piece());
    let replaced = replaced.prop_map(|(source, at, removed, piece)| {
        let at = at.index(source.chars().count() + 1);
        let before: String = source.chars().take(at).collect();
        let behind: String = source.chars().skip(at + removed).collect();
        format!("{before}{piece}{behind}")
    });
    let ungrouped = (expressions(), vec(any::<bool>(), 1..8));
    let ungrouped = ungrouped.prop_map(|(source, drops)| without_brackets(&source, &drops));
    prop_oneof![replaced, ungrouped]
}

/// Without some of the brackets that group: operators bind as they do by themselves.
fn without_brackets(source: &str, drops: &[bool]) -> String {
    let mut drops = drops.iter().cycle();
    let mut dropped = Vec::new();
    let mut text = String::new();
    for character in source.chars() {
        let drop = match character {
            '(' => {
                let is_called = text.ends_with(|before: char| before.is_ascii_alphanumeric());
                let drop = !is_called && drops.next() == Some(&true);
                dropped.push(drop);
                drop
            }
            ')' => dropped.pop() == Some(true),
            _ => false,
        };
        text.extend((!drop).then_some(character));
    }
    text
}

pub(super) fn claims() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        (-3_i64..3).prop_map(|value| json!(value)),
        any::<f64>().prop_map(|value| json!(value)),
        "[a-c]{0,3}".prop_map(|value| json!(value)),
    ];
    let value = leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| json!(values)),
            proptest::collection::btree_map("[a-c]", inner, 0..3).prop_map(|members| json!(members)),
        ]
    });
    proptest::collection::btree_map("[a-c]", value, 0..4).prop_map(|members| json!(members))
}

/// Compiles and evaluates, and looks at what must hold of any outcome.
fn try_it(source: &str, claims: &Json) {
    let Ok(condition) = compile(source) else {
        return;
    };
    let mut world = World::new();
    world.claims = claims.as_object().expect("an object").clone();
    let facts = world.facts();
    let mut evaluation = Evaluation::new(&facts);
    let outcome = evaluation.holds(&condition.root);
    assert_eq!(outcome, condition.evaluate(&facts), "the same again");
    let too_much = outcome.is_err_and(|error| error.kind == ErrorKind::TooMuchWork);
    assert_eq!(evaluation.steps() > STEPS, too_much);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn any_text_is_an_expression_or_a_fault(source in "\\PC{0,200}") {
        let _ = compile(&source);
    }

    #[test]
    fn any_bytes_are_an_expression_or_a_fault(bytes in vec(any::<u8>(), 0..300)) {
        let _ = compile(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_pieces_are_an_expression_or_a_fault(source in pieces(), claims in claims()) {
        try_it(&source, &claims);
    }

    #[test]
    fn almost_an_expression_is_an_expression_or_a_fault(source in almost_expressions(), claims in claims()) {
        try_it(&source, &claims);
    }

    #[test]
    fn any_expression_over_any_claims_holds_or_not_or_errs(source in expressions(), claims in claims()) {
        try_it(&source, &claims);
    }
}
