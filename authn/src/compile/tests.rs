//! The rules of providers that are no issuers of tokens, compiled.

use scopegate_document::UnixTime;
use serde_json::{Value, json};

use super::{Context, Faults, api_key, mtls};
use crate::api_key::ApiKeys;
use crate::authenticator::Secrets;
use crate::credential::CredentialLocation;
use crate::limits;
use crate::mtls::{MtlsRules, Names};
use crate::section::ProviderSection;

struct NoSecrets;

impl Secrets for NoSecrets {
    fn get(&self, _: &str) -> Option<String> {
        None
    }
}

type Compiled<T> = Result<T, Vec<(String, &'static str)>>;

/// What `compile` makes of a provider, or its faults.
fn compiled<T>(
    section: &Value,
    compile: impl Fn(&mut Context<'_>, &str, &ProviderSection) -> Option<T>,
) -> Compiled<T> {
    let section: ProviderSection = serde_json::from_value(section.clone()).expect("a provider");
    let mut context = Context {
        secrets: &NoSecrets,
        faults: Faults::default(),
        notices: Vec::new(),
        origins: None,
        sources: Vec::new(),
    };
    let value = compile(&mut context, "p", &section);
    let faults = context.faults.or(()).err().unwrap_or_default();
    let faults: Vec<_> = faults.into_iter().map(|fault| (fault.path, fault.code)).collect();
    match (value, faults.is_empty()) {
        (Some(value), true) => Ok(value),
        (None, true) => panic!("neither a value nor a fault: {section:?}"),
        (_, false) => Err(faults),
    }
}

const DIGEST: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"; // "secret"
const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn digest(number: usize) -> String {
    format!("{number:064x}")
}

fn partners(keys: Value) -> Value {
    json!({"name": "partners", "type": "api_key", "credential": {"header": "x-api-key"}, "keys": keys})
}

fn api_keys(keys: Value) -> Compiled<ApiKeys> {
    compiled(&partners(keys), api_key::compile)
}

/// A list of one key, with `changes`; `null` removes a field.
fn one_key(changes: &Value) -> Value {
    let mut key = json!({"id": "acme-2026", "sha256": DIGEST, "subject": "acme"});
    for (name, value) in changes.as_object().expect("changes") {
        key[name] = value.clone();
    }
    let fields = key.as_object_mut().expect("a key");
    fields.retain(|_, value| !value.is_null());
    json!([key])
}

#[test]
fn an_api_key_says_whom_it_stands_for_and_until_when() {
    let changes = json!({"tenant": "t", "client": "c", "expires": "1970-01-01T00:01:40Z"});
    let keys = api_keys(one_key(&changes)).expect("no faults");
    let key = keys.find(b"secret", UnixTime(99)).expect("the key");
    let said = (
        key.id.as_str(),
        key.subject.as_str(),
        key.tenant.as_deref(),
        key.client.as_deref(),
    );
    assert_eq!(said, ("acme-2026", "acme", Some("t"), Some("c")));
    assert!(keys.find(b"secret", UnixTime(100)).is_err());
    let upper = api_keys(one_key(&json!({"sha256": DIGEST.to_uppercase()}))).expect("no faults");
    assert!(upper.find(b"secret", UnixTime(i64::MAX)).is_ok());
}

#[test]
fn each_fault_of_an_api_key_is_named_with_its_path() {
    let cases = [
        (json!({"id": null}), "p.keys[0].id", "missing_field"),
        (json!({"id": ""}), "p.keys[0].id", "invalid_value"),
        (json!({"subject": null}), "p.keys[0].subject", "missing_field"),
        (json!({"subject": ""}), "p.keys[0].subject", "invalid_value"),
        (json!({"tenant": ""}), "p.keys[0].tenant", "invalid_value"),
        (json!({"client": ""}), "p.keys[0].client", "invalid_value"),
        (json!({"sha256": null}), "p.keys[0].sha256", "missing_field"),
        (json!({"sha256": ""}), "p.keys[0].sha256", "invalid_value"),
        (
            json!({"sha256": DIGEST.trim_start_matches('2')}),
            "p.keys[0].sha256",
            "invalid_value",
        ),
        (
            json!({"sha256": format!("{DIGEST}0")}),
            "p.keys[0].sha256",
            "invalid_value",
        ),
        (
            json!({"sha256": DIGEST.replacen("2b", "0x", 1)}),
            "p.keys[0].sha256",
            "invalid_value",
        ),
        (json!({"sha256": NOTHING}), "p.keys[0].sha256", "invalid_value"),
        (json!({"kid": "k"}), "p.keys[0].kid", "field_not_of_type"),
        (json!({"alg": "HS256"}), "p.keys[0].alg", "field_not_of_type"),
        (
            json!({"secret": {"env": "X"}}),
            "p.keys[0].secret",
            "field_not_of_type",
        ),
    ];
    for (changes, path, code) in cases {
        let faults = api_keys(one_key(&changes)).expect_err("a fault");
        assert_eq!(faults, [(path.to_owned(), code)], "{changes}");
    }
}

#[test]
fn each_fault_of_a_list_of_api_keys_is_named_with_its_path() {
    let key = |id: &str, number: usize| json!({"id": id, "sha256": digest(number), "subject": "s"});
    let many = |count: usize| {
        (0..count)
            .map(|number| key(&number.to_string(), number))
            .collect::<Vec<Value>>()
    };
    let cases = [
        (json!([]), "p.keys", "empty_list"),
        (json!({"jwks": {"keys": []}}), "p.keys", "field_not_of_type"),
        (
            json!([key("a", 1), key("b", 2), key("a", 3)]),
            "p.keys[2].id",
            "duplicate",
        ),
        (
            json!([key("a", 1), key("b", 2), key("c", 1)]),
            "p.keys[2].sha256",
            "duplicate",
        ),
        (json!(many(limits::API_KEYS + 1)), "p.keys", "invalid_value"),
    ];
    for (keys, path, code) in cases {
        assert_eq!(api_keys(keys).expect_err("a fault"), [(path.to_owned(), code)]);
    }
    assert!(api_keys(json!(many(limits::API_KEYS))).is_ok());
    let bare = compiled(&json!({"name": "a", "type": "api_key"}), api_key::compile).expect_err("faults");
    let expected = [("p.credential", "missing_field"), ("p.keys", "missing_field")];
    assert_eq!(bare, expected.map(|(path, code)| (path.to_owned(), code)));
}

#[test]
fn a_key_of_two_providers_that_read_one_place_is_nobodys() {
    let header = |name: &str| CredentialLocation::Header {
        name: name.to_owned(),
        scheme: None,
    };
    let (here, there) = (header("x-api-key"), header("x-other"));
    let first = api_keys(one_key(&json!({}))).expect("keys");
    let second = api_keys(json!([
        {"id": "x", "sha256": digest(7), "subject": "x"},
        {"id": "y", "sha256": DIGEST, "subject": "y"},
    ]))
    .expect("keys");
    let overlaps = |location: &CredentialLocation, keys: &ApiKeys| {
        let among = |index, name, location, keys| api_key::Among {
            index,
            name,
            location,
            keys,
        };
        let mut faults = Faults::default();
        api_key::check_overlaps(
            &mut faults,
            &[among(1, "a", &here, &first), among(4, "b", location, keys)],
        );
        let faults = faults.or(()).err().unwrap_or_default();
        faults
            .into_iter()
            .map(|fault| (fault.path, fault.code))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        overlaps(&here, &second),
        [("providers[4].keys[1].sha256".to_owned(), "provider_overlap")]
    );
    assert_eq!(overlaps(&there, &second), []);
    let others = api_keys(one_key(&json!({"sha256": digest(1)}))).expect("keys");
    assert_eq!(overlaps(&here, &others), []);
}

fn mtls_rules(changes: &Value) -> Compiled<MtlsRules> {
    let mut section = json!({"name": "mesh", "type": "mtls"});
    for (name, value) in changes.as_object().expect("changes") {
        section[name] = value.clone();
    }
    compiled(&section, mtls::compile)
}

#[test]
fn certificates_are_known_by_trust_domains_or_by_dns_names() {
    let mesh =
        mtls_rules(&json!({"trust_domains": ["a.b"], "forwarded_by": ["spiffe://a.b/in"]})).expect("rules");
    assert_eq!(mesh.names, Names::TrustDomains(vec!["a.b".to_owned()]));
    assert_eq!(
        (mesh.proxy_verifies, mesh.forwarded_by.concat().as_str()),
        (false, "spiffe://a.b/in")
    );
    let dns = mtls_rules(&json!({"dns_names": ["x-1.b", "c_d"], "proxy_verifies": true})).expect("rules");
    assert_eq!(dns.names, Names::Dns(vec!["x-1.b".to_owned(), "c_d".to_owned()]));
    assert!(dns.proxy_verifies && dns.forwarded_by.is_empty());
}

#[test]
fn each_fault_of_the_rules_for_certificates_is_named_with_its_path() {
    let label = "a".repeat(64);
    let long = vec!["a".repeat(63); 4].join(".");
    let hops = |hops: Value| json!({"trust_domains": ["a.b"], "forwarded_by": hops});
    let cases = [
        (json!({}), "p.trust_domains", "missing_field"),
        (
            json!({"trust_domains": ["a"], "dns_names": ["b"]}),
            "p.dns_names",
            "invalid_value",
        ),
        (json!({"trust_domains": []}), "p.trust_domains", "empty_list"),
        (
            json!({"trust_domains": ["a", "A"]}),
            "p.trust_domains[1]",
            "invalid_value",
        ),
        (
            json!({"trust_domains": ["spiffe://a"]}),
            "p.trust_domains[0]",
            "invalid_value",
        ),
        (
            json!({"trust_domains": ["a", "a"]}),
            "p.trust_domains[1]",
            "duplicate",
        ),
        (json!({"dns_names": []}), "p.dns_names", "empty_list"),
        (json!({"dns_names": [""]}), "p.dns_names[0]", "invalid_value"),
        (
            json!({"dns_names": ["*.example.com"]}),
            "p.dns_names[0]",
            "invalid_value",
        ),
        (
            json!({"dns_names": ["A.example.com"]}),
            "p.dns_names[0]",
            "invalid_value",
        ),
        (
            json!({"dns_names": ["a.example.com."]}),
            "p.dns_names[0]",
            "invalid_value",
        ),
        (
            json!({"dns_names": ["a..com"]}),
            "p.dns_names[0]",
            "invalid_value",
        ),
        (
            json!({"dns_names": ["é.example"]}),
            "p.dns_names[0]",
            "invalid_value",
        ),
        (json!({"dns_names": [label]}), "p.dns_names[0]", "invalid_value"),
        (json!({"dns_names": [long]}), "p.dns_names[0]", "invalid_value"),
        (hops(json!([])), "p.forwarded_by", "empty_list"),
        (
            hops(json!(["prod.example.com"])),
            "p.forwarded_by[0]",
            "invalid_value",
        ),
        (
            hops(json!(["spiffe://a.b"])),
            "p.forwarded_by[0]",
            "invalid_value",
        ),
        (
            hops(json!(["spiffe://a.b/x", "spiffe://a.b/x"])),
            "p.forwarded_by[1]",
            "duplicate",
        ),
    ];
    for (changes, path, code) in cases {
        let faults = mtls_rules(&changes).expect_err("a fault");
        assert_eq!(faults, [(path.to_owned(), code)], "{changes}");
    }
}

#[test]
fn two_providers_never_claim_one_certificate() {
    let overlaps = |first: Value, second: Value| {
        let rules = [
            mtls_rules(&first).expect("rules"),
            mtls_rules(&second).expect("rules"),
        ];
        let [first, second] = &rules;
        let among = |index, name, rules| mtls::Among { index, name, rules };
        let mut faults = Faults::default();
        mtls::check_overlaps(&mut faults, &[among(0, "a", first), among(3, "b", second)]);
        let faults = faults.or(()).err().unwrap_or_default();
        faults
            .into_iter()
            .map(|fault| (fault.path, fault.code))
            .collect::<Vec<_>>()
    };
    let domains = |domains: &[&str]| json!({"trust_domains": domains});
    let names = |names: &[&str]| json!({"dns_names": names});
    assert_eq!(
        overlaps(domains(&["a", "b"]), domains(&["c", "b"])),
        [("providers[3].trust_domains".to_owned(), "provider_overlap")]
    );
    assert_eq!(
        overlaps(names(&["a.b"]), names(&["a.b"])),
        [("providers[3].dns_names".to_owned(), "provider_overlap")]
    );
    assert_eq!(overlaps(domains(&["a"]), domains(&["b"])), []);
    assert_eq!(overlaps(names(&["a"]), names(&["b"])), []);
    assert_eq!(overlaps(domains(&["a"]), names(&["a"])), []);
}
