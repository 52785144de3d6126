//! Bundles of the real plugin: what proxies get of them, and what becomes of those that were changed.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

#[path = "signing/keys.rs"]
mod keys;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use scopegate_bundle::{Baker, BundleError, Form, Open, Options, Proxies, ReadError, inspect};
use scopegate_host_tests::{Clock, Exchange, Host, HostBuilder, Module, Outcome, Request, Response};
use serde_json::{Value, json};

use keys::{OTHER, PUBLIC, SECRET};

const NOW: u64 = 1_790_000_000;

fn plugin() -> Vec<u8> {
    let built =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/wasm32-wasip1/release/scopegate_plugin.wasm");
    let path = std::env::var_os("SCOPEGATE_WASM").map_or(built, PathBuf::from);
    assert!(
        path.is_file(),
        "no module at `{}`: build it with `cargo xtask wasm`",
        path.display()
    );
    std::fs::read(path).unwrap()
}

fn baker() -> &'static Baker {
    static BAKER: OnceLock<Baker> = OnceLock::new();
    BAKER.get_or_init(|| Baker::new(plugin()).unwrap())
}

fn options(open: &[Open]) -> Options {
    Options {
        open: open.to_vec(),
        proxies: Proxies::Any,
        by: "tests".to_owned(),
        at: None,
    }
}

/// One provider with an API key, whose value is `key`; a guarded route and a public one.
fn policy() -> Value {
    json!({
        "scopegate": "v1",
        "metadata": {"name": "orders", "version": "1.0.0"},
        "authentication": {"providers": [{
            "name": "partners",
            "type": "api_key",
            "credential": {"header": "x-api-key"},
            "keys": [{
                "id": "acme",
                "sha256": "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683",
                "subject": "acme",
                "expires": "2027-01-01T00:00:00Z",
            }],
        }]},
        "authorization": {
            "scopes": {"orders:read": "Read orders"},
            "grants": [{"caller": {"provider": "partners", "subject": "acme"}, "scopes": ["orders:read"]}],
            "routes": [
                {"id": "health", "match": {"methods": ["GET"], "path": "/healthz"}, "access": "public"},
                {"id": "orders", "match": {"methods": ["GET"], "path": "/orders"}, "access": {"scopes": {"all": ["orders:read"]}}},
            ],
        },
    })
}

/// A policy with a key that stands in the environment of the proxy, and proofs whose nonces the plugin makes.
fn secret_policy() -> Value {
    let mut policy = policy();
    policy["authentication"] = json!({
        "origins": ["https://api.example.com"],
        "providers": [{
            "name": "corp",
            "type": "jwt",
            "issuer": "https://idp.example.com",
            "audiences": ["https://api.example.com"],
            "algorithms": ["HS256"],
            "keys": [{"kid": "k1", "alg": "HS256", "secret": {"env": "ORDERS_SECRET"}}],
        }],
    });
    policy["authorization"]["grants"] = json!([]);
    policy
}

fn bake(policy: &Value, open: &[Open]) -> Vec<u8> {
    baker().bake(policy, &options(open)).unwrap()
}

/// The module, whose code is compiled once for all tests: with the compiler of policies and without, for each of the proxies.
fn module(bytes: &[u8]) -> Module {
    static CODES: [OnceLock<Module>; 4] = [const { OnceLock::new() }; 4];
    CODES
        .iter()
        .find_map(|code| {
            code.get_or_init(|| Module::shared(bytes).unwrap())
                .with_data_of(bytes)
        })
        .unwrap()
}

fn builder(bytes: &[u8]) -> HostBuilder {
    Host::builder(&module(bytes)).clock(Clock::virtual_at(NOW))
}

fn get(path: &str) -> Request {
    Request::get("api.example.com", path)
}

fn reply(exchange: &Exchange) -> (u16, String) {
    let Outcome::LocalReply(reply) = &exchange.outcome else {
        panic!("no reply: {:?}", exchange.outcome)
    };
    let code = reply.details.rsplit(':').next().unwrap_or_default();
    (reply.status, code.to_owned())
}

#[test]
fn a_bundle_decides_with_an_empty_configuration() {
    let mut host = builder(&bake(&policy(), &[])).build().unwrap();
    assert!(host.configured(), "{:?}", host.logs());
    assert!(host.request(get("/healthz")).forwarded().is_some());
    assert!(
        host.request(get("/orders").header("x-api-key", "key"))
            .forwarded()
            .is_some()
    );
    assert_eq!(
        reply(&host.request(get("/orders"))),
        (401, "credential_missing".to_owned())
    );
    assert_eq!(reply(&host.request(get("/else"))), (403, "no_route".to_owned()));
}

#[test]
fn the_log_says_which_policy_is_in_force_and_it_is_the_one_that_the_bundle_shows() {
    let bytes = bake(&policy(), &[]);
    let mut host = builder(&bytes).build().unwrap();
    let (manifest, shown) = inspect(&bytes).unwrap().bundle.unwrap();
    assert_eq!(shown, policy());
    let logs: Vec<String> = host.logs().into_iter().map(|line| line.message).collect();
    assert!(
        logs.iter()
            .any(|line| line.contains(&manifest.policy.digest) && line.contains("in force")),
        "{logs:?}"
    );
}

#[test]
fn nothing_that_is_closed_is_set_and_then_nothing_is_let_through() {
    let mut public = policy();
    public["authorization"]["routes"][1]["access"] = json!("public");
    for (open, configuration) in [
        (&[][..], json!({"log_level": "warn"}).to_string()),
        (&[Open::LogLevel][..], json!({"upstreams": {}}).to_string()),
        (&[Open::LogLevel, Open::Upstreams][..], public.to_string()),
        (
            &[Open::LogLevel, Open::Upstreams][..],
            json!({"audiences": []}).to_string(),
        ),
        (
            &[Open::Upstreams][..],
            json!({"upstreams": {"unknown": "x"}}).to_string(),
        ),
        (&[][..], "env:POLICY".to_owned()),
        (&[][..], "x".to_owned()),
    ] {
        let host = builder(&bake(&policy(), open))
            .configuration(&configuration)
            .environment([("POLICY", public.to_string())]);
        let mut host = host.build().unwrap();
        assert!(!host.configured(), "{configuration}");
        for path in ["/healthz", "/orders"] {
            let exchange = host.request(get(path).header("x-api-key", "key"));
            assert!(exchange.forwarded().is_none(), "{configuration}: {path}");
        }
    }
}

#[test]
fn a_configuration_that_is_refused_leaves_the_policy_in_force_that_is_baked_in() {
    let mut host = builder(&bake(&policy(), &[])).build().unwrap();
    assert_eq!(host.configure("{}"), Ok(true));
    let mut public = policy();
    public["authorization"]["routes"][1]["access"] = json!("public");
    assert_eq!(host.configure(public.to_string()), Ok(false));
    assert_eq!(
        reply(&host.request(get("/orders"))),
        (401, "credential_missing".to_owned())
    );
}

#[test]
fn the_level_of_the_log_is_for_the_plugins_own_lines() {
    let mut audited = policy();
    audited["audit"] = json!({"authentication": "all", "authorization": "all"});
    let bytes = bake(&audited, &[Open::LogLevel]);
    let lines = |configuration: &str| {
        let mut host = builder(&bytes).configuration(configuration).build().unwrap();
        assert!(host.configured());
        host.request(get("/healthz"));
        let logs = host.logs().into_iter().map(|line| line.message);
        let (records, own): (Vec<_>, Vec<_>) = logs.partition(|line| line.starts_with('{'));
        (records.len(), own.len())
    };
    let (all, own) = lines("");
    assert!(all > 0 && own > 0);
    assert_eq!(lines(r#"{"log_level": "warn"}"#), (all, 0));
}

#[test]
fn a_secret_comes_from_the_environment_of_the_proxy_and_from_nowhere_before() {
    let bytes = bake(&secret_policy(), &[]);
    let (manifest, _) = inspect(&bytes).unwrap().bundle.unwrap();
    assert_eq!(
        (manifest.form, manifest.secrets),
        (Form::Document, vec!["ORDERS_SECRET".to_owned()])
    );
    assert!(!builder(&bytes).build().unwrap().configured());
    let secret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";
    let mut host = builder(&bytes)
        .environment([("ORDERS_SECRET", secret)])
        .build()
        .unwrap();
    assert!(host.configured(), "{:?}", host.logs());
    assert_eq!(
        reply(&host.request(get("/orders"))),
        (401, "credential_missing".to_owned())
    );
}

#[test]
fn chance_is_asked_by_each_machine_anew_and_never_where_the_bundle_is_made() {
    // Where bundles are made, a module that asks for chance is stopped: that this one is made says that none is in it.
    let bytes = bake(&policy(), &[]);
    let mut host = builder(&bytes).trace().build().unwrap();
    host.request(get("/orders").header("x-api-key", "key"));
    let asked = host
        .trace()
        .iter()
        .filter(|call| call.function == "random_get")
        .count();
    assert!(asked > 0, "the seeds of tables are drawn when a machine starts");
}

/// A token of the policy below, bound to a key: HS256, with ten minutes left at [`NOW`].
const TOKEN: &str = "eyJhbGciOiAiSFMyNTYiLCAia2lkIjogImsxIn0.eyJpc3MiOiAiaHR0cHM6Ly9pZHAuZXhhbXBsZS5jb20iLCAiYXVkIjogImh0dHBzOi8vYXBpLmV4YW1wbGUuY29tIiwgInN1YiI6ICJhbm5hIiwgInNjb3BlIjogIm9yZGVyczpyZWFkIiwgImlhdCI6IDE3ODk5OTk5OTAsICJleHAiOiAxNzkwMDAwNjAwLCAiY25mIjogeyJqa3QiOiAiajZPcXN2cXB0NTRLQTVqYVcxcTlCNEFVSkVLbHZvQzVwa1lJMXhqTEg4MCJ9fQ.Oi_3faUTXBYfhODD-3_WIBqegrDq-P1xmfMkYpM1Wfs";

/// A policy whose key is compiled into the bundle, and whose proofs need nonces that the plugin makes.
fn nonce_policy() -> Value {
    let mut policy = secret_policy();
    let provider = &mut policy["authentication"]["providers"][0];
    let key = json!({"kty": "oct", "kid": "k1", "alg": "HS256", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"});
    provider["keys"] = json!({"jwks": {"keys": [key]}});
    provider["binding"] = json!("dpop");
    provider["dpop"] = json!({"algorithms": ["ES256"], "max_age": "60s", "nonce": "required"});
    policy
}

#[test]
fn two_machines_of_one_bundle_give_different_nonces() {
    let baker = Baker::new(plugin()).unwrap().for_tests();
    let bake = || baker.bake(&nonce_policy(), &options(&[])).unwrap();
    let bytes = bake();
    assert!(bytes == bake(), "nothing of it is drawn by lot");
    let (manifest, _) = inspect(&bytes).unwrap().bundle.unwrap();
    assert_eq!(manifest.form, Form::Compiled);
    let nonce = |seed: u64| {
        let mut host = builder(&bytes).seed(seed).build().unwrap();
        let exchange = host.request(get("/orders").header("authorization", format!("DPoP {TOKEN}")));
        assert_eq!(reply(&exchange), (401, "proof_missing".to_owned()));
        let Outcome::LocalReply(reply) = exchange.outcome else {
            panic!("no reply")
        };
        let mut headers = reply.headers.into_iter();
        let (_, nonce) = headers
            .find(|(name, _)| name.eq_ignore_ascii_case(b"dpop-nonce"))
            .unwrap();
        nonce
    };
    assert_eq!(nonce(1).len(), 43);
    assert_eq!(nonce(1), nonce(1), "the host's chance is all the chance there is");
    assert_ne!(nonce(1), nonce(2));
}

#[test]
fn a_policy_with_faults_is_refused_with_each_of_them() {
    let mut bad = policy();
    bad["authorization"]["routes"][1]["access"]["scopes"]["all"] = json!(["unheard:of"]);
    let mut worse = secret_policy();
    worse["authorization"]["routes"][1]["access"]["scopes"]["all"] = json!(["unheard:of"]);
    for policy in [bad, worse] {
        let refused = baker().bake(&policy, &options(&[])).unwrap_err();
        let BundleError::Policy(faults) = &refused else {
            panic!("{refused}")
        };
        assert!(
            faults.iter().any(|fault| fault.contains("unheard:of")),
            "{faults:?}"
        );
    }
    assert!(matches!(
        baker().bake(&json!("x"), &options(&[])),
        Err(BundleError::Policy(_))
    ));
}

#[test]
fn a_bundle_takes_in_no_second_policy() {
    let refused = Baker::new(bake(&policy(), &[])).unwrap_err();
    assert!(refused.to_string().contains("it is a bundle"), "{refused}");
}

#[test]
fn the_plain_plugin_is_told_from_a_bundle() {
    let found = inspect(&plugin()).unwrap();
    assert!(found.bundle.is_none() && !found.is_signed);
    assert_eq!(found.abi, "0.2.1");
}

#[test]
fn what_was_cut_off_or_changed_is_refused() {
    let bytes = bake(&policy(), &[]);
    for kept in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        assert!(inspect(&bytes[..kept]).is_err(), "the first {kept} bytes");
    }
    // The last section: without it the module is whole, but nobody vouches for it.
    let end = find(&bytes, b"scopegate.integrity") - 3;
    assert_eq!(
        inspect(&bytes[..end]),
        Err(ReadError::Changed("its digest is missing".to_owned()))
    );
    let route = find(&bytes, b"healthz");
    assert!(route < find(&bytes, b"scopegate.policy"), "that is in the data");
    for (at, what) in [
        (route, "the compiled policy"),
        (find(&bytes, b"scopegate.policy") + 40, "the policy that is shown"),
        (find(&bytes, b"scopegate.manifest") + 40, "what it says of itself"),
    ] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(
            matches!(inspect(&changed), Err(ReadError::Changed(_))),
            "{what}: {:?}",
            inspect(&changed)
        );
    }
}

/// Where the data begins that a linker lays out: above the stack (`--stack-first`, of one megabyte).
const DATA: i32 = 1024 * 1024;

/// The bytes of a module that become its data and its heap: where they begin and end in the file.
fn data_of(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    use wasmparser::{DataKind, Operator, Parser, Payload};
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let Payload::DataSection(reader) = payload.unwrap() else {
            continue;
        };
        for segment in reader {
            let segment = segment.unwrap();
            let DataKind::Active { offset_expr, .. } = segment.kind else {
                continue;
            };
            let Operator::I32Const { value } = offset_expr.get_operators_reader().read().unwrap() else {
                panic!("a segment begins nowhere")
            };
            if value >= DATA {
                found.push(segment.range.end - segment.data.len()..segment.range.end);
            }
        }
    }
    found
}

#[test]
fn a_bundle_does_not_start_with_a_byte_of_its_memory_changed() {
    for policy in [policy(), secret_policy()] {
        let bytes = bake(&policy, &[]);
        assert!(builder(&bytes).build().is_ok());
        let segments = data_of(&bytes);
        let of_each = segments.iter().step_by(segments.len().div_ceil(20));
        let of_each = of_each.flat_map(|range| {
            [
                range.start,
                usize::midpoint(range.start, range.end),
                range.end - 1,
            ]
        });
        // In the longest, which is the heap or the constants, more of them.
        let longest = segments.iter().max_by_key(|range| range.len()).unwrap().clone();
        let places: Vec<usize> = of_each
            .chain(longest.clone().step_by(longest.len().div_ceil(20)))
            .collect();
        assert!(places.len() > 20, "{segments:?}");
        for place in places {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let started = builder(&changed).build();
            assert!(started.is_err(), "with byte {place} changed");
        }
    }
}

#[test]
fn a_bundle_does_not_start_with_the_digest_of_a_key_replaced() {
    let bytes = bake(&policy(), &[]);
    let hex = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683";
    let digest = |hex: &str| -> Vec<u8> {
        let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        hex.as_bytes().chunks(2).map(digits).collect()
    };
    // As bytes in order, or as words of 8 or 4 bytes with the least of them first.
    let words = |digest: &[u8], size: usize| -> Vec<u8> {
        digest
            .chunks(size)
            .flat_map(|word| word.iter().rev().copied())
            .collect()
    };
    let other = digest(sha256(b"attacker").strip_prefix("sha256:").unwrap());
    let mut found = 0;
    for size in [1, 4, 8] {
        let (from, to) = (words(&digest(hex), size), words(&other, size));
        let places = bytes.windows(from.len()).enumerate();
        let places = places.filter_map(|(place, window)| (window == from).then_some(place));
        for place in places {
            let mut forged = bytes.clone();
            forged[place..place + to.len()].copy_from_slice(&to);
            assert!(builder(&forged).build().is_err(), "at byte {place}");
            found += 1;
        }
    }
    assert!(found > 0, "the digest stands somewhere in the memory");
}

#[test]
fn a_bundle_that_shows_another_policy_than_it_enforces_is_refused() {
    let mut other = policy();
    other["metadata"]["name"] = json!("other");
    let (bytes, other) = (bake(&policy(), &[]), bake(&other, &[]));
    // The module of one with the sections of the other, and a digest that is right.
    let at = |bytes: &[u8]| find(bytes, b"scopegate.manifest") - 4;
    let body = &bytes[..at(&bytes)];
    let sections = &other[at(&other)..find(&other, b"scopegate.integrity") - 3];
    let mut forged = [body, sections].concat();
    let digest = sha256(&forged);
    let name = b"scopegate.integrity";
    let length = u8::try_from(1 + name.len() + digest.len()).unwrap();
    forged.extend([0, length, u8::try_from(name.len()).unwrap()]);
    forged.extend(name);
    forged.extend(digest.as_bytes());
    assert_eq!(
        inspect(&forged),
        Err(ReadError::Changed(
            "its engine has another policy than it shows".to_owned()
        ))
    );
}

#[test]
fn modules_of_others_are_told_from_ours() {
    let module =
        wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1")))"#);
    assert!(matches!(inspect(&module.unwrap()), Err(ReadError::Foreign(_))));
    assert!(matches!(
        inspect(&wat::parse_str("(module)").unwrap()),
        Err(ReadError::Foreign(_))
    ));
    assert_eq!(inspect(b"PK\x03\x04"), Err(ReadError::NotWasm));
}

#[test]
fn a_module_that_never_ends_or_takes_all_memory_is_stopped_when_it_is_asked() {
    for body in [
        "(loop (br 0))",
        "(loop (drop (memory.grow (i32.const 1000))) (br 0))",
        "(call $log (i32.const 2) (i32.const 0) (i32.const 60000)) drop (return)",
        "unreachable",
    ] {
        let module = wat::parse_str(format!(
            r#"(module
                (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
                (memory (export "memory") 1)
                (func (export "proxy_abi_version_0_2_1"))
                (func (export "_initialize"))
                (func (export "scopegate_describe") {body}))"#
        ));
        let asked = inspect(&module.unwrap());
        assert!(matches!(asked, Err(ReadError::Silent(_))), "{body}: {asked:?}");
    }
}

#[test]
fn a_module_that_asks_for_time_or_chance_makes_no_bundle() {
    let said = json!({"plugin": "0", "policy": null, "form": null, "open": null}).to_string();
    let (shown, length) = (said.replace('"', "\\\""), said.len());
    for import in ["random_get", "clock_time_get", "environ_get"] {
        let (parameters, arguments) = match import {
            "clock_time_get" => ("(param i32 i64 i32)", "(i32.const 0) (i64.const 0) (i32.const 0)"),
            _ => ("(param i32 i32)", "(i32.const 0) (i32.const 8)"),
        };
        let module = wat::parse_str(format!(
            r#"(module
                (import "wasi_snapshot_preview1" "{import}" (func $ask {parameters} (result i32)))
                (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
                (memory (export "memory") 1)
                (data (i32.const 0) "{shown}")
                (func (export "proxy_abi_version_0_2_1"))
                (func (export "_initialize"))
                (func (export "scopegate_wake"))
                (func (export "scopegate_compile"))
                (func (export "scopegate_refuse"))
                (func (export "scopegate_describe") (drop (call $log (i32.const 2) (i32.const 0) (i32.const {length}))))
                (func (export "scopegate_bake") (drop (call $ask {arguments}))))"#
        ));
        let baker = Baker::new(module.unwrap()).unwrap();
        let refused = baker.bake(&policy(), &options(&[])).unwrap_err();
        assert!(
            matches!(&refused, BundleError::Machine(why) if why.contains(import)),
            "{refused}"
        );
    }
}

/// A policy in which the key set of a provider has this key besides one that is public.
fn policy_with_key(key: &Value) -> Value {
    let mut policy = policy();
    policy["authentication"]["providers"] = json!([{
        "name": "corp",
        "type": "jwt",
        "issuer": "https://idp.example.com",
        "audiences": ["https://api.example.com"],
        "algorithms": ["HS256"],
        "keys": {"jwks": {"keys": [
            {"kty": "oct", "kid": "other", "alg": "HS256", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"},
            key,
        ]}},
    }]);
    policy["authorization"]["grants"] = json!([]);
    policy
}

#[test]
fn no_bundle_is_made_of_a_policy_that_secrets_stand_in_but_for_tests() {
    let private = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "alg": "EdDSA", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"});
    let policy = policy_with_key(&private);
    let refused = baker().bake(&policy, &options(&[])).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "a bundle keeps no secret: authentication.providers[0].keys.jwks.keys[0]: a shared secret stands in the policy; \
         authentication.providers[0].keys.jwks.keys[1]: a private key stands in the policy"
    );
    let tests = Baker::new(plugin()).unwrap().for_tests();
    let bytes = tests.bake(&policy, &options(&[])).unwrap();
    assert!(inspect(&bytes).is_ok());
}

fn custom_section(name: &str, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(1 + name.len() + data.len()).unwrap();
    let name_length = u8::try_from(name.len()).unwrap();
    [&[0, length, name_length], name.as_bytes(), data].concat()
}

#[test]
fn a_signature_stands_first_and_alone_or_the_bundle_is_refused() {
    let bytes = bake(&policy(), &[]);
    let section = custom_section("signature", b"x");
    let with = |first: &[u8], last: &[u8]| [&bytes[..8], first, &bytes[8..], last].concat();
    let twice = section.repeat(2);
    assert!(
        inspect(&with(&section, &[])).unwrap().is_signed,
        "whose is another question"
    );
    for (first, last, why) in [
        (&[][..], &section[..], "its signature is not its first section"),
        (&section, &section, "it has more than one section of signatures"),
        (&twice, &[], "it has more than one section of signatures"),
    ] {
        assert_eq!(
            inspect(&with(first, last)),
            Err(ReadError::Changed(why.to_owned()))
        );
    }
}

#[test]
fn a_signature_holds_for_its_key_and_its_module_alone() {
    use scopegate_bundle::{SignatureError, sign, signature_of, verify};
    let bytes = bake(&policy(), &[]);
    let signed = sign(&bytes, SECRET).unwrap();
    assert_eq!(verify(&signed, PUBLIC, None), Ok(()));
    assert_eq!(verify(&signed, OTHER, None), Err(SignatureError::Wrong));
    assert_eq!(verify(&bytes, PUBLIC, None), Err(SignatureError::Missing));
    assert!(inspect(&signed).unwrap().is_signed);
    assert!(builder(&signed).build().unwrap().configured());

    let beside = signature_of(&signed).unwrap();
    assert_eq!(verify(&bytes, PUBLIC, Some(&beside)), Ok(()));
    let mut other = policy();
    other["metadata"]["name"] = json!("other");
    assert_eq!(
        verify(&bake(&other, &[]), PUBLIC, Some(&beside)),
        Err(SignatureError::Wrong)
    );
    assert!(verify(&bytes, PUBLIC, Some(b"x")).is_err());

    let mut changed = signed.clone();
    let at = find(&changed, b"healthz");
    changed[at] ^= 1;
    assert_eq!(verify(&changed, PUBLIC, None), Err(SignatureError::Wrong));
    let mut broken = signed;
    let at = find(&broken, b"signature") + 30;
    broken[at] ^= 1;
    assert!(verify(&broken, PUBLIC, None).is_err());

    assert_eq!(sign(&bytes, PUBLIC), Err(SignatureError::Key("secret")));
    assert_eq!(verify(&bytes, b"x", None), Err(SignatureError::Key("public")));
}

fn find(bytes: &[u8], text: &[u8]) -> usize {
    bytes
        .windows(text.len())
        .position(|window| window == text)
        .unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(bytes);
    digest
        .iter()
        .fold("sha256:".to_owned(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// The callbacks that a module exports.
fn callbacks(bytes: &[u8]) -> Vec<String> {
    let exports = module(bytes).exports();
    let callbacks = exports
        .iter()
        .filter_map(|export| export.name.strip_prefix("proxy_on_"));
    let mut names: Vec<String> = callbacks.map(str::to_owned).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_bundle_has_the_callbacks_that_its_proxies_need_and_serves() {
    let for_envoy = [
        "configure",
        "context_create",
        "delete",
        "http_call_response",
        "memory_allocate",
        "request_body",
        "request_headers",
        "request_trailers",
        "tick",
        "vm_start",
    ];
    let unasked_by_nginx = ["done", "log", "response_body", "response_headers"];
    for (proxies, more) in [(Proxies::Envoy, &[][..]), (Proxies::Any, &unasked_by_nginx)] {
        let options = Options {
            proxies,
            ..options(&[])
        };
        let bundle = baker().bake(&policy(), &options).unwrap();
        let mut expected = [&for_envoy[..], more].concat();
        expected.sort_unstable();
        assert_eq!(callbacks(&bundle), expected, "{proxies:?}");
        assert_eq!(inspect(&bundle).unwrap().proxies, proxies);
        let mut host = builder(&bundle).build().unwrap();
        let exchange = host.exchange(get("/healthz"), Response::new(200).body("well"));
        assert_eq!(exchange.response.unwrap().body, b"well", "{proxies:?}");
    }
}

/// As many routes as the policies have together that measures are made with.
fn policy_of_23_routes() -> Value {
    let mut policy = policy();
    let route = |number: usize| {
        json!({
            "id": format!("orders-{number}"),
            "match": {"methods": ["GET"], "path": format!("/{number}/orders/{{id}}")},
            "access": {"scopes": {"all": ["orders:read"]}},
        })
    };
    policy["authorization"]["routes"] = (0..23).map(route).collect();
    policy
}

#[test]
fn a_bundle_of_a_compiled_policy_goes_without_the_compiler() {
    let bytes = bake(&policy_of_23_routes(), &[]);
    let (bundle, plugin) = (bytes.len(), plugin().len());
    println!("{bundle} bytes, {plugin} without a policy");
    assert!(bundle * 5 <= plugin * 4, "{bundle} bytes of {plugin}");
    assert!(bytes == bake(&policy_of_23_routes(), &[]), "the same each time");
    let mut host = builder(&bytes).build().unwrap();
    let request = get("/22/orders/7").header("x-api-key", "key");
    assert!(host.request(request).forwarded().is_some());
    for form in [policy(), secret_policy()] {
        for name in ["scopegate_bake", "scopegate_compile", "scopegate_refuse"] {
            let exports = module(&bake(&form, &[])).exports();
            assert!(exports.iter().all(|export| export.name != name), "`{name}`");
        }
    }
}

#[test]
fn what_would_need_the_compiler_is_refused_in_words_and_never_by_a_trap() {
    let open = [Open::LogLevel, Open::Upstreams];
    let mut host = builder(&bake(&policy(), &open)).build().unwrap();
    for configuration in [
        policy().to_string(),
        secret_policy().to_string(),
        "env:POLICY".to_owned(),
    ] {
        assert_eq!(host.configure(&configuration), Ok(false), "{configuration}");
        assert!(
            host.request(get("/healthz")).forwarded().is_some(),
            "the machine lives"
        );
    }
    assert_eq!(host.configure(r#"{"log_level": "error"}"#), Ok(true));
    assert!(host.request(get("/orders")).forwarded().is_none());
}
