//! What the tests share: published keys, signing, a provider to start from.
//!
//! The keys are those of RFC 7515 appendix A, RFC 7520 section 3, RFC 8037 appendix A and RFC 9964 appendix A: known
//! to everybody, worth nothing. Signing lives here only; the crate itself cannot sign.

mod ml_dsa;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;

use base64_simd::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::pss::Pss;
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::{BoxedUint, RsaPrivateKey};
use scopegate_authn::section::AuthenticationSection;
use scopegate_authn::{
    Algorithm, Attempt, Authenticator, Fields, Notice, Reject, Rejection, Secrets, Step, Verified,
};
use scopegate_document::{PolicyError, UnixTime};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha384, Sha512};
use signature::Signer;

/// 2026-11-22T09:00:00Z.
pub(crate) const NOW: i64 = 1_795_338_000;
pub(crate) const ISSUER: &str = "https://idp.example.com";
pub(crate) const AUDIENCE: &str = "https://api.example.com/orders";

/// A private JWK that makes signatures with `algorithm`; its `kid` is the algorithm's name in lower case.
pub(crate) fn private_jwk(algorithm: Algorithm) -> Value {
    let mut jwk = match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => json!({
            "kty": "oct",
            "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        }),
        Algorithm::Rs256
        | Algorithm::Rs384
        | Algorithm::Rs512
        | Algorithm::Ps256
        | Algorithm::Ps384
        | Algorithm::Ps512 => json!({
            "kty": "RSA",
            "n": "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw",
            "e": "AQAB",
            "d": "bWUC9B-EFRIo8kpGfh0ZuyGPvMNKvYWNtB_ikiH9k20eT-O1q_I78eiZkpXxXQ0UTEs2LsNRS-8uJbvQ-A1irkwMSMkK1J3XTGgdrhCku9gRldY7sNA_AKZGh-Q661_42rINLRCe8W-nZ34ui_qOfkLnK9QWDDqpaIsA-bMwWWSDFu2MUBYwkHTMEzLYGqOe04noqeq1hExBTHBOBdkMXiuFhUq1BU6l-DqEiWxqg82sXt2h-LMnT3046AOYJoRioz75tSUQfGCshWTBnP5uDjd18kKhyv07lhfSJdrPdM5Plyl21hsFf4L_mHCuoFau7gdsPfHPxxjVOcOpBrQzwQ",
            "p": "3Slxg_DwTXJcb6095RoXygQCAZ5RnAvZlno1yhHtnUex_fp7AZ_9nRaO7HX_-SFfGQeutao2TDjDAWU4Vupk8rw9JR0AzZ0N2fvuIAmr_WCsmGpeNqQnev1T7IyEsnh8UMt-n5CafhkikzhEsrmndH6LxOrvRJlsPp6Zv8bUq0k",
            "q": "uKE2dh-cTf6ERF4k4e_jy78GfPYUIaUyoSSJuBzp3Cubk3OCqs6grT8bR_cu0Dm1MZwWmtdqDyI95HrUeq3MP15vMMON8lHTeZu2lmKvwqW7anV5UzhM1iZ7z4yMkuUwFWoBvyY898EXvRD-hdqRxHlSqAZ192zB3pVFJ0s7pFc",
        }),
        Algorithm::Es256 => json!({
            "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
        }),
        Algorithm::Es384 => {
            let point = p384_key().verifying_key().to_sec1_point(false);
            let half = |from: usize| encode(&point.as_bytes()[from..from + 48]);
            json!({"kty": "EC", "crv": "P-384", "x": half(1), "y": half(49), "d": encode(&[7; 48])})
        }
        Algorithm::Es512 => json!({
            "kty": "EC", "crv": "P-521",
            "x": "AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt",
            "y": "AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1",
            "d": "AAhRON2r9cqXX1hg-RoI6R1tX5p2rUAYdmpHZoC1XNM56KtscrX6zbKipQrCW9CGZH3T4ubpnoTKLDYJ_fF3_rJt",
        }),
        Algorithm::EdDsa | Algorithm::Ed25519 => json!({
            "kty": "OKP", "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        }),
        Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => ml_dsa::private_jwk(algorithm),
    };
    jwk["kid"] = json!(algorithm.name().to_lowercase());
    jwk
}

/// The JWK that verifies what [`private_jwk`] signs; for HMAC they are the same.
pub(crate) fn public_jwk(algorithm: Algorithm) -> Value {
    let mut jwk = private_jwk(algorithm);
    let members = jwk.as_object_mut().expect("a JWK is an object");
    for private in ["d", "p", "q", "priv"] {
        members.remove(private);
    }
    jwk
}

/// A signature over `message` with the key of [`private_jwk`].
pub(crate) fn sign(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    let jwk = private_jwk(algorithm);
    let member = |name: &str| decode(jwk[name].as_str().expect("a member of the key"));
    match algorithm {
        Algorithm::Hs256 => hmac::<Hmac<Sha256>>(&member("k"), message),
        Algorithm::Hs384 => hmac::<Hmac<Sha384>>(&member("k"), message),
        Algorithm::Hs512 => hmac::<Hmac<Sha512>>(&member("k"), message),
        Algorithm::Rs256 => rsa_key(&jwk)
            .sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message))
            .unwrap(),
        Algorithm::Rs384 => rsa_key(&jwk)
            .sign(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(message))
            .unwrap(),
        Algorithm::Rs512 => rsa_key(&jwk)
            .sign(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(message))
            .unwrap(),
        Algorithm::Ps256 => pss(&jwk, Pss::<Sha256>::new(), &Sha256::digest(message)),
        Algorithm::Ps384 => pss(&jwk, Pss::<Sha384>::new(), &Sha384::digest(message)),
        Algorithm::Ps512 => pss(&jwk, Pss::<Sha512>::new(), &Sha512::digest(message)),
        Algorithm::Es256 => {
            let key = p256::ecdsa::SigningKey::from_slice(&member("d")).unwrap();
            let signature: p256::ecdsa::Signature = key.sign(message);
            signature.to_bytes().to_vec()
        }
        Algorithm::Es384 => {
            let signature: p384::ecdsa::Signature = p384_key().sign(message);
            signature.to_bytes().to_vec()
        }
        Algorithm::Es512 => {
            let key = p521::ecdsa::SigningKey::from_slice(&member("d")).unwrap();
            let signature: p521::ecdsa::Signature = key.sign(message);
            signature.to_bytes().to_vec()
        }
        Algorithm::EdDsa | Algorithm::Ed25519 => {
            let seed: [u8; 32] = member("d").try_into().unwrap();
            ed25519_dalek::SigningKey::from_bytes(&seed)
                .sign(message)
                .to_bytes()
                .to_vec()
        }
        Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => ml_dsa::sign(algorithm, message),
    }
}

fn hmac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    <M as KeyInit>::new_from_slice(key)
        .unwrap()
        .chain_update(message)
        .finalize()
        .into_bytes()
        .to_vec()
}

fn p384_key() -> p384::ecdsa::SigningKey {
    p384::ecdsa::SigningKey::from_slice(&[7; 48]).unwrap()
}

fn rsa_key(jwk: &Value) -> RsaPrivateKey {
    let integer = |name: &str| BoxedUint::from_be_slice_vartime(&decode(jwk[name].as_str().unwrap()));
    let primes = vec![integer("p"), integer("q")];
    RsaPrivateKey::from_components(integer("n"), integer("e"), integer("d"), primes).unwrap()
}

fn pss<D>(jwk: &Value, scheme: Pss<D>, digest: &[u8]) -> Vec<u8>
where
    Pss<D>: rsa::traits::SignatureScheme,
{
    rsa_key(jwk)
        .sign_with_rng(&mut Counter(0), scheme, digest)
        .unwrap()
}

/// Numbers that are not random at all: the salt of a test signature need not be.
struct Counter(u64);

impl TryRng for Counter {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for byte in dst {
            *byte = (self.try_next_u64()? >> 56) as u8;
        }
        Ok(())
    }
}

impl TryCryptoRng for Counter {}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode_to_vec(text).expect("base64url")
}

/// A token with these texts as header and claims, whatever they are, signed with `algorithm`.
pub(crate) fn raw_token(algorithm: Algorithm, header: &[u8], claims: &[u8]) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = encode(&sign(algorithm, signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// A token with this header and these claims.
pub(crate) fn token_with(algorithm: Algorithm, header: &Value, claims: &Value) -> String {
    raw_token(
        algorithm,
        header.to_string().as_bytes(),
        claims.to_string().as_bytes(),
    )
}

/// A token that the provider of [`provider`] takes, with `changes` to its claims; `null` removes one.
pub(crate) fn token(algorithm: Algorithm, changes: &Value) -> String {
    token_with(algorithm, &header(algorithm), &claims(changes))
}

pub(crate) fn header(algorithm: Algorithm) -> Value {
    json!({"alg": algorithm.name(), "kid": algorithm.name().to_lowercase(), "typ": "JWT"})
}

/// The header with `changes`; `null` removes a member.
pub(crate) fn header_with(algorithm: Algorithm, changes: &Value) -> Value {
    merge(header(algorithm), changes)
}

pub(crate) fn claims(changes: &Value) -> Value {
    let base = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "iat": NOW - 60, "exp": NOW + 300});
    merge(base, changes)
}

pub(crate) fn merge(mut base: Value, changes: &Value) -> Value {
    let members = base.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
    base
}

/// Both sets of changes, the second over the first; `null` stays, and removes when they are applied.
pub(crate) fn changes(first: &Value, second: &Value) -> Value {
    let members = |value: &Value| value.as_object().cloned().expect("an object");
    Value::Object(members(first).into_iter().chain(members(second)).collect())
}

/// A provider of type `jwt` that takes tokens of `algorithms`, with `changes`; `null` removes a field.
pub(crate) fn provider(algorithms: &[Algorithm], changes: &Value) -> Value {
    let names: Vec<&str> = algorithms.iter().map(|algorithm| algorithm.name()).collect();
    let keys: Vec<Value> = algorithms.iter().copied().map(public_jwk).collect();
    let base = json!({
        "name": "corp", "type": "jwt", "issuer": ISSUER, "audiences": [AUDIENCE],
        "algorithms": names, "keys": {"jwks": {"keys": keys}},
    });
    merge(base, changes)
}

/// The environment of a test.
#[derive(Default)]
pub(crate) struct Environment(pub(crate) BTreeMap<&'static str, String>);

impl Secrets for Environment {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// Compiles a section written as JSON.
pub(crate) fn compile(section: &Value) -> Result<(Authenticator, Vec<Notice>), Vec<PolicyError>> {
    let section: AuthenticationSection = serde_json::from_value(section.clone()).expect("a section");
    Authenticator::compile(&section, &Environment::default())
}

/// The authenticator of a policy with these providers.
pub(crate) fn authenticator(providers: &[Value]) -> Authenticator {
    compile(&json!({"providers": providers}))
        .expect("a policy without faults")
        .0
}

/// Authenticates a bearer token at [`NOW`].
pub(crate) fn present(authenticator: &Authenticator, token: &str) -> Result<Verified, Rejection> {
    let value = format!("Bearer {token}");
    let headers: &[(&[u8], &[u8])] = &[(b"authorization", value.as_bytes())];
    prove(
        authenticator,
        Fields {
            headers,
            ..Fields::default()
        },
        UnixTime(NOW),
    )
}

/// Authenticates where nothing was proved before and nothing is fetched.
pub(crate) fn prove(
    authenticator: &Authenticator,
    fields: Fields<'_>,
    now: UnixTime,
) -> Result<Verified, Rejection> {
    let attempt = Attempt::last();
    match authenticator.authenticate(fields, &mut authenticator.live(), &attempt, now)? {
        Step::Done(caller) => Ok(Rc::unwrap_or_clone(caller)),
        other @ (Step::Claim(_) | Step::Wait(_)) => panic!("nothing is waited for here: {other:?}"),
    }
}

/// The answer to a bearer token: the subject, or the code of the rejection.
pub(crate) fn answer(authenticator: &Authenticator, token: &str) -> Result<String, &'static str> {
    let code = |rejection: Rejection| Reject::code(rejection.reason);
    present(authenticator, token)
        .map(|caller| caller.subject().unwrap_or("-").to_owned())
        .map_err(code)
}
