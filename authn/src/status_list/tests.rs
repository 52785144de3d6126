use std::collections::BTreeMap;

use miniz_oxide::deflate::compress_to_vec_zlib;
use scopegate_document::UnixTime;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Reference, StatusList, StatusListRules, read};
use crate::endpoint::Endpoint;
use crate::fetched::{DocumentFault, Source};
use crate::{Reject, jws, limits};

const NOW: i64 = 1_795_338_000;
const URI: &str = "https://idp.example.com/statuslists/1";

/// The examples and test vectors of the draft.
#[derive(Deserialize)]
struct Vectors {
    lists: Vec<VectorList>,
    token: VectorToken,
}

#[derive(Deserialize)]
struct VectorList {
    section: String,
    bits: u8,
    lst: String,
    length: u64,
    statuses: BTreeMap<u64, u8>,
}

#[derive(Deserialize)]
struct VectorToken {
    jwt: String,
    uri: String,
    keys: Value,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors.json")).expect("the vectors")
}

fn encode(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

fn token(header: &Value, claims: &str) -> String {
    let (header, claims) = (encode(header.to_string().as_bytes()), encode(claims.as_bytes()));
    format!("{header}.{claims}.c2ln")
}

fn header() -> Value {
    json!({"alg": "ES256", "kid": "k", "typ": "statuslist+jwt"})
}

fn compressed(statuses: &[u8]) -> String {
    encode(&compress_to_vec_zlib(statuses, 6))
}

fn claims() -> Value {
    json!({
        "sub": URI, "iat": NOW - 60, "exp": NOW + 60, "ttl": 300,
        "status_list": {"bits": 2, "lst": compressed(&[0b11_10_01_00])},
    })
}

/// The claims with `changes`; `null` removes one.
fn claims_with(changes: &Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        match value.is_null() {
            true => members.remove(name),
            false => members.insert(name.clone(), value.clone()),
        };
    }
    claims
}

fn read_claims(claims: &Value) -> Result<StatusList, DocumentFault> {
    read(
        token(&header(), &claims.to_string()).as_bytes(),
        URI,
        UnixTime(NOW),
        |_, _| Ok(()),
    )
}

#[test]
fn the_drafts_own_lists_are_read() {
    let vectors = vectors();
    assert_eq!(vectors.lists.len(), 6, "two examples, four test vectors");
    for VectorList {
        section,
        bits,
        lst,
        length,
        statuses,
    } in vectors.lists
    {
        let claims = claims_with(&json!({"status_list": {"bits": bits, "lst": lst}}));
        let list = read_claims(&claims).expect(&section);
        for index in 0..length {
            let expected = statuses.get(&index).copied().unwrap_or_default();
            assert_eq!(list.get(index), Some(expected), "{section}: status {index}");
        }
        for beyond in [length, length + 1, u64::MAX / 8, u64::MAX / 4 + 1, u64::MAX] {
            assert_eq!(list.get(beyond), None, "{section}: status {beyond}");
        }
    }
}

#[test]
fn the_drafts_own_token_is_verified() {
    let VectorToken { jwt, uri, keys } = vectors().token;
    let keys = keys.to_string();
    let verify = |text: &str| jws::verify(text.as_bytes(), keys.as_bytes());
    let list = read(jwt.as_bytes(), &uri, UnixTime(NOW), |_, text| verify(text)).expect("the token");
    assert_eq!(list.issued_at, UnixTime(1_686_920_170));
    assert_eq!(
        list.expires_at,
        Some(UnixTime(2_291_720_170 + limits::CLOCK_SKEW_DEFAULT))
    );
    assert_eq!(list.ttl, Some(43_200));
    assert_eq!(
        [list.get(0), list.get(1), list.get(15), list.get(16)],
        [Some(1), Some(0), Some(1), None]
    );
    let forged = jwt.replace(".2lK", ".2lL");
    assert_ne!(forged, jwt);
    let fault = read(forged.as_bytes(), &uri, UnixTime(NOW), |_, text| verify(text));
    assert_eq!(fault, Err(DocumentFault::Unverified(Reject::SignatureInvalid)));
}

#[test]
fn only_valid_is_valid() {
    let list = read_claims(&claims()).expect("a good list");
    let cases = [
        (0, Ok(())),
        (1, Err(Reject::TokenRevoked)),
        (2, Err(Reject::TokenRevoked)),
        (3, Err(Reject::TokenRevoked)),
        (4, Err(Reject::ClaimMismatch)),
        (u64::MAX, Err(Reject::ClaimMismatch)),
    ];
    for (index, expected) in cases {
        assert_eq!(list.check(index, UnixTime(NOW)), expected, "status {index}");
    }
    let last = NOW + 60 + limits::CLOCK_SKEW_DEFAULT - 1;
    assert_eq!(list.check(0, UnixTime(last)), Ok(()));
    for index in [0, 1, 4] {
        let checked = list.check(index, UnixTime(last + 1));
        assert_eq!(
            checked,
            Err(Reject::RevocationUnavailable),
            "status {index} of an expired list"
        );
    }
}

#[test]
fn a_list_of_another_kind_time_or_place_is_refused() {
    let status_list = |value: Value| json!({"status_list": value});
    let good = compressed(&[0]);
    let claim = |name| Err(DocumentFault::Claim(name));
    let list = || claim("status_list");
    let cases = [
        (json!({}), Ok(())),
        (json!({"exp": null, "ttl": null}), Ok(())),
        (json!({"iss": "https://idp.example.com", "nbf": NOW}), Ok(())),
        (json!({"sub": null}), Err(DocumentFault::OtherSubject)),
        (
            json!({"sub": "https://idp.example.com/statuslists/2"}),
            Err(DocumentFault::OtherSubject),
        ),
        (json!({"sub": [URI]}), Err(DocumentFault::OtherSubject)),
        (
            json!({"aud": "https://api.example.com"}),
            Err(DocumentFault::OtherAudience),
        ),
        (json!({"iat": null}), claim("iat")),
        (json!({"iat": "now"}), claim("iat")),
        (json!({"exp": "never"}), claim("exp")),
        (json!({"nbf": "now"}), claim("nbf")),
        (json!({"iat": NOW + 30}), Ok(())),
        (json!({"iat": NOW + 31}), Err(DocumentFault::NotYetValid)),
        (json!({"nbf": NOW + 31}), Err(DocumentFault::NotYetValid)),
        (json!({"exp": NOW - 29}), Ok(())),
        (json!({"exp": NOW - 30}), Err(DocumentFault::Expired)),
        (json!({"exp": 0}), Err(DocumentFault::Expired)),
        (json!({"ttl": 0}), claim("ttl")),
        (json!({"ttl": -1}), claim("ttl")),
        (json!({"ttl": "300"}), claim("ttl")),
        (json!({"ttl": 0.5}), Ok(())),
        (json!({"status_list": null}), list()),
        (status_list(json!([])), list()),
        (status_list(json!({"bits": 1})), list()),
        (status_list(json!({"lst": good})), list()),
        (status_list(json!({"bits": 0, "lst": good})), list()),
        (status_list(json!({"bits": 3, "lst": good})), list()),
        (status_list(json!({"bits": 16, "lst": good})), list()),
        (status_list(json!({"bits": -1, "lst": good})), list()),
        (status_list(json!({"bits": "1", "lst": good})), list()),
        (
            status_list(json!({"bits": 1, "lst": format!("{good}==")})),
            list(),
        ),
        (status_list(json!({"bits": 1, "lst": "+/"})), list()),
        (
            status_list(json!({"bits": 1, "lst": ""})),
            Err(DocumentFault::Compression),
        ),
        (
            status_list(json!({"bits": 1, "lst": compressed(&[])})),
            Err(DocumentFault::Compression),
        ),
        // Statuses that are not compressed, compressed without the header, or cut short.
        (
            status_list(json!({"bits": 1, "lst": "AAAA"})),
            Err(DocumentFault::Compression),
        ),
        (
            status_list(json!({"bits": 1, "lst": encode(&[0x63, 0, 0])})),
            Err(DocumentFault::Compression),
        ),
        (
            status_list(json!({"bits": 1, "lst": "eNrbuRg"})),
            Err(DocumentFault::Compression),
        ),
        // The last character is another: the checksum does not hold.
        (
            status_list(json!({"bits": 1, "lst": "eNrbuRgAAhcBXg"})),
            Err(DocumentFault::Compression),
        ),
    ];
    for (changes, expected) in cases {
        assert_eq!(
            read_claims(&claims_with(&changes)).map(|_| ()),
            expected,
            "{changes}"
        );
    }
}

#[test]
fn a_document_that_is_no_list_is_refused_before_its_key_is_looked_at() {
    let claims = claims().to_string();
    let typ = |typ: &str| token(&json!({"alg": "ES256", "typ": typ}), &claims);
    let cases = [
        (String::new(), DocumentFault::NoToken),
        ("{}".to_owned(), DocumentFault::NoToken),
        ("a.b".to_owned(), DocumentFault::NoToken),
        (
            format!("{}.c2ln", token(&header(), &claims)),
            DocumentFault::NoToken,
        ),
        (format!(" {}", token(&header(), &claims)), DocumentFault::NoToken),
        (
            token(&json!({"typ": "statuslist+jwt"}), &claims),
            DocumentFault::NoToken,
        ),
        (token(&json!({"alg": "ES256"}), &claims), DocumentFault::OtherType),
        (typ("JWT"), DocumentFault::OtherType),
        (typ("at+jwt"), DocumentFault::OtherType),
        (typ("statuslist+cwt"), DocumentFault::OtherType),
        (
            token(
                &json!({"alg": "ES256", "typ": "statuslist+jwt", "crit": ["x"]}),
                &claims,
            ),
            DocumentFault::Unverified(Reject::CriticalHeader),
        ),
        ("a".repeat(limits::DOCUMENT_BYTES + 1), DocumentFault::TooLong),
    ];
    for (document, expected) in cases {
        let verify = |_: &_, _: &str| panic!("the key was looked at: {expected}");
        assert_eq!(
            read(document.as_bytes(), URI, UnixTime(NOW), verify),
            Err(expected)
        );
    }
    for good in [
        typ("application/statuslist+jwt"),
        typ("StatusList+JWT"),
        typ("statuslist+jwt") + "\r\n",
    ] {
        assert!(
            read(good.as_bytes(), URI, UnixTime(NOW), |_, _| Ok(())).is_ok(),
            "{good}"
        );
    }
}

#[test]
fn the_key_is_looked_at_before_the_payload() {
    for claims in ["", "[]", "{\"sub\":1,\"sub\":2}", &claims().to_string()] {
        let document = token(&header(), claims);
        let read = |answer| read(document.as_bytes(), URI, UnixTime(NOW), move |_, _| answer);
        let unverified = DocumentFault::Unverified(Reject::KeyNotFound);
        assert_eq!(read(Err(Reject::KeyNotFound)), Err(unverified), "{claims}");
        let is_object = claims.starts_with("{\"") && !claims.contains("\"sub\":2");
        assert_eq!(read(Ok(())).is_ok(), is_object, "{claims}");
    }
}

/// `length` zeros as tightly packed as DEFLATE packs: literals first, then copies of 258 bytes in 13 bits each, in one
/// block of fixed codes (RFC 1951 section 3.2.6).
fn zeros(length: usize) -> Vec<u8> {
    let literals = (length - 1) % 258 + 1;
    let mut bits = "110".to_owned();
    bits += &"00110000".repeat(literals);
    bits += &"1100010100000".repeat((length - literals) / 258);
    bits += "0000000";
    let byte = |bits: &[u8]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | (bit - b'0'));
    let checksum = u32::try_from(length % 65_521).expect("16 bits") << 16 | 1;
    let block = bits.as_bytes().chunks(8).map(byte);
    [0x78, 0xda]
        .into_iter()
        .chain(block)
        .chain(checksum.to_be_bytes())
        .collect()
}

#[test]
fn a_bomb_is_inflated_to_the_limit_and_no_further() {
    let list = |length: usize| {
        let status_list = json!({"bits": 1, "lst": encode(&zeros(length))});
        read_claims(&claims_with(&json!({"status_list": status_list}))).map(|list| list.packed.len())
    };
    for length in [
        1,
        258,
        259,
        limits::STATUS_LIST_BYTES - 1,
        limits::STATUS_LIST_BYTES,
    ] {
        assert_eq!(list(length), Ok(length), "{length}");
    }
    for length in [limits::STATUS_LIST_BYTES + 1, 8 * limits::STATUS_LIST_BYTES] {
        assert_eq!(list(length), Err(DocumentFault::ListTooLong), "{length}");
    }
}

fn rules(provider: &str, uri: &str, is_optional: bool) -> StatusListRules {
    let source = Source {
        endpoint: Endpoint::parse(uri).expect("a URL"),
        upstream: "idp".to_owned(),
        refresh: 600,
        max_stale: 3_600,
    };
    StatusListRules {
        provider: provider.to_owned(),
        uri: uri.to_owned(),
        source,
        is_optional,
    }
}

#[test]
fn a_token_points_at_a_list_of_its_own_provider() {
    let lists = [
        rules("corp", "https://a/1", false),
        rules("lax", "https://a/2", true),
        rules("corp", "https://a/3", false),
    ];
    let status = |index: Value, uri: Value| json!({"status": {"status_list": {"idx": index, "uri": uri}}});
    let mismatch = || Err(Reject::ClaimMismatch);
    let missing = || Err(Reject::ClaimMissing);
    let cases = [
        ("corp", status(json!(7), json!("https://a/1")), Ok(Some((0, 7)))),
        ("corp", status(json!(0), json!("https://a/3")), Ok(Some((2, 0)))),
        (
            "lax",
            status(json!(u64::MAX), json!("https://a/2")),
            Ok(Some((1, u64::MAX))),
        ),
        ("lax", json!({}), Ok(None)),
        ("none", json!({}), Ok(None)),
        ("none", status(json!(7), json!("https://a/1")), Ok(None)),
        ("corp", json!({}), missing()),
        ("corp", json!({"status": {}}), missing()),
        ("corp", json!({"status": {"other": {}}}), missing()),
        ("lax", json!({"status": {"other": {}}}), missing()),
        ("corp", json!({"status": null}), mismatch()),
        ("lax", json!({"status": "valid"}), mismatch()),
        ("corp", json!({"status": {"status_list": []}}), mismatch()),
        ("corp", status(json!(7), json!("https://a/2")), mismatch()),
        ("lax", status(json!(7), json!("https://a/1")), mismatch()),
        ("corp", status(json!(7), json!("https://A/1")), mismatch()),
        ("corp", status(json!(7), json!("https://a/1?")), mismatch()),
        ("corp", status(json!(7), json!(null)), mismatch()),
        ("corp", status(json!(-1), json!("https://a/1")), mismatch()),
        ("corp", status(json!(1.5), json!("https://a/1")), mismatch()),
        ("corp", status(json!("7"), json!("https://a/1")), mismatch()),
        ("corp", status(json!(1e30), json!("https://a/1")), mismatch()),
        (
            "corp",
            json!({"status": {"status_list": {"uri": "https://a/1"}}}),
            mismatch(),
        ),
    ];
    for (provider, claims, expected) in cases {
        let members: &Map<String, Value> = claims.as_object().expect("an object");
        assert_eq!(
            StatusListRules::resolve(&lists, provider, members),
            expected,
            "{provider} {claims}"
        );
    }
    assert_eq!(Reference::read(&Map::new()), Ok(None));
}

#[test]
fn a_list_may_ask_to_be_fetched_more_often_within_reason() {
    let cases = [
        (json!(null), None),
        (json!(300), Some(300)),
        (json!(43_200), Some(43_200)),
        (json!(1), Some(30)),
        (json!(1e300), Some(i64::MAX)),
    ];
    for (ttl, expected) in cases {
        let list = read_claims(&claims_with(&json!({"ttl": ttl}))).expect("a good list");
        assert_eq!(list.refresh_hint(), expected, "{ttl}");
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use miniz_oxide::deflate::compress_to_vec_zlib;
    use proptest::prelude::*;
    use scopegate_document::UnixTime;
    use serde_json::json;

    use super::{NOW, URI, claims_with, compressed, encode, header, read, read_claims, token};
    use crate::limits;

    proptest! {
        #[test]
        fn no_bytes_make_a_list_panic(document in any::<Vec<u8>>(), claims in ".*") {
            let _ = read(&document, URI, UnixTime(NOW), |_, _| Ok(()));
            let _ = read(token(&header(), &claims).as_bytes(), URI, UnixTime(NOW), |_, _| Ok(()));
        }

        #[test]
        fn no_compressed_bytes_are_more_than_the_limit(
            statuses in prop::collection::vec(any::<u8>(), 1..64),
            level in 0_u8..10,
            flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 0..3),
            bits in prop::sample::select(vec![1_u8, 2, 4, 8]),
        ) {
            let mut bytes = compress_to_vec_zlib(&statuses, level);
            for (place, flip) in &flips {
                let place = place.index(bytes.len());
                bytes[place] ^= flip;
            }
            let claims = claims_with(&json!({"status_list": {"bits": bits, "lst": encode(&bytes)}}));
            match read_claims(&claims) {
                Ok(list) => prop_assert!(list.packed.len() <= limits::STATUS_LIST_BYTES),
                Err(fault) => prop_assert!(!flips.is_empty(), "{fault}"),
            }
        }

        #[test]
        fn every_status_stands_where_it_was_put(
            statuses in prop::collection::vec(any::<u8>(), 1..64),
            exponent in 0_u32..4,
        ) {
            let bits = 1_usize << exponent;
            let mut packed = vec![0_u8; (statuses.len() * bits).div_ceil(8)];
            let mask = u8::try_from((1_u16 << bits) - 1).expect("a byte");
            for (index, status) in statuses.iter().enumerate() {
                packed[index * bits / 8] |= (status & mask) << (index * bits % 8);
            }
            let claims = claims_with(&json!({"status_list": {"bits": bits, "lst": compressed(&packed)}}));
            let list = read_claims(&claims).expect("a good list");
            for (index, status) in (0_u64..).zip(&statuses) {
                prop_assert_eq!(list.get(index), Some(status & mask));
            }
        }
    }
}
