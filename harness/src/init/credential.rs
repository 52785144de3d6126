//! A caller as a test file writes it: a token, an answer of an introspection endpoint, a certificate.

use serde_json::{Map, Value, json};

use super::document::{path_of, text, texts};
use super::who::Who;
use crate::issuer::set_path;
use crate::keys::Algorithm;

/// What a request carries.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Credential {
    /// Its token: the name, and how it is described.
    pub(super) token: Option<(String, Value)>,
    /// The upstream that is asked about the token, and what it answers.
    pub(super) answer: Option<(String, Value)>,
    /// Its certificate.
    pub(super) peer: Option<Value>,
    /// The key of its DPoP proof.
    pub(super) proof: Option<String>,
}

/// An end of life that no test reaches: 2100-01-01.
const FAR: i64 = 4_102_444_800;

/// The digest of the certificate that tokens are bound to, in hex and as `x5t#S256` has it (RFC 8705 section 3.1).
const CERTIFICATE_HEX: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const CERTIFICATE_X5T: &str = "ERERERERERERERERERERERERERERERERERERERERERE";

/// The name of the key that signs for a provider.
pub(super) fn key_name(provider: &str) -> String {
    format!("{}_key", plain(provider))
}

/// The algorithm of that key: what is quick to make, where the policy accepts it.
pub(super) fn algorithm(provider: &Value) -> Option<&str> {
    let known = |name: &&str| name.parse::<Algorithm>().is_ok();
    let names: Vec<&str> = texts(provider, "/algorithms").into_iter().filter(known).collect();
    let quick = names
        .iter()
        .find(|name| matches!(**name, "ES256" | "Ed25519" | "EdDSA"));
    quick.or(names.first()).copied()
}

/// The credential of `who`, whom this provider vouches for.
pub(super) fn of(provider: &Value, who: &Who) -> Credential {
    match text(provider, "/type") {
        Some("api_key") => api_key(who),
        Some("mtls") => certificate(provider, who),
        Some("introspection") => opaque(provider, who),
        _ => signed(provider, who),
    }
}

/// A name without what a name in a test file should not have.
pub(super) fn plain(name: &str) -> String {
    let replaced = |character: char| {
        if character.is_ascii_alphanumeric() {
            character
        } else {
            '_'
        }
    };
    name.chars().map(replaced).collect()
}

fn api_key(who: &Who) -> Credential {
    let token = json!({"provider": who.provider, "api_key": who.api_key});
    Credential {
        token: Some((plain(&who.name), token)),
        ..Credential::default()
    }
}

fn certificate(provider: &Value, who: &Who) -> Credential {
    let subject = who.subject.clone().unwrap_or_default();
    let is_dns = !texts(provider, "/dns_names").is_empty();
    let names = if is_dns { "dns_sans" } else { "uri_sans" };
    Credential {
        peer: Some(json!({names: [subject]})),
        ..Credential::default()
    }
}

fn opaque(provider: &Value, who: &Who) -> Credential {
    let name = plain(&who.name);
    let raw = format!("opaque-{}", name.replace('_', "-"));
    let mut answer = claims(provider, who);
    answer.insert("active".to_owned(), json!(true));
    answer.insert("exp".to_owned(), json!(FAR));
    if let Some(issuer) = text(provider, "/issuer") {
        answer.insert("iss".to_owned(), json!(issuer));
    }
    if let Some(audience) = texts(provider, "/audiences").first() {
        answer.insert("aud".to_owned(), json!(audience));
    }
    let path = path_of(text(provider, "/endpoint").unwrap_or_default());
    let answer =
        json!({"method": "POST", "path": path, "form": {"token": format!("{{{{{name}}}}}")}, "json": answer});
    Credential {
        token: Some((name, json!({"provider": who.provider, "raw": raw}))),
        answer: text(provider, "/upstream").map(|upstream| (upstream.to_owned(), answer)),
        ..Credential::default()
    }
}

fn signed(provider: &Value, who: &Who) -> Credential {
    let mut token = Map::new();
    token.insert("key".to_owned(), json!(key_name(&who.provider)));
    let mut claims = claims(provider, who);
    let mut credential = Credential::default();
    match text(provider, "/binding") {
        Some("dpop" | "any") => {
            token.insert("bound_to".to_owned(), json!("phone"));
            credential.proof = Some("phone".to_owned());
        }
        Some("mtls") => {
            claims.insert("cnf".to_owned(), json!({"x5t#S256": CERTIFICATE_X5T}));
            credential.peer = Some(json!({"cert_sha256": CERTIFICATE_HEX}));
        }
        _ => {}
    }
    if let Some(span) = &who.authenticated_in {
        token.insert("authenticated_in".to_owned(), json!(span));
    }
    token.insert("claims".to_owned(), Value::Object(claims));
    credential.token = Some((plain(&who.name), Value::Object(token)));
    credential
}

fn claims(provider: &Value, who: &Who) -> Map<String, Value> {
    let mut claims = Map::new();
    match text(provider, "/profile") {
        Some("kubernetes") => kubernetes(who, &mut claims),
        Some("spiffe") => {
            let domain = texts(provider, "/trust_domains")
                .first()
                .copied()
                .unwrap_or_default();
            let subject = who
                .subject
                .clone()
                .unwrap_or_else(|| format!("spiffe://{domain}/{}", plain(&who.name)));
            claims.insert("sub".to_owned(), json!(subject));
        }
        _ => {
            let named = text(provider, "/claims/subject").unwrap_or("sub");
            set_path(
                &mut claims,
                named,
                json!(who.subject.as_deref().unwrap_or("somebody")),
            );
            if let Some(tenant) = &who.tenant {
                set_path(
                    &mut claims,
                    text(provider, "/claims/tenant").unwrap_or("tenant"),
                    json!(tenant),
                );
            }
        }
    }
    let mut set = |path: &str, value: Value| set_path(&mut claims, path, value);
    if let Some(client) = &who.client {
        set(
            text(provider, "/claims/client").unwrap_or("client_id"),
            json!(client),
        );
    }
    if !who.scopes.is_empty() {
        let named = texts(provider, "/claims/scopes")
            .first()
            .copied()
            .unwrap_or("scope");
        set(named, json!(who.scopes.join(" ")));
    }
    if let (false, Some(named)) = (who.roles.is_empty(), texts(provider, "/claims/roles").first()) {
        set(named, json!(who.roles));
    }
    if let Some(acr) = &who.acr {
        set("acr", json!(acr));
    }
    if !who.amr.is_empty() {
        set("amr", json!(who.amr));
    }
    if let Some(actor) = &who.actor {
        set("act", json!({"sub": actor}));
    }
    claims.extend(who.claims.clone());
    claims
}

/// The claims of a bound service account token. The namespace is the tenant's where policies say so.
fn kubernetes(who: &Who, claims: &mut Map<String, Value>) {
    let subject = who
        .subject
        .as_deref()
        .and_then(|it| it.strip_prefix("system:serviceaccount:"));
    let (namespace, account) = subject
        .and_then(|it| it.split_once(':'))
        .unwrap_or_else(|| (who.tenant.as_deref().unwrap_or("default"), "worker"));
    claims.insert(
        "sub".to_owned(),
        json!(format!("system:serviceaccount:{namespace}:{account}")),
    );
    let uid = |last: u8| format!("00000000-0000-4000-8000-00000000000{last}");
    let bound = json!({
        "namespace": namespace,
        "serviceaccount": {"name": account, "uid": uid(1)},
        "pod": {"name": format!("{account}-0"), "uid": uid(2)},
    });
    claims.insert("kubernetes.io".to_owned(), bound);
}
