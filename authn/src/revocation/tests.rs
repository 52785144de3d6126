use scopegate_document::UnixTime;
use serde_json::{Value, json};

use super::{Cutoff, Entry, Kind, RevocationList, TokenFacts, feed, issued_at};
use crate::fetched::DocumentFault;
use crate::{Reject, limits};

const PROVIDERS: &[&str] = &["corp", "partners"];

/// Of `corp` are revoked: the token `t`, what `batch` was issued before 100, the key `k`, the client `old`, and what
/// the client `kiosk` was issued before 100.
fn document() -> Value {
    json!({
        "tokens": [{"provider": "corp", "jti": "t"}],
        "subjects": [{"provider": "corp", "subject": "batch", "issued_before": "1970-01-01T00:01:40Z"}],
        "keys": [{"provider": "corp", "kid": "k"}],
        "clients": [
            {"provider": "corp", "client": "old"},
            {"provider": "corp", "client": "kiosk", "issued_before": "1970-01-01T00:01:40Z"},
        ],
    })
}

fn parse(document: &Value) -> Result<RevocationList, DocumentFault> {
    feed::parse(document.to_string().as_bytes(), PROVIDERS)
}

#[test]
fn what_is_listed_counts_no_longer() {
    let list = parse(&document()).expect("a good document");
    let facts = TokenFacts::default();
    let at = |seconds| Some(UnixTime(seconds));
    let cases = [
        (facts, Ok(())),
        (
            TokenFacts {
                jti: Some("t"),
                ..facts
            },
            Err(Reject::TokenRevoked),
        ),
        (
            TokenFacts {
                jti: Some("T"),
                ..facts
            },
            Ok(()),
        ),
        (
            TokenFacts {
                jti: Some("k"),
                ..facts
            },
            Ok(()),
        ),
        (
            TokenFacts {
                subject: Some("t"),
                ..facts
            },
            Ok(()),
        ),
        (
            TokenFacts {
                subject: Some("batch"),
                issued_at: at(99),
                ..facts
            },
            Err(Reject::TokenRevoked),
        ),
        (
            TokenFacts {
                subject: Some("batch"),
                issued_at: at(100),
                ..facts
            },
            Ok(()),
        ),
        // What does not say when it was issued is as old as can be: an API key, a peer, a token without `iat`.
        (
            TokenFacts {
                subject: Some("batch"),
                ..facts
            },
            Err(Reject::TokenRevoked),
        ),
        (
            TokenFacts {
                key_id: Some("k"),
                ..facts
            },
            Err(Reject::KeyRevoked),
        ),
        (
            TokenFacts {
                key_id: Some("k"),
                jti: Some("t"),
                ..facts
            },
            Err(Reject::KeyRevoked),
        ),
        (
            TokenFacts {
                key_id: Some("k2"),
                ..facts
            },
            Ok(()),
        ),
        (
            TokenFacts {
                client: Some("old"),
                issued_at: at(i64::MAX),
                ..facts
            },
            Err(Reject::TokenRevoked),
        ),
        (
            TokenFacts {
                client: Some("kiosk"),
                issued_at: at(99),
                ..facts
            },
            Err(Reject::TokenRevoked),
        ),
        (
            TokenFacts {
                client: Some("kiosk"),
                issued_at: at(100),
                ..facts
            },
            Ok(()),
        ),
        (
            TokenFacts {
                client: Some("batch"),
                ..facts
            },
            Ok(()),
        ),
    ];
    for (facts, expected) in cases {
        assert_eq!(list.check("corp", &facts), expected, "{facts:?}");
        assert_eq!(
            list.check("partners", &facts),
            Ok(()),
            "{facts:?} of another provider"
        );
        assert_eq!(list.check("nobody", &facts), Ok(()), "{facts:?} of no provider");
    }
}

#[test]
fn of_two_entries_for_one_thing_the_stricter_stands() {
    let entry = |cutoff| Entry {
        kind: Kind::Subject,
        index: 0,
        provider: "corp",
        name: "batch",
        cutoff,
    };
    let before = |seconds| entry(Cutoff::IssuedBefore(UnixTime(seconds)));
    let cases = [
        ([before(100), before(200)], 200),
        ([before(200), before(100)], 200),
        ([before(100), entry(Cutoff::Always)], i64::MAX),
        ([entry(Cutoff::Always), before(100)], i64::MAX),
    ];
    for ([first, second], revoked_until) in cases {
        let mut list = RevocationList::default();
        assert!(list.add(first), "there was none before");
        assert!(!list.add(second), "there was one before");
        let check = |seconds| {
            let issued_at = Some(UnixTime(seconds));
            list.check(
                "corp",
                &TokenFacts {
                    subject: Some("batch"),
                    issued_at,
                    ..TokenFacts::default()
                },
            )
        };
        assert_eq!(
            check(revoked_until - 1),
            Err(Reject::TokenRevoked),
            "{first:?} {second:?}"
        );
        assert_eq!(check(200) == Ok(()), revoked_until <= 200, "{first:?} {second:?}");
    }
}

#[test]
fn a_token_never_seems_younger_than_it_is() {
    let cases = [
        (json!({"iat": 100}), Some(100)),
        (json!({"iat": 99.9}), Some(99)),
        (json!({"iat": -0.5}), Some(-1)),
        (json!({"iat": "100"}), None),
        (json!({"iat": null}), None),
        (json!({}), None),
    ];
    for (claims, expected) in cases {
        let claims = claims.as_object().expect("an object");
        assert_eq!(issued_at(claims), expected.map(UnixTime), "{claims:?}");
    }
}

#[test]
fn a_document_counts_whole_or_not_at_all() {
    let form = || Err(DocumentFault::Form { line: 1, column: 1 });
    let unknown = |list, index| Err(DocumentFault::UnknownProvider { list, index });
    let cases: &[(&str, Result<(), DocumentFault>)] = &[
        (r#"{"tokens":[]}"#, Ok(())),
        (r#"{"tokens":[],"subjects":[],"keys":[],"clients":[]}"#, Ok(())),
        (
            r#"{"tokens":[{"provider":"corp","jti":"a"},{"provider":"corp","jti":"a"}]}"#,
            Ok(()),
        ),
        ("{}", Err(DocumentFault::SaysNothing)),
        ("", form()),
        ("null", form()),
        ("<html>", form()),
        (r#"{"tokens":null}"#, form()),
        (r#"{"tokens":{}}"#, form()),
        (r#"{"tokens":["a"]}"#, form()),
        (r#"{"tokens":[]} {}"#, form()),
        (r#"{"tokens":[],"tokens":[]}"#, form()),
        (r#"{"tokens":[],"feed":[]}"#, form()),
        (r#"{"tokens":[{"provider":"corp"}]}"#, form()),
        (r#"{"tokens":[{"provider":"corp","jti":7}]}"#, form()),
        (r#"{"tokens":[{"provider":"corp","jti":"a","jti":"b"}]}"#, form()),
        (
            r#"{"tokens":[{"provider":"corp","jti":"a","until":"b"}]}"#,
            form(),
        ),
        (r#"{"subjects":[{"provider":"corp","subject":"a"}]}"#, form()),
        (
            r#"{"subjects":[{"provider":"corp","subject":"a","issued_before":"soon"}]}"#,
            form(),
        ),
        (
            r#"{"tokens":[{"provider":"corp","jti":"a"},{"provider":"Corp","jti":"a"}]}"#,
            unknown("tokens", 1),
        ),
        (
            r#"{"clients":[{"provider":"","client":"a"}]}"#,
            unknown("clients", 0),
        ),
    ];
    for (document, expected) in cases {
        let read = feed::parse(document.as_bytes(), PROVIDERS).map(|_| ());
        let read = match read {
            Err(DocumentFault::Form { line, column: _ }) => Err(DocumentFault::Form { line, column: 1 }),
            read => read,
        };
        assert_eq!(&read, expected, "{document}");
    }
    assert!(
        feed::parse(b"{\"tokens\":[],\"\xff\":1}", PROVIDERS).is_err(),
        "this is no UTF-8"
    );
}

#[test]
fn a_fault_tells_nothing_of_the_document() {
    let secret = "8f3a-secret";
    for document in [
        json!({"tokens": [{"provider": secret, "jti": secret}]}),
        json!({"tokens": [{"provider": "corp", "jti": secret, secret: secret}]}),
        json!({"subjects": [{"provider": "corp", "subject": secret, "issued_before": secret}]}),
        json!({secret: secret}),
        json!(secret),
    ] {
        let fault = parse(&document).expect_err("a bad document");
        assert!(!format!("{fault} {fault:?}").contains(secret), "{fault}");
    }
}

#[test]
fn a_document_is_bounded_in_bytes_and_entries() {
    let entries = |count: usize| vec![r#"{"provider":"","kid":""}"#; count].join(",");
    let document = |count: usize| format!(r#"{{"keys":[{}]}}"#, entries(count)).into_bytes();
    let fits = document(limits::DOCUMENT_BYTES / 25 - 1);
    assert!(feed::parse(&fits, &[""]).is_ok());
    let longer = document(limits::DOCUMENT_BYTES / 25 + 1);
    assert_eq!(
        feed::parse(&longer, &[""]).map(|_| ()),
        Err(DocumentFault::TooLong)
    );
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{PROVIDERS, parse};
    use crate::revocation::{TokenFacts, feed};

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![Just("corp".to_owned()), Just("partners".to_owned()), ".{0,6}"]
    }

    fn entry() -> impl Strategy<Value = Value> {
        let member = prop::sample::select(vec![
            "provider",
            "jti",
            "subject",
            "kid",
            "client",
            "issued_before",
            "x",
        ]);
        prop::collection::btree_map(member, text(), 0..4).prop_map(|members| json!(members))
    }

    fn list_name() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["tokens", "subjects", "keys", "clients", "feed"])
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_feed_panic(document in any::<Vec<u8>>()) {
            let _ = feed::parse(&document, PROVIDERS);
        }

        #[test]
        fn no_document_of_odd_members_makes_a_feed_panic(
            document in prop::collection::btree_map(list_name(), prop::collection::vec(entry(), 0..4), 0..4),
            name in text(),
        ) {
            if let Ok(list) = parse(&json!(document)) {
                let name = Some(name.as_str());
                let facts = TokenFacts { jti: name, subject: name, client: name, key_id: name, issued_at: None };
                let _ = list.check("corp", &facts);
            }
        }

        #[test]
        fn what_is_listed_is_revoked_whatever_its_name(jti in ".*", other in ".*") {
            let list = parse(&json!({"tokens": [{"provider": "corp", "jti": jti}]})).expect("a good document");
            let revoked = |jti| list.check("corp", &TokenFacts { jti: Some(jti), ..TokenFacts::default() }).is_err();
            prop_assert!(revoked(&jti));
            prop_assert_eq!(revoked(&other), other == jti);
        }
    }
}
