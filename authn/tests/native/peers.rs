//! Client certificates through the door of the layer: of the connection, and of a hop that is believed.

use scopegate_authn::{Algorithm, Peer, RawPeer};
use serde_json::{Value, json};

use crate::common::{encode, provider, token};
use crate::world::{Ask, World, peer};

const ALG: Algorithm = Algorithm::EdDsa;
const BATCH: &str = "spiffe://prod.example.com/batch";
const INGRESS: &str = "spiffe://prod.example.com/ingress";

fn mesh(changes: &Value) -> Value {
    let base = json!({"name": "mesh", "type": "mtls", "trust_domains": ["prod.example.com"]});
    crate::common::merge(base, changes)
}

fn behind_ingress() -> World {
    World::of(&[mesh(&json!({"forwarded_by": [INGRESS]}))])
}

fn forwarded(value: &str) -> Ask {
    Ask::default().and("x-forwarded-client-cert", value)
}

fn unverified(id: &str) -> Peer {
    Peer {
        is_verified: false,
        ..peer(id, 1)
    }
}

#[test]
fn the_certificate_of_the_connection_names_the_caller_if_the_host_vouches_for_it() {
    let cases = [
        (json!({}), peer(BATCH, 1), "mesh/spiffe://prod.example.com/batch"),
        (json!({}), unverified(BATCH), "peer_unidentified"),
        (
            json!({"proxy_verifies": true}),
            unverified(BATCH),
            "mesh/spiffe://prod.example.com/batch",
        ),
        (
            json!({}),
            peer("spiffe://test.example.com/batch", 1),
            "peer_unidentified",
        ),
        (
            json!({}),
            peer("spiffe://prod.example.com.evil.example/batch", 1),
            "peer_unidentified",
        ),
        (
            json!({}),
            peer("spiffe://prod.example.com", 1),
            "peer_unidentified",
        ),
        (
            json!({}),
            peer("https://prod.example.com/batch", 1),
            "peer_unidentified",
        ),
        (json!({}), Peer::default(), "peer_unidentified"),
        (
            json!({"trust_domains": null, "dns_names": ["batch.example.com"]}),
            Peer::read(RawPeer {
                is_verified: true,
                dns_sans: &[b"BATCH.example.com"],
                ..RawPeer::default()
            }),
            "mesh/batch.example.com",
        ),
    ];
    for (changes, peer, expected) in cases {
        let mut world = World::of(&[mesh(&changes)]);
        assert_eq!(
            world.ask(&Ask::default().from(&peer)),
            expected,
            "{changes} {peer:?}"
        );
        assert_eq!(
            world.live.cache_use().tokens,
            0,
            "certificates are looked at on every request"
        );
        assert_eq!(world.ask(&Ask::default()), "credential_missing");
    }
    let two = Peer::read(RawPeer {
        is_verified: true,
        uri_sans: &[BATCH.as_bytes(), b"spiffe://prod.example.com/admin"],
        ..RawPeer::default()
    });
    let mut world = World::of(&[mesh(&json!({}))]);
    assert_eq!(
        world.ask(&Ask::default().from(&two)),
        "peer_unidentified",
        "two names are none"
    );
}

#[test]
fn a_certificate_has_no_claims_and_no_scopes() {
    let mut world = World::of(&[mesh(&json!({}))]);
    let step = world.step(
        &Ask::default().from(&peer(BATCH, 1)),
        &scopegate_authn::Attempt::last(),
    );
    let Ok(scopegate_authn::Step::Done(caller)) = step else {
        panic!("{step:?}");
    };
    assert!(caller.claims().is_empty() && caller.scopes().is_empty());
    assert_eq!(
        (caller.client(), caller.tenant(), caller.evidence().kind),
        (None, None, "mtls")
    );
}

#[test]
fn a_forwarded_certificate_counts_from_a_named_and_verified_hop_alone() {
    let hash = "0a".repeat(32);
    let own = "07".repeat(32);
    let good = format!("Hash={hash};URI={BATCH}");
    let appended = format!("{good},By={INGRESS};Hash={own};URI={INGRESS}");
    let batch = "mesh/spiffe://prod.example.com/batch";
    let cases = [
        ("a hop and its word", good.clone(), peer(INGRESS, 7), batch),
        ("and what our own proxy added", appended, peer(INGRESS, 7), batch),
        (
            "a hop that was not verified",
            good.clone(),
            unverified(INGRESS),
            "peer_unidentified",
        ),
        (
            "somebody else",
            good.clone(),
            peer("spiffe://prod.example.com/other", 7),
            "mesh/spiffe://prod.example.com/other",
        ),
        (
            "a caller who writes the field itself",
            good.clone(),
            peer(BATCH, 7),
            batch,
        ),
        (
            "a stranger",
            good.clone(),
            peer("spiffe://evil.example/ingress", 7),
            "peer_unidentified",
        ),
        (
            "a hop that speaks for itself",
            format!("Hash={hash};URI={INGRESS}"),
            peer(INGRESS, 7),
            "peer_unidentified",
        ),
        (
            "no digest",
            format!("URI={BATCH}"),
            peer(INGRESS, 7),
            "peer_unidentified",
        ),
        (
            "a quote that never ends",
            format!("Hash={hash};URI=\"{BATCH}"),
            peer(INGRESS, 7),
            "peer_unidentified",
        ),
        (
            "nothing in it",
            String::new(),
            peer(INGRESS, 7),
            "peer_unidentified",
        ),
    ];
    for (what, value, peer, expected) in cases {
        let ask = forwarded(&value).from(&peer);
        assert_eq!(behind_ingress().ask(&ask), expected, "{what}");
    }
    let hop = peer(INGRESS, 7);
    assert_eq!(
        behind_ingress().ask(&Ask::default().from(&hop)),
        "peer_unidentified",
        "a hop is no caller"
    );
    let twice = forwarded(&good).and("X-Forwarded-Client-Cert", &good).from(&hop);
    assert_eq!(behind_ingress().ask(&twice), "peer_unidentified", "two fields");
    let spelled = Ask::default().and("x_forwarded_client_cert", &good).from(&hop);
    assert_eq!(
        behind_ingress().ask(&spelled),
        "peer_unidentified",
        "another spelling of the field"
    );
    assert_eq!(
        behind_ingress().ask(&forwarded(&good)),
        "credential_missing",
        "no certificate at all"
    );
    let mut nobody = World::of(&[mesh(&json!({}))]);
    assert_eq!(
        nobody.ask(&forwarded(&good).from(&hop)),
        "mesh/spiffe://prod.example.com/ingress",
        "the field says nothing where no hop is named"
    );
}

#[test]
fn a_certificate_is_revoked_by_its_subject_also_behind_a_hop() {
    let revoked = json!([{"provider": "mesh", "subject": BATCH, "issued_before": "2020-01-01T00:00:00Z"}]);
    let mut world = World::new(&json!({
        "providers": [mesh(&json!({"forwarded_by": [INGRESS]}))],
        "revocation": {"subjects": revoked, "feed": {"uri": "https://idp.example.com/r", "upstream": "idp"}},
    }));
    let direct = Ask::default().from(&peer(BATCH, 1));
    let behind = forwarded(&format!("Hash={};URI={BATCH}", "0a".repeat(32))).from(&peer(INGRESS, 7));
    let other = Ask::default().from(&peer("spiffe://prod.example.com/other", 1));
    for ask in [&direct, &behind] {
        assert_eq!(world.ask(ask), "token_revoked");
    }
    assert_eq!(world.ask(&other), "wait revocations");
    assert_eq!(world.ask_last(&other), "revocation_unavailable");
    assert_eq!(world.give("revocations", r#"{"tokens": []}"#), "document");
    assert_eq!(world.ask(&other), "mesh/spiffe://prod.example.com/other");
}

#[test]
fn a_certificate_behind_a_hop_is_the_one_the_hop_saw() {
    let mesh = json!({
        "name": "mesh", "type": "mtls", "trust_domains": ["prod.example.com"], "forwarded_by": [INGRESS],
    });
    let corp = provider(&[ALG], &json!({"binding": "mtls"}));
    let mut world = World::of(&[corp, mesh]);
    let bound_to = |byte: u8| token(ALG, &json!({"cnf": {"x5t#S256": encode(&[byte; 32])}}));
    let bound = bound_to(7);
    let hop = peer(INGRESS, 9);
    let field = |byte: &str| format!("Hash={};URI={BATCH}", byte.repeat(32));
    let cases = [
        ("the hop saw it", Some(field("07")), "corp/anna"),
        ("the hop saw another", Some(field("08")), "binding_mismatch"),
        ("the hop says nothing", None, "binding_mismatch"),
        (
            "nobody can read it",
            Some("Hash=07".to_owned()),
            "binding_mismatch",
        ),
    ];
    for (what, value, expected) in cases {
        let ask = Ask::bearer(&bound).from(&hop);
        let ask = value.map_or(ask.clone(), |value| ask.and("x-forwarded-client-cert", &value));
        assert_eq!(world.ask(&ask), expected, "{what}");
    }
    let hops_own = bound_to(9);
    let ask = Ask::bearer(&hops_own)
        .from(&hop)
        .and("x-forwarded-client-cert", &field("07"));
    assert_eq!(world.ask(&ask), "binding_mismatch", "the hop is not the caller");
    let ask = Ask::bearer(&bound)
        .from(&peer(BATCH, 8))
        .and("x-forwarded-client-cert", &field("07"));
    assert_eq!(
        world.ask(&ask),
        "binding_mismatch",
        "a caller cannot write the field itself"
    );
}
