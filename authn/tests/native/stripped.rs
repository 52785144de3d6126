//! What the upstream is not shown: credentials of every kind, whatever they are worth, unless their provider says so.

use scopegate_authn::Algorithm;
use serde_json::{Value, json};

use crate::common::{changes, provider, token};
use crate::world::{Ask, World};

const ALG: Algorithm = Algorithm::EdDsa;

fn issued_by(name: &str, more: &Value) -> Value {
    let base = json!({"name": name, "issuer": format!("https://{name}.example")});
    provider(&[ALG], &changes(&base, more))
}

fn opaque(forward: bool) -> Value {
    json!({
        "name": "opaque", "type": "introspection", "endpoint": "https://idp.example.com/introspect",
        "upstream": "idp", "audiences": ["orders"], "forward_credential": forward,
        "client_auth": {"bearer": {"env": "PASSWORD"}},
    })
}

fn api_keys(name: &str, digit: &str, forward: bool) -> Value {
    json!({
        "name": name, "type": "api_key", "credential": {"header": "x-api-key"}, "forward_credential": forward,
        "keys": [{"id": name, "sha256": digit.repeat(64), "subject": name}],
    })
}

fn removed(world: &World, ask: &Ask) -> Vec<String> {
    let names = world.strip(ask).remove;
    names
        .iter()
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

#[test]
fn every_credential_is_removed_by_whatever_scheme_and_spelling_it_comes() {
    let world = World::new(&json!({
        "origins": ["https://api.example.com"],
        "providers": [issued_by("a", &json!({"binding": "dpop"})), api_keys("keys", "a", false)],
    }));
    let token = token(ALG, &json!({"iss": "https://a.example"}));
    let cases = [
        (Ask::dpop(&token, "proof"), vec!["authorization", "dpop"]),
        (
            Ask::default().and("Authorization", "dpop nonsense"),
            vec!["Authorization"],
        ),
        (
            Ask::default().and("X_Api_Key", "x").and("x-api-key", "y"),
            vec!["X_Api_Key", "x-api-key"],
        ),
        (Ask::default().and("authorization", "Basic YTpi"), vec![]),
        (
            Ask::default().and("authorization", "Basic YTpi, DPoP x"),
            vec!["authorization"],
        ),
    ];
    for (ask, expected) in cases {
        assert_eq!(removed(&world, &ask), expected, "{ask:?}");
    }
}

#[test]
fn where_providers_disagree_the_one_that_the_token_goes_to_decides() {
    let keep = json!({"forward_credential": true});
    let world = World::of(&[issued_by("a", &json!({})), issued_by("b", &keep), opaque(true)]);
    let token_of = |name: &str| token(ALG, &json!({"iss": format!("https://{name}.example")}));
    let (a, b) = (token_of("a"), token_of("b"));
    let stays: Vec<String> = Vec::new();
    let goes = vec!["authorization".to_owned()];
    let bearer = |token: &str| Ask::bearer(token);
    let cases = [
        ("of a provider that keeps it", bearer(&b), &stays),
        ("of a provider that does not", bearer(&a), &goes),
        ("opaque, and kept", bearer("opaque"), &stays),
        ("of nobody", bearer(&token_of("c")), &goes),
        ("no token, but shaped like one", bearer("x.y.z"), &goes),
        (
            "two, one of which is not to be seen",
            bearer(&a).and("authorization", &format!("Bearer {b}")),
            &goes,
        ),
        (
            "two in one field",
            Ask::default().and("authorization", &format!("Bearer {a}, Bearer {b}")),
            &goes,
        ),
        (
            "two that would each be kept",
            bearer("opaque").and("authorization", "Bearer other"),
            &goes,
        ),
    ];
    for (what, ask, expected) in cases {
        assert_eq!(removed(&world, &ask), *expected, "{what}");
    }
}

#[test]
fn keys_of_two_providers_in_one_place_stay_only_where_both_say_so() {
    let ask = Ask::default().and("x-api-key", "x");
    for (first, second, expected) in [
        (true, true, 0),
        (true, false, 1),
        (false, true, 1),
        (false, false, 1),
    ] {
        let world = World::of(&[api_keys("a", "a", first), api_keys("b", "b", second)]);
        assert_eq!(removed(&world, &ask).len(), expected, "{first} {second}");
    }
}
