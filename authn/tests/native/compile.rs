//! What compiling a section refuses, with the path of the field; and what it lets pass with a word.

use scopegate_authn::section::AuthenticationSection;
use scopegate_authn::{Algorithm, Authenticator, IdentitySource};
use serde_json::{Value, json};

use crate::common::{Environment, answer, compile, encode, merge, provider, public_jwk, token};

const ALG: Algorithm = Algorithm::Es256;

/// Path and code of every fault of a section with one provider, changed.
fn faults(changes: &Value) -> Vec<(String, &'static str)> {
    faults_of(&json!({"providers": [provider(&[ALG], changes)]}))
}

fn faults_of(section: &Value) -> Vec<(String, &'static str)> {
    let errors = compile(section).err().unwrap_or_default();
    for error in &errors {
        assert!(!error.help.is_empty() && !error.message.is_empty(), "{error}");
        assert!(
            !error.message.contains('\n') && !error.message.contains("::"),
            "{error}"
        );
    }
    errors.into_iter().map(|error| (error.path, error.code)).collect()
}

#[test]
fn each_fault_of_a_provider_is_named_with_its_path() {
    let jwk = public_jwk(ALG);
    let set = |keys: Value| json!({"keys": {"jwks": {"keys": keys}}});
    let key = |changes: Value| set(json!([merge(jwk.clone(), &changes)]));
    let cases = [
        (json!({"name": ""}), "providers[0].name", "invalid_value"),
        (json!({"name": "a b"}), "providers[0].name", "invalid_value"),
        (json!({"issuer": null}), "providers[0].issuer", "missing_field"),
        (json!({"issuer": ""}), "providers[0].issuer", "invalid_value"),
        (
            json!({"audiences": null}),
            "providers[0].audiences",
            "missing_field",
        ),
        (json!({"audiences": []}), "providers[0].audiences", "empty_list"),
        (
            json!({"audiences": [""]}),
            "providers[0].audiences[0]",
            "invalid_value",
        ),
        (
            json!({"audiences": ["a", "a"]}),
            "providers[0].audiences[1]",
            "duplicate",
        ),
        (
            json!({"algorithms": null}),
            "providers[0].algorithms",
            "missing_field",
        ),
        (json!({"algorithms": []}), "providers[0].algorithms", "empty_list"),
        (
            json!({"algorithms": ["ES256", "ES256"]}),
            "providers[0].algorithms[1]",
            "duplicate",
        ),
        (
            json!({"clock_skew": "301s"}),
            "providers[0].clock_skew",
            "invalid_value",
        ),
        (
            json!({"max_lifetime": "0s"}),
            "providers[0].max_lifetime",
            "invalid_value",
        ),
        (json!({"keys": null}), "providers[0].keys", "missing_field"),
        (json!({"keys": {}}), "providers[0].keys.jwks_uri", "missing_field"),
        (json!({"keys": []}), "providers[0].keys", "empty_list"),
        (
            json!({"keys": {"jwks": []}}),
            "providers[0].keys.jwks",
            "keys_invalid",
        ),
        (set(json!([])), "providers[0].keys.jwks", "keys_unusable"),
        (
            set(json!([public_jwk(Algorithm::Rs256)])),
            "providers[0].keys.jwks",
            "keys_unusable",
        ),
        (
            set(json!(vec![jwk.clone(); 101])),
            "providers[0].keys.jwks",
            "keys_invalid",
        ),
        (
            key(json!({"use": "enc"})),
            "providers[0].keys.jwks",
            "keys_unusable",
        ),
        (
            key(json!({"use": "jwt-svid"})),
            "providers[0].keys.jwks",
            "keys_unusable",
        ),
        (
            key(json!({"key_ops": ["sign"]})),
            "providers[0].keys.jwks",
            "keys_unusable",
        ),
        (
            key(json!({"key_ops": ["verify", "verify"]})),
            "providers[0].keys.jwks",
            "keys_unusable",
        ),
        (
            key(json!({"alg": "ES384"})),
            "providers[0].keys.jwks",
            "keys_unusable",
        ),
        (
            key(json!({"alg": "none"})),
            "providers[0].keys.jwks",
            "keys_unusable",
        ),
        (
            key(json!({"crv": "P-384"})),
            "providers[0].keys.jwks",
            "keys_unusable",
        ),
        (
            key(json!({"kty": "RSA"})),
            "providers[0].keys.jwks",
            "keys_unusable",
        ),
        (
            key(json!({"x": encode(&[1; 32])})),
            "providers[0].keys.jwks",
            "keys_unusable",
        ),
        (
            key(json!({"x": encode(&[1; 31])})),
            "providers[0].keys.jwks",
            "keys_unusable",
        ),
        (
            json!({"keys": {"jwks_file": "jwks.json"}}),
            "providers[0].keys.jwks_file",
            "jwks_file_unresolved",
        ),
        (
            json!({"keys": {"jwks_uri": "https://x.example"}}),
            "providers[0].keys.upstream",
            "missing_field",
        ),
        (
            json!({"keys": {"discovery": "https://x.example"}}),
            "providers[0].keys.upstream",
            "missing_field",
        ),
        (
            json!({"binding": "dpop"}),
            "providers[0].binding",
            "missing_field",
        ),
        (json!({"binding": "any"}), "providers[0].binding", "missing_field"),
        (json!({"dpop": {}}), "providers[0].dpop", "field_not_of_type"),
        (
            json!({"trust_domains": ["a"]}),
            "providers[0].trust_domains",
            "field_not_of_type",
        ),
        (
            json!({"endpoint": "https://x.example"}),
            "providers[0].endpoint",
            "field_not_of_type",
        ),
        (
            json!({"upstream": "idp"}),
            "providers[0].upstream",
            "field_not_of_type",
        ),
        (json!({"cache": "30s"}), "providers[0].cache", "field_not_of_type"),
        (
            json!({"proxy_verifies": true}),
            "providers[0].proxy_verifies",
            "field_not_of_type",
        ),
        (
            json!({"client_auth": {}}),
            "providers[0].client_auth",
            "field_not_of_type",
        ),
        (
            json!({"credential": {}}),
            "providers[0].credential",
            "invalid_value",
        ),
        (
            json!({"credential": {"header": "x", "cookie": "y"}}),
            "providers[0].credential",
            "invalid_value",
        ),
        (
            json!({"credential": {"header": "a b"}}),
            "providers[0].credential.header",
            "invalid_value",
        ),
        (
            json!({"credential": {"header": ":path"}}),
            "providers[0].credential.header",
            "invalid_value",
        ),
        (
            json!({"credential": {"header": "Cookie"}}),
            "providers[0].credential.header",
            "invalid_value",
        ),
        (
            json!({"credential": {"header": "x", "scheme": "a b"}}),
            "providers[0].credential.scheme",
            "invalid_value",
        ),
        (
            json!({"credential": {"cookie": "x", "scheme": "a"}}),
            "providers[0].credential.scheme",
            "invalid_value",
        ),
        (
            json!({"credential": {"cookie": "a;b"}}),
            "providers[0].credential.cookie",
            "invalid_value",
        ),
        (
            json!({"credential": {"query": "a&b"}}),
            "providers[0].credential.query",
            "invalid_value",
        ),
        (json!({"require": {}}), "providers[0].require", "invalid_value"),
        (
            json!({"require": {"claims": {"azp": []}}}),
            "providers[0].require.claims.azp",
            "empty_list",
        ),
        (
            json!({"require": {"claims": {"a..b": ["x"]}}}),
            "providers[0].require.claims.a..b",
            "invalid_value",
        ),
        (
            json!({"claims": {"scopes": []}}),
            "providers[0].claims.scopes",
            "empty_list",
        ),
        (
            json!({"claims": {"subject": ""}}),
            "providers[0].claims.subject",
            "invalid_value",
        ),
        (
            json!({"claims": {"roles": ["a", ".b"]}}),
            "providers[0].claims.roles[1]",
            "invalid_value",
        ),
    ];
    for (changes, path, code) in cases {
        assert_eq!(faults(&changes), [(path.to_owned(), code)], "{changes}");
    }
}

#[test]
fn each_fault_of_the_section_is_named_with_its_path() {
    let cases = [
        (json!({"realm": "a\"b"}), "realm", "invalid_value"),
        (json!({"realm": "é"}), "realm", "invalid_value"),
        (
            json!({"resource": "api.example.com"}),
            "resource",
            "invalid_value",
        ),
        (
            json!({"resource": "https://api.example.com/#x"}),
            "resource",
            "invalid_value",
        ),
        (json!({"origins": []}), "origins", "empty_list"),
        (
            json!({"origins": ["https://a.example", "https://a.example/x"]}),
            "origins[1]",
            "invalid_value",
        ),
        (json!({"providers": []}), "providers", "empty_list"),
        (
            json!({"revocation": {"tokens": []}}),
            "revocation.tokens",
            "empty_list",
        ),
        (
            json!({"identity_headers": {"subject": "Host"}}),
            "identity_headers.subject",
            "invalid_value",
        ),
        (
            json!({"identity_headers": {"subject": "x_forwarded_for"}}),
            "identity_headers.subject",
            "invalid_value",
        ),
        (
            json!({"identity_headers": {"subject": "user agent"}}),
            "identity_headers.subject",
            "invalid_value",
        ),
        (
            json!({"identity_headers": {"subject": ":path"}}),
            "identity_headers.subject",
            "invalid_value",
        ),
        (
            json!({"identity_headers": {"a": "x-a", "b": "X_A"}}),
            "identity_headers.b",
            "invalid_value",
        ),
        (
            json!({"identity_headers": {"a..b": "x-a"}}),
            "identity_headers.a..b",
            "invalid_value",
        ),
    ];
    for (section, path, code) in cases {
        assert_eq!(faults_of(&section), [(path.to_owned(), code)], "{section}");
    }
}

#[test]
fn two_providers_never_claim_one_credential() {
    let section =
        |second: Value| json!({"providers": [provider(&[ALG], &json!({})), provider(&[ALG], &second)]});
    let overlap = |second: Value| faults_of(&section(second));
    assert_eq!(
        overlap(json!({"name": "b"})),
        [("providers[1].issuer".to_owned(), "provider_overlap")]
    );
    assert_eq!(
        overlap(json!({"name": "b", "credential": {"header": "Authorization", "scheme": "bearer"}})),
        [("providers[1].issuer".to_owned(), "provider_overlap")]
    );
    assert_eq!(
        overlap(json!({"issuer": "https://b.example"})),
        [("providers[1].name".to_owned(), "duplicate")]
    );
    assert_eq!(overlap(json!({"name": "b", "issuer": "https://b.example"})), []);
    assert_eq!(
        overlap(json!({"name": "b", "credential": {"cookie": "session"}})),
        []
    );
}

#[test]
fn all_faults_are_reported_at_once() {
    let section = json!({
        "realm": "\"",
        "providers": [
            {"name": "a", "type": "jwt"},
            {"name": "b", "type": "mtls"},
        ],
    });
    let paths: Vec<String> = faults_of(&section).into_iter().map(|(path, _)| path).collect();
    let expected = [
        "realm",
        "providers[0].issuer",
        "providers[0].audiences",
        "providers[0].algorithms",
        "providers[0].keys",
        "providers[1].trust_domains",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn an_unusable_key_is_skipped_and_named() {
    let good = public_jwk(ALG);
    let keys = json!([{"kty": "AKP", "alg": "ML-DSA-44", "pub": ""}, good, {"kty": "RSA"}, 7]);
    let provider = provider(&[ALG], &json!({"keys": {"jwks": {"keys": keys}}}));
    let (authenticator, notices) = compile(&json!({"providers": [provider]})).expect("one key is enough");
    let named: Vec<(&str, &str)> = notices
        .iter()
        .map(|notice| (notice.code, notice.path.as_str()))
        .collect();
    let path = |index: usize| format!("providers[0].keys.jwks.keys[{index}]");
    assert_eq!(
        named,
        [
            ("key_skipped", &*path(0)),
            ("key_skipped", &*path(2)),
            ("key_skipped", &*path(3))
        ]
    );
    assert_eq!(
        answer(&authenticator, &token(ALG, &json!({}))),
        Ok("anna".to_owned())
    );
}

#[test]
fn what_is_unwise_is_noticed() {
    let notices = |algorithm: Algorithm, changes: Value| -> Vec<&'static str> {
        let section = json!({"providers": [provider(&[algorithm], &changes)]});
        compile(&section)
            .expect("no faults")
            .1
            .into_iter()
            .map(|notice| notice.code)
            .collect()
    };
    assert_eq!(notices(ALG, json!({})), [""; 0]);
    assert_eq!(notices(Algorithm::Hs256, json!({})), ["key_secret_inline"]);
    let private = json!({"keys": {"jwks": {"keys": [crate::common::private_jwk(ALG)]}}});
    assert_eq!(notices(ALG, private), ["key_private"]);
    let three = merge(public_jwk(Algorithm::Rs256), &json!({"e": "Aw"}));
    assert_eq!(
        notices(Algorithm::Rs256, json!({"keys": {"jwks": {"keys": [three]}}})),
        ["key_small_exponent"]
    );
    assert_eq!(
        notices(ALG, json!({"credential": {"query": "access_token"}})),
        ["credential_in_query"]
    );
}

#[test]
fn rsa_keys_have_a_size_and_an_exponent_that_are_safe() {
    let rsa = |changes: Value| {
        let key = merge(public_jwk(Algorithm::Rs256), &changes);
        faults_of(
            &json!({"providers": [provider(&[Algorithm::Rs256], &json!({"keys": {"jwks": {"keys": [key]}}}))]}),
        )
    };
    let modulus = |bytes: usize| encode(&vec![0xff; bytes]);
    for good in [
        json!({}),
        json!({"e": "Aw"}),
        json!({"e": "_____w"}),
        json!({"n": modulus(256)}),
        json!({"n": modulus(1024)}),
    ] {
        assert_eq!(rsa(good.clone()), [], "{good}");
    }
    let bad = [
        json!({"e": "AQ"}),
        json!({"e": "AA"}),
        json!({"e": ""}),
        json!({"e": "BA"}),
        json!({"e": "AQAAAAE"}),
        json!({"e": "AAEAAQ"}),
        json!({"n": modulus(255)}),
        json!({"n": modulus(1025)}),
        json!({"n": encode(&[0xfe; 256])}),
        json!({"n": encode(&[&[0][..], &[0xff; 256]].concat())}),
        json!({"n": 5}),
        json!({"e": null}),
    ];
    for changes in bad {
        assert_eq!(
            rsa(changes.clone()),
            [("providers[0].keys.jwks".to_owned(), "keys_unusable")],
            "{changes}"
        );
    }
}

#[test]
fn secrets_come_from_the_environment_and_are_never_shown() {
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let environment = |value: &str| Environment([("HMAC", value.to_owned())].into());
    let compile = |entry: Value, environment: &Environment| {
        let changes = json!({"algorithms": ["HS256"], "keys": [entry]});
        let section: AuthenticationSection =
            serde_json::from_value(json!({"providers": [provider(&[ALG], &changes)]})).expect("a section");
        Authenticator::compile(&section, environment).map_err(|errors| {
            let errors: Vec<String> = errors
                .iter()
                .map(|error| format!("{} {}", error.code, error.path))
                .collect();
            errors.join(", ")
        })
    };
    let entry = json!({"kid": "hs256", "alg": "HS256", "secret": {"env": "HMAC"}});
    let (authenticator, notices) = compile(entry.clone(), &environment(secret)).expect("no faults");
    assert!(notices.is_empty());
    assert_eq!(
        answer(&authenticator, &token(Algorithm::Hs256, &json!({}))),
        Ok("anna".to_owned())
    );
    assert!(
        !format!("{authenticator:?}").contains("AyM1") && !format!("{authenticator:?}").contains("3, 35, 53")
    );

    let fault = |entry: Value, value: &str| compile(entry, &environment(value)).map(|_| ()).unwrap_err();
    assert_eq!(
        fault(entry.clone(), "c2hvcnQ"),
        "secret_weak providers[0].keys[0].secret"
    );
    assert_eq!(
        fault(entry.clone(), "not base64"),
        "secret_malformed providers[0].keys[0].secret.env"
    );
    let absent = merge(entry.clone(), &json!({"secret": {"env": "OTHER"}}));
    assert_eq!(
        fault(absent, secret),
        "secret_missing providers[0].keys[0].secret.env"
    );
    let cases = [
        (json!({"alg": null}), "missing_field providers[0].keys[0].alg"),
        (
            json!({"secret": null}),
            "missing_field providers[0].keys[0].secret",
        ),
        (json!({"alg": "ES256"}), "invalid_value providers[0].keys[0].alg"),
        (json!({"alg": "HS512"}), "invalid_value providers[0].keys[0].alg"),
        (
            json!({"sha256": "00"}),
            "field_not_of_type providers[0].keys[0].sha256",
        ),
    ];
    for (changes, expected) in cases {
        assert_eq!(
            fault(merge(entry.clone(), &changes), secret),
            expected,
            "{changes}"
        );
    }
}

#[test]
fn an_inline_secret_is_never_shown() {
    let section = json!({"providers": [provider(&[Algorithm::Hs256], &json!({}))]});
    let typed: AuthenticationSection = serde_json::from_value(section).expect("a section");
    assert!(!format!("{typed:?}").contains("AyM1"), "{typed:?}");
}

#[test]
fn a_set_that_mixes_secrets_and_public_keys_is_refused() {
    let keys = json!([public_jwk(Algorithm::Hs256), public_jwk(ALG)]);
    let changes = json!({"algorithms": ["HS256", "ES256"], "keys": {"jwks": {"keys": keys}}});
    assert_eq!(
        faults(&changes),
        [("providers[0].keys.jwks".to_owned(), "keys_invalid")]
    );
}

#[test]
fn identity_headers_are_compiled_in_lower_case() {
    let headers = json!({"subject": "X-Auth-Subject", "scopes": "x-scopes", "realm.level": "x-level"});
    let (authenticator, _) = compile(&json!({"identity_headers": headers})).expect("no faults");
    let compiled: Vec<(&str, bool)> = authenticator
        .identity_headers()
        .iter()
        .map(|header| {
            (
                header.name.as_str(),
                matches!(header.source, IdentitySource::Claim(_)),
            )
        })
        .collect();
    assert_eq!(
        compiled,
        [("x-level", true), ("x-scopes", false), ("x-auth-subject", false)]
    );
}

#[test]
fn an_identity_header_never_holds_a_credential() {
    let provider = provider(&[ALG], &json!({"credential": {"header": "x-token"}}));
    let section = json!({"providers": [provider], "identity_headers": {"subject": "X_Token"}});
    assert_eq!(
        faults_of(&section),
        [("identity_headers.subject".to_owned(), "invalid_value")]
    );
}

#[test]
fn what_the_section_says_of_the_api_can_be_asked_for() {
    let section = json!({
        "realm": "orders", "resource": "https://api.example.com/orders", "origins": ["https://api.example.com"],
        "providers": [provider(&[ALG], &json!({}))],
    });
    let (authenticator, _) = compile(&section).expect("no faults");
    assert_eq!(authenticator.realm(), Some("orders"));
    assert_eq!(authenticator.resource(), Some("https://api.example.com/orders"));
    assert_eq!(authenticator.origins(), ["https://api.example.com"]);
    let providers = authenticator.providers();
    assert!(providers.len() == 1 && providers[0].name == "corp" && providers[0].carries_scopes);
}

#[test]
fn unknown_fields_and_words_are_errors_that_say_so() {
    let read = |section: Value| serde_json::from_value::<AuthenticationSection>(section).map(|_| ());
    let cases = [
        json!({"relam": "x"}),
        json!({"providers": [{"name": "a", "type": "oidc"}]}),
        json!({"providers": [{"name": "a", "type": "jwt", "algorithms": ["none"]}]}),
        json!({"providers": [{"name": "a", "type": "jwt", "keys": "x"}]}),
        json!({"providers": [{"name": "a", "type": "jwt", "keys": {"jwk": {}}}]}),
        json!({"providers": [{"name": "a", "type": "jwt", "keys": [{"secret": "inline"}]}]}),
        json!({"providers": [{"name": "a", "type": "jwt", "max_lifetime": "forever"}]}),
        json!({"providers": [{"name": "a", "type": "jwt", "clock_skew": 30}]}),
        json!({"providers": [{"name": "a", "type": "jwt", "require": {"claims": {"azp": {"in": []}}}}]}),
        json!({"providers": [{"name": "a", "type": "jwt", "require": {"claims": {"azp": [["x"]]}}}]}),
    ];
    for section in cases {
        let error = read(section.clone()).expect_err("an error").to_string();
        for name_of_ours in [
            "RequiredValues",
            "Scalar",
            "MaxLifetime",
            "KeySource",
            "KeyEntry",
            "untagged",
        ] {
            assert!(!error.contains(name_of_ours), "{error}");
        }
    }
}

#[test]
fn without_providers_nobody_is_verified() {
    let (authenticator, _) = compile(&json!({})).expect("no faults");
    assert_eq!(
        answer(&authenticator, &token(ALG, &json!({}))),
        Err("credential_missing")
    );
}

#[test]
fn the_schema_describes_every_field() {
    let schema = serde_json::to_value(schemars::schema_for!(AuthenticationSection)).expect("a schema");
    let mut missing = Vec::new();
    let definitions = schema["$defs"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, it)| (name.as_str(), it));
    for (name, definition) in definitions.chain([("AuthenticationSection", &schema)]) {
        for (field, property) in definition["properties"].as_object().into_iter().flatten() {
            if property["description"].as_str().is_none_or(str::is_empty) {
                missing.push(format!("{name}.{field}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}
