//! Whatever bytes come, nothing panics and nobody is verified who should not be.

use std::sync::LazyLock;

use proptest::prelude::*;
use scopegate_authn::{Algorithm, Authenticator, Fields, jws};
use scopegate_document::UnixTime;
use serde_json::{Value, json};

use crate::common::{NOW, authenticator, encode, present, prove, provider, token};

static AUTHENTICATOR: LazyLock<Authenticator> = LazyLock::new(|| {
    authenticator(&[
        provider(&[Algorithm::EdDsa], &json!({})),
        provider(
            &[Algorithm::EdDsa],
            &json!({"name": "b", "credential": {"cookie": "session"}}),
        ),
        provider(
            &[Algorithm::EdDsa],
            &json!({"name": "c", "credential": {"query": "access_token"}}),
        ),
    ])
});

static TOKEN: LazyLock<String> = LazyLock::new(|| token(Algorithm::EdDsa, &json!({})));

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = prop_oneof![
            prop::sample::select(vec![
                "alg", "kid", "typ", "crit", "kty", "crv", "x", "y", "n", "e", "k", "use", "keys"
            ])
            .prop_map(str::to_owned),
            "[a-z]{1,4}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_in_any_field_are_a_caller(
        name in prop_oneof![Just(b"authorization".to_vec()), Just(b"cookie".to_vec()), any::<Vec<u8>>()],
        prefix in prop_oneof![Just(b"Bearer ".to_vec()), Just(b"session=".to_vec()), Just(Vec::new())],
        value in any::<Vec<u8>>(),
        query in any::<Vec<u8>>(),
    ) {
        let value = [prefix, value].concat();
        let headers: &[(&[u8], &[u8])] = &[(&name, &value)];
        let fields = Fields { headers, query: Some(&query), ..Fields::default() };
        prop_assert!(prove(&AUTHENTICATOR, fields, UnixTime(NOW)).is_err());
        let _ = AUTHENTICATOR.strip(&fields);
    }

    #[test]
    fn no_json_is_a_token(header in json_value(), claims in json_value(), signature in any::<Vec<u8>>()) {
        let parts = [header.to_string(), claims.to_string()].map(|part| encode(part.as_bytes()));
        let token = format!("{}.{}.{}", parts[0], parts[1], encode(&signature));
        prop_assert!(present(&AUTHENTICATOR, &token).is_err());
    }

    #[test]
    fn a_token_changed_anywhere_is_refused(position in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut changed = TOKEN.clone().into_bytes();
        let index = position.index(changed.len());
        prop_assume!(changed[index] != byte);
        changed[index] = byte;
        let value = [&b"Bearer "[..], &changed].concat();
        let headers: &[(&[u8], &[u8])] = &[(b"authorization", &value)];
        let answer = prove(&AUTHENTICATOR, Fields { headers, ..Fields::default() }, UnixTime(NOW));
        prop_assert!(answer.is_err(), "{}", value.escape_ascii());
    }

    #[test]
    fn no_key_set_panics(set in json_value(), bytes in any::<Vec<u8>>()) {
        let wrapped = json!({"keys": [set.clone()]});
        for text in [set.to_string().into_bytes(), wrapped.to_string().into_bytes(), bytes] {
            let _ = jws::usable_keys(&text);
            let _ = jws::verify(TOKEN.as_bytes(), &text);
        }
    }

    #[test]
    fn no_time_panics(exp in any::<f64>(), nbf in any::<i64>(), iat in any::<u64>(), now in any::<i64>()) {
        let token = token(Algorithm::EdDsa, &json!({"exp": exp, "nbf": nbf, "iat": iat}));
        let value = format!("Bearer {token}");
        let headers: &[(&[u8], &[u8])] = &[(b"authorization", value.as_bytes())];
        let _ = prove(&AUTHENTICATOR, Fields { headers, ..Fields::default() }, UnixTime(now));
    }

    #[test]
    fn other_cookies_and_parameters_survive(names in prop::collection::vec("[a-r]{1,5}", 0..6), at in any::<prop::sample::Index>()) {
        let others: Vec<String> = names.iter().map(|name| format!("{name}=1")).collect();
        let mut all = others.clone();
        let index = at.index(all.len() + 1);
        all.insert(index, "session=x".to_owned());
        let cookie = all.join("; ");
        all[index] = "access_token=x".to_owned();
        let query = all.join("&");
        let headers: &[(&[u8], &[u8])] = &[(b"cookie", cookie.as_bytes())];
        let stripped = AUTHENTICATOR.strip(&Fields { headers, query: Some(query.as_bytes()), ..Fields::default() });
        let expected = Some(others.join("; ").into_bytes()).filter(|value| !value.is_empty());
        prop_assert_eq!(stripped.cookie, expected);
        prop_assert_eq!(stripped.query, Some(others.join("&").into_bytes()));
    }
}
