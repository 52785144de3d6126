//! What depends on the clock and the connection of a real Envoy: windows around the present time, and the address that a
//! request comes from.

use std::collections::BTreeMap;
use std::path::Path;

use scopegate_document::UnixTime;
use scopegate_e2e::envoy::Envoy;
use scopegate_e2e::envoy::bootstrap::{Listener, bootstrap, plugin};
use scopegate_e2e::mint::{self, Mint};
use scopegate_e2e::upstream::Upstream;
use scopegate_harness::keys::Algorithm;
use serde_json::{Value, json};

use crate::common::{bearer, code, envoy, field, module, policy, send};

/// The time of day in UTC, as in `08:00`, with the seconds cut off.
fn minute(time: UnixTime) -> String {
    time.to_string().chars().skip(11).take(5).collect()
}

/// From this many hours before the present to as many hours after.
fn window(now: UnixTime, hours: (i64, i64), zone: &str) -> Value {
    let at = |hours: i64| minute(now.plus(hours * 3_600));
    json!([{"from": at(hours.0), "to": at(hours.1), "zone": zone}])
}

#[test]
fn a_route_is_open_in_its_hours_and_to_its_networks() {
    let Some(program) = envoy("a_route_is_open_in_its_hours_and_to_its_networks") else {
        return;
    };
    let now = mint::now();
    let rows = [
        ("now", json!({"windows": window(now, (-2, 2), "UTC")}), ""),
        (
            "later",
            json!({"windows": window(now, (2, 4), "UTC")}),
            "outside_window",
        ),
        (
            "earlier",
            json!({"windows": window(now, (-4, -2), "UTC")}),
            "outside_window",
        ),
        ("ahead", json!({"windows": window(now, (3, 7), "+05:00")}), ""),
        (
            "behind",
            json!({"windows": window(now, (-2, 2), "-05:00")}),
            "outside_window",
        ),
        ("here", json!({"sources": ["127.0.0.0/8"]}), ""),
        (
            "elsewhere",
            json!({"sources": ["10.0.0.0/8", "::/0"]}),
            "source_not_allowed",
        ),
        ("asked", json!({"when": "request.source == '127.0.0.1'"}), ""),
    ];
    let mut policy = policy("policies/rest-api-tenants/policy.yaml");
    let mint = Mint::install(&mut policy, "corp", &[Algorithm::ES256]).unwrap();
    let routes = rows.iter().map(|(id, access, _)| {
        let mut access = access.clone();
        access["authenticated"] = json!(true);
        json!({"id": id, "match": {"path": format!("/{id}")}, "access": access})
    });
    policy["authorization"]["routes"] = routes.collect();
    let upstream = Upstream::start().unwrap();
    let filters = vec![plugin(&module(), &policy.to_string(), &BTreeMap::new())];
    let listeners = [Listener::new("hours", filters)];
    let envoy = Envoy::start(
        &program,
        &bootstrap(&listeners, upstream.address()),
        Path::new("."),
        &[],
    )
    .unwrap();
    let address = envoy.listener("hours").unwrap();
    let token = mint
        .token(Algorithm::ES256, &json!({"sub": "anna", "tid": "acme"}))
        .unwrap();
    for (id, access, expected) in rows {
        let headers = [bearer(&token), field("x-envoy-original-path", "/now")];
        let answer = send(address, "GET", &format!("/{id}"), &headers);
        assert_eq!(code(&answer), expected, "{access}: {answer:?}");
        assert_eq!(
            answer.status,
            if expected.is_empty() { 200 } else { 403 },
            "{access}"
        );
    }
}
