//! Several providers at once: every credential goes to one of them, found by where it stands and what it says of
//! itself, and two credentials go to nobody.

use scopegate_authn::Algorithm;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::{provider, token};
use crate::world::{Ask, World, faults, peer};

const ALG: Algorithm = Algorithm::EdDsa;
const WORKLOAD: &str = "spiffe://prod.example.com/batch";

fn issued_by(name: &str, changes: &Value) -> Value {
    let base = json!({"name": name, "issuer": format!("https://{name}.example")});
    provider(&[ALG], &crate::common::changes(&base, changes))
}

fn token_of(name: &str) -> String {
    token(ALG, &json!({"iss": format!("https://{name}.example")}))
}

fn api_keys(name: &str, keys: &[&str], credential: &Value) -> Value {
    let keys: Vec<Value> = keys
        .iter()
        .map(|key| {
            let digest = Sha256::digest(format!("key of {key}"));
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({"id": format!("{key}-1"), "sha256": digest, "subject": key})
        })
        .collect();
    json!({"name": name, "type": "api_key", "credential": credential, "keys": keys})
}

fn introspection(name: &str) -> Value {
    json!({
        "name": name, "type": "introspection", "endpoint": "https://idp.example.com/introspect",
        "upstream": "idp", "audiences": ["orders"],
        "client_auth": {"basic": {"username": "orders", "password": {"env": "PASSWORD"}}},
    })
}

fn mesh(name: &str, domain: &str) -> Value {
    json!({"name": name, "type": "mtls", "trust_domains": [domain]})
}

fn world() -> World {
    let header = json!({"header": "x-api-key"});
    World::new(&json!({
        "origins": ["https://api.example.com"],
        "providers": [
            issued_by("corp", &json!({})),
            issued_by("partner", &json!({})),
            issued_by("session", &json!({"credential": {"cookie": "session"}})),
            issued_by("bound", &json!({"binding": "dpop"})),
            introspection("opaque"),
            api_keys("keys", &["acme"], &header),
            api_keys("more", &["globex"], &header),
            mesh("mesh", "prod.example.com"),
        ],
    }))
}

fn headers(list: &[(&str, &str)]) -> Ask {
    list.iter()
        .fold(Ask::default(), |ask, (name, value)| ask.and(name, value))
}

#[test]
fn each_credential_goes_to_the_one_provider_it_is_for() {
    let mut world = world();
    let (corp, partner) = (token_of("corp"), token_of("partner"));
    let session = format!("session={}", token_of("session"));
    let cases: Vec<(&str, Ask, &str)> = vec![
        ("by its issuer", Ask::bearer(&corp), "corp/anna"),
        ("by its issuer", Ask::bearer(&partner), "partner/anna"),
        ("by its place", headers(&[("cookie", &session)]), "session/anna"),
        ("by its form", Ask::bearer("mF_9.B5f-4.1JqM.x"), "wait answer"),
        (
            "by its form",
            Ask::bearer("2YotnFZFEjr1zCsicMWpAA"),
            "wait answer",
        ),
        ("by its form", Ask::bearer("two.segments"), "wait answer"),
        ("by its form, a JWE", Ask::bearer("a.b.c.d.e"), "wait answer"),
        (
            "by its digest",
            headers(&[("x-api-key", "key of acme")]),
            "keys/acme",
        ),
        (
            "by its digest",
            headers(&[("X_API_KEY", "key of globex")]),
            "more/globex",
        ),
        (
            "by none",
            headers(&[("x-api-key", "key of umbrella")]),
            "api_key_unknown",
        ),
        ("by none", headers(&[("x-api-key", &corp)]), "api_key_unknown"),
        (
            "the connection",
            Ask::default().from(&peer(WORKLOAD, 1)),
            "mesh/spiffe://prod.example.com/batch",
        ),
        ("nothing", Ask::default(), "credential_missing"),
        (
            "another scheme",
            headers(&[("authorization", "Basic YTpi")]),
            "credential_missing",
        ),
        (
            "in another place than its issuer's",
            headers(&[("cookie", &format!("session={corp}"))]),
            "issuer_unknown",
        ),
        (
            "in another place than its issuer's",
            Ask::bearer(&token_of("session")),
            "issuer_unknown",
        ),
        (
            "by another scheme than its issuer's",
            Ask::bearer(&token_of("bound")),
            "issuer_unknown",
        ),
        (
            "by another scheme than its issuer's",
            Ask::dpop(&corp, "x"),
            "issuer_unknown",
        ),
    ];
    for (what, ask, expected) in &cases {
        assert_eq!(world.ask(ask), *expected, "{what}: {ask:?}");
    }
    for (what, ask, expected) in &cases {
        assert_eq!(world.ask(ask), *expected, "a second time, {what}: {ask:?}");
    }
}

#[test]
fn what_one_provider_refuses_no_other_one_is_asked_about() {
    let mut world = world();
    let verified = peer(WORKLOAD, 1);
    let good = token_of("corp");
    let expired = token(ALG, &json!({"iss": "https://corp.example", "exp": 1, "iat": 0}));
    let stranger = token_of("stranger");
    let (signed, _) = good.rsplit_once('.').expect("a signature");
    let forged = format!("{signed}.{}", crate::common::encode(&[1; 64]));
    let cases = [
        (Ask::bearer("a.b.c"), "token_malformed"),
        (Ask::bearer(".."), "token_malformed"),
        (Ask::bearer(&stranger), "issuer_unknown"),
        (Ask::bearer(&expired), "token_expired"),
        (Ask::bearer(&forged), "signature_invalid"),
        (Ask::bearer(""), "token_malformed"),
        (headers(&[("x-api-key", "")]), "token_malformed"),
        (headers(&[("x-api-key", "key of nobody")]), "api_key_unknown"),
        (headers(&[("cookie", "session=x")]), "token_malformed"),
    ];
    for (ask, expected) in cases {
        assert_eq!(world.ask(&ask), expected, "{ask:?}");
        let beside = ask.from(&verified);
        assert_eq!(
            world.ask(&beside),
            expected,
            "with a good certificate: {beside:?}"
        );
    }
    let beside = Ask::bearer(&good).from(&verified);
    assert_eq!(
        world.ask(&beside),
        "corp/anna",
        "a certificate beside a token is not the caller"
    );
}

#[test]
fn r045_two_credentials_are_refused_whatever_they_are_worth() {
    let mut world = world();
    let (corp, partner) = (token_of("corp"), token_of("partner"));
    let [bearer, second, dpop] = [("Bearer", &corp), ("bearer", &partner), ("DPoP", &corp)]
        .map(|(scheme, token)| format!("{scheme} {token}"));
    let comma = format!("{bearer}, {second}");
    let schemes = format!("{bearer},{dpop}");
    let basic = format!("Basic YTpi, {bearer}");
    let cookie = format!("session={corp}");
    let cookies = format!("session={corp}; session={corp}");
    let cases: Vec<Vec<(&str, &str)>> = vec![
        vec![("authorization", &bearer), ("authorization", &second)],
        vec![("authorization", &bearer), ("Authorization", &bearer)],
        vec![("authorization", &bearer), ("authorization", "Basic YTpi")],
        vec![("authorization", &bearer), ("authorization", &dpop)],
        vec![("authorization", &comma)],
        vec![("authorization", &schemes)],
        vec![("authorization", &basic)],
        vec![("authorization", &bearer), ("cookie", &cookie)],
        vec![("cookie", &cookies)],
        vec![("cookie", &cookie), ("cookie", &cookie)],
        vec![("authorization", &bearer), ("x-api-key", "key of acme")],
        vec![("authorization", &bearer), ("x-api-key", "nonsense")],
        vec![("authorization", "Bearer nonsense"), ("x-api-key", "key of acme")],
        vec![("x-api-key", "key of acme"), ("x-api-key", "key of globex")],
        vec![("x-api-key", "key of acme"), ("X-API-Key", "key of acme")],
        vec![("x-api-key", "key of acme"), ("x_api_key", "key of acme")],
        vec![("x-api-key", "key of acme"), ("x-api-key", "")],
        vec![("x-api-key", "key of acme"), ("cookie", &cookie)],
    ];
    for case in cases {
        assert_eq!(world.ask(&headers(&case)), "credential_multiple", "{case:?}");
        let beside = headers(&case).from(&peer(WORKLOAD, 1));
        assert_eq!(
            world.ask(&beside),
            "credential_multiple",
            "with a certificate: {case:?}"
        );
    }
}

#[test]
fn two_providers_that_would_claim_one_credential_are_no_policy() {
    let bearer = json!({"header": "authorization", "scheme": "bearer"});
    let key = json!({"header": "x-api-key"});
    let other = json!({"header": "x-other-key"});
    let named = |name: &str| mesh(name, "prod.example.com");
    let dns = |name: &str| json!({"name": name, "type": "mtls", "dns_names": ["batch.example.com"]});
    let overlaps: Vec<[Value; 2]> = vec![
        [issued_by("a", &json!({})), api_keys("b", &["acme"], &bearer)],
        [api_keys("a", &["acme"], &bearer), introspection("b")],
        [introspection("a"), introspection("b")],
        [
            issued_by("a", &json!({})),
            provider(&[ALG], &json!({"name": "b", "issuer": "https://a.example"})),
        ],
        [
            api_keys("a", &["acme"], &key),
            api_keys("b", &["globex", "acme"], &key),
        ],
        [named("a"), named("b")],
        [dns("a"), dns("b")],
        [
            issued_by("a", &json!({"credential": {"header": "x-token"}})),
            issued_by(
                "b",
                &json!({"credential": {"header": "X-Token", "scheme": "Bearer"}}),
            ),
        ],
    ];
    for pair in overlaps {
        let found = faults(&json!({"providers": pair}));
        let is_named =
            matches!(found.as_slice(), [(path, "provider_overlap")] if path.starts_with("providers[1]"));
        assert!(is_named, "{found:?}: {pair:?}");
    }
    let apart: Vec<[Value; 2]> = vec![
        [issued_by("a", &json!({})), introspection("b")],
        [issued_by("a", &json!({})), issued_by("b", &json!({}))],
        [api_keys("a", &["acme"], &key), api_keys("b", &["globex"], &key)],
        [api_keys("a", &["acme"], &key), api_keys("b", &["globex"], &other)],
        [named("a"), mesh("b", "test.example.com")],
        [named("a"), dns("b")],
    ];
    for pair in apart {
        assert_eq!(faults(&json!({"providers": pair})), [], "{pair:?}");
    }
}
