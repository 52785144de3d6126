use serde_json::{Value, json};

use super::compile;
use crate::compile::Faults;
use crate::revocation::{RevocationRules, TokenFacts};
use crate::section::{ProviderType, RevocationSection};
use crate::{Reject, limits};

const PROVIDERS: &[(&str, ProviderType)] = &[
    ("corp", ProviderType::Jwt),
    ("partners", ProviderType::ApiKey),
    ("mesh", ProviderType::Mtls),
    ("opaque", ProviderType::Introspection),
];

/// The compiled section, or the path and the code of each fault.
fn compiled(section: &Value) -> Result<RevocationRules, Vec<(String, &'static str)>> {
    let section: RevocationSection = serde_json::from_value(section.clone()).expect("a section");
    let mut faults = Faults::default();
    let rules = compile(&mut faults, &section, PROVIDERS);
    faults
        .or(rules)
        .map_err(|faults| faults.into_iter().map(|fault| (fault.path, fault.code)).collect())
}

fn feed(changes: &Value) -> Value {
    let mut feed = json!({"uri": "https://idp.example.com/revoked.json", "upstream": "idp"});
    let changes = changes.as_object().expect("an object").clone();
    feed.as_object_mut().expect("an object").extend(changes);
    json!({"feed": feed})
}

fn status_list(changes: &Value) -> Value {
    let mut list = json!({"provider": "corp", "uri": "https://idp.example.com/lists/1", "upstream": "idp"});
    let changes = changes.as_object().expect("an object").clone();
    list.as_object_mut().expect("an object").extend(changes);
    list
}

#[test]
fn a_good_section_becomes_rules() {
    let rules = compiled(&json!({
        "tokens": [{"provider": "corp", "jti": "t"}, {"provider": "opaque", "jti": "t"}],
        "subjects": [{"provider": "mesh", "subject": "spiffe://a/b", "issued_before": "2026-11-20T00:00:00Z"}],
        "keys": [{"provider": "partners", "kid": "acme"}, {"provider": "corp", "kid": "acme"}],
        "clients": [{"provider": "corp", "client": "kiosk"}],
        "feed": {"uri": "http://localhost:81/r", "upstream": "idp", "refresh": "30s", "max_stale": "10m"},
        "status_lists": [
            status_list(&json!({})),
            status_list(&json!({"uri": "https://idp.example.com/lists/2", "refresh": "2h"})),
        ],
    }))
    .expect("no faults");
    let key = TokenFacts {
        key_id: Some("acme"),
        ..TokenFacts::default()
    };
    assert_eq!(rules.list.check("partners", &key), Err(Reject::KeyRevoked));
    assert_eq!(rules.list.check("opaque", &key), Ok(()));
    let peer = TokenFacts {
        subject: Some("spiffe://a/b"),
        ..TokenFacts::default()
    };
    assert_eq!(rules.list.check("mesh", &peer), Err(Reject::TokenRevoked));
    let feed = rules.feed.expect("a feed");
    assert_eq!(feed.endpoint.to_string(), "http://localhost:81/r");
    assert_eq!(
        (feed.upstream.as_str(), feed.refresh, feed.max_stale),
        ("idp", 30, 600)
    );
    let times: Vec<(i64, i64, bool)> = rules
        .status_lists
        .iter()
        .map(|list| (list.source.refresh, list.source.max_stale, list.is_optional))
        .collect();
    assert_eq!(
        times,
        [(600, 3_600, false), (7_200, 7_200, false)],
        "defaults, and no staler than a refresh"
    );
}

#[test]
fn a_fault_names_its_field() {
    let tokens = |provider: &str, jti: &str| json!({"tokens": [{"provider": provider, "jti": jti}]});
    let subject = |instant: &str| json!({"provider": "corp", "subject": "a", "issued_before": instant});
    let lists = |lists: &[Value]| json!({"status_lists": lists});
    let many: Vec<Value> = (0..=limits::STATUS_LISTS)
        .map(|index| status_list(&json!({"uri": format!("https://a/{index}")})))
        .collect();
    let cases = [
        (json!({}), "revocation", "invalid_value"),
        (json!({"tokens": []}), "revocation.tokens", "empty_list"),
        (json!({"clients": []}), "revocation.clients", "empty_list"),
        (lists(&[]), "revocation.status_lists", "empty_list"),
        (lists(&many), "revocation.status_lists", "invalid_value"),
        (
            tokens("Corp", "t"),
            "revocation.tokens[0].provider",
            "unknown_provider",
        ),
        (tokens("corp", ""), "revocation.tokens[0].jti", "invalid_value"),
        (
            tokens("mesh", "t"),
            "revocation.tokens[0].provider",
            "invalid_value",
        ),
        (
            tokens("partners", "t"),
            "revocation.tokens[0].provider",
            "invalid_value",
        ),
        (
            json!({"keys": [{"provider": "opaque", "kid": "k"}]}),
            "revocation.keys[0].provider",
            "invalid_value",
        ),
        (
            json!({"clients": [{"provider": "mesh", "client": "c"}]}),
            "revocation.clients[0].provider",
            "invalid_value",
        ),
        (
            json!({"subjects": [subject("2026-11-20T00:00:00Z"), subject("2026-11-21T00:00:00Z")]}),
            "revocation.subjects[1].subject",
            "duplicate",
        ),
        (
            feed(&json!({"uri": "http://idp.example.com/"})),
            "revocation.feed.uri",
            "invalid_value",
        ),
        (
            feed(&json!({"uri": "revoked.json"})),
            "revocation.feed.uri",
            "invalid_value",
        ),
        (
            feed(&json!({"upstream": ""})),
            "revocation.feed.upstream",
            "invalid_value",
        ),
        (
            feed(&json!({"upstream": "a b"})),
            "revocation.feed.upstream",
            "invalid_value",
        ),
        (
            feed(&json!({"refresh": "0s"})),
            "revocation.feed.refresh",
            "invalid_value",
        ),
        (
            feed(&json!({"max_stale": "9m"})),
            "revocation.feed.max_stale",
            "invalid_value",
        ),
        (
            feed(&json!({"max_stale": "8d"})),
            "revocation.feed.max_stale",
            "invalid_value",
        ),
        (
            feed(&json!({"refresh": "8d"})),
            "revocation.feed.refresh",
            "invalid_value",
        ),
        (
            lists(&[status_list(&json!({"provider": "idp"}))]),
            "revocation.status_lists[0].provider",
            "unknown_provider",
        ),
        (
            lists(&[status_list(&json!({"provider": "opaque"}))]),
            "revocation.status_lists[0].provider",
            "invalid_value",
        ),
        (
            lists(&[status_list(&json!({"uri": "https://a#b"}))]),
            "revocation.status_lists[0].uri",
            "invalid_value",
        ),
        (
            lists(&[status_list(&json!({})), status_list(&json!({}))]),
            "revocation.status_lists[1].uri",
            "duplicate",
        ),
        (
            lists(&[
                status_list(&json!({})),
                status_list(&json!({"uri": "https://a/2", "optional": true})),
            ]),
            "revocation.status_lists[1].optional",
            "invalid_value",
        ),
    ];
    for (section, path, code) in cases {
        let faults = compiled(&section).map(|_| ()).expect_err(path);
        assert_eq!(faults, [(path.to_owned(), code)], "{section}");
    }
}

#[test]
fn a_section_is_bounded() {
    let entries = |count: usize| -> Vec<Value> {
        (0..count)
            .map(|index| json!({"provider": "corp", "jti": index.to_string()}))
            .collect()
    };
    assert!(compiled(&json!({"tokens": entries(limits::REVOCATION_ENTRIES)})).is_ok());
    let key = json!([{"provider": "corp", "kid": "k"}]);
    let faults = compiled(&json!({"tokens": entries(limits::REVOCATION_ENTRIES), "keys": key})).map(|_| ());
    assert_eq!(faults, Err(vec![("revocation".to_owned(), "invalid_value")]));
}
