//! The profiles: what each asks for beyond a plain JWT, and that they exclude each other.

use scopegate_authn::Algorithm;
use serde_json::{Value, json};

use crate::common::{NOW, answer, authenticator, claims, header_with, provider, public_jwk, token_with};

const ALG: Algorithm = Algorithm::Es256;

#[test]
fn rfc9068_wants_its_type_and_its_claims() {
    let authenticator = authenticator(&[provider(&[ALG], &json!({"profile": "rfc9068"}))]);
    let token = |header: Value, changes: Value| {
        let mut claims = claims(&json!({"client_id": "web", "jti": "1"}));
        for (name, value) in changes.as_object().expect("changes") {
            match value {
                Value::Null => drop(claims.as_object_mut().expect("claims").remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        token_with(ALG, &header_with(ALG, &header), &claims)
    };
    let typed = || json!({"typ": "at+jwt"});
    let cases = [
        (typed(), json!({}), Ok("anna".to_owned())),
        (
            json!({"typ": "application/at+jwt"}),
            json!({}),
            Ok("anna".to_owned()),
        ),
        (json!({"typ": "AT+JWT"}), json!({}), Ok("anna".to_owned())),
        (json!({"typ": "JWT"}), json!({}), Err("type_mismatch")),
        (json!({"typ": null}), json!({}), Err("type_mismatch")),
        (typed(), json!({"sub": null}), Err("claim_missing")),
        (typed(), json!({"client_id": null}), Err("claim_missing")),
        (typed(), json!({"jti": null}), Err("claim_missing")),
        (typed(), json!({"iat": null}), Err("claim_missing")),
        (typed(), json!({"exp": null}), Err("claim_missing")),
        (typed(), json!({"aud": null}), Err("audience_mismatch")),
        (typed(), json!({"iss": null}), Err("issuer_unknown")),
        (typed(), json!({"client_id": 1}), Err("claim_mismatch")),
        (typed(), json!({"jti": 1}), Err("claim_mismatch")),
    ];
    for (header, changes, expected) in cases {
        assert_eq!(
            answer(&authenticator, &token(header.clone(), changes.clone())),
            expected,
            "{header} {changes}"
        );
    }
}

fn mesh() -> Value {
    let mut key = public_jwk(ALG);
    key["use"] = json!("jwt-svid");
    json!({
        "name": "mesh", "profile": "spiffe", "issuer": null, "trust_domains": ["prod.example.com"],
        "keys": {"jwks": {"keys": [key]}},
    })
}

#[test]
fn spiffe_wants_a_workload_of_the_trust_domain_and_a_bare_header() {
    let authenticator = authenticator(&[provider(&[ALG], &mesh())]);
    let id = "spiffe://prod.example.com/api";
    let token = |header: &Value, changes: &Value| {
        token_with(
            ALG,
            &header_with(ALG, header),
            &claims(&crate::common::changes(&json!({"iss": null}), changes)),
        )
    };
    let cases = [
        (json!({}), json!({"sub": id, "iss": null}), Ok(id.to_owned())),
        (json!({"typ": null}), json!({"sub": id}), Ok(id.to_owned())),
        (json!({"typ": "JOSE"}), json!({"sub": id}), Ok(id.to_owned())),
        (json!({"typ": "at+jwt"}), json!({"sub": id}), Err("type_mismatch")),
        (
            json!({"jku": "https://x.example"}),
            json!({"sub": id}),
            Err("type_mismatch"),
        ),
        (
            json!({}),
            json!({"sub": "spiffe://prod.example.com"}),
            Err("claim_mismatch"),
        ),
        (
            json!({}),
            json!({"sub": "spiffe://prod.example.com//x"}),
            Err("claim_mismatch"),
        ),
        (
            json!({}),
            json!({"sub": "spiffe://prod.example.com.evil/x"}),
            Err("issuer_unknown"),
        ),
        (
            json!({}),
            json!({"sub": "spiffe://PROD.example.com/x"}),
            Err("issuer_unknown"),
        ),
        (json!({}), json!({"sub": "anna"}), Err("issuer_unknown")),
        (
            json!({}),
            json!({"sub": id, "aud": "other"}),
            Err("audience_mismatch"),
        ),
        (
            json!({}),
            json!({"sub": id, "exp": NOW - 60}),
            Err("token_expired"),
        ),
    ];
    for (header, changes, expected) in cases {
        assert_eq!(
            answer(&authenticator, &token(&header, &changes)),
            expected,
            "{header} {changes}"
        );
    }
}

#[test]
fn of_a_spiffe_bundle_only_the_keys_for_jwt_svids_are_read() {
    let key = |algorithm: Algorithm, changes: &Value| crate::common::merge(public_jwk(algorithm), changes);
    let svid = json!({"use": "jwt-svid"});
    let ca =
        json!({"use": "x509-svid", "kid": null, "x5c": ["MIIBzDCCAVOgAwIBAgIJAJM4DhRH0vmuMAoGCCqGSM49"]});
    let bundle = json!({
        "keys": [key(ALG, &ca), key(Algorithm::Rs256, &svid), key(Algorithm::Es512, &json!({})), key(ALG, &ca)],
        "spiffe_sequence": 42,
        "spiffe_refresh_hint": 300,
    });
    let mut mesh = mesh();
    mesh["keys"]["jwks"] = bundle;
    let algorithms = [ALG, Algorithm::Rs256, Algorithm::Es512];
    let authenticator = authenticator(&[provider(&algorithms, &mesh)]);
    let id = "spiffe://prod.example.com/api";
    let signed_by = |algorithm: Algorithm| {
        let claims = claims(&json!({"iss": null, "sub": id}));
        answer(
            &authenticator,
            &token_with(algorithm, &header_with(algorithm, &json!({})), &claims),
        )
    };
    assert_eq!(signed_by(Algorithm::Rs256), Ok(id.to_owned()));
    assert_eq!(signed_by(ALG), Err("key_not_found"));
    assert_eq!(signed_by(Algorithm::Es512), Err("key_not_found"));
}

#[test]
fn an_issuer_is_asked_before_a_trust_domain_and_neither_for_the_other() {
    let authenticator = authenticator(&[provider(&[ALG], &mesh()), provider(&[ALG], &json!({}))]);
    let id = "spiffe://prod.example.com/api";
    let caller = |changes: &Value| {
        let token = token_with(ALG, &header_with(ALG, &json!({})), &claims(changes));
        crate::common::present(&authenticator, &token).map(|caller| caller.provider().to_owned())
    };
    let scoped = caller(&json!({"sub": id, "scope": "read"}));
    assert_eq!(scoped.ok().as_deref(), Some("corp"));
    let bare = caller(&json!({"sub": id})).map_err(|rejection| rejection.reason.code());
    assert_eq!(bare, Err("type_mismatch"));
    assert_eq!(
        caller(&json!({"sub": id, "iss": null})).ok().as_deref(),
        Some("mesh")
    );
    let unknown = caller(&json!({"sub": "anna", "iss": "https://other.example"}));
    assert_eq!(
        unknown.map_err(|rejection| rejection.reason.code()),
        Err("issuer_unknown")
    );
}

/// What the access tokens of common issuers say, beside the claims that every token has here.
fn access_tokens() -> Vec<(&'static str, Value, Value)> {
    let jwt = || json!({});
    vec![
        ("a token that says nothing of its kind", jwt(), json!({})),
        (
            "Auth0",
            jwt(),
            json!({"azp": "web", "scope": "openid orders:read", "gty": "client-credentials"}),
        ),
        (
            "Entra v1",
            jwt(),
            json!({"aio": "x", "appid": "a", "oid": "o", "scp": "read", "tid": "t", "uti": "u", "ver": "1.0"}),
        ),
        (
            "Entra v2, an application",
            jwt(),
            json!({"azp": "a", "oid": "o", "roles": ["Orders.Read"], "idtyp": "app", "ver": "2.0"}),
        ),
        (
            "Keycloak",
            jwt(),
            json!({"typ": "Bearer", "azp": "web", "sid": "s", "scope": "openid", "acr": "1", "jti": "1"}),
        ),
        (
            "Keycloak before 25, with the nonce",
            jwt(),
            json!({"typ": "Bearer", "nonce": "n", "azp": "web", "session_state": "s"}),
        ),
        (
            "PingAM, with the nonce",
            jwt(),
            json!({"tokenName": "access_token", "token_type": "Bearer", "nonce": "n", "scope": ["read"]}),
        ),
        (
            "Okta",
            jwt(),
            json!({"ver": 1, "cid": "c", "uid": "u", "scp": ["read"], "auth_time": 1}),
        ),
        (
            "Cognito",
            jwt(),
            json!({"token_use": "access", "client_id": "c", "scope": "read"}),
        ),
        (
            "a Google service account",
            jwt(),
            json!({"azp": "1", "email": "a@b.example", "email_verified": true}),
        ),
        (
            "events of its own",
            jwt(),
            json!({"events": {"created": true}, "scope": "read"}),
        ),
        ("a type of its own", jwt(), json!({"typ": "user"})),
        (
            "a workload with scopes",
            jwt(),
            json!({"sub": "spiffe://prod.example.com/api", "scope": "read"}),
        ),
        (
            "an explicit type decides",
            json!({"typ": "at+jwt"}),
            json!({"nonce": "n", "at_hash": "h"}),
        ),
    ]
}

/// What tokens of other kinds say.
fn other_tokens() -> Vec<(&'static str, Value, Value)> {
    let jwt = || json!({});
    let logout = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    vec![
        ("an ID token by its nonce", jwt(), json!({"nonce": "n"})),
        (
            "an ID token without a type",
            json!({"typ": null}),
            json!({"nonce": "n"}),
        ),
        ("an ID token by at_hash", jwt(), json!({"at_hash": "h"})),
        ("an ID token by c_hash", jwt(), json!({"c_hash": "h"})),
        ("an ID token by s_hash", jwt(), json!({"s_hash": "h"})),
        (
            "at_hash beside scopes",
            jwt(),
            json!({"at_hash": "h", "scope": "openid"}),
        ),
        (
            "an ID token of Keycloak",
            jwt(),
            json!({"typ": "ID", "azp": "web", "scope": "openid"}),
        ),
        (
            "a refresh token of Keycloak",
            jwt(),
            json!({"typ": "Refresh", "scope": "openid"}),
        ),
        (
            "an offline token of Keycloak",
            jwt(),
            json!({"typ": "Offline", "scope": "openid"}),
        ),
        ("an ID token of Cognito", jwt(), json!({"token_use": "id"})),
        ("an ID token of PingAM", jwt(), json!({"tokenName": "id_token"})),
        ("an ID token by its header", json!({"typ": "id_token"}), json!({})),
        (
            "a logout token by its events",
            jwt(),
            json!({"events": logout, "sid": "s"}),
        ),
        (
            "a logout token by its type",
            json!({"typ": "logout+jwt"}),
            json!({}),
        ),
        (
            "a security event",
            jwt(),
            json!({"events": {"urn:example:created": {}}, "scope": "read"}),
        ),
        (
            "an answer of introspection",
            jwt(),
            json!({"token_introspection": {"active": true}}),
        ),
        (
            "an answer by its type",
            json!({"typ": "token-introspection+jwt"}),
            json!({}),
        ),
        (
            "a JWT-SVID",
            jwt(),
            json!({"sub": "spiffe://prod.example.com/api"}),
        ),
        ("a proof", json!({"typ": "dpop+jwt"}), json!({})),
    ]
}

#[test]
fn jwt_takes_access_tokens_and_no_other_kind() {
    let authenticator = authenticator(&[provider(&[ALG], &json!({}))]);
    let answer_to = |header: &Value, changes: &Value| {
        answer(
            &authenticator,
            &token_with(ALG, &header_with(ALG, header), &claims(changes)),
        )
    };
    for (name, header, changes) in access_tokens() {
        let subject = changes["sub"].as_str().unwrap_or("anna").to_owned();
        assert_eq!(answer_to(&header, &changes), Ok(subject), "{name}");
    }
    for (name, header, changes) in other_tokens() {
        assert_eq!(answer_to(&header, &changes), Err("type_mismatch"), "{name}");
    }
}

#[test]
fn an_id_token_is_a_credential_only_where_the_policy_says_so() {
    let authenticator = authenticator(&[provider(
        &[ALG],
        &json!({"profile": "id_token", "audiences": ["web"]}),
    )]);
    let none = || json!({});
    let cases = [
        (
            none(),
            json!({"nonce": "n", "at_hash": "h"}),
            Ok("anna".to_owned()),
        ),
        (json!({"typ": null}), json!({}), Ok("anna".to_owned())),
        (none(), json!({"typ": "ID"}), Ok("anna".to_owned())),
        (none(), json!({"token_use": "id"}), Ok("anna".to_owned())),
        (
            none(),
            json!({"aud": "https://api.example.com"}),
            Err("audience_mismatch"),
        ),
        (none(), json!({"sub": null}), Err("claim_missing")),
        (none(), json!({"sub": 7}), Err("claim_mismatch")),
        (none(), json!({"iat": null}), Err("claim_missing")),
        (json!({"typ": "at+jwt"}), json!({}), Err("type_mismatch")),
        (none(), json!({"typ": "Bearer"}), Err("type_mismatch")),
        (none(), json!({"token_use": "access"}), Err("type_mismatch")),
        (none(), json!({"typ": "Refresh"}), Err("type_mismatch")),
        (
            none(),
            json!({"events": {"urn:example:logout": {}}}),
            Err("type_mismatch"),
        ),
    ];
    for (header, changes, expected) in cases {
        let claims = claims(&crate::common::changes(&json!({"aud": "web"}), &changes));
        let token = token_with(ALG, &header_with(ALG, &header), &claims);
        assert_eq!(answer(&authenticator, &token), expected, "{header} {changes}");
    }
}

#[test]
fn kubernetes_wants_the_claims_of_a_bound_token_to_agree() {
    let authenticator = authenticator(&[provider(&[ALG], &json!({"profile": "kubernetes"}))]);
    let subject = "system:serviceaccount:shop:orders";
    let account = || json!({"name": "orders", "uid": "8c1b"});
    let bound = |changes: Value| {
        let pod = json!({"name": "orders-7f", "uid": "11aa"});
        let node = json!({"name": "node-1", "uid": "22bb"});
        let base = json!({
            "namespace": "shop", "serviceaccount": account(), "pod": pod, "node": node, "warnafter": NOW + 60,
        });
        json!({"kubernetes.io": crate::common::merge(base, &changes)})
    };
    let good = || Ok(subject.to_owned());
    let cases = [
        (bound(json!({})), good()),
        (
            bound(json!({"pod": null, "node": null, "warnafter": null})),
            good(),
        ),
        (bound(json!({"node": {"name": "node-1"}})), good()),
        (bound(json!({"secret": {"name": "s", "uid": "1"}})), good()),
        (json!({}), Err("claim_missing")),
        (
            json!({"kubernetes.io/serviceaccount/namespace": "shop"}),
            Err("claim_missing"),
        ),
        (json!({"kubernetes.io": "shop"}), Err("claim_mismatch")),
        (bound(json!({"namespace": null})), Err("claim_missing")),
        (bound(json!({"namespace": "other"})), Err("claim_mismatch")),
        (bound(json!({"namespace": 1})), Err("claim_mismatch")),
        (bound(json!({"serviceaccount": null})), Err("claim_missing")),
        (bound(json!({"serviceaccount": "orders"})), Err("claim_mismatch")),
        (
            bound(json!({"serviceaccount": {"uid": "1"}})),
            Err("claim_missing"),
        ),
        (
            bound(json!({"serviceaccount": {"name": "orders"}})),
            Err("claim_missing"),
        ),
        (
            bound(json!({"serviceaccount": {"name": "other", "uid": "1"}})),
            Err("claim_mismatch"),
        ),
        (
            bound(json!({"serviceaccount": {"name": "orders", "uid": ""}})),
            Err("claim_mismatch"),
        ),
        (bound(json!({"pod": "orders-7f"})), Err("claim_mismatch")),
        (bound(json!({"pod": {"uid": "1"}})), Err("claim_missing")),
        (
            bound(json!({"node": {"name": "n", "uid": 1}})),
            Err("claim_mismatch"),
        ),
        (bound(json!({"secret": []})), Err("claim_mismatch")),
        (bound(json!({"warnafter": "soon"})), Err("claim_mismatch")),
    ];
    for (changes, expected) in cases {
        let claims = claims(&crate::common::changes(&json!({"sub": subject}), &changes));
        let token = token_with(ALG, &header_with(ALG, &json!({"typ": null})), &claims);
        assert_eq!(answer(&authenticator, &token), expected, "{changes}");
    }
    for other in [
        "anna",
        "system:serviceaccount:shop",
        "system:serviceaccount::orders",
        "system:serviceaccount:shop:",
        "system:serviceaccount:shop:orders:x",
        "system:serviceaccount:orders:shop",
        "System:serviceaccount:shop:orders",
    ] {
        let claims = claims(&crate::common::changes(&bound(json!({})), &json!({"sub": other})));
        let token = token_with(ALG, &header_with(ALG, &json!({})), &claims);
        assert_eq!(answer(&authenticator, &token), Err("claim_mismatch"), "{other}");
    }
    let typed = token_with(
        ALG,
        &header_with(ALG, &json!({"typ": "at+jwt"})),
        &claims(&crate::common::changes(
            &bound(json!({})),
            &json!({"sub": subject}),
        )),
    );
    assert_eq!(answer(&authenticator, &typed), Err("type_mismatch"));
}
