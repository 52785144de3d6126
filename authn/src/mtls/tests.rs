use super::{MtlsRules, Names, PeerIdentity, certificate_digest, identify};
use crate::peer::Peer;

const HOP: &str = "spiffe://prod.example.com/ingress";
const API: &str = "spiffe://prod.example.com/api";
const DIGEST: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
const HOPS_DIGEST: &str = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b";

/// URIs, DNS names, and what they are worth.
type SanCase<'c> = (&'c [&'c str], &'c [&'c str], Result<&'c str, &'c str>);

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn mesh(forwarded_by: &[&str]) -> MtlsRules {
    MtlsRules {
        names: Names::TrustDomains(owned(&["prod.example.com", "b.example"])),
        proxy_verifies: false,
        forwarded_by: owned(forwarded_by),
    }
}

fn dns(names: &[&str]) -> MtlsRules {
    MtlsRules {
        names: Names::Dns(owned(names)),
        proxy_verifies: false,
        forwarded_by: Vec::new(),
    }
}

fn peer(uri_sans: &[&str], dns_sans: &[&str]) -> Peer {
    Peer {
        is_verified: true,
        uri_sans: owned(uri_sans),
        dns_sans: owned(dns_sans),
        subject: Some("CN=prod.example.com".to_owned()),
        sha256: Some([0x0b; 32]),
    }
}

fn found(rules: &[MtlsRules], peer: Option<&Peer>, forwarded: &[&str]) -> Result<PeerIdentity, &'static str> {
    let headers: Vec<(&[u8], &[u8])> = forwarded
        .iter()
        .map(|value| (&b"x-forwarded-client-cert"[..], value.as_bytes()))
        .collect();
    identify(rules.iter(), peer, &headers).map_err(|reject| reject.code())
}

fn subject(rules: &[MtlsRules], peer: &Peer, forwarded: &[&str]) -> Result<String, &'static str> {
    found(rules, Some(peer), forwarded).map(|identity| identity.subject)
}

const NOBODY: Result<String, &str> = Err("peer_unidentified");

#[test]
fn the_one_spiffe_id_of_a_trust_domain_is_the_caller() {
    let rules = [mesh(&[])];
    let cases: &[SanCase<'_>] = &[
        (&[API], &[], Ok(API)),
        (&[API], &["api.example.com"], Ok(API)),
        (&["spiffe://b.example/x/y"], &[], Ok("spiffe://b.example/x/y")),
        (&[], &[], Err("peer_unidentified")),
        (&[], &["prod.example.com"], Err("peer_unidentified")),
        (&[API, API], &[], Err("peer_unidentified")),
        (&[API, "https://example.com/"], &[], Err("peer_unidentified")),
        (&["spiffe://other.example/api"], &[], Err("peer_unidentified")),
        (
            &["spiffe://evil.prod.example.com/api"],
            &[],
            Err("peer_unidentified"),
        ),
        (&["spiffe://prod.example.com"], &[], Err("peer_unidentified")),
        (&["spiffe://prod.example.com/"], &[], Err("peer_unidentified")),
        (&["spiffe://PROD.example.com/api"], &[], Err("peer_unidentified")),
        (&["https://prod.example.com/api"], &[], Err("peer_unidentified")),
        (
            &["spiffe://prod.example.com/a\u{fffd}"],
            &[],
            Err("peer_unidentified"),
        ),
        (&[API], &["\u{fffd}"], Err("peer_unidentified")),
        (&[API, ""], &[], Err("peer_unidentified")),
    ];
    for (uris, names, expected) in cases {
        let expected = expected.map(str::to_owned);
        assert_eq!(
            subject(&rules, &peer(uris, names), &[]),
            expected,
            "{uris:?} {names:?}"
        );
    }
}

#[test]
fn the_one_dns_name_that_is_listed_is_the_caller() {
    let rules = [dns(&["batch.example.com", "web.example.com"])];
    let cases: &[(&[&str], Result<&str, &str>)] = &[
        (&["batch.example.com"], Ok("batch.example.com")),
        (&["BATCH.Example.com"], Ok("batch.example.com")),
        (&["batch.example.com", "batch.internal"], Ok("batch.example.com")),
        (
            &["batch.example.com", "batch.example.com"],
            Ok("batch.example.com"),
        ),
        (
            &["batch.example.com", "web.example.com"],
            Err("peer_unidentified"),
        ),
        (&["*.example.com"], Err("peer_unidentified")),
        (&["batch.example.com."], Err("peer_unidentified")),
        (&["x.batch.example.com"], Err("peer_unidentified")),
        (&["batch.example.com", "\u{fffd}"], Err("peer_unidentified")),
        (&[], Err("peer_unidentified")),
    ];
    for (names, expected) in cases {
        let expected = expected.map(str::to_owned);
        assert_eq!(subject(&rules, &peer(&[], names), &[]), expected, "{names:?}");
    }
}

#[test]
fn somebody_must_have_verified_the_certificate() {
    let unverified = Peer {
        is_verified: false,
        ..peer(&[API], &[])
    };
    assert_eq!(found(&[mesh(&[])], None, &[]), Err("credential_missing"));
    assert_eq!(subject(&[mesh(&[])], &unverified, &[]), NOBODY);
    let proxy_verifies = MtlsRules {
        proxy_verifies: true,
        ..mesh(&[])
    };
    assert_eq!(subject(&[proxy_verifies], &unverified, &[]).as_deref(), Ok(API));
    assert_eq!(subject(&[], &peer(&[API], &[]), &[]), NOBODY);
}

#[test]
fn a_named_hop_speaks_for_its_clients_and_never_for_itself() {
    let rules = [mesh(&[HOP])];
    let hop = peer(&[HOP], &[]);
    let of = |uri: &str| format!("By={HOP};Hash={DIGEST};URI={uri}");
    let appended = format!(
        "{},By=spiffe://prod.example.com/us;Hash={HOPS_DIGEST};URI={HOP}",
        of(API)
    );
    let identity = PeerIdentity {
        provider: 0,
        subject: API.to_owned(),
        sha256: Some([0x0a; 32]),
        is_forwarded: true,
    };
    assert_eq!(found(&rules, Some(&hop), &[&of(API)]), Ok(identity.clone()));
    assert_eq!(found(&rules, Some(&hop), &[&appended]), Ok(identity));
    let refused: &[&[&str]] = &[
        &[],
        &[""],
        &["Hash=x"],
        &[&of(API), &of(API)],
        &[&of("spiffe://other.example/api")],
        &[&of(HOP)],
        &[&format!("Hash={HOPS_DIGEST};URI={HOP}")],
        &[&format!("{};URI={API}", of(API))],
        &[&format!("URI={API}")],
        &[&format!("Hash={DIGEST}")],
        &[&format!("{},{}", of(API), of("spiffe://other.example/x"))],
    ];
    for forwarded in refused {
        assert_eq!(subject(&rules, &hop, forwarded), NOBODY, "{forwarded:?}");
    }
}

#[test]
fn nobody_else_is_believed() {
    let forged = format!("Hash={DIGEST};URI=spiffe://prod.example.com/admin");
    let rules = [mesh(&[HOP])];
    assert_eq!(
        subject(&rules, &peer(&[API], &[]), &[&forged]).as_deref(),
        Ok(API)
    );
    assert_eq!(
        subject(&[mesh(&[])], &peer(&[HOP], &[]), &[&forged]).as_deref(),
        Ok(HOP)
    );
    assert_eq!(
        subject(
            &rules,
            &peer(&["spiffe://prod.example.com/Ingress"], &[]),
            &["Hash"]
        )
        .as_deref(),
        Ok("spiffe://prod.example.com/Ingress")
    );
    let strangers = [
        peer(&[HOP, API], &[]),
        peer(&[], &[HOP]),
        Peer {
            is_verified: false,
            ..peer(&[HOP], &[])
        },
    ];
    for stranger in strangers {
        assert_eq!(subject(&rules, &stranger, &[&forged]), NOBODY, "{stranger:?}");
    }
    assert_eq!(found(&rules, None, &[&forged]), Err("credential_missing"));
}

#[test]
fn a_hop_of_one_provider_is_no_caller_of_another() {
    let edge = MtlsRules {
        names: Names::TrustDomains(owned(&["partners.example"])),
        proxy_verifies: false,
        forwarded_by: owned(&[HOP]),
    };
    let rules = [mesh(&[]), edge];
    let hop = peer(&[HOP], &[]);
    let of = |uri: &str| format!("Hash={DIGEST};URI={uri}");
    let partner = "spiffe://partners.example/acme";
    let found = found(&rules, Some(&hop), &[&of(partner)]).map(|it| (it.provider, it.subject));
    assert_eq!(found, Ok((1, partner.to_owned())));
    assert_eq!(subject(&rules, &hop, &[]), NOBODY);
    // The hop speaks for the callers of the provider that names it, and for no other's.
    assert_eq!(subject(&rules, &hop, &[&of(API)]), NOBODY);
    assert_eq!(subject(&rules, &peer(&[API], &[]), &[]).as_deref(), Ok(API));
    assert_eq!(
        subject(&rules, &peer(&[partner], &[]), &[]).as_deref(),
        Ok(partner)
    );
}

#[test]
fn a_certificate_that_two_providers_know_is_nobodys() {
    let rules = [mesh(&[]), dns(&["api.example.com"])];
    assert_eq!(subject(&rules, &peer(&[API], &[]), &[]).as_deref(), Ok(API));
    assert_eq!(
        subject(&rules, &peer(&[], &["api.example.com"]), &[]).as_deref(),
        Ok("api.example.com")
    );
    assert_eq!(subject(&rules, &peer(&[API], &["api.example.com"]), &[]), NOBODY);
}

#[test]
fn a_token_is_bound_to_the_certificate_of_the_caller_whoever_that_is() {
    let rules = [mesh(&[HOP])];
    let digest = |peer: Option<&Peer>, forwarded: Option<&str>| {
        let headers: Vec<(&[u8], &[u8])> = forwarded
            .iter()
            .map(|value| (&b"x-forwarded-client-cert"[..], value.as_bytes()))
            .collect();
        certificate_digest(rules.iter(), peer, &headers).map_err(|reject| reject.code())
    };
    let element = format!("Hash={DIGEST}");
    let anybody = Peer {
        is_verified: false,
        ..peer(&["https://self-signed.example"], &[])
    };
    assert_eq!(digest(None, Some(&element)), Ok(None));
    assert_eq!(digest(Some(&anybody), Some(&element)), Ok(Some([0x0b; 32])));
    assert_eq!(
        digest(Some(&peer(&[HOP], &[])), Some(&element)),
        Ok(Some([0x0a; 32]))
    );
    assert_eq!(digest(Some(&peer(&[HOP], &[])), None), Err("peer_unidentified"));
    let unverified_hop = Peer {
        is_verified: false,
        ..peer(&[HOP], &[])
    };
    assert_eq!(
        digest(Some(&unverified_hop), Some(&element)),
        Err("peer_unidentified")
    );
}
