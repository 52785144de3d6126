//! Who sends: tokens as an honest issuer makes them and as nobody should, and the requests around them.

use std::sync::Arc;

use scopegate_harness::keys::{Algorithm, Key};
use scopegate_harness::proofs;
use scopegate_harness::tokens::TokenSpec;
use serde_json::{Value, json};

use super::super::policies::PATH;
use super::super::requests::proof;
use super::keys::{Generation, Rotation, claims};
use super::kinds::{Act, Due, FATE, Fate, Identity, Made, Sight};
use super::setting::{DEVICE, TENANT};
use crate::http1::{Field, Message};
use crate::mint::{Mint, MintError};

/// The subject of the token that is bound to a key.
pub(super) const PHONE: &str = "phone";

/// What requests are made of.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) rotation: Arc<Rotation>,
    device: Key,
    /// A token of the device, bound to its key.
    pub(super) bound: String,
}

impl Sender {
    pub(super) fn new(rotation: Arc<Rotation>, mobile: &Mint) -> Result<Self, MintError> {
        let device = Key::generate(Algorithm::ES256, "device")?;
        let mut claims = claims(PHONE);
        if let Some(claims) = claims.as_object_mut() {
            claims.insert("cnf".to_owned(), json!({"jkt": proofs::thumbprint(&device)}));
        }
        let bound = mobile.spoiled(Algorithm::ES256, &claims, lasting())?;
        Ok(Self {
            rotation,
            device,
            bound,
        })
    }

    /// A token that comes back, of the generation so far away from the one that signs, and what is due to it.
    pub(super) fn pooled(&self, away: isize, number: usize) -> Result<(String, Due), MintError> {
        let generation = self.rotation.generation(away)?;
        let (token, subject) = generation.known(number).cloned().unwrap_or_default();
        Ok((token, Due::WhilePublished(generation.number, identity(&subject))))
    }

    pub(super) fn known(&self, away: isize, number: usize, sight: Sight) -> Made {
        let (token, due) = self.pooled(away, number)?;
        let request = message("GET", PATH, &[bearer(&token)], Fate::May(number));
        Ok(vec![match away {
            0 => Act::Compare(request, due, sight),
            _ => Act::Ask(request, due),
        }])
    }

    pub(super) fn with_known(&self, number: usize, method: &str, path: &str, due: Due) -> Made {
        Ok(ask(number, method, path, &[bearer(&self.token(number)?)], due))
    }

    pub(super) fn with_path(&self, number: usize, paths: &[&str], code: &'static str) -> Made {
        let path = paths.get(number % paths.len()).copied().unwrap_or_default();
        self.with_known(number, "GET", path, Due::Refused(400, code))
    }

    /// A token of the generation that signs; it comes back.
    pub(super) fn token(&self, number: usize) -> Result<String, MintError> {
        Ok(self.pooled(0, number)?.0)
    }

    pub(super) fn first_sight(&self, number: usize) -> Made {
        let generation = self.rotation.generation(0)?;
        let subject = format!("first-{number}");
        let token = generation.mint.token(generation.algorithm, &claims(&subject))?;
        let due = Due::WhilePublished(generation.number, identity(&subject));
        let request = message("GET", PATH, &[bearer(&token)], Fate::May(number));
        Ok(vec![Act::Compare(request, due, Sight::First)])
    }

    pub(super) fn spoofing(&self, number: usize) -> Made {
        let (token, due) = self.pooled(0, number)?;
        let mut headers = spoofed();
        headers.push(bearer(&token));
        Ok(ask(number, "GET", PATH, &headers, due))
    }

    /// A token with another claim, and with something wrong as `spec` says.
    pub(super) fn spoiled(
        &self,
        number: usize,
        claim: (&str, Value),
        spec: TokenSpec,
    ) -> Result<String, MintError> {
        let generation: Arc<Generation> = self.rotation.generation(0)?;
        let mut claims = claims(&format!("mallory-{number}"));
        if let Some(claims) = claims.as_object_mut() {
            claims.insert(claim.0.to_owned(), claim.1);
        }
        generation.mint.spoiled(generation.algorithm, &claims, spec)
    }

    pub(super) fn refused(&self, number: usize, spec: TokenSpec, code: &'static str) -> Made {
        let token = self.spoiled(number, ("name", json!("Mallory")), spec)?;
        Ok(refused_token(number, &token, code))
    }

    /// The claims of one token between the header and the signature of another.
    pub(super) fn swapped(&self, number: usize) -> Made {
        let honest = self.token(number)?;
        let wished = self.spoiled(
            number,
            ("scope", json!("orders:read orders:write")),
            TokenSpec::default(),
        )?;
        let part = |token: &str, place: usize| token.split('.').nth(place).unwrap_or_default().to_owned();
        let token = [part(&honest, 0), part(&wished, 1), part(&honest, 2)].join(".");
        Ok(refused_token(number, &token, "signature_invalid"))
    }

    pub(super) fn cut_off(&self, number: usize) -> Made {
        let mut token = self.token(number)?;
        token.truncate(token.len() / 2);
        Ok(refused_token(number, &token, "token_malformed"))
    }

    /// The headers of a request with a proof of its own.
    pub(super) fn proved(&self, number: usize) -> Result<[Field; 2], MintError> {
        Ok([
            field("authorization", format!("DPoP {}", self.bound)),
            field("dpop", proof(&self.device, &self.bound, DEVICE, number)?),
        ])
    }

    pub(super) fn replayed(&self, number: usize) -> Made {
        let headers = self.proved(number)?;
        let once = ask(number, "GET", DEVICE, &headers, Due::Permitted(identity(PHONE)));
        let again = ask(
            number,
            "GET",
            DEVICE,
            &headers,
            Due::Refused(401, "proof_replayed"),
        );
        Ok(once.into_iter().chain(again).collect())
    }
}

/// A token that does not expire while the soak runs, however seldom keys change.
pub(super) fn lasting() -> TokenSpec {
    spec(|spec| spec.expires_in = "12h".parse().ok())
}

pub(super) fn spec(change: impl FnOnce(&mut TokenSpec)) -> TokenSpec {
    let mut spec = TokenSpec::default();
    change(&mut spec);
    spec
}

/// What the upstream is told of the holder of a good token.
pub(super) fn identity(subject: &str) -> Identity {
    [
        ("x-auth-subject", subject),
        ("x-auth-tenant", TENANT),
        ("x-auth-scopes", "orders:read orders:write"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Identity headers as no proxy of ours writes them.
pub(super) fn spoofed() -> Vec<Field> {
    vec![
        field("x-auth-subject", "root"),
        field("X_Auth_Tenant", "other"),
        field("X-AUTH-SCOPES", "orders:admin"),
    ]
}

pub(super) fn refused_token(number: usize, token: &str, code: &'static str) -> Vec<Act> {
    ask(number, "GET", PATH, &[bearer(token)], Due::Refused(401, code))
}

pub(super) fn ask(number: usize, method: &str, path: &str, headers: &[Field], due: Due) -> Vec<Act> {
    let fate = match due {
        Due::Refused(..) => Fate::Never,
        Due::Permitted(_) | Due::WhilePublished(..) => Fate::May(number),
    };
    vec![Act::Ask(message(method, path, headers, fate), due)]
}

pub(super) fn message(method: &str, path: &str, headers: &[Field], fate: Fate) -> Vec<u8> {
    let mut all = vec![
        field("user-agent", "scopegate-soak/1.0"),
        field("accept", "application/json"),
        field(FATE, fate.to_string()),
    ];
    all.extend_from_slice(headers);
    Message::request(
        method.as_bytes(),
        path.as_bytes(),
        Some(b"api.example.com"),
        &all,
        b"",
        &[],
    )
}

pub(super) fn bearer(token: &str) -> Field {
    field("authorization", format!("Bearer {token}"))
}

pub(super) fn field(name: &str, value: impl AsRef<[u8]>) -> Field {
    (name.as_bytes().to_vec(), value.as_ref().to_vec())
}
