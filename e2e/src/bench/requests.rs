//! What is sent: one request again and again, or requests of which each is the first of its kind.

use std::sync::Arc;
use std::thread;

use base64_simd::URL_SAFE_NO_PAD;
use scopegate_harness::keys::{Algorithm, Key};
use scopegate_harness::proofs;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::BenchError;
use super::policies::{ORIGIN, PATH};
use crate::http1::Message;
use crate::mint::{self, Mint, MintError};

/// What a row sends.
#[derive(Clone)]
pub(super) enum Load {
    /// One request.
    Same(Vec<u8>),
    /// Several requests, one after the other, again and again.
    Each(Arc<Vec<Vec<u8>>>),
    /// Requests made when they are needed, each for one use.
    Fresh(Arc<dyn Fn(usize) -> Result<Vec<u8>, MintError> + Send + Sync>),
}

impl std::fmt::Debug for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Same(_) => "Same",
            Self::Each(_) => "Each",
            Self::Fresh(_) => "Fresh",
        })
    }
}

/// How many workers sign: fresh tokens take longer to make than to check.
const SIGNERS: usize = 2;

impl Load {
    /// `count` requests, those from `first` on; fewer where they are sent again.
    pub(super) fn requests(&self, first: usize, count: usize) -> Result<Arc<Vec<Vec<u8>>>, MintError> {
        let make = match self {
            Self::Same(request) => return Ok(Arc::new(vec![request.clone()])),
            Self::Each(requests) => return Ok(Arc::clone(requests)),
            Self::Fresh(make) => make,
        };
        let part = |signer: usize| {
            (0..count)
                .skip(signer)
                .step_by(SIGNERS)
                .map(|number| make(first.saturating_add(number)))
        };
        thread::scope(|scope| {
            let signers: Vec<_> = (0..SIGNERS)
                .map(|signer| scope.spawn(move || part(signer).collect::<Result<Vec<_>, _>>()))
                .collect();
            let parts = signers.into_iter().map(|signer| signer.join());
            parts
                .map(|part| part.unwrap_or_else(|_| Ok(Vec::new())))
                .collect::<Result<Vec<_>, _>>()
                .map(|parts| Arc::new(parts.into_iter().flatten().collect()))
        })
    }
}

/// Whoever makes requests.
pub(super) struct Sender {
    mint: Arc<Mint>,
    secret: Arc<Mint>,
    client: Arc<Key>,
}

impl Sender {
    pub(super) fn new(mint: Mint, secret: Mint) -> Result<Self, BenchError> {
        let client = Key::generate(Algorithm::ES256, "client").map_err(MintError::from)?;
        Ok(Self {
            mint: Arc::new(mint),
            secret: Arc::new(secret),
            client: Arc::new(client),
        })
    }

    fn mint(&self, algorithm: Algorithm) -> Arc<Mint> {
        Arc::clone(match algorithm.is_symmetric() {
            true => &self.secret,
            false => &self.mint,
        })
    }

    /// One request with one token.
    pub(super) fn same(&self, algorithm: Algorithm) -> Result<Load, MintError> {
        self.at(PATH, algorithm)
    }

    /// One request for `path` with one token.
    pub(super) fn at(&self, path: &str, algorithm: Algorithm) -> Result<Load, MintError> {
        let token = self.mint(algorithm).token(algorithm, &claims())?;
        Ok(Load::Same(request(path, Some(&format!("Bearer {token}")), None)))
    }

    /// Requests each with a token of its own.
    pub(super) fn fresh(&self, algorithm: Algorithm) -> Load {
        let mint = self.mint(algorithm);
        Load::Fresh(Arc::new(move |number| {
            let mut claims = claims();
            if let Some(claims) = claims.as_object_mut() {
                claims.insert("jti".to_owned(), json!(format!("{number:012}")));
            }
            let token = mint.token(algorithm, &claims)?;
            Ok(request(PATH, Some(&format!("Bearer {token}")), None))
        }))
    }

    /// Requests with one token, each with a proof of its own (RFC 9449).
    pub(super) fn proofs(&self) -> Result<Load, MintError> {
        let mut claims = claims();
        if let Some(claims) = claims.as_object_mut() {
            claims.insert("cnf".to_owned(), json!({"jkt": proofs::thumbprint(&self.client)}));
        }
        let token = self.mint.token(Algorithm::ES256, &claims)?;
        let client = Arc::clone(&self.client);
        Ok(Load::Fresh(Arc::new(move |number| {
            let proof = proof(&client, &token, PATH, number)?;
            Ok(request(PATH, Some(&format!("DPoP {token}")), Some(&proof)))
        })))
    }

    /// One request without a token.
    pub(super) fn anonymous(&self, path: &str) -> Load {
        Load::Same(request(path, None, None))
    }
}

/// What requests of a sweep are like.
pub(super) struct Shape {
    /// The scopes of the token.
    pub(super) scopes: String,
    /// How many headers there are beside the token.
    pub(super) headers: usize,
    /// How long the token is, about.
    pub(super) token_bytes: usize,
}

/// Makes requests of one shape, each with a token of its own.
pub(super) fn of_shape(
    mint: Mint,
    shape: Shape,
) -> Result<impl Fn(usize) -> Result<Vec<u8>, MintError> + Send + Sync, MintError> {
    let Shape {
        scopes,
        headers,
        token_bytes: bytes,
    } = shape;
    let token = move |number: usize, filler: usize| {
        let mut claims = json!({
            "sub": "anna", "scope": scopes, "tid": "acme", "client_id": "web", "jti": format!("{number:012}"),
        });
        if let Some(claims) = claims.as_object_mut() {
            claims.insert("filler".to_owned(), json!("x".repeat(filler)));
        }
        mint.token(Algorithm::HS256, &claims)
    };
    // Of three bytes of claims base64url makes four.
    let bare = token(0, 0)?.len();
    let filler = bytes.saturating_sub(bare).saturating_mul(3) / 4;
    Ok(move |number| {
        let bearer = format!("Bearer {}", token(number, filler)?);
        Ok(request_with(PATH, headers, Some(&bearer), None))
    })
}

/// Claims of the size that tokens have.
fn claims() -> Value {
    json!({
        "sub": "anna", "scope": "orders:read orders:write", "tid": "acme", "client_id": "web",
        "name": "Anna Example", "email": "anna@example.com", "groups": ["staff", "orders", "warehouse"],
        "auth_time": mint::now(), "acr": "urn:example:silver", "sid": "0d3c2f3e-7a54-4c39-9b41-6a5d6d1c7f10",
    })
}

fn request(path: &str, authorization: Option<&str>, proof: Option<&str>) -> Vec<u8> {
    request_with(path, 0, authorization, proof)
}

/// A request with the headers that every client sends, and more up to `count`.
fn request_with(path: &str, count: usize, authorization: Option<&str>, proof: Option<&str>) -> Vec<u8> {
    let mut headers: Vec<(Vec<u8>, Vec<u8>)> = [
        ("x-request-id", "5f1e0c9a-0000-4000-8000-000000000001"),
        ("user-agent", "scopegate-bench/1.0"),
        ("accept", "application/json"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .to_vec();
    let others =
        (headers.len()..count).map(|number| (format!("x-other-{number}").into(), b"a value".to_vec()));
    headers.extend(others);
    let more = [("authorization", authorization), ("dpop", proof)];
    headers.extend(
        more.into_iter()
            .filter_map(|(name, value)| Some((name.into(), value?.into()))),
    );
    Message::request(
        b"GET",
        path.as_bytes(),
        Some(b"api.example.com"),
        &headers,
        b"",
        &[],
    )
}

/// A proof for a GET of `path` with this token (RFC 9449 section 4.2), the only one of this number.
pub(super) fn proof(key: &Key, token: &str, path: &str, number: usize) -> Result<String, MintError> {
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode_to_string(value.to_string());
    let header = json!({"typ": "dpop+jwt", "alg": key.algorithm.name(), "jwk": proofs::public(key)});
    let claims = json!({
        "jti": format!("proof-{number:012}"), "htm": "GET", "htu": format!("{ORIGIN}{path}"), "iat": mint::now(),
        "ath": URL_SAFE_NO_PAD.encode_to_string(Sha256::digest(token.as_bytes())),
    });
    let signed = format!("{}.{}", encoded(&header), encoded(&claims));
    let signature = key.sign(signed.as_bytes())?;
    Ok(format!(
        "{signed}.{}",
        URL_SAFE_NO_PAD.encode_to_string(signature)
    ))
}
