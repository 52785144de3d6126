//! What the module tells: audit lines, metrics, properties, the reason given to the proxy.

use serde_json::{Value, json};

use scopegate_host_tests::{Exchange, Host, Metric, Profile};

use crate::common::{NOW, anonymous, builder, host, permitted, policy, public, signed, token};
use crate::nginx::{keeping, started, under_nginx};

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

/// A policy that has access logs told all there is.
fn telling() -> Value {
    let mut policy = policy();
    policy["audit"]["properties"] = json!(["layer", "provider", "subject", "client", "tenant"]);
    policy
}

#[test]
fn nothing_but_the_code_and_the_route_is_told_where_the_policy_names_nothing_else() {
    for (profile, prefix) in [
        (Profile::Envoy, "scopegate."),
        (Profile::Nginx, "wasmx.scopegate_"),
    ] {
        let builder = under_nginx(builder()).profile(profile);
        let mut host = started(builder.configuration(keeping(policy()).to_string()));
        for request in [permitted(), anonymous()] {
            let exchange = host.request(request);
            let told = |name: &str| exchange.property(&format!("{prefix}{name}")).is_some();
            assert!(told("code") && told("route"), "{profile:?}");
            for name in ["layer", "would_deny", "provider", "subject", "client", "tenant"] {
                assert!(!told(name), "{profile:?}: {name}");
            }
        }
    }
}

#[test]
fn the_decision_is_told_to_the_proxy() {
    let mut host = started(builder().configuration(telling().to_string()));
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

/// What is shown of the caller, by name.
fn shown(exchange: &Exchange) -> Vec<(&'static str, String)> {
    let names = ["provider", "subject", "client", "tenant"];
    let value = |name: &'static str| {
        let value = exchange
            .property(&format!("scopegate.{name}"))
            .or_else(|| exchange.property(&format!("wasmx.scopegate_{name}")))?;
        Some((name, String::from_utf8_lossy(value).into_owned()))
    };
    names.into_iter().filter_map(value).collect()
}

#[test]
fn who_was_proved_is_shown_to_access_logs_where_the_request_is_permitted() {
    let token = |claims: Value| {
        let mut all = json!({
            "iss": "https://idp.example.com", "aud": "https://api.example.com", "sub": "anna", "scope": "orders:read",
            "iat": NOW - 10, "exp": NOW + 600,
        });
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        let token = signed(&json!({"alg": "HS256", "kid": "k1"}), &all);
        anonymous().header("authorization", format!("Bearer {token}"))
    };
    let own = |pairs: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        pairs
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect()
    };
    for profile in [Profile::Envoy, Profile::Nginx] {
        let mut policy = keeping(telling());
        policy["authentication"]["providers"][0]["claims"] = json!({"client": "client_id", "tenant": "tid"});
        let builder = under_nginx(builder()).profile(profile);
        let mut host = started(builder.configuration(policy.to_string()));
        let plain = host.request(token(json!({})));
        assert_eq!(
            shown(&plain),
            own(&[("provider", "corp"), ("subject", "anna")]),
            "{profile:?}"
        );
        let full = host.request(token(json!({"client_id": "web", "tid": "acme"})));
        assert_eq!(
            shown(&full),
            own(&[
                ("provider", "corp"),
                ("subject", "anna"),
                ("client", "web"),
                ("tenant", "acme")
            ]),
            "{profile:?}"
        );
        let denied = token(json!({"scope": ""}));
        for request in [public(), anonymous(), denied] {
            assert_eq!(shown(&host.request(request)), [], "{profile:?}");
        }
    }
}

#[test]
fn the_address_of_the_client_is_asked_for_where_the_policy_depends_on_it_and_nowhere_else() {
    let asks = |host: &mut Host| {
        let calls = host.trace();
        calls.iter().any(|call| call.about.contains("source"))
    };
    for (profile, addresses) in [
        (Profile::Envoy, ["192.0.2.1:4711", "[2001:db8::1]:4711"]),
        (Profile::Nginx, ["192.0.2.1", "2001:db8::1"]),
    ] {
        let mut policy = keeping(policy());
        let builder = || under_nginx(builder()).profile(profile).trace();
        let mut host = started(builder().configuration(policy.to_string()));
        host.trace();
        assert!(host.request(permitted()).forwarded().is_some());
        assert!(!asks(&mut host), "{profile:?}: nobody asked");
        policy["authorization"]["routes"][1]["access"]["sources"] = json!(["192.0.2.0/24", "2001:db8::/32"]);
        let mut host = started(builder().configuration(policy.to_string()));
        for address in addresses {
            let exchange = host.request(permitted().property("source.address", address));
            assert!(exchange.forwarded().is_some(), "{profile:?}: {address}");
        }
        for address in ["198.51.100.1", "198.51.100.1:80", "", "unix:", "@internal"] {
            let exchange = host.request(permitted().property("source.address", address));
            assert!(exchange.forwarded().is_none(), "{profile:?}: {address}");
        }
    }
}
