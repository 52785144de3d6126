//! What the module tells: audit lines, metrics, properties, the reason given to the proxy.

use serde_json::Value;

use scopegate_host_tests::{Host, Metric};

use crate::common::{anonymous, host, permitted, public, token};

/// The audit records among the lines logged.
fn records(host: &mut Host) -> Vec<Value> {
    let parsed = host
        .logs()
        .into_iter()
        .filter_map(|line| serde_json::from_str::<Value>(&line.message).ok());
    parsed.filter(|record| record["event"].is_string()).collect()
}

#[test]
fn each_request_leaves_two_records_with_one_id() {
    let mut host = host();
    for (request, outcomes) in [
        (permitted(), ["success", "allow"]),
        (anonymous(), ["failure", "not_evaluated"]),
        (public(), ["skipped", "allow"]),
    ] {
        host.request(request.header("x-request-id", "r-1"));
        let records = records(&mut host);
        let events: Vec<_> = records
            .iter()
            .map(|record| record["event"].as_str().unwrap())
            .collect();
        assert_eq!(events, ["authentication", "authorization"], "{records:?}");
        let told: Vec<_> = records
            .iter()
            .map(|record| record["outcome"].as_str().unwrap())
            .collect();
        assert_eq!(told, outcomes, "{records:?}");
        assert!(
            records.iter().all(|record| record["request_id"] == "r-1"),
            "{records:?}"
        );
    }
}

#[test]
fn no_line_holds_a_credential() {
    let mut host = host();
    let whole = token();
    let (signed, signature) = whole.rsplit_once('.').unwrap();
    let tampered = format!("Bearer {signed}.{}", signature.chars().rev().collect::<String>());
    host.request(permitted().header("cookie", "session=hush"));
    host.request(anonymous().header("authorization", &tampered));
    host.request(public().header("authorization", format!("Basic {whole}")));
    let lines: Vec<_> = host.logs().into_iter().map(|line| line.message).collect();
    assert!(lines.len() >= 6, "{lines:?}");
    for part in whole.split('.').chain(["hush", &tampered]) {
        assert!(
            lines.iter().all(|line| !line.contains(part)),
            "{part} is in the log: {lines:?}"
        );
    }
}

#[test]
fn lines_hold_no_control_characters_whatever_the_client_sends() {
    let mut host = host();
    for odd in ["\r\nX: y", "\u{1b}[31m", "\0", "\u{7f}", "\u{2028}"] {
        host.request(anonymous().header("x-request-id", odd).header("user-agent", odd));
        host.request(scopegate_host_tests::Request::get(odd, format!("/{odd}")));
        for line in host.logs() {
            assert!(!line.message.chars().any(char::is_control), "{:?}", line.message);
        }
    }
}

#[test]
fn each_layer_counts_by_outcome() {
    let mut host = host();
    host.request(permitted());
    host.request(permitted());
    host.request(anonymous());
    host.request(public());
    let metrics = host.metrics();
    for (name, count) in [
        ("scopegate.authorization.orders.list.allow", 2),
        ("scopegate.authorization.health.allow", 1),
        ("scopegate.authentication.corp.success", 2),
    ] {
        assert_eq!(
            metrics.get(name),
            Some(&Metric::Counter(count)),
            "{name} in {metrics:?}"
        );
    }
    let refused: Vec<_> = metrics
        .keys()
        .filter(|name| name.ends_with(".credential_missing"))
        .collect();
    assert_eq!(refused.len(), 1, "{metrics:?}");
    assert!(
        metrics.keys().all(|name| !name.contains("anna")),
        "a subject is no label: {metrics:?}"
    );
}

#[test]
fn the_decision_is_told_to_the_proxy() {
    let mut host = host();
    let exchange = host.request(permitted());
    let told = |name: &str| {
        exchange
            .property(name)
            .map(|value| String::from_utf8_lossy(value).into_owned())
    };
    assert_eq!(told("scopegate.layer").as_deref(), Some("authorization"));
    assert_eq!(told("scopegate.code").as_deref(), Some("allow"));
    assert_eq!(told("scopegate.route").as_deref(), Some("orders.list"));
    let exchange = host.request(anonymous());
    assert_eq!(
        exchange.local_reply().unwrap().details,
        "scopegate:authentication:credential_missing"
    );
    assert_eq!(
        exchange.property("scopegate.code"),
        Some(&b"credential_missing"[..])
    );
}
