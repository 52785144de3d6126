//! Random conditions: of time, place and circumstances.

use fastrand::Rng;
use scopegate_reference::condition::{Expression, Term};
use serde_json::{Value, json};

use crate::draw::{once_in, some, word};
use crate::policies::{CLIENTS, ROLES, SCOPES, SUBJECTS, TENANTS};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Tokyo",
    "+01:00",
    "-05:30",
];
const NETWORKS: [&str; 6] = [
    "10.0.0.0/8",
    "10.1.2.3/32",
    "192.168.0.0/16",
    "2001:db8::/32",
    "0.0.0.0/0",
    "::/0",
];
/// Where requests come from.
pub(crate) const ADDRESSES: [&str; 6] = [
    "10.1.2.3",
    "10.9.9.9",
    "192.168.0.1",
    "::ffff:10.1.2.3",
    "2001:db8::1",
    "2001:db9::1",
];
/// A header that conditions may read.
pub(crate) const HEADER: &str = "region";

/// Some windows of time.
pub(crate) fn windows(rng: &mut Rng) -> Value {
    let window = |rng: &mut Rng| {
        let mut window = json!({});
        let has_hours = !once_in(rng, 4);
        if !has_hours || once_in(rng, 2) {
            window["days"] = json!(some(rng, &DAYS, 1, 4));
        }
        if has_hours {
            window["from"] = json!(word(rng, &["00:00", "01:30", "08:00", "09:00", "10:00", "22:00"]));
            window["to"] = json!(word(rng, &["02:30", "08:00", "09:00", "10:01", "18:00", "24:00"]));
        }
        if once_in(rng, 2) {
            window["zone"] = json!(word(rng, &ZONES));
        }
        window
    };
    (0..rng.usize(1..3)).map(|_| window(rng)).collect()
}

/// `sources` and equalities.
pub(crate) fn circumstances(rng: &mut Rng, access: &mut Value) {
    if once_in(rng, 10) {
        access["sources"] = json!(some(rng, &NETWORKS, 1, 2));
    }
    if once_in(rng, 12) {
        access["headers"] = json!({word(rng, &["x-v", "X-B"]): word(rng, &["1", "a"])});
    }
    if once_in(rng, 12) {
        access["query"] = json!({word(rng, &["f", "g"]): word(rng, &["csv", "1"])});
    }
    if once_in(rng, 20) {
        let (name, value) = (
            word(rng, &["STAGE", "NOWHERE"]),
            word(rng, &["production", "production", "test"]),
        );
        access["environment"] = json!({name: value});
    }
}

/// A condition that reads these parameters of the path.
pub(crate) fn expression(rng: &mut Rng, parameters: &[&str], depth: usize) -> Expression {
    let inner = |rng: &mut Rng| Box::new(expression(rng, parameters, depth - 1));
    match if depth == 0 { 9 } else { rng.u32(..10) } {
        0 => Expression::Not(inner(rng)),
        1..4 => Expression::And(inner(rng), inner(rng)),
        4..7 => Expression::Or(inner(rng), inner(rng)),
        _ => comparison(rng, parameters),
    }
}

fn comparison(rng: &mut Rng, parameters: &[&str]) -> Expression {
    match rng.u32(..6) {
        0 => Expression::Has(optional(rng)),
        1 => {
            let (name, values): (&str, &[&str]) = if rng.bool() {
                ("scopes", &SCOPES)
            } else {
                ("roles", &ROLES)
            };
            Expression::In(Term::Text(word(rng, values).to_owned()), field(&["caller", name]))
        }
        2 => Expression::Less(field(&["request", "hour_utc"]), Term::Number(rng.i64(0..24))),
        3 => {
            let (term, values) = a_text(rng, parameters);
            Expression::In(term, Term::Texts(some(rng, &values, 1, 2)))
        }
        4 => Expression::In(Term::Text("gateway".to_owned()), field(&["caller", "actors"])),
        _ => {
            let (term, values) = a_text(rng, parameters);
            Expression::Equal(
                term,
                Term::Text(word(rng, &values.iter().map(String::as_str).collect::<Vec<&str>>()).to_owned()),
            )
        }
    }
}

fn field(path: &[&str]) -> Term {
    Term::Field(path.iter().map(|name| (*name).to_owned()).collect())
}

/// Something that may be absent.
fn optional(rng: &mut Rng) -> Vec<String> {
    let paths: [&[&str]; 7] = [
        &["caller", "client"],
        &["caller", "tenant"],
        &["caller", "claims", "acr"],
        &["request", "query", "f"],
        &["request", "headers", HEADER],
        &["request", "source"],
        &["request", "host"],
    ];
    paths[rng.usize(..paths.len())]
        .iter()
        .map(|name| (*name).to_owned())
        .collect()
}

/// A term that is a text, and texts that it may be.
fn a_text(rng: &mut Rng, parameters: &[&str]) -> (Term, Vec<String>) {
    let choices: [(&[&str], &[&str]); 12] = [
        (&["request", "method"], &["GET", "POST", "get"]),
        (&["request", "host"], &["a.test", "b.a.test"]),
        (&["request", "weekday_utc"], &DAYS),
        (&["request", "query", "f"], &["csv", "json"]),
        (&["request", "headers", HEADER], &["eu", "us"]),
        (&["request", "source"], &["10.1.2.3", "2001:db8::1"]),
        (&["caller", "subject"], &SUBJECTS),
        (&["caller", "client"], &CLIENTS),
        (&["caller", "tenant"], &TENANTS),
        (&["caller", "provider"], &["corp", "partners"]),
        (&["caller", "claims", "acr"], &["mfa", "pwd"]),
        (&["policy", "name"], &["random", "other"]),
    ];
    let (path, values) = match parameters {
        [first, ..] if once_in(rng, 4) => (vec!["request", "params", first], &TENANTS[..]),
        _ => {
            let (path, values) = choices[rng.usize(..choices.len())];
            (path.to_vec(), values)
        }
    };
    (
        field(&path),
        values.iter().map(|value| (*value).to_owned()).collect(),
    )
}
