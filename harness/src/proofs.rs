//! DPoP proofs of test files (RFC 9449 section 4): made for the request that they travel with, as a client makes them,
//! and wrong where a test says so.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use scopegate_document::UnixTime;

use crate::exchange::Request;
use crate::keys::{Key, KeyError, base64url};
use crate::span::Span;

/// The proof of a request. It names the method and the URL of the request, the token, and the nonce that was last
/// given in this test, unless it says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProofSpec {
    /// The key that signs it and stands in it.
    pub key: String,
    /// Claims to set; null leaves a claim out.
    pub claims: Map<String, Value>,
    /// Header members to set; null leaves a member out.
    pub header: Map<String, Value>,
    /// When it was made, counted from now.
    pub issued_in: Option<Span>,
    /// The last proof of this test, sent again as it is.
    pub again: bool,
}

/// What a proof is made for.
pub(crate) struct Occasion<'a> {
    method: String,
    /// The URL that the client sees, without query and fragment.
    url: String,
    token: Option<&'a String>,
    /// Something that no other request of the run has.
    id: String,
    now: UnixTime,
}

impl<'a> Occasion<'a> {
    /// What a proof for this request is made for.
    pub(crate) fn of(request: &Request, id: &str, token: Option<&'a String>, now: UnixTime) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let path = request
            .path
            .split(|byte| *byte == b'?')
            .next()
            .unwrap_or_default();
        let authority = request.authority.as_deref().unwrap_or_default();
        Self {
            method: text(&request.method),
            url: format!("{}://{}{}", text(&request.scheme), text(authority), text(path)),
            token,
            id: base64url(&Sha256::digest(id.as_bytes())),
            now,
        }
    }
}

/// A client: its keys, the proofs it made, the nonce it was given.
#[derive(Debug, Default)]
pub(crate) struct Client {
    made: usize,
    last: Option<String>,
    nonce: Option<String>,
}

impl Client {
    /// Takes the nonce of an answer, where it has one.
    pub(crate) fn learn(&mut self, nonce: Option<String>) {
        self.nonce = nonce.or_else(|| self.nonce.take());
    }

    /// Makes a proof.
    pub(crate) fn prove(
        &mut self,
        spec: &ProofSpec,
        key: &Key,
        occasion: &Occasion<'_>,
    ) -> Result<String, KeyError> {
        if let Some(last) = self.last.clone().filter(|_| spec.again) {
            return Ok(last);
        }
        self.made = self.made.saturating_add(1);
        let header = json!({"typ": "dpop+jwt", "alg": key.algorithm.name(), "jwk": public(key)});
        let issued = occasion.now.plus(spec.issued_in.map_or(0, Span::as_seconds));
        let ath = occasion
            .token
            .map(|token| base64url(&Sha256::digest(token.as_bytes())));
        let claims = json!({
            "jti": format!("{}-{}", occasion.id, self.made),
            "htm": occasion.method,
            "htu": occasion.url,
            "iat": issued,
            "ath": ath,
            "nonce": self.nonce,
        });
        let part = |base: Value, changes: &Map<String, Value>| {
            base64url(changed(base, changes).to_string().as_bytes())
        };
        let signed = format!("{}.{}", part(header, &spec.header), part(claims, &spec.claims));
        let proof = format!("{signed}.{}", base64url(&key.sign(signed.as_bytes())?));
        self.last = Some(proof.clone());
        Ok(proof)
    }
}

fn changed(base: Value, changes: &Map<String, Value>) -> Value {
    let mut members = base.as_object().cloned().unwrap_or_default();
    members.extend(changes.clone());
    members.retain(|_, value| !value.is_null());
    Value::Object(members)
}

/// The public key alone (RFC 9449 section 4.2).
#[must_use]
pub fn public(key: &Key) -> Value {
    let mut jwk = key.jwk("sig");
    if let Some(members) = jwk.as_object_mut() {
        members.retain(|name, _| {
            !matches!(name.as_str(), "kid" | "use" | "alg") || key.algorithm.name().starts_with("ML")
        });
    }
    jwk
}

/// The thumbprint of a key (RFC 7638): its required members alone, in order.
#[must_use]
pub fn thumbprint(key: &Key) -> String {
    let jwk = public(key);
    let required = ["alg", "crv", "e", "kty", "n", "pub", "x", "y"];
    let members = required
        .into_iter()
        .filter_map(|name| Some((name, jwk.get(name)?)));
    let members: BTreeMap<&str, &Value> = members.collect();
    base64url(&Sha256::digest(json!(members).to_string().as_bytes()))
}
