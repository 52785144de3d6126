//! Random callers, and the tokens that prove them.

use base64_simd::URL_SAFE_NO_PAD;
use fastrand::Rng;
use hmac::{Hmac, KeyInit, Mac};
use scopegate_reference::{Caller, Who};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::draw::{once_in, one, shuffled, some, word};
use crate::policies::{
    ACTORS, AUTHENTICATION_METHODS, CLIENTS, NOW, ROLES, SCOPES, SUBJECTS, TENANTS, issuer,
};

/// What the environment of the VM holds.
pub(crate) const ENVIRONMENT: [(&str, &str); 1] = [("STAGE", "production")];

pub(crate) const SECRET: &[u8; 32] = b"a secret of thirty-two bytes, ok";
const OTHER_SECRET: &[u8; 32] = b"another one of thirty-two bytes.";

/// Somebody, and the token that they send.
#[derive(Debug, Clone)]
pub(crate) struct Bearer {
    pub(crate) who: Who,
    pub(crate) token: Option<String>,
}

/// Somebody of one of `providers`; nobody, or a liar, here and there.
pub(crate) fn bearer(rng: &mut Rng, providers: &[&str]) -> Bearer {
    if once_in(rng, 8) {
        return Bearer {
            who: Who::Nobody,
            token: None,
        };
    }
    let caller = caller(rng, providers);
    if once_in(rng, 10) {
        let token = Some(token(&caller, OTHER_SECRET));
        return Bearer {
            who: Who::Refused("signature_invalid"),
            token,
        };
    }
    proved(caller)
}

/// A caller with the token that proves them.
pub(crate) fn proved(caller: Caller) -> Bearer {
    let token = Some(token(&caller, SECRET));
    Bearer {
        who: Who::Caller(caller),
        token,
    }
}

fn caller(rng: &mut Rng, providers: &[&str]) -> Caller {
    let provider = word(rng, providers).to_owned();
    let often = |rng: &mut Rng, values: &[&str]| (!once_in(rng, 4)).then(|| word(rng, values).to_string());
    let mut caller = Caller {
        issuer: issuer(&provider),
        provider,
        subject: Some(word(rng, &SUBJECTS).to_string()),
        client: often(rng, &CLIENTS),
        tenant: if once_in(rng, 12) {
            Some(String::new())
        } else {
            often(rng, &TENANTS)
        },
        scopes: shuffled(rng, &SCOPES, 0, 4)
            .into_iter()
            .map(str::to_owned)
            .collect(),
        roles: shuffled(rng, &ROLES, 0, 2)
            .into_iter()
            .map(str::to_owned)
            .collect(),
        claims: json!({}),
        issued_at: NOW - 400 * 86_400,
        expires_at: NOW + 400 * 86_400,
    };
    if once_in(rng, 6) {
        caller
            .scopes
            .push((word(rng, &["unheard", "*", "a:*", "A:R"])).to_owned());
    }
    caller.claims = claims(rng, &caller);
    caller
}

/// The claims of a token for the caller. A tenant that is not exactly one text is none.
pub(crate) fn claims(rng: &mut Rng, caller: &Caller) -> Value {
    let mut claims = json!({
        "iss": caller.issuer, "aud": "api", "iat": caller.issued_at, "exp": caller.expires_at, "sub": caller.subject,
        "scope": caller.scopes.join(" "), "roles": caller.roles,
    });
    if let Some(client) = &caller.client {
        claims["client_id"] = json!(client);
    }
    match &caller.tenant {
        Some(tenant) => claims["tid"] = json!(tenant),
        None if once_in(rng, 2) => {
            claims["tid"] = one(rng, &[json!(["a"]), json!(7), json!(["a", "b"])]).clone()
        }
        None => {}
    }
    if once_in(rng, 4) {
        claims["act"] = act(rng, caller);
    }
    if once_in(rng, 2) {
        claims["acr"] = one(rng, &[json!("mfa"), json!("pwd"), json!("mfa pwd")]).clone();
        claims["amr"] = json!(some(rng, &AUTHENTICATION_METHODS, 0, 3));
    }
    if once_in(rng, 2) {
        let ages = [0, 599, 600, 601, 3_600, 3_601, -30, -31, -29, 7 * 86_400];
        claims["auth_time"] = json!(NOW - one(rng, &ages));
    }
    claims
}

/// A chain of actors, or something that is none.
fn act(rng: &mut Rng, caller: &Caller) -> Value {
    let mut act = json!({"sub": word(rng, &ACTORS)});
    if once_in(rng, 3) {
        let issuers = [json!(caller.issuer), json!("https://idp.example.org"), json!(7)];
        act["iss"] = one(rng, &issuers).clone();
    }
    if once_in(rng, 3) {
        act["act"] = self::act(rng, caller);
    }
    if once_in(rng, 8) {
        act = one(
            rng,
            &[
                json!("gateway"),
                json!(["gateway"]),
                json!({}),
                json!({"sub": 7}),
                json!(null),
            ],
        )
        .clone();
    }
    act
}

/// The caller with one more scope.
pub(crate) fn with_scope(caller: &Caller, scope: &str) -> Bearer {
    let mut caller = caller.clone();
    caller.scopes.push(scope.to_owned());
    caller.claims["scope"] = json!(caller.scopes.join(" "));
    proved(caller)
}

fn token(caller: &Caller, secret: &[u8]) -> String {
    let encode = |value: Value| URL_SAFE_NO_PAD.encode_to_string(value.to_string());
    let header = encode(json!({"alg": "HS256", "kid": caller.provider, "typ": "at+jwt"}));
    let signed = format!("{header}.{}", encode(caller.claims.clone()));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length");
    mac.update(signed.as_bytes());
    format!(
        "{signed}.{}",
        URL_SAFE_NO_PAD.encode_to_string(mac.finalize().into_bytes())
    )
}
