use scopegate_document::UnixTime;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::answer::{self, Active};
use super::request::{check_form, request};
use super::{IntrospectionRules, authorization_of_client};
use crate::claim_path::ClaimPath;
use crate::endpoint::Endpoint;
use crate::provider::Mapping;
use crate::{Reject, limits};

const NOW: i64 = 1_795_338_000;
const AUDIENCE: &str = "https://api.example.com/orders";

fn rules() -> IntrospectionRules {
    let claim = |name| ClaimPath::parse(name).expect("a claim name");
    IntrospectionRules {
        endpoint: Endpoint::parse("https://IDP.example.com:8443/introspect?tenant=a").expect("a URL"),
        upstream: "idp".to_owned(),
        authorization: Zeroizing::new("Bearer of-this-api".to_owned()),
        issuer: None,
        audiences: vec![AUDIENCE.to_owned()],
        cache: 30,
        clock_skew: 30,
        required: Vec::new(),
        mapping: Mapping {
            scopes: Vec::new(),
            roles: Vec::new(),
            subject: claim("sub"),
            client: claim("client_id"),
            tenant: None,
        },
    }
}

/// The answer of an active token with `changes`; `null` removes a member.
fn document(changes: &Value) -> Value {
    let mut answer = json!({
        "active": true, "aud": AUDIENCE, "sub": "anna", "client_id": "web", "scope": "a b", "token_type": "Bearer",
        "iat": NOW - 60, "exp": NOW + 300,
    });
    let members = answer.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        match value.is_null() {
            true => members.remove(name),
            false => members.insert(name.clone(), value.clone()),
        };
    }
    answer
}

fn read(rules: &IntrospectionRules, body: &[u8]) -> Result<Active, Reject> {
    answer::read(rules, 200, Some(b"application/json"), body, UnixTime(NOW))
}

fn read_changed(rules: &IntrospectionRules, changes: &Value) -> Result<(), Reject> {
    read(rules, document(changes).to_string().as_bytes()).map(|_| ())
}

#[test]
fn the_question_carries_the_token_and_who_asks() {
    let asked = request(&rules(), b"aZ09-._~+/==").expect("a token");
    let place = (asked.scheme, asked.authority.as_str(), asked.path.as_str());
    assert_eq!(place, ("https", "idp.example.com:8443", "/introspect?tenant=a"));
    let headers: Vec<(&str, &str)> = asked
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let expected = [
        ("accept", "application/json"),
        ("authorization", "Bearer of-this-api"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    assert_eq!(headers, expected);
    let body = String::from_utf8(asked.body).expect("a form");
    assert_eq!(body, "token_type_hint=access_token&token=aZ09-._%7E%2B%2F%3D%3D");
}

#[test]
fn nobody_is_asked_about_what_is_no_token() {
    let longest = vec![b'a'; limits::TOKEN_BYTES];
    let longer = vec![b'a'; limits::TOKEN_BYTES + 1];
    let cases: &[(&[u8], Result<(), Reject>)] = &[
        (b"a", Ok(())),
        (b"a.b.c.d", Ok(())),
        (b"a==========", Ok(())),
        (&longest, Ok(())),
        (&longer, Err(Reject::TokenTooLarge)),
        (b"", Err(Reject::TokenMalformed)),
        (b"=", Err(Reject::TokenMalformed)),
        (b"a=b", Err(Reject::TokenMalformed)),
        (b"a b", Err(Reject::TokenMalformed)),
        (b"a&token=b", Err(Reject::TokenMalformed)),
        (b"a%26", Err(Reject::TokenMalformed)),
        (b"a,b", Err(Reject::TokenMalformed)),
        (b"a\"", Err(Reject::TokenMalformed)),
        (b"a\r\nx: y", Err(Reject::TokenMalformed)),
        (b"a\0", Err(Reject::TokenMalformed)),
        ("\u{e9}".as_bytes(), Err(Reject::TokenMalformed)),
        (b"\xff", Err(Reject::TokenMalformed)),
    ];
    for (token, expected) in cases {
        assert_eq!(check_form(token), *expected, "{}", token.escape_ascii());
        assert_eq!(
            request(&rules(), token).map(|_| ()),
            *expected,
            "{}",
            token.escape_ascii()
        );
    }
}

#[test]
fn a_clients_credentials_are_form_fields_before_they_are_joined() {
    let cases = [
        ("s6BhdRkqt3", "gX1fBat3bV", "s6BhdRkqt3:gX1fBat3bV"),
        ("a:b", "c:d", "a%3Ab:c%3Ad"),
        ("orders", "p+/=% \u{e9}", "orders:p%2B%2F%3D%25%20%C3%A9"),
    ];
    for (id, secret, pair) in cases {
        let expected = format!("Basic {}", base64_simd::STANDARD.encode_to_string(pair));
        assert_eq!(*authorization_of_client(id, secret), expected, "{pair}");
    }
    // The example of RFC 6749 section 2.3.1.
    let example = authorization_of_client("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw");
    assert_eq!(*example, "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3");
}

#[test]
fn nothing_secret_is_shown() {
    let rules = rules();
    let asked = request(&rules, b"opaque-token").expect("a token");
    let shown = format!("{rules:?} {asked:?}");
    assert!(
        !shown.contains("of-this-api") && !shown.contains("opaque-token"),
        "{shown}"
    );
}

#[test]
fn only_true_is_active() {
    let rules = rules();
    assert_eq!(read_changed(&rules, &json!({})), Ok(()));
    for inactive in [
        json!(false),
        json!("true"),
        json!(1),
        json!([true]),
        json!({"active": true}),
    ] {
        let answer = read_changed(&rules, &json!({"active": inactive}));
        assert_eq!(answer, Err(Reject::TokenInactive), "{inactive}");
    }
    for body in [
        r#"{"active":null}"#,
        "{}",
        r#"{"Active":true}"#,
        r#"{"active":false,"exp":"x"}"#,
    ] {
        assert_eq!(
            read(&rules, body.as_bytes()),
            Err(Reject::TokenInactive),
            "{body}"
        );
    }
}

#[test]
fn what_is_no_answer_is_an_outage_and_no_verdict() {
    let rules = rules();
    let good = document(&json!({})).to_string();
    let json_type: Option<&[u8]> = Some(b"application/json");
    let doubled = good.replace(r#""active":true"#, r#""active":false,"active":true"#);
    assert_ne!(doubled, good);
    let long = format!("{good}{}", " ".repeat(limits::DOCUMENT_BYTES));
    let cases: &[(u16, Option<&[u8]>, &str, bool)] = &[
        (200, json_type, &good, true),
        (200, Some(b"Application/JSON; charset=utf-8"), &good, true),
        (200, Some(b" application/json ;x"), &good, true),
        (200, None, &good, false),
        (200, Some(b""), &good, false),
        (200, Some(b"text/html"), &good, false),
        (200, Some(b"application/jsonp"), &good, false),
        (200, Some(b"application/json, text/html"), &good, false),
        (200, Some(b"application/token-introspection+jwt"), &good, false),
        (200, Some(b"\xff"), &good, false),
        (201, json_type, &good, false),
        (204, json_type, "", false),
        (302, json_type, &good, false),
        (400, json_type, r#"{"error":"invalid_request"}"#, false),
        (401, json_type, r#"{"error":"invalid_client"}"#, false),
        (500, json_type, &good, false),
        (0, json_type, &good, false),
        (200, json_type, "", false),
        (200, json_type, "true", false),
        (200, json_type, r#"[{"active":true}]"#, false),
        (200, json_type, r#"{"active":true"#, false),
        (200, json_type, &doubled, false),
        (200, json_type, &long, false),
    ];
    for (status, content_type, body, is_answer) in cases {
        let read = answer::read(&rules, *status, *content_type, body.as_bytes(), UnixTime(NOW)).map(|_| ());
        let expected = match is_answer {
            true => Ok(()),
            false => Err(Reject::IntrospectionUnavailable),
        };
        let shown = content_type.map(|text| text.escape_ascii().to_string());
        let start: String = body.chars().take(60).collect();
        assert_eq!(read, expected, "{status} {shown:?} {start}");
    }
}

#[test]
fn what_an_answer_says_must_hold_here_and_now() {
    let rules = rules();
    let mismatch = Err(Reject::ClaimMismatch);
    let cases = [
        (json!({"iat": null, "exp": null, "token_type": null}), Ok(())),
        (json!({"aud": ["x", AUDIENCE]}), Ok(())),
        (json!({"aud": null}), Err(Reject::AudienceMismatch)),
        (
            json!({"aud": "https://api.example.com/orders/"}),
            Err(Reject::AudienceMismatch),
        ),
        (json!({"aud": []}), Err(Reject::AudienceMismatch)),
        (json!({"aud": [AUDIENCE, 7]}), Err(Reject::AudienceMismatch)),
        (json!({"aud": {"0": AUDIENCE}}), Err(Reject::AudienceMismatch)),
        (json!({"exp": NOW - 29}), Ok(())),
        (json!({"exp": NOW - 30}), Err(Reject::TokenExpired)),
        (json!({"exp": 0}), Err(Reject::TokenExpired)),
        (
            json!({"exp": NOW - 30, "aud": "x"}),
            Err(Reject::AudienceMismatch),
        ),
        (json!({"exp": "soon"}), mismatch),
        (json!({"nbf": NOW + 30}), Ok(())),
        (json!({"nbf": NOW + 31}), Err(Reject::TokenNotYetValid)),
        (json!({"nbf": "now"}), mismatch),
        (json!({"iat": NOW + 31}), Err(Reject::TokenNotYetValid)),
        (json!({"iat": true}), mismatch),
        (json!({"jti": "t"}), Ok(())),
        (json!({"jti": 7}), mismatch),
        (json!({"token_type": "bearer"}), Ok(())),
        (json!({"token_type": "access_token"}), Ok(())),
        (json!({"token_type": "refresh_token"}), Err(Reject::TypeMismatch)),
        (json!({"token_type": "mac"}), Err(Reject::TypeMismatch)),
        (json!({"token_type": 1}), mismatch),
        (json!({"token_use": "access_token"}), Ok(())),
        (json!({"token_use": "refresh_token"}), Err(Reject::TypeMismatch)),
        (json!({"token_type": "DPoP", "cnf": {"jkt": "x"}}), Ok(())),
        (json!({"token_type": "dpop"}), Err(Reject::BindingMismatch)),
    ];
    for (changes, expected) in cases {
        assert_eq!(read_changed(&rules, &changes), expected, "{changes}");
    }
}

#[test]
fn an_issuer_that_is_asked_for_must_be_named() {
    let rules = IntrospectionRules {
        issuer: Some("https://idp.example.com".to_owned()),
        ..rules()
    };
    let cases = [
        (json!({"iss": "https://idp.example.com"}), Ok(())),
        (
            json!({"iss": "https://idp.example.com/"}),
            Err(Reject::IssuerUnknown),
        ),
        (
            json!({"iss": ["https://idp.example.com"]}),
            Err(Reject::ClaimMismatch),
        ),
        (json!({}), Err(Reject::ClaimMissing)),
    ];
    for (changes, expected) in cases {
        assert_eq!(read_changed(&rules, &changes), expected, "{changes}");
    }
}

#[test]
fn no_answer_is_used_beyond_its_token() {
    let until = |cache: i64, exp: Value| {
        let rules = IntrospectionRules { cache, ..rules() };
        let answer = read(&rules, document(&json!({"exp": exp})).to_string().as_bytes());
        answer.expect("an active token").usable_until.0 - NOW
    };
    let cases = [
        (0, json!(NOW + 300), 0),
        (30, json!(NOW + 300), 30),
        (30, json!(NOW + 20), 20),
        (30, json!(null), 30),
        (0, json!(null), 0),
        // It has expired, and passes this once for the sake of clocks.
        (30, json!(NOW - 10), -10),
        (30, json!(i64::MAX), 30),
    ];
    for (cache, exp, expected) in cases {
        assert_eq!(until(cache, exp.clone()), expected, "{cache} {exp}");
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;
    use scopegate_document::UnixTime;
    use serde_json::{Value, json};

    use super::{AUDIENCE, NOW, answer, document, read, request, rules};
    use crate::introspection::request::is_b64token;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
            Just(json!(AUDIENCE)),
            prop::collection::vec(".{0,3}", 0..3).prop_map(Value::from),
        ]
    }

    fn members() -> impl Strategy<Value = std::collections::BTreeMap<&'static str, Value>> {
        let name = prop::sample::select(vec![
            "active",
            "aud",
            "exp",
            "nbf",
            "iat",
            "jti",
            "iss",
            "token_type",
            "token_use",
            "cnf",
        ]);
        prop::collection::btree_map(name, value(), 0..5)
    }

    proptest! {
        #[test]
        fn no_bytes_are_an_active_token(
            status in any::<u16>(),
            content_type in prop::option::of(any::<Vec<u8>>()),
            body in any::<Vec<u8>>(),
        ) {
            prop_assert!(answer::read(&rules(), status, content_type.as_deref(), &body, UnixTime(NOW)).is_err());
            prop_assert!(read(&rules(), &body).is_err());
        }

        #[test]
        fn whoever_passes_is_active_for_us_and_not_expired(changes in members()) {
            let document = document(&json!(changes));
            if let Ok(active) = read(&rules(), document.to_string().as_bytes()) {
                prop_assert_eq!(&document["active"], &json!(true));
                prop_assert!(document["aud"].to_string().contains(AUDIENCE));
                prop_assert!(active.usable_until.0 <= NOW + 30);
                prop_assert!(active.expires_at.is_none_or(|time| time.0 > NOW - 30));
                prop_assert!(active.expires_at.is_none_or(|time| active.usable_until <= time));
            }
        }

        #[test]
        fn a_question_is_one_form_field_whatever_the_token(token in any::<Vec<u8>>()) {
            match request(&rules(), &token) {
                Err(_) => prop_assert!(!is_b64token(&token)),
                Ok(asked) => {
                    let body = String::from_utf8(asked.body).expect("a form");
                    prop_assert_eq!(body.matches(['&', '=']).count(), 3);
                    prop_assert!(body.len() <= 40 + 3 * token.len());
                }
            }
        }
    }
}
