//! Every kind of request of the soak: how it is made, how often it comes, and the one answer that is right.

use std::collections::BTreeMap;
use std::fmt;

use scopegate_harness::tokens::{SignatureFault, TokenSpec};
use serde_json::json;

use super::super::policies::PATH;
use super::keys::claims;
use super::sender::{PHONE, Sender, ask, bearer, field, identity, message, refused_token, spec, spoofed};
use super::setting::DEVICE;
use crate::mint::MintError;

/// The header by which the upstream tells what should never have come to it.
pub(super) const FATE: &str = "x-soak";

/// What [`FATE`] says of a request that must be refused.
const NEVER: &str = "never";

/// Whether a request may come to the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It must be refused.
    Never,
    /// It may, unless it was refused: it has this number, so that this is seen.
    May(usize),
}

impl Fate {
    /// What the upstream saw in [`FATE`]; none where no request of ours says so.
    pub(super) fn read(text: &str) -> Option<Self> {
        match text {
            NEVER => Some(Self::Never),
            number => number.parse().ok().map(Self::May),
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str(NEVER),
            Self::May(number) => number.fmt(f),
        }
    }
}

/// The identity headers that the upstream must see, and no others of their kind.
pub(super) type Identity = BTreeMap<String, String>;

/// The answer that is right.
#[derive(Debug, Clone)]
pub(super) enum Due {
    /// The upstream's, which saw this identity.
    Permitted(Identity),
    /// A refusal with this status and code; one of Envoy itself has no code.
    Refused(u16, &'static str),
    /// The upstream's while the key of that generation is published, a refusal otherwise.
    WhilePublished(usize, Identity),
}

/// How often the plugin has seen the token of a good request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// Before.
    Again,
    /// Never.
    First,
}

/// What a caller does.
#[derive(Debug)]
pub(super) enum Act {
    /// Sends this and reads the answer.
    Ask(Vec<u8>, Due),
    /// The same, and both the plugin and Envoy's own filters are timed.
    Compare(Vec<u8>, Due, Sight),
    /// Sends this over a connection of its own, and ends that at once.
    Abandon(Vec<u8>),
}

/// What is sent for one request of a kind.
pub(super) type Made = Result<Vec<Act>, MintError>;

/// One kind of request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// How many of a hundred or so.
    weight: usize,
    pub(super) make: fn(&Sender, usize) -> Made,
}

/// The kinds in the order in which they come, again and again: each as often as its weight says, well mixed.
pub(super) fn deck() -> Vec<usize> {
    let of = |(number, kind): (usize, &Kind)| std::iter::repeat_n(number, kind.weight);
    let sorted: Vec<usize> = KINDS.iter().enumerate().flat_map(of).collect();
    // A stride that shares no factor with the length takes each once.
    let stride = [37, 41, 43]
        .into_iter()
        .find(|stride| !sorted.len().is_multiple_of(*stride))
        .unwrap_or(1);
    (0..sorted.len())
        .filter_map(|place| sorted.get(place.saturating_mul(stride) % sorted.len()).copied())
        .collect()
}

const fn kind(name: &'static str, weight: usize, make: fn(&Sender, usize) -> Made) -> Kind {
    Kind { name, weight, make }
}

/// Every kind.
pub(super) const KINDS: [Kind; 43] = [
    kind("a token seen before", 24, |sender, number| {
        sender.known(0, number, Sight::Again)
    }),
    kind("a first sight", 12, |sender, number| sender.first_sight(number)),
    kind("a key of before, still published", 4, |sender, number| {
        sender.known(-1, number, Sight::Again)
    }),
    kind("a key announced, not yet in use", 2, |sender, number| {
        sender.known(1, number, Sight::Again)
    }),
    kind("a key of before, retired", 4, |sender, number| {
        sender.known(-2, number, Sight::Again)
    }),
    kind("a key not yet announced", 2, |sender, number| {
        sender.known(2, number, Sight::Again)
    }),
    kind("public route", 3, |_, number| {
        Ok(ask(
            number,
            "GET",
            "/healthz",
            &[],
            Due::Permitted(Identity::new()),
        ))
    }),
    kind("public route, identity of its own making", 1, |_, number| {
        Ok(ask(
            number,
            "GET",
            "/healthz",
            &spoofed(),
            Due::Permitted(Identity::new()),
        ))
    }),
    kind("a good token, identity of its own making", 2, |sender, number| {
        sender.spoofing(number)
    }),
    kind("no token", 4, |_, number| {
        Ok(ask(
            number,
            "GET",
            PATH,
            &[],
            Due::Refused(401, "credential_missing"),
        ))
    }),
    kind("another scheme", 1, |_, number| {
        let basic = [field("authorization", "Basic YW5uYTpzZWNyZXQ=")];
        Ok(ask(
            number,
            "GET",
            PATH,
            &basic,
            Due::Refused(401, "credential_missing"),
        ))
    }),
    kind("wrong scope", 3, |sender, number| {
        let token = sender.spoiled(number, ("scope", json!("orders:read")), TokenSpec::default())?;
        Ok(ask(
            number,
            "POST",
            PATH,
            &[bearer(&token)],
            Due::Refused(403, "scope_missing"),
        ))
    }),
    kind("another tenant", 3, |sender, number| {
        sender.with_known(number, "GET", "/r7/other", Due::Refused(403, "tenant_mismatch"))
    }),
    kind("no route", 2, |sender, number| {
        sender.with_known(number, "GET", "/nowhere", Due::Refused(403, "no_route"))
    }),
    kind("expired", 2, |sender, number| {
        let spec = spec(|spec| spec.expires_in = "-5m".parse().ok());
        sender.refused(number, spec, "token_expired")
    }),
    kind("not yet valid", 2, |sender, number| {
        let spec = spec(|spec| spec.valid_in = "2m".parse().ok());
        sender.refused(number, spec, "token_not_yet_valid")
    }),
    kind("wrong audience", 2, |sender, number| {
        let token = sender.spoiled(
            number,
            ("aud", json!("https://other.example.com")),
            TokenSpec::default(),
        )?;
        Ok(refused_token(number, &token, "audience_mismatch"))
    }),
    kind("unknown issuer", 1, |sender, number| {
        let token = sender.spoiled(
            number,
            ("iss", json!("https://idp.example.com.evil.example")),
            TokenSpec::default(),
        )?;
        Ok(refused_token(number, &token, "issuer_unknown"))
    }),
    kind("forged signature", 3, |sender, number| {
        let generation = sender.rotation.generation(0)?;
        let token = generation.mint.forged(generation.algorithm, &claims("root"))?;
        Ok(refused_token(number, &token, "signature_invalid"))
    }),
    kind("a bit of the signature flipped", 2, |sender, number| {
        let spec = spec(|spec| spec.signature = Some(SignatureFault::Flip));
        sender.refused(number, spec, "signature_invalid")
    }),
    kind("other claims under a good signature", 2, |sender, number| {
        sender.swapped(number)
    }),
    kind("alg none", 2, |sender, number| {
        let spec = spec(|spec| spec.alg = Some("none".to_owned()));
        sender.refused(number, spec, "algorithm_not_allowed")
    }),
    kind("HS256 with the public key", 2, |sender, number| {
        let spec = spec(|spec| spec.alg = Some("HS256".to_owned()));
        sender.refused(number, spec, "algorithm_not_allowed")
    }),
    kind("unknown kid", 5, |sender, number| {
        let spec = spec(|spec| spec.kid = Some(format!("unknown-{number}")));
        sender.refused(number, spec, "key_not_found")
    }),
    kind("an unknown critical extension", 1, |sender, number| {
        let spec = spec(|spec| {
            spec.crit = Some(vec!["b64".to_owned()]);
            spec.header.insert("b64".to_owned(), json!(false));
        });
        sender.refused(number, spec, "critical_header")
    }),
    kind("a claim twice", 1, |sender, number| {
        let spec = spec(|spec| spec.duplicate_claims = vec!["sub".to_owned()]);
        sender.refused(number, spec, "token_malformed")
    }),
    kind("a header member twice", 1, |sender, number| {
        let spec = spec(|spec| spec.duplicate_header = vec!["alg".to_owned()]);
        sender.refused(number, spec, "token_malformed")
    }),
    kind("a token cut off", 2, |sender, number| sender.cut_off(number)),
    kind("a token of 20 KiB", 1, |sender, number| {
        let spec = spec(|spec| spec.padding = Some(15 * 1024));
        sender.refused(number, spec, "token_too_large")
    }),
    kind("two credentials", 2, |sender, number| {
        let (one, other) = (sender.token(number)?, sender.token(number.saturating_add(1))?);
        let both = [bearer(&one), bearer(&other)];
        Ok(ask(
            number,
            "GET",
            PATH,
            &both,
            Due::Refused(400, "credential_multiple"),
        ))
    }),
    kind("bytes that are no text", 1, |_, number| {
        let odd = [field("authorization", b"Bearer \xff\xfe.\x80.\xc3")];
        Ok(ask(
            number,
            "GET",
            PATH,
            &odd,
            Due::Refused(401, "token_malformed"),
        ))
    }),
    kind("a path with several readings", 4, |sender, number| {
        const PATHS: [&str; 4] = [
            "/r7/acme/../other",
            "/healthz/..%2Fr7/acme",
            "/r7/acme%2Fother",
            "/r7/acme;x=1",
        ];
        sender.with_path(number, &PATHS, "ambiguous_path")
    }),
    kind("a path that is none", 3, |sender, number| {
        const PATHS: [&str; 4] = ["//r7/acme", "/r7/acme%00", "/r7/%zz", "/r7/%u0061cme"];
        sender.with_path(number, &PATHS, "malformed_request")
    }),
    kind("a path of 8 KiB", 1, |sender, number| {
        let path = format!("/r7/{}", "a".repeat(8 * 1024));
        sender.with_known(number, "GET", &path, Due::Refused(403, "tenant_mismatch"))
    }),
    kind("odd methods", 3, |sender, number| {
        let methods = ["DELETE", "get", "OPTIONS", "PURGE"];
        let method = methods.get(number % methods.len()).copied().unwrap_or("get");
        sender.with_known(number, method, PATH, Due::Refused(403, "no_route"))
    }),
    kind("TRACE", 1, |sender, number| {
        sender.with_known(number, "TRACE", PATH, Due::Refused(400, "malformed_request"))
    }),
    // Envoy answers before any filter is asked.
    kind("CONNECT", 1, |sender, number| {
        sender.with_known(number, "CONNECT", "api.example.com:443", Due::Refused(403, ""))
    }),
    kind("another method in a header", 1, |sender, number| {
        let headers = [
            bearer(&sender.token(number)?),
            field("x-http-method-override", "POST"),
        ];
        Ok(ask(
            number,
            "GET",
            PATH,
            &headers,
            Due::Refused(400, "malformed_request"),
        ))
    }),
    kind("a bound token with its proof", 2, |sender, number| {
        let headers = sender.proved(number)?;
        Ok(ask(
            number,
            "GET",
            DEVICE,
            &headers,
            Due::Permitted(identity(PHONE)),
        ))
    }),
    kind("a proof sent twice", 2, |sender, number| sender.replayed(number)),
    kind("a bound token without a proof", 1, |sender, number| {
        let headers = [field("authorization", format!("DPoP {}", sender.bound))];
        Ok(ask(
            number,
            "GET",
            DEVICE,
            &headers,
            Due::Refused(401, "proof_missing"),
        ))
    }),
    kind("ended before the answer", 2, |sender, number| {
        let (token, _) = sender.pooled(0, number)?;
        let request = message("GET", PATH, &[bearer(&token)], Fate::May(number));
        Ok(vec![Act::Abandon(request)])
    }),
    kind("half a request", 2, |sender, number| {
        let (token, _) = sender.pooled(0, number)?;
        let mut half = message("GET", PATH, &[bearer(&token)], Fate::Never);
        half.truncate(half.len() / 2);
        Ok(vec![Act::Abandon(half)])
    }),
];

#[cfg(test)]
mod tests {
    use super::{KINDS, deck};

    #[test]
    fn each_kind_comes_as_often_as_its_weight_says() {
        let deck = deck();
        for (number, kind) in KINDS.iter().enumerate() {
            let times = deck.iter().filter(|place| **place == number).count();
            assert_eq!(times, kind.weight, "{}", kind.name);
        }
    }
}
