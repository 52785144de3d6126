//! What Envoy tells a module of the other end of a TLS connection, asked by a small module of its own.
//!
//! The facts, of Envoy 1.40, as `proxy_get_property` gives them:
//!
//! | property | plain HTTP | TLS, no certificate | certificate of a trusted authority | of a stranger (`ACCEPT_UNTRUSTED`) |
//! |---|---|---|---|---|
//! | `connection.mtls` | 0 | 0 | 1 | **1**: it says that there is a certificate, not that it is good |
//! | `connection.peer_certificate_valid` | 0 | 0 | 1 | 0 |
//! | `connection.uri_san_peer_certificate` | absent | absent | the **first** URI name, or absent | the same |
//! | `connection.dns_san_peer_certificate` | absent | absent | the **first** DNS name, or absent | the same |
//! | `connection.subject_peer_certificate` | absent | empty text | `CN=orders` | the same |
//! | `connection.sha256_peer_certificate_digest` | absent | absent | 64 hex digits in lower case | the same |
//! | `connection.peer_certificate` | absent | absent | the certificate in PEM | the same |
//!
//! Booleans are one byte. Of several URI names the property shows no trace: who must know that there is one alone
//! (a SPIFFE ID, X509-SVID section 2) reads `connection.peer_certificate`. Without `ACCEPT_UNTRUSTED` a
//! stranger's certificate ends the handshake, so that no request arrives at all. A listener without a validation
//! context asks for no certificate.
//!
//! Of a resumed session, which clients use whenever they can, `peer_certificate_valid` is 0 and everything else
//! stands as before: nothing is verified a second time. A policy that goes by this property refuses such callers.
//! Either the listener resumes no sessions (`disable_stateless_session_resumption` and
//! `disable_stateful_session_resumption`), or it lets nobody in whom it has not verified (a validation context
//! without `ACCEPT_UNTRUSTED`) and the policy says so (`proxy_verifies: true`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use scopegate_e2e::certificates::{Authority, Identity, Names};
use scopegate_e2e::client::{self, TlsClient};
use scopegate_e2e::envoy::Envoy;
use scopegate_e2e::envoy::bootstrap::{Clients, Listener, Tls, bootstrap, plugin};
use scopegate_e2e::http1::Message;
use tempfile::TempDir;

const FACTS: [&str; 7] = [
    "mtls",
    "peer_certificate_valid",
    "uri_san_peer_certificate",
    "dns_san_peer_certificate",
    "subject_peer_certificate",
    "sha256_peer_certificate_digest",
    "peer_certificate",
];

/// A module that answers every request with the facts: for each a status, a length of four bytes, and a value.
fn module() -> Vec<u8> {
    let mut code = String::new();
    let mut texts = String::new();
    let mut at = 4096;
    for fact in FACTS {
        let path = format!("connection\0{fact}");
        writeln!(code, "(call $fact (i32.const {at}) (i32.const {}))", path.len()).unwrap();
        at += path.len();
        path.bytes()
            .for_each(|byte| write!(texts, "\\{byte:02x}").unwrap());
    }
    let text = format!(
        r#"(module
        (import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_send_local_response"
            (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 4)
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "_initialize"))
        (func (export "proxy_on_context_create") (param i32 i32))
        (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
        (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
        (global $free (mut i32) (i32.const 65536))
        (global $out (mut i32) (i32.const 8192))
        (func (export "proxy_on_memory_allocate") (param i32) (result i32)
          (global.get $free) (global.set $free (i32.add (global.get $free) (local.get 0))))
        (func $fact (param $path i32) (param $len i32) (local $status i32) (local $size i32)
          (i32.store (i32.const 4) (i32.const 0))
          (local.set $status (call $get (local.get $path) (local.get $len) (i32.const 0) (i32.const 4)))
          (local.set $size (i32.load (i32.const 4)))
          (i32.store8 (global.get $out) (local.get $status))
          (i32.store (i32.add (global.get $out) (i32.const 1)) (local.get $size))
          (global.set $out (i32.add (global.get $out) (i32.const 5)))
          (memory.copy (global.get $out) (i32.load (i32.const 0)) (local.get $size))
          (global.set $out (i32.add (global.get $out) (local.get $size))))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (global.set $out (i32.const 8192)) (global.set $free (i32.const 65536))
          {code}
          (drop (call $reply (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 8192)
            (i32.sub (global.get $out) (i32.const 8192)) (i32.const 0) (i32.const 0) (i32.const -1)))
          (i32.const 1))
        (data (i32.const 4096) "{texts}"))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Reads the answer of the module.
fn read(mut bytes: &[u8]) -> Facts {
    let mut facts = Facts::new();
    for fact in FACTS {
        let (head, rest) = bytes.split_at(5);
        let size = u32::from_le_bytes(head[1..].try_into().unwrap());
        let (value, rest) = rest.split_at(usize::try_from(size).unwrap());
        let value = || String::from_utf8(value.to_vec()).unwrap();
        facts.insert(fact, (head[0] == 0).then(value));
        bytes = rest;
    }
    facts
}

#[test]
fn a_module_is_told_who_is_at_the_other_end_of_tls() {
    let Some(world) = World::start("a_module_is_told_who_is_at_the_other_end_of_tls") else {
        return;
    };
    let two = [
        "spiffe://prod.example.com/a,b",
        "spiffe://prod.example.com/second",
    ];
    let one = ["spiffe://prod.example.com/orders"];
    let hosts = ["a.example.com", "b.example.com"];
    let names = |uris, hosts| Names {
        common: "orders",
        uris,
        hosts,
    };
    let nameless = world.ours.client(names(&[], &[])).unwrap();
    let single = world.ours.client(names(&one, &[])).unwrap();
    let several = world.ours.client(names(&two, &hosts)).unwrap();
    let stranger = world.strange.client(names(&one, &[])).unwrap();

    for listener in ["optional", "required", "untrusted"] {
        for (identity, uri, host) in [
            (&nameless, None, None),
            (&single, Some(one[0]), None),
            (&several, Some(two[0]), Some(hosts[0])),
        ] {
            let facts = world.ask(listener, Some(identity)).unwrap();
            assert_eq!(facts, told(identity, true, uri, host), "{listener}");
        }
    }
    let facts = world.ask("untrusted", Some(&stranger)).unwrap();
    assert_eq!(facts, told(&stranger, false, Some(one[0]), None));
    for (listener, identity) in [
        ("optional", Some(&stranger)),
        ("required", Some(&stranger)),
        ("required", None),
    ] {
        let refused = world.ask(listener, identity);
        assert!(refused.is_err(), "{listener}, {identity:?}: {refused:?}");
    }
    for (listener, identity) in [
        ("not_asked", None),
        ("not_asked", Some(&single)),
        ("optional", None),
        ("untrusted", None),
    ] {
        let facts = world.ask(listener, identity).unwrap();
        assert_eq!(facts, nobody(Some("")), "{listener}, {identity:?}");
    }
    let plain = client::send(world.envoy.listener("plain").unwrap(), &request()).unwrap();
    assert_eq!(read(&plain.body), nobody(None));
}

#[test]
fn a_resumed_session_is_not_said_to_have_a_valid_certificate() {
    let Some(world) = World::start("a_resumed_session_is_not_said_to_have_a_valid_certificate") else {
        return;
    };
    let names = Names {
        common: "orders",
        uris: &["spiffe://prod.example.com/orders"],
        hosts: &[],
    };
    let ours = world.ours.client(names).unwrap();
    let stranger = world.strange.client(names).unwrap();
    let uri = Some(names.uris[0]);
    for (listener, identity, resumes, valid) in [
        ("optional", &ours, true, [true, false]),
        ("required", &ours, true, [true, false]),
        ("untrusted", &ours, true, [true, false]),
        ("untrusted", &stranger, true, [false, false]),
        ("unresumed", &ours, false, [true, true]),
    ] {
        let client = TlsClient::new(&world.ours, HOST, Some(identity)).unwrap();
        let address = world.envoy.listener(listener).unwrap();
        for (again, valid) in [false, true].into_iter().zip(valid) {
            let (answer, resumed) = client.converse(address, &request()).unwrap();
            assert_eq!(resumed, resumes && again, "{listener}, again: {again}");
            assert_eq!(
                read(&answer.body),
                told(identity, valid, uri, None),
                "{listener}, again: {again}"
            );
        }
    }
}

const HOST: &str = "api.example.com";

/// An Envoy with a listener of each kind, and the authority that it trusts.
struct World {
    envoy: Envoy,
    ours: Authority,
    strange: Authority,
    _folder: TempDir,
}

impl World {
    fn start(test: &str) -> Option<Self> {
        let program = crate::common::envoy(test)?;
        let folder = tempfile::tempdir().unwrap();
        let module_path = folder.path().join("facts.wasm");
        std::fs::write(&module_path, module()).unwrap();
        let (ours, strange) = (
            Authority::new("ours").unwrap(),
            Authority::new("strange").unwrap(),
        );
        let identity = ours.server(HOST).unwrap();
        let plain = |name: &str| Listener::new(name, vec![plugin(&module_path, "{}", &BTreeMap::new())]);
        let secure = |name: &str, clients: Clients| {
            plain(name).with_tls(Tls {
                identity: identity.clone(),
                clients,
                resumption: name != "unresumed",
            })
        };
        let authority = || ours.pem().to_owned();
        let listeners = [
            plain("plain"),
            secure("not_asked", Clients::NotAsked),
            secure("optional", Clients::Optional(authority())),
            secure("required", Clients::Required(authority())),
            secure("untrusted", Clients::Untrusted(authority())),
            secure("unresumed", Clients::Untrusted(authority())),
        ];
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        let envoy = Envoy::start(&program, &bootstrap(&listeners, nowhere), Path::new("."), &[]).unwrap();
        Some(Self {
            envoy,
            ours,
            strange,
            _folder: folder,
        })
    }

    /// What the module is told of a client with this identity.
    fn ask(&self, listener: &str, identity: Option<&Identity>) -> io::Result<Facts> {
        let address = self.envoy.listener(listener).unwrap();
        let answer = TlsClient::new(&self.ours, HOST, identity)?.send(address, &request())?;
        Ok(read(&answer.body))
    }
}

fn request() -> Vec<u8> {
    Message::request(b"GET", b"/", Some(HOST.as_bytes()), &[], b"", &[])
}

/// What a module is told of a peer with a certificate.
fn told(identity: &Identity, valid: bool, uri: Option<&str>, host: Option<&str>) -> Facts {
    facts([
        ("mtls", Some("\u{1}")),
        ("peer_certificate_valid", Some(if valid { "\u{1}" } else { "\0" })),
        ("uri_san_peer_certificate", uri),
        ("dns_san_peer_certificate", host),
        ("subject_peer_certificate", Some("CN=orders")),
        (
            "sha256_peer_certificate_digest",
            Some(identity.sha256_hex().as_str()),
        ),
        (
            "peer_certificate",
            Some(identity.certificate_pem().replace('\r', "").as_str()),
        ),
    ])
}

/// What a module is told of a peer without one.
fn nobody(subject: Option<&str>) -> Facts {
    facts([
        ("mtls", Some("\0")),
        ("peer_certificate_valid", Some("\0")),
        ("uri_san_peer_certificate", None),
        ("dns_san_peer_certificate", None),
        ("subject_peer_certificate", subject),
        ("sha256_peer_certificate_digest", None),
        ("peer_certificate", None),
    ])
}

/// Facts by name; a fact that Envoy does not know has no text.
type Facts = BTreeMap<&'static str, Option<String>>;

fn facts(each: [(&'static str, Option<&str>); 7]) -> Facts {
    each.into_iter()
        .map(|(name, text)| (name, text.map(str::to_owned)))
        .collect()
}
