//! Dry runs: what is recorded in place of being refused, and what is refused all the same.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests and their helpers"
)]

mod support;

use scopegate_engine::{Decision, Forward, Outcome, Request};
use serde_json::{Value, json};
use support::{NOW, decide, decide_at, engine, policy, token};

const PATH: &str = "/tenants/acme/orders";

fn shadow(layers: Option<&[&str]>) -> Value {
    let mut shadow = json!({"until": NOW.plus(60).to_string()});
    if let Some(layers) = layers {
        shadow["layers"] = json!(layers);
    }
    json!({"shadow": shadow})
}

/// The policy with this mode for the whole of it, and this one for `orders.list`.
fn with_modes(whole: Option<Value>, of_route: Option<Value>) -> Value {
    let mut policy = policy();
    if let Some(mode) = whole {
        policy["authorization"]["mode"] = mode;
    }
    if let Some(mode) = of_route {
        policy["authorization"]["routes"][1]["mode"] = mode;
    }
    policy
}

fn forwarded(decision: &Decision) -> Option<&Forward> {
    match &decision.outcome {
        Outcome::Forward(forward) => Some(forward),
        Outcome::Reply(_) => None,
    }
}

/// `allow`, `would CODE`, or `deny CODE`.
fn seen(decision: &Decision) -> String {
    match (forwarded(decision), decision.would_deny) {
        (Some(_), None) => "allow".to_owned(),
        (Some(_), Some(code)) => format!("would {code}"),
        (None, None) => format!("deny {}", decision.code),
        (None, Some(code)) => panic!("refused and watched: {code}"),
    }
}

fn records(decision: &Decision) -> Vec<(Value, Value)> {
    let record = |record| {
        let record = json!(record);
        (record["outcome"].clone(), record["reason"].clone())
    };
    decision.audit.iter().map(record).collect()
}

/// A name, the headers of a request, and what becomes of it under each mode.
type Row<'r> = (&'r str, Vec<(&'r str, &'r str)>, [&'r str; 3]);

#[test]
fn a_dry_run_covers_denials_alone_unless_it_names_authentication() {
    let bearer = |claims: Value| format!("Bearer {}", token(claims));
    let good = bearer(json!({}));
    let poor = bearer(json!({"scope": ""}));
    let expired = bearer(json!({"exp": NOW.0 - 60}));
    let both = ["authentication", "authorization"];
    let rows: [Row<'_>; 7] = [
        (
            "a good token",
            vec![("authorization", &good)],
            ["allow", "allow", "allow"],
        ),
        (
            "no scope",
            vec![("authorization", &poor)],
            ["deny scope_missing", "would scope_missing", "would scope_missing"],
        ),
        (
            "no token",
            vec![],
            [
                "deny credential_missing",
                "deny credential_missing",
                "would credential_missing",
            ],
        ),
        (
            "an expired token",
            vec![("authorization", &expired)],
            ["deny token_expired", "deny token_expired", "would token_expired"],
        ),
        (
            "no token at all",
            vec![("authorization", "Bearer x.y")],
            [
                "deny token_malformed",
                "deny token_malformed",
                "would token_malformed",
            ],
        ),
        // A request that contradicts itself is refused, whatever is tried out.
        (
            "two tokens",
            vec![("authorization", &good), ("authorization", &good)],
            [
                "deny credential_multiple",
                "deny credential_multiple",
                "deny credential_multiple",
            ],
        ),
        (
            "an override",
            vec![("authorization", &good), ("x-http-method-override", "DELETE")],
            [
                "deny malformed_request",
                "deny malformed_request",
                "deny malformed_request",
            ],
        ),
    ];
    let modes = [None, Some(shadow(None)), Some(shadow(Some(&both)))];
    for (name, headers, expected) in rows {
        for (mode, expected) in modes.iter().zip(expected) {
            let engine = engine(&with_modes(None, mode.clone()));
            assert_eq!(
                seen(&decide(&engine, "GET", PATH, &headers)),
                expected,
                "{name}: {mode:?}"
            );
        }
    }
}

#[test]
fn what_a_dry_run_lets_pass_carries_nobodys_identity_and_no_credential() {
    let engine = engine(&with_modes(
        None,
        Some(shadow(Some(&["authentication", "authorization"]))),
    ));
    let poor = format!("Bearer {}", token(json!({"scope": ""})));
    for credential in [poor.as_str(), "Bearer forged.forged.forged"] {
        let headers = [
            ("authorization", credential),
            ("x_auth_subject", "root"),
            ("x-other", "kept"),
        ];
        let decision = decide(&engine, "GET", PATH, &headers);
        let forward = forwarded(&decision).expect("forwarded");
        assert_eq!(
            forward.remove,
            [b"authorization".to_vec(), b"x_auth_subject".to_vec()]
        );
        assert_eq!(forward.set, []);
    }
}

#[test]
fn what_is_no_credential_here_may_be_one_to_the_upstream() {
    let engine = engine(&with_modes(
        None,
        Some(shadow(Some(&["authentication", "authorization"]))),
    ));
    for value in ["Basic dTpw", "Negotiate x", ""] {
        let decision = decide(&engine, "GET", PATH, &[("Authorization", value)]);
        let forward = forwarded(&decision).expect("forwarded");
        assert_eq!(forward.remove, [b"Authorization".to_vec()], "{value}");
    }
}

#[test]
fn both_records_say_what_would_have_been() {
    let both = engine(&with_modes(
        None,
        Some(shadow(Some(&["authentication", "authorization"]))),
    ));
    let poor = format!("Bearer {}", token(json!({"scope": ""})));
    let denied = decide(&both, "GET", PATH, &[("authorization", &poor)]);
    assert_eq!(
        records(&denied),
        [
            (json!("success"), Value::Null),
            (json!("would_deny"), json!("scope_missing"))
        ]
    );
    assert_eq!(
        (denied.authorization.outcome, denied.authorization.reason),
        ("would_deny", Some("scope_missing"))
    );
    let rejected = decide(&both, "GET", PATH, &[]);
    assert_eq!(
        records(&rejected),
        [
            (json!("would_deny"), json!("credential_missing")),
            (json!("not_evaluated"), Value::Null)
        ]
    );
    assert_eq!(
        (rejected.code, rejected.route.as_deref()),
        ("allow", Some("orders.list"))
    );
}

#[test]
fn what_would_be_denied_is_recorded_however_few_allowed_requests_are() {
    let mut policy = with_modes(None, Some(shadow(Some(&["authentication", "authorization"]))));
    policy["audit"] = json!({"authentication": "failures", "authorization": "denials", "sample": 0.0});
    let engine = engine(&policy);
    let poor = format!("Bearer {}", token(json!({"scope": ""})));
    let good = format!("Bearer {}", token(json!({})));
    assert_eq!(
        records(&decide(&engine, "GET", PATH, &[("authorization", &poor)])).len(),
        1
    );
    assert_eq!(records(&decide(&engine, "GET", PATH, &[])).len(), 1);
    assert_eq!(
        records(&decide(&engine, "GET", PATH, &[("authorization", &good)])).len(),
        0
    );
}

#[test]
fn a_dry_run_ends_to_the_second_and_not_while_the_clock_fails() {
    let engine = engine(&with_modes(
        None,
        Some(shadow(Some(&["authentication", "authorization"]))),
    ));
    let request = Request {
        method: b"GET",
        path: PATH.as_bytes(),
        authority: Some(b"api.example.com"),
        headers: &[],
        peer: None,
        source: None,
        id: "r-1",
        serial: 1,
    };
    let at = |now| seen(&decide_at(&engine, &request, now));
    assert_eq!(at(Some(NOW.plus(59))), "would credential_missing");
    assert_eq!(at(Some(NOW.plus(60))), "deny credential_missing");
    assert_eq!(at(None), "deny clock_unavailable");
}

#[test]
fn a_routes_own_mode_wins_over_the_policys() {
    let good = format!("Bearer {}", token(json!({"scope": ""})));
    let ask = |policy: &Value, method: &str| {
        let decision = decide(&engine(policy), method, PATH, &[("authorization", &good)]);
        seen(&decision)
    };
    let whole = with_modes(Some(shadow(None)), None);
    assert_eq!(ask(&whole, "GET"), "would scope_missing");
    assert_eq!(ask(&whole, "POST"), "would scope_missing");
    assert_eq!(ask(&whole, "DELETE"), "deny no_route");
    let but_one = with_modes(Some(shadow(None)), Some(json!("enforce")));
    assert_eq!(ask(&but_one, "GET"), "deny scope_missing");
    assert_eq!(ask(&but_one, "POST"), "would scope_missing");
    let only_one = with_modes(Some(json!("enforce")), Some(shadow(None)));
    assert_eq!(ask(&only_one, "GET"), "would scope_missing");
    assert_eq!(ask(&only_one, "POST"), "deny scope_missing");
}

#[test]
fn a_mode_that_says_too_little_is_refused() {
    let faults = |mode: Value| -> Vec<String> {
        let read = scopegate_engine::Engine::from_value(&with_modes(None, Some(mode)), &support::Environment);
        let faults = read.expect_err("faults");
        faults.iter().map(|fault| fault.path.clone()).collect()
    };
    let until = NOW.plus(60).to_string();
    let at = |field: &str| [format!("authorization.routes[1].mode{field}")];
    assert_eq!(faults(json!({"shadow": {}})), at(".shadow"));
    assert_eq!(faults(json!("shadow")), at(""));
    assert_eq!(
        faults(json!({"shadow": {"until": until, "layers": ["authentication"]}})),
        at(".shadow.layers")
    );
    assert_eq!(
        faults(json!({"shadow": {"until": until, "layers": []}})),
        at(".shadow.layers")
    );
}
