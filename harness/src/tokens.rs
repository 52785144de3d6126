//! Tokens for tests: a description that says only what matters, defaults from the provider, and mutators
//! that make tokens no honest issuer would sign.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use scopegate_document::UnixTime;

use crate::issuer::Issuer;
use crate::keys::{Algorithm, Key, KeyError, base64url};
use crate::span::Span;

/// How long a token lives where its description does not say, in seconds.
const LIFETIME_SECONDS: i64 = 300;

/// A token of a test file: what it says beyond the defaults of its provider, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenSpec {
    /// The token this one is like; fields stated here win, claims and header members are merged.
    pub from: Option<String>,
    /// The key that signs it. Where `from` is given too, the `kid` of that token stays: a forgery.
    pub key: Option<String>,
    /// The provider whose defaults it takes; by default the provider of its key.
    pub provider: Option<String>,
    /// The id of one of the provider's API keys: a key made for this run takes its place in the policy, and is sent.
    pub api_key: Option<String>,
    /// The key that it is bound to: the claim `cnf` names it (RFC 9449 section 6.1).
    pub bound_to: Option<String>,
    /// Claims to set; null leaves a claim out.
    pub claims: Map<String, Value>,
    /// Header members to set; null leaves a member out.
    pub header: Map<String, Value>,
    /// When it expires, counted from now: `10m`, or `-1m` for a minute ago. By default `5m`.
    pub expires_in: Option<Span>,
    /// When it was issued, counted from now. By default now, or five minutes before it expires.
    pub issued_in: Option<Span>,
    /// When it begins to be valid, counted from now. By default not stated.
    pub valid_in: Option<Span>,
    /// When its holder was authenticated (`auth_time`), counted from now. By default not stated.
    pub authenticated_in: Option<Span>,
    /// The `alg` of its header. With another algorithm of the key's family it is signed so; with `HS*` and
    /// a public key, the public key is the secret (algorithm confusion); anything else is only written.
    pub alg: Option<String>,
    /// The `kid` of its header, in place of the key's.
    pub kid: Option<String>,
    /// Names to put into `crit` (RFC 7515 section 4.1.11).
    pub crit: Option<Vec<String>>,
    /// What is done to its signature.
    pub signature: Option<SignatureFault>,
    /// Header members that stand in the header twice.
    pub duplicate_header: Vec<String>,
    /// Claims that stand in the payload twice.
    pub duplicate_claims: Vec<String>,
    /// The JSON text of the header, exactly.
    pub raw_header: Option<String>,
    /// The JSON text of the payload, exactly.
    pub raw_claims: Option<String>,
    /// A claim of this many bytes is added, to make the token large.
    pub padding: Option<usize>,
    /// Text put before the token.
    pub prefix: Option<String>,
    /// Text put after the token.
    pub suffix: Option<String>,
    /// The whole text of the token; nothing else is looked at.
    pub raw: Option<String>,
}

/// What is done to a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignatureFault {
    /// Its text is empty: the token ends with a dot.
    Strip,
    /// The third segment is missing.
    Drop,
    /// One bit is flipped.
    Flip,
    /// The last byte is missing.
    Truncate,
    /// All bytes are zero.
    Zero,
    /// It is followed by `=` padding.
    Pad,
}

impl TokenSpec {
    /// This description over `base`: stated fields win, claims and header members are merged.
    #[must_use]
    pub fn over(self, base: &Self, base_kid: Option<&str>) -> Self {
        let Self {
            from: _,
            key,
            provider,
            api_key,
            bound_to,
            claims,
            header,
            expires_in,
            issued_in,
            valid_in,
            authenticated_in,
            alg,
            kid,
            crit,
            signature,
            duplicate_header,
            duplicate_claims,
            raw_header,
            raw_claims,
            padding,
            prefix,
            suffix,
            raw,
        } = self;
        let inherited_kid = key.as_ref().and(base_kid).map(str::to_owned);
        Self {
            from: None,
            key: key.or_else(|| base.key.clone()),
            provider: provider.or_else(|| base.provider.clone()),
            api_key: api_key.or_else(|| base.api_key.clone()),
            bound_to: bound_to.or_else(|| base.bound_to.clone()),
            claims: merged(&base.claims, claims),
            header: merged(&base.header, header),
            expires_in: expires_in.or(base.expires_in),
            issued_in: issued_in.or(base.issued_in),
            valid_in: valid_in.or(base.valid_in),
            authenticated_in: authenticated_in.or(base.authenticated_in),
            alg: alg.or_else(|| base.alg.clone()),
            kid: kid.or_else(|| base.kid.clone()).or(inherited_kid),
            crit: crit.or_else(|| base.crit.clone()),
            signature: signature.or(base.signature),
            duplicate_header: either(duplicate_header, &base.duplicate_header),
            duplicate_claims: either(duplicate_claims, &base.duplicate_claims),
            raw_header: raw_header.or_else(|| base.raw_header.clone()),
            raw_claims: raw_claims.or_else(|| base.raw_claims.clone()),
            padding: padding.or(base.padding),
            prefix: prefix.or_else(|| base.prefix.clone()),
            suffix: suffix.or_else(|| base.suffix.clone()),
            raw: raw.or_else(|| base.raw.clone()),
        }
    }

    /// Makes the token called `name`, as `issuer` would at `now`, signed with `key`.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn mint(&self, name: &str, issuer: &Issuer, key: &Key, now: UnixTime) -> Result<String, KeyError> {
        if let Some(raw) = self.raw.clone().or_else(|| self.api_key.as_deref().map(api_key)) {
            return Ok(raw);
        }
        let header = self
            .raw_header
            .clone()
            .unwrap_or_else(|| with_duplicates(&self.header_members(issuer, key), &self.duplicate_header));
        let claims = self
            .raw_claims
            .clone()
            .unwrap_or_else(|| with_duplicates(&self.all_claims(name, issuer, now), &self.duplicate_claims));
        let signed = format!(
            "{}.{}",
            base64url(header.as_bytes()),
            base64url(claims.as_bytes())
        );
        let signature = self.sign(key, signed.as_bytes())?;
        let token = match self.signature {
            Some(SignatureFault::Drop) => signed,
            Some(SignatureFault::Pad) => format!("{signed}.{}==", base64url(&signature)),
            _ => format!("{signed}.{}", base64url(&signature)),
        };
        let (prefix, suffix) = (self.prefix.as_deref(), self.suffix.as_deref());
        Ok(format!(
            "{}{token}{}",
            prefix.unwrap_or_default(),
            suffix.unwrap_or_default()
        ))
    }

    /// The first name that is to stand twice and does not stand there once: its field, and the name.
    pub(crate) fn absent_duplicate(&self, issuer: &Issuer, key: &Key) -> Option<(&'static str, &str)> {
        let (header, claims) = (
            self.header_members(issuer, key),
            self.all_claims("", issuer, UnixTime(0)),
        );
        let header = self
            .duplicate_header
            .iter()
            .find(|name| !header.contains_key(*name));
        let claim = self
            .duplicate_claims
            .iter()
            .find(|name| !claims.contains_key(*name));
        let header = header.map(|name| (".duplicate_header", name.as_str()));
        header.or_else(|| claim.map(|name| (".duplicate_claims", name.as_str())))
    }

    fn header_members(&self, issuer: &Issuer, key: &Key) -> Map<String, Value> {
        let mut members = issuer.header();
        members.insert(
            "alg".to_owned(),
            json!(self.alg.as_deref().unwrap_or(key.algorithm.name())),
        );
        members.insert("kid".to_owned(), json!(self.kid.as_deref().unwrap_or(&key.kid)));
        if let Some(crit) = &self.crit {
            members.insert("crit".to_owned(), json!(crit));
        }
        merged(&members, self.header.clone())
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect()
    }

    fn all_claims(&self, name: &str, issuer: &Issuer, now: UnixTime) -> Map<String, Value> {
        let expires = now.plus(self.expires_in.map_or(LIFETIME_SECONDS, Span::as_seconds));
        let issued = match self.issued_in {
            Some(span) => now.plus(span.as_seconds()),
            None => now.min(expires.minus(LIFETIME_SECONDS)),
        };
        let mut claims = issuer.claims(name);
        claims.insert("iat".to_owned(), json!(issued));
        claims.insert("exp".to_owned(), json!(expires));
        if let Some(span) = self.valid_in {
            claims.insert("nbf".to_owned(), json!(now.plus(span.as_seconds())));
        }
        if let Some(span) = self.authenticated_in {
            claims.insert("auth_time".to_owned(), json!(now.plus(span.as_seconds())));
        }
        if let Some(length) = self.padding {
            claims.insert("padding".to_owned(), json!("x".repeat(length)));
        }
        merged(&claims, self.claims.clone())
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect()
    }

    fn sign(&self, key: &Key, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = match self.alg.as_deref() {
            Some(name) if name.eq_ignore_ascii_case("none") => return Ok(Vec::new()),
            None => key.sign(message)?,
            Some(name) => match name.parse::<Algorithm>() {
                Ok(algorithm) if algorithm.is_symmetric() => key.confuse(algorithm, message)?,
                Ok(algorithm) => key.sign_as(algorithm, message).or_else(|_| key.sign(message))?,
                Err(_) => key.sign(message)?,
            },
        };
        Ok(match self.signature {
            Some(SignatureFault::Strip | SignatureFault::Drop) => Vec::new(),
            Some(SignatureFault::Flip) => flipped(signature),
            Some(SignatureFault::Truncate) => truncated(signature),
            Some(SignatureFault::Zero) => vec![0; signature.len()],
            Some(SignatureFault::Pad) | None => signature,
        })
    }
}

/// The API key that takes the place of the one called `id`.
pub(crate) fn api_key(id: &str) -> String {
    format!("test-key-{id}")
}

fn merged(base: &Map<String, Value>, over: Map<String, Value>) -> Map<String, Value> {
    let mut merged = base.clone();
    merged.extend(over);
    merged
}

fn either(stated: Vec<String>, base: &[String]) -> Vec<String> {
    match stated.is_empty() {
        true => base.to_vec(),
        false => stated,
    }
}

/// The JSON text of an object in which the `names` stand twice, each time with the same value.
fn with_duplicates(members: &Map<String, Value>, names: &[String]) -> String {
    let member = |(name, value): (&String, &Value)| format!("{}:{value}", json!(name));
    let twice = members.iter().filter(|(name, _)| names.contains(name));
    let members: Vec<String> = members.iter().chain(twice).map(member).collect();
    format!("{{{}}}", members.join(","))
}

fn flipped(mut signature: Vec<u8>) -> Vec<u8> {
    if let Some(byte) = signature.get_mut(8) {
        *byte ^= 1;
    }
    signature
}

fn truncated(mut signature: Vec<u8>) -> Vec<u8> {
    signature.pop();
    signature
}

#[cfg(test)]
mod tests;
