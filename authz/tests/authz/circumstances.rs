//! What a route asks of the circumstances of a request: the hour, the network, headers, the environment.

use scopegate_authz::{Action, Authorizer, Circumstances, Denial, ProviderFacts, Surroundings, Target};
use serde_json::{Value, json};

use crate::common::{corp, section};
use crate::tokens::{NOW, caller};

/// A policy with one guarded route, in an environment where `STAGE` is `production`.
fn route(mut access: Value) -> Authorizer {
    access["authenticated"] = json!(true);
    let policy = json!({"routes": [{"id": "x", "match": {"path": "/x"}, "access": access}]});
    let providers: &[ProviderFacts] = &corp();
    let surroundings = Surroundings {
        providers,
        environment: &|name| (name == "STAGE").then(|| "production".to_owned()),
    };
    Authorizer::compile(&section(&policy), surroundings).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// `allow`, or the code of the denial of a request with these headers, from this address, `later` seconds later.
fn decide(policy: &Authorizer, headers: &[(&str, &str)], source: Option<&str>, later: i64) -> &'static str {
    let headers: Vec<(&[u8], &[u8])> = headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let target = Target {
        method: b"GET",
        path: b"/x",
        authority: Some(b"api.example.com"),
        headers: &headers,
    };
    let asked = Circumstances {
        now: NOW.plus(later),
        target,
        source: source.map(|source| source.parse().expect("an address")),
    };
    match policy.select(target) {
        Ok(Action::Guarded(action)) => {
            let answer = action.authorize(&caller("corp", &json!({})), &asked);
            answer.as_ref().map_or_else(Denial::code, |_| "allow")
        }
        other => panic!("not guarded: {other:?}"),
    }
}

#[test]
fn a_route_is_open_in_its_hours_alone() {
    // A Sunday, 09:00 in UTC and 10:00 in Berlin.
    let rows = [
        (
            json!([{"days": ["sun"], "from": "09:00", "to": "17:00"}]),
            "allow",
        ),
        (
            json!([{"days": ["mon"], "from": "09:00", "to": "17:00"}]),
            "outside_window",
        ),
        (json!([{"from": "08:00", "to": "09:00"}]), "outside_window"),
        (json!([{"from": "09:01", "to": "09:00"}]), "outside_window"),
        (
            json!([{"from": "10:00", "to": "10:30", "zone": "Europe/Berlin"}]),
            "allow",
        ),
        (
            json!([{"from": "09:00", "to": "10:00", "zone": "Europe/Berlin"}]),
            "outside_window",
        ),
        (
            json!([{"from": "10:30", "to": "11:00"}, {"days": ["sun"]}]),
            "allow",
        ),
        (
            json!([{"days": ["sat"], "from": "22:00", "to": "10:00"}]),
            "allow",
        ),
        (
            json!([{"days": ["sun"], "from": "22:00", "to": "10:00"}]),
            "outside_window",
        ),
    ];
    for (windows, expected) in rows {
        let policy = route(json!({"windows": windows}));
        assert_eq!(decide(&policy, &[], None, 0), expected, "{windows}");
    }
}

#[test]
fn a_route_takes_requests_from_its_networks_alone() {
    let policy = route(json!({"sources": ["10.0.0.0/8", "2001:db8::/32"]}));
    let rows = [
        (Some("10.255.0.1"), "allow"),
        (Some("::ffff:10.0.0.1"), "allow"),
        (Some("2001:db8:1::1"), "allow"),
        (Some("11.0.0.1"), "source_not_allowed"),
        (Some("2001:db9::1"), "source_not_allowed"),
        (None, "source_not_allowed"),
    ];
    for (source, expected) in rows {
        assert_eq!(decide(&policy, &[], source, 0), expected, "{source:?}");
    }
    assert!(policy.reads_source());
    assert!(!route(json!({})).reads_source());
}

#[test]
fn a_header_must_be_there_once_with_its_value() {
    let policy = route(json!({"headers": {"X-Env": "prod", "x-tier": "gold"}}));
    let rows: [(&[(&str, &str)], &str); 7] = [
        (&[("x-env", "prod"), ("X-TIER", "gold")], "allow"),
        (&[("x-env", "prod")], "condition_false"),
        (&[("x-env", "Prod"), ("x-tier", "gold")], "condition_false"),
        (&[("x-env", "prod, prod"), ("x-tier", "gold")], "condition_false"),
        (
            &[("x-env", "prod"), ("x-env", "prod"), ("x-tier", "gold")],
            "condition_false",
        ),
        (
            &[("x-env", "prod"), ("x-env", "test"), ("x-tier", "gold")],
            "condition_false",
        ),
        (&[], "condition_false"),
    ];
    for (headers, expected) in rows {
        assert_eq!(decide(&policy, headers, None, 0), expected, "{headers:?}");
    }
}

#[test]
fn a_route_is_open_in_its_environment_alone() {
    let rows = [
        (json!({"STAGE": "production"}), "allow"),
        (json!({"STAGE": "test"}), "condition_false"),
        (json!({"STAGE": "production", "REGION": "eu"}), "condition_false"),
        (json!({"REGION": ""}), "condition_false"),
    ];
    for (environment, expected) in rows {
        let policy = route(json!({"environment": environment}));
        assert_eq!(decide(&policy, &[], None, 0), expected, "{environment}");
    }
}

#[test]
fn time_comes_before_the_network_and_the_network_before_conditions() {
    let policy = route(json!({
        "acr": ["mfa"], "windows": [{"days": ["mon"]}], "sources": ["10.0.0.0/8"], "environment": {"STAGE": "test"},
    }));
    assert_eq!(decide(&policy, &[], None, 86_400), "step_up_required");
    let policy = route(json!({
        "windows": [{"days": ["mon"]}], "sources": ["10.0.0.0/8"], "environment": {"STAGE": "test"},
    }));
    assert_eq!(decide(&policy, &[], None, 0), "outside_window");
    assert_eq!(decide(&policy, &[], None, 86_400), "source_not_allowed");
    assert_eq!(decide(&policy, &[], Some("10.0.0.1"), 86_400), "condition_false");
}
