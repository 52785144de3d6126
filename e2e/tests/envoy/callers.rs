//! Callers whose credential alone is not enough, in a real Envoy with two workers: opaque tokens that their issuer is
//! asked about, tokens bound to a key or a certificate, certificates themselves, and what a feed revokes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use scopegate_e2e::certificates::{Authority, Identity, Names};
use scopegate_e2e::client::{Answer, TlsClient};
use scopegate_e2e::envoy::Envoy;
use scopegate_e2e::envoy::bootstrap::{Clients, Clusters, Listener, Tls, bootstrap_with, plugin};
use scopegate_e2e::http1::{Field, Message};
use scopegate_e2e::key_server::{Document, Introspection, KeyServer};
use scopegate_e2e::mint::{self, Mint};
use scopegate_e2e::upstream::Upstream;
use scopegate_e2e::wait;
use scopegate_harness::keys::{Algorithm, Key, base64url};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::{bearer, field, policy, send};
use crate::workers::{Said, WORKERS, everywhere, passes, refuses, said};

const HOST: &str = "api.example.com";
const REPORTS: &str = "/orgs/acme/reports";
const PROFILE: &str = "/mobile/profile";
const PASSWORD: &str = "a-password-of-this-test";

/// How often a proof is sent again, over as many connections at once.
const REPLAYS: usize = 16;

#[test]
fn callers_are_asked_about_and_held_to_what_they_are_bound_to() {
    let Some(world) = World::start("callers_are_asked_about_and_held_to_what_they_are_bound_to") else {
        return;
    };
    opaque_tokens_are_asked_about(&world);
    a_proof_is_taken_once_by_all_workers_together(&world);
    what_a_feed_revokes_is_refused_everywhere(&world);
    a_certificate_is_the_caller(&world);
    a_token_is_held_to_its_certificate(&world);
}

fn opaque_tokens_are_asked_about(world: &World) {
    let ask = |token: &str| world.everywhere("opaque", REPORTS, || vec![bearer(token)]);
    assert_eq!(ask("opaque-of-anna"), passes());
    assert_eq!(ask("opaque-of-nobody"), refuses(401, "token_inactive"));
    world.issuer.refuse().unwrap();
    assert_eq!(ask("opaque-of-rita"), refuses(503, "introspection_unavailable"));
    let answer = world.get("opaque", REPORTS, &[bearer("opaque-of-rita")]);
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    world.issuer.listen().unwrap();
    let again = || (ask("opaque-of-rita") == passes()).then_some(());
    wait::until("an issuer that answers again", again).unwrap();
}

fn a_proof_is_taken_once_by_all_workers_together(world: &World) {
    let phone = Phone::new();
    let token = phone.token(&world.phones, "anna");
    assert_eq!(
        world.everywhere("phones", PROFILE, || phone.proved(&token)),
        passes()
    );
    let proved = phone.proved(&token);
    let replay = || world.everywhere("phones", PROFILE, || proved.clone());
    let first: Vec<Said> = thread::scope(|scope| {
        let ask = || scope.spawn(|| said(&world.get("phones", PROFILE, &proved)));
        let callers: Vec<_> = (0..REPLAYS).map(|_| ask()).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    let taken = first.iter().filter(|(status, _)| *status == 200).count();
    assert_eq!(taken, 1, "{first:?}");
    assert_eq!(replay(), refuses(401, "proof_replayed"));
    let thief = Phone::new();
    let stolen = || thief.proved(&token);
    assert_eq!(
        world.everywhere("phones", PROFILE, stolen),
        refuses(401, "binding_mismatch")
    );
}

fn what_a_feed_revokes_is_refused_everywhere(world: &World) {
    let phone = Phone::new();
    let (lost, kept) = (
        phone.token(&world.phones, "lost"),
        phone.token(&world.phones, "kept"),
    );
    let ask = |token: &String| world.everywhere("phones", PROFILE, || phone.proved(token));
    assert_eq!(ask(&lost), passes());
    let revoked = json!({"subjects": [{
        "provider": "apps", "subject": "lost", "issued_before": "2999-01-01T00:00:00Z",
    }]});
    world.identity.serve("/revoked.json", Document::json(&revoked));
    let refused = refuses(401, "token_revoked");
    wait::until("the revocation", || (ask(&lost) == refused).then_some(())).unwrap();
    assert_eq!(ask(&kept), passes());
}

fn a_certificate_is_the_caller(world: &World) {
    let domain = "spiffe://prod.example.com";
    let paths: [(&str, Said); 4] = [
        ("billing", (200, String::new())),
        ("reports", (200, String::new())),
        ("stranger", (403, "scope_missing".to_owned())),
        ("ingress", (401, "peer_unidentified".to_owned())),
    ];
    for (name, expected) in paths {
        let id = format!("{domain}/{name}");
        let identity = world.identity_of(&id);
        drop(world.upstream.take());
        let answer = world.secure("mesh", Some(&identity), "/entries/1", &[]);
        assert_eq!(said(&answer), expected, "{id}");
        let seen = world.upstream.take();
        let known = seen.first().and_then(|seen| seen.header("x-auth-workload"));
        assert_eq!(known, (expected.0 == 200).then_some(id));
    }
    let foreign = world.identity_of("spiffe://elsewhere.example.com/billing");
    assert_eq!(
        world.secure("mesh", Some(&foreign), "/entries/1", &[]).status,
        401
    );
}

fn a_token_is_held_to_its_certificate(world: &World) {
    let (own, other) = (
        world.identity_of("spiffe://prod.example.com/own"),
        world.identity_of("spiffe://prod.example.com/other"),
    );
    let bound = json!({
        "sub": "anna", "scope": "orders:read", "tid": "acme", "cnf": {"x5t#S256": base64url(&own.sha256())},
    });
    let token = bearer(&world.bound.token(Algorithm::ES256, &bound).unwrap());
    let orders = "/tenants/acme/orders";
    let ask = |identity: Option<&Identity>| {
        said(&world.secure("bound", identity, orders, std::slice::from_ref(&token)))
    };
    assert_eq!(ask(Some(&own)), (200, String::new()));
    assert_eq!(ask(Some(&other)), (401, "binding_mismatch".to_owned()));
    assert_eq!(ask(None).0, 401);
}

/// A client with a key of its own that makes proofs (RFC 9449).
struct Phone {
    key: Key,
    made: AtomicU32,
}

impl Phone {
    fn new() -> Self {
        Self {
            key: Key::generate(Algorithm::ES256, "phone").unwrap(),
            made: AtomicU32::new(0),
        }
    }

    /// The public key: the members of which its thumbprint is made (RFC 7638 section 3.2).
    fn jwk(&self) -> Value {
        let jwk = self.key.jwk("sig");
        json!({"crv": jwk["crv"], "kty": jwk["kty"], "x": jwk["x"], "y": jwk["y"]})
    }

    fn thumbprint(&self) -> String {
        base64url(&Sha256::digest(self.jwk().to_string().as_bytes()))
    }

    /// A token of this subject that is bound to the key.
    fn token(&self, mint: &Mint, subject: &str) -> String {
        let claims = json!({
            "sub": subject, "client_id": "app", "scope": "profile:read", "cnf": {"jkt": self.thumbprint()},
        });
        mint.token(Algorithm::ES256, &claims).unwrap()
    }

    /// The token with a new proof.
    fn proved(&self, token: &str) -> Vec<Field> {
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk()});
        let claims = json!({
            "jti": format!("{}-{made}", self.thumbprint()),
            "htm": "GET",
            "htu": format!("https://{HOST}{PROFILE}"),
            "iat": mint::now().0,
            "ath": base64url(&Sha256::digest(token.as_bytes())),
        });
        let part = |part: Value| base64url(part.to_string().as_bytes());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = base64url(&self.key.sign(signed.as_bytes()).unwrap());
        vec![
            field("authorization", format!("DPoP {token}")),
            field("dpop", format!("{signed}.{signature}")),
        ]
    }
}

/// An Envoy with a listener for each kind of caller, and whoever vouches for them.
struct World {
    envoy: Envoy,
    /// Answers about opaque tokens.
    issuer: KeyServer,
    /// Keys and revocations of the phones.
    identity: KeyServer,
    phones: Mint,
    bound: Mint,
    authority: Authority,
    upstream: Upstream,
}

impl World {
    fn start(test: &str) -> Option<Self> {
        let program = crate::common::envoy(test)?;
        let (issuer, identity) = (KeyServer::start().unwrap(), KeyServer::start().unwrap());
        let upstream = Upstream::start().unwrap();
        let authority = Authority::new("ours").unwrap();
        issuer.introspect("/introspect", introspection());

        let opaque = policy("policies/opaque-tokens/policy.yaml");
        let mut phones = policy("policies/mobile-api-dpop/policy.yaml");
        phones["authentication"]["providers"][0]["dpop"] = json!({"algorithms": ["ES256"]});
        phones["authentication"]["revocation"]["feed"]["refresh"] = json!("5s");
        let key = Key::generate(Algorithm::ES256, "k1").unwrap();
        identity.serve("/jwks", Document::jwks(&[key.jwk("sig")]));
        identity.serve("/revoked.json", Document::json(&json!({"subjects": []})));
        let phone_mint = Mint::with_key(&phones, "apps", key).unwrap();
        let mesh = policy("policies/spiffe-mesh/policy.yaml");
        let mut bound = policy("policies/rest-api-tenants/policy.yaml");
        let bound_mint = Mint::install(&mut bound, "corp", &[Algorithm::ES256]).unwrap();
        bound["authentication"]["providers"][0]["binding"] = json!("mtls");

        let environment = BTreeMap::from([("INTROSPECT_PASSWORD".to_owned(), PASSWORD.to_owned())]);
        let module = crate::common::module();
        let listener = |name: &str, policy: &Value| {
            Listener::new(name, vec![plugin(&module, &policy.to_string(), &environment)])
        };
        let tls = || Tls {
            identity: authority.server(HOST).unwrap(),
            clients: Clients::Optional(authority.pem().to_owned()),
            resumption: false,
        };
        let listeners = [
            listener("opaque", &opaque),
            listener("phones", &phones),
            listener("mesh", &mesh).with_tls(tls()),
            listener("bound", &bound).with_tls(tls()),
        ];
        let clusters = [("idp", &issuer), ("identity", &identity), ("spire", &identity)];
        let clusters = clusters.map(|(name, server)| (name.to_owned(), server.address()));
        let bootstrap = bootstrap_with(&listeners, upstream.address(), &Clusters::from(clusters));
        let envoy = Envoy::start_with_workers(&program, &bootstrap, Path::new("."), &[], WORKERS).unwrap();
        Some(Self {
            envoy,
            issuer,
            identity,
            phones: phone_mint,
            bound: bound_mint,
            authority,
            upstream,
        })
    }

    fn address(&self, listener: &str) -> SocketAddr {
        self.envoy.listener(listener).unwrap()
    }

    fn get(&self, listener: &str, path: &str, headers: &[Field]) -> Answer {
        send(self.address(listener), "GET", path, headers)
    }

    fn everywhere(
        &self,
        listener: &str,
        path: &str,
        headers: impl Fn() -> Vec<Field>,
    ) -> std::collections::BTreeSet<Said> {
        everywhere(&self.envoy, listener, |address| {
            send(address, "GET", path, &headers())
        })
    }

    /// The same over TLS, with this certificate.
    fn secure(&self, listener: &str, identity: Option<&Identity>, path: &str, headers: &[Field]) -> Answer {
        let host = Some(HOST.as_bytes());
        let request = Message::request(b"GET", path.as_bytes(), host, headers, b"", &[]);
        let client = TlsClient::new(&self.authority, HOST, identity).unwrap();
        client.send(self.address(listener), &request).unwrap()
    }

    fn identity_of(&self, id: &str) -> Identity {
        let names = Names {
            common: "workload",
            uris: &[id],
            hosts: &[],
        };
        self.authority.client(names).unwrap()
    }
}

fn introspection() -> Introspection {
    let of = |subject: &str| {
        json!({
            "iss": "https://idp.example.com", "aud": "https://api.example.com/reports", "sub": subject,
            "client_id": "web", "scope": "reports:read", "org": "acme", "exp": mint::now().plus(300).0,
        })
    };
    Introspection::with_client("reports-gateway", PASSWORD)
        .active("opaque-of-anna", of("anna"))
        .active("opaque-of-rita", of("rita"))
}
