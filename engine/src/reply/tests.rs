//! Every rejection has its status and its challenge: a table that must name them all.

use scopegate_authn::{Challenge, Reject};
use scopegate_authz::Deny;

use super::{Area, Asked, Refusal, render};
use crate::{Layer, Request};

/// What a challenge says of the error under `Bearer` and under `DPoP`; nothing where there is no challenge.
type Errors = Option<(&'static str, &'static str)>;

/// The code, the status, and the errors.
const REPLIES: &[(&str, u16, Errors)] = &[
    ("credential_missing", 401, Some(("", ""))),
    (
        "credential_multiple",
        400,
        Some(("invalid_request", "invalid_request")),
    ),
    ("token_malformed", 401, TOKEN),
    ("token_too_large", 401, TOKEN),
    ("critical_header", 401, TOKEN),
    ("algorithm_not_allowed", 401, TOKEN),
    ("issuer_unknown", 401, TOKEN),
    ("type_mismatch", 401, TOKEN),
    ("audience_mismatch", 401, TOKEN),
    ("token_expired", 401, TOKEN),
    ("token_not_yet_valid", 401, TOKEN),
    ("lifetime_too_long", 401, TOKEN),
    ("claim_missing", 401, TOKEN),
    ("claim_mismatch", 401, TOKEN),
    ("key_not_found", 401, TOKEN),
    ("signature_invalid", 401, TOKEN),
    ("token_revoked", 401, TOKEN),
    ("key_revoked", 401, TOKEN),
    ("api_key_unknown", 401, TOKEN),
    ("api_key_expired", 401, TOKEN),
    ("peer_unidentified", 401, TOKEN),
    ("token_inactive", 401, TOKEN),
    ("binding_mismatch", 401, TOKEN),
    ("proof_missing", 401, PROOF),
    ("proof_invalid", 401, PROOF),
    ("proof_replayed", 401, PROOF),
    ("proof_nonce", 401, Some(("", "use_dpop_nonce"))),
    ("keys_unavailable", 503, None),
    ("introspection_unavailable", 503, None),
    ("revocation_unavailable", 503, None),
    ("replay_unavailable", 503, None),
    ("clock_unavailable", 503, None),
    ("not_configured", 503, None),
];

const TOKEN: Errors = Some(("invalid_token", "invalid_token"));
const PROOF: Errors = Some(("", "invalid_dpop_proof"));

fn challenge(scheme: &str, algorithms: Option<&str>) -> Challenge {
    Challenge {
        scheme: scheme.to_owned(),
        algorithms: algorithms.map(str::to_owned),
    }
}

fn request<'r>(headers: &'r [(&'r [u8], &'r [u8])]) -> Request<'r> {
    Request {
        headers,
        ..Request::unseen("r-1")
    }
}

fn expected(scheme: &str, error: &str, algorithms: &str) -> (&'static str, String) {
    let error = match error {
        "" => String::new(),
        error => format!(", error=\"{error}\""),
    };
    (
        "www-authenticate",
        format!("{scheme} realm=\"orders\"{error}{algorithms}"),
    )
}

#[test]
fn every_rejection_has_its_status_and_its_challenges() {
    let codes: Vec<&str> = Reject::ALL.iter().map(|reject| reject.code()).collect();
    let named: Vec<&str> = REPLIES.iter().map(|(code, _, _)| *code).collect();
    assert_eq!(codes, named, "the table names every rejection, in order");
    let challenges = [challenge("Bearer", None), challenge("DPoP", Some("ES256"))];
    let area = Area {
        realm: "orders",
        resource_metadata: None,
    };
    let grpc: &[(&[u8], &[u8])] = &[(b"content-type", b"application/grpc")];
    for (reject, (code, status, errors)) in Reject::ALL.iter().zip(REPLIES) {
        let refusal = Refusal::Reject(*reject);
        assert_eq!(refusal.layer(), Layer::Authentication);
        let asked = Asked {
            challenges: &challenges,
            nonce: None,
        };
        let reply = render(&request(&[]), &refusal, &area, &asked);
        assert_eq!(reply.status, *status, "{code}");
        let challenges: Vec<_> = reply
            .headers
            .iter()
            .filter(|(name, _)| *name == "www-authenticate")
            .cloned()
            .collect();
        let expected: Vec<_> = errors
            .iter()
            .flat_map(|(bearer, dpop)| {
                [
                    expected("Bearer", bearer, ""),
                    expected("DPoP", dpop, ", algs=\"ES256\""),
                ]
            })
            .collect();
        assert_eq!(challenges, expected, "{code}");
        let says_when = reply.headers.iter().any(|(name, _)| *name == "retry-after");
        assert_eq!(says_when, *status == 503, "{code}");
        let answered = render(&request(grpc), &refusal, &area, &asked);
        let grpc_status = match status {
            400 => 3,
            401 => 16,
            _ => 14,
        };
        assert_eq!(
            (answered.status, answered.grpc.map(|(status, _)| status)),
            (200, Some(grpc_status)),
            "{code}"
        );
    }
}

#[test]
fn a_step_up_asks_for_what_the_route_needs() {
    let step_up = |acr_values: &[&str], max_age| Deny::StepUpRequired {
        acr_values: acr_values.iter().map(|value| (*value).to_owned()).collect(),
        max_age,
    };
    let rows = [
        (
            step_up(&["mfa", "phr"], Some(600)),
            r#", acr_values="mfa phr", max_age="600""#,
        ),
        (step_up(&["urn:a\"b"], None), r#", acr_values="urn:a\"b""#),
        (step_up(&[], Some(0)), r#", max_age="0""#),
        (step_up(&[], None), ""),
    ];
    let area = Area {
        realm: "orders",
        resource_metadata: None,
    };
    for (deny, parameters) in rows {
        let challenges = [challenge("Bearer", None)];
        let asked = Asked {
            challenges: &challenges,
            nonce: None,
        };
        let refusal = Refusal::Deny(deny);
        let reply = render(&request(&[]), &refusal, &area, &asked);
        assert_eq!((reply.status, refusal.layer()), (401, Layer::Authorization));
        let asked = format!(r#"Bearer realm="orders", error="insufficient_user_authentication"{parameters}"#);
        assert_eq!(reply.headers.first(), Some(&("www-authenticate", asked)));
    }
}
