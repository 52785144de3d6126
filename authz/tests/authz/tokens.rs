//! Callers from real tokens: signed here, verified by the layer below. There is no other way to make one.

use std::rc::Rc;

use base64_simd::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use scopegate_authn::section::AuthenticationSection;
use scopegate_authn::{Attempt, Authenticator, Fields, Secrets, Step, Verified};
use scopegate_authz::{Circumstances, Target};
use scopegate_document::UnixTime;
use serde_json::{Value, json};
use sha2::Sha256;

/// The time of all tests: 2026-11-22T09:00:00Z.
pub(crate) const NOW: UnixTime = UnixTime(1_795_338_000);

/// The circumstances of a request for `target` at the time of all tests, from nowhere in particular.
pub(crate) const fn now(target: Target<'_>) -> Circumstances<'_> {
    Circumstances {
        now: NOW,
        target,
        source: None,
    }
}

const SECRET: &[u8; 32] = b"a secret of thirty-two bytes, ok";

struct Environment;

impl Secrets for Environment {
    fn get(&self, _: &str) -> Option<String> {
        Some(URL_SAFE_NO_PAD.encode_to_string(SECRET))
    }
}

/// A caller of `provider`, whose token has `claims`: `sub`, `client_id`, `tid`, `scope`, `roles`, `act`.
pub(crate) fn caller(provider: &str, claims: &Value) -> Verified {
    let issuer = format!("https://{provider}.example");
    let section = json!({"realm": "test", "providers": [{
        "name": provider, "type": "jwt", "issuer": issuer, "audiences": ["api"], "algorithms": ["HS256"],
        "keys": [{"kid": "k", "alg": "HS256", "secret": {"env": "SECRET"}}],
        "claims": {"tenant": "tid", "roles": ["roles"]},
    }]});
    let section: AuthenticationSection = serde_json::from_value(section).expect("a section");
    let (authenticator, _) = Authenticator::compile(&section, &Environment).expect("providers");
    let bearer = format!("Bearer {}", token(&issuer, claims));
    let fields = Fields {
        headers: &[(b"authorization", bearer.as_bytes())],
        ..Fields::default()
    };
    let step = authenticator.authenticate(fields, &mut authenticator.live(), &Attempt::default(), NOW);
    match step.expect("a verified caller") {
        Step::Done(caller) => Rc::unwrap_or_clone(caller),
        other @ (Step::Claim(_) | Step::Wait(_)) => panic!("nothing is waited for here: {other:?}"),
    }
}

fn token(issuer: &str, claims: &Value) -> String {
    let mut all = json!({"iss": issuer, "aud": "api", "sub": "anna", "exp": NOW.0 + 600});
    for (name, value) in claims.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    let encode = |value: Value| URL_SAFE_NO_PAD.encode_to_string(value.to_string());
    let signed = format!("{}.{}", encode(json!({"alg": "HS256", "kid": "k"})), encode(all));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("a key");
    mac.update(signed.as_bytes());
    format!(
        "{signed}.{}",
        URL_SAFE_NO_PAD.encode_to_string(mac.finalize().into_bytes())
    )
}
