//! What a token of a provider looks like by default: issuer, audience, what the profile and `require` ask
//! for, and where the credential travels. Read from the policy document, so that a test states only what
//! matters to it.

use serde_json::{Map, Value, json};

/// A jwt provider of a policy, seen from the side that issues its tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Issuer {
    /// The name of the provider.
    pub name: String,
    /// `iss` of its tokens (RFC 7519 section 4.1.1).
    pub issuer: Option<String>,
    /// The audience its tokens name (RFC 7519 section 4.1.3): the first that the policy accepts.
    pub audience: Option<String>,
    /// The profile of its tokens.
    pub profile: Profile,
    /// Claims that the policy requires, with the first value it allows.
    pub required: Vec<(String, Value)>,
    /// Where its tokens travel.
    pub location: Location,
}

/// The kind of tokens that a provider issues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Profile {
    /// Any JWT (RFC 7519).
    Jwt,
    /// An access token by RFC 9068.
    Rfc9068,
    /// A JWT-SVID of this trust domain.
    Spiffe(String),
}

/// Where a credential travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In a header, after a scheme where there is one.
    Header {
        /// The name of the header.
        name: String,
        /// The scheme (RFC 9110 section 11.1).
        scheme: Option<String>,
    },
    /// In the cookie of this name.
    Cookie(String),
    /// In the query parameter of this name.
    Query(String),
}

impl Issuer {
    /// The providers of a policy document.
    #[must_use]
    pub fn all(policy: &Value) -> Vec<Self> {
        let providers = policy
            .pointer("/authentication/providers")
            .and_then(Value::as_array);
        providers
            .into_iter()
            .flatten()
            .filter_map(Self::from_provider)
            .collect()
    }

    fn from_provider(provider: &Value) -> Option<Self> {
        let text = |field: &str| provider.get(field).and_then(Value::as_str).map(str::to_owned);
        let first = |field: &str| provider.get(field)?.get(0)?.as_str().map(str::to_owned);
        Some(Self {
            name: text("name")?,
            issuer: text("issuer"),
            audience: first("audiences"),
            profile: match text("profile").as_deref() {
                Some("rfc9068") => Profile::Rfc9068,
                Some("spiffe") => Profile::Spiffe(first("trust_domains").unwrap_or_default()),
                _ => Profile::Jwt,
            },
            required: required(provider),
            location: location(provider),
        })
    }

    /// The members of a token's header, `alg` and `kid` apart.
    #[must_use]
    pub fn header(&self) -> Map<String, Value> {
        let kind = match self.profile {
            Profile::Rfc9068 => "at+jwt",
            Profile::Jwt | Profile::Spiffe(_) => "JWT",
        };
        Map::from_iter([("typ".to_owned(), json!(kind))])
    }

    /// The claims of a token called `name`, times apart.
    #[must_use]
    pub fn claims(&self, name: &str) -> Map<String, Value> {
        let mut claims = Map::new();
        let mut add = |claim: &str, value: Value| claims.insert(claim.to_owned(), value);
        if let Some(issuer) = &self.issuer {
            add("iss", json!(issuer));
        }
        if let Some(audience) = &self.audience {
            add("aud", json!(audience));
        }
        match &self.profile {
            Profile::Jwt => {}
            Profile::Rfc9068 => {
                add("sub", json!(name));
                add("client_id", json!("test-client"));
                add("jti", json!(format!("test-{name}")));
            }
            Profile::Spiffe(domain) => {
                add("sub", json!(format!("spiffe://{domain}/{name}")));
            }
        }
        for (path, value) in &self.required {
            set_path(&mut claims, path, value.clone());
        }
        claims
    }

    /// The key usage that its JWKS states.
    #[must_use]
    pub const fn key_usage(&self) -> &'static str {
        match self.profile {
            Profile::Spiffe(_) => "jwt-svid",
            Profile::Jwt | Profile::Rfc9068 => "sig",
        }
    }
}

fn required(provider: &Value) -> Vec<(String, Value)> {
    let claims = provider.pointer("/require/claims").and_then(Value::as_object);
    let first = |allowed: &Value| match allowed.as_array() {
        Some(values) => values.first().cloned(),
        None => Some(allowed.clone()),
    };
    let claims = claims.into_iter().flatten();
    claims
        .filter_map(|(claim, allowed)| Some((claim.clone(), first(allowed)?)))
        .collect()
}

fn location(provider: &Value) -> Location {
    let text = |field: &str| {
        let value = provider
            .get("credential")
            .and_then(|credential| credential.get(field));
        value.and_then(Value::as_str).map(str::to_owned)
    };
    match (text("cookie"), text("query"), text("header")) {
        (Some(cookie), _, _) => Location::Cookie(cookie),
        (None, Some(query), _) => Location::Query(query),
        (None, None, Some(name)) => Location::Header {
            name,
            scheme: text("scheme"),
        },
        (None, None, None) => Location::Header {
            name: "authorization".to_owned(),
            scheme: Some(
                match provider.get("binding").and_then(Value::as_str) {
                    Some("dpop") => "DPoP",
                    _ => "Bearer",
                }
                .to_owned(),
            ),
        },
    }
}

/// Sets the claim at a dotted path or a JSON Pointer, as policies name claims.
pub(crate) fn set_path(claims: &mut Map<String, Value>, path: &str, value: Value) {
    let segments: Vec<String> = match path.strip_prefix('/') {
        Some(pointer) => pointer
            .split('/')
            .map(|it| it.replace("~1", "/").replace("~0", "~"))
            .collect(),
        None => path.split('.').map(str::to_owned).collect(),
    };
    let Some((last, parents)) = segments.split_last() else {
        return;
    };
    let mut map = claims;
    for segment in parents {
        let child = map
            .entry(segment.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        match child {
            Value::Object(inner) => map = inner,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => return,
        }
    }
    map.insert(last.clone(), value);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Issuer, Location};

    fn issuer(provider: &Value) -> Issuer {
        Issuer::all(&json!({"authentication": {"providers": [provider]}})).remove(0)
    }

    #[test]
    fn a_token_has_by_default_what_its_provider_asks_for() {
        let provider = json!({
            "name": "corp", "type": "jwt", "issuer": "https://idp", "audiences": ["a", "b"], "profile": "rfc9068",
            "require": {"claims": {"azp": ["web", "batch"], "realm.kind": ["x"], "/a.b": true}},
        });
        let claims = issuer(&provider).claims("reader");
        let expected = json!({
            "iss": "https://idp", "aud": "a", "sub": "reader", "client_id": "test-client", "jti": "test-reader",
            "azp": "web", "realm": {"kind": "x"}, "a.b": true,
        });
        assert_eq!(Value::Object(claims), expected);
        assert_eq!(issuer(&provider).header()["typ"], "at+jwt");
    }

    #[test]
    fn a_spiffe_token_is_of_its_trust_domain() {
        let issuer = issuer(&json!({"name": "mesh", "profile": "spiffe", "trust_domains": ["prod.example"]}));
        assert_eq!(issuer.claims("batch")["sub"], "spiffe://prod.example/batch");
        assert_eq!(issuer.key_usage(), "jwt-svid");
    }

    #[test]
    fn a_credential_travels_where_the_policy_says() {
        let at = |credential: Value| issuer(&json!({"name": "p", "credential": credential})).location;
        assert_eq!(at(json!({"cookie": "sid"})), Location::Cookie("sid".to_owned()));
        assert_eq!(at(json!({"query": "t"})), Location::Query("t".to_owned()));
        let header = Location::Header {
            name: "x-token".to_owned(),
            scheme: None,
        };
        assert_eq!(at(json!({"header": "x-token"})), header);
    }
}
