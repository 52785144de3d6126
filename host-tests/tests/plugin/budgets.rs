//! What a request may cost: the instructions of the module and its calls of the host, held to what was recorded.
//!
//! No clock is read: the same module takes the same number in each run, on any machine. A change that costs something
//! fails here, and so does one that saves so much that the record no longer guards it.
//! `SCOPEGATE_BLESS=1 cargo test -p scopegate-host-tests --test plugin budgets` records what is measured, and writes the
//! table of `docs/performance.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use base64_simd::URL_SAFE_NO_PAD as BASE64URL;
use scopegate_host_tests::{Cost, Exchange, Host, Request};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::{NOW, builder, policy, signed};
use crate::issuer::Pair;

/// How many percent more than recorded are taken for what another compiler does.
const MORE_PERCENT: u64 = 5;

/// How many percent less than recorded make the record old.
const LESS_PERCENT: u64 = 10;

/// How many requests are counted, after as many that warm the module up.
const REQUESTS: usize = 20;

const ROUTES: usize = 1_000;
const PATH: &str = "/r7/acme";
const CONDITION: &str =
    "caller.subject == 'anna' && request.method == 'GET' && request.params.tenant == caller.tenant";

/// What was measured: for each kind of request the instructions and the host calls.
type Measured = BTreeMap<String, (u64, usize)>;

/// Tokens of algorithms that these tests have no key for: they are made once, and the keys are gone.
fn made_once() -> Value {
    serde_json::from_str(include_str!("budgets/tokens.json")).unwrap()
}

/// Tokens that differ in their `jti`.
fn tokens(algorithm: &str, claims: &Value) -> Vec<String> {
    let made = made_once();
    if let Some(made) = made[algorithm].as_array() {
        return made
            .iter()
            .map(|token| token.as_str().unwrap().to_owned())
            .collect();
    }
    let each = (0..4).map(|number| {
        let mut all = claims_of(number);
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        match algorithm {
            "HS256" => signed(&json!({"alg": "HS256", "kid": "k1"}), &all),
            _ => issuer().signed(&json!({"alg": "ES256", "kid": "ec"}), &all),
        }
    });
    each.collect()
}

fn claims_of(number: usize) -> Value {
    json!({
        "iss": "https://idp.example.com", "aud": "https://api.example.com", "sub": "anna", "tid": "acme",
        "scope": "orders:read orders:write", "client_id": "web", "name": "Anna Example", "email": "anna@example.com",
        "groups": ["staff", "orders", "warehouse"], "auth_time": NOW - 60, "acr": "urn:example:silver",
        "sid": "0d3c2f3e-7a54-4c39-9b41-6a5d6d1c7f10", "jti": format!("{number:012}"), "iat": NOW - 10, "exp": NOW + 600,
    })
}

fn issuer() -> Pair {
    Pair::new("ec", "the issuer's key")
}

/// What a policy of its kind usually says: many routes, one scope and one tenant each, identity headers, failures audited.
fn usual(symmetric: bool) -> Value {
    let mut policy = policy();
    let provider = &mut policy["authentication"]["providers"][0];
    provider["claims"] =
        json!({"scopes": ["scope"], "subject": "sub", "client": "client_id", "tenant": "tid"});
    if !symmetric {
        let mut keys = made_once()["keys"].clone();
        keys.as_array_mut().unwrap().push(issuer().jwk());
        provider["algorithms"] = json!(["RS256", "ES256", "EdDSA"]);
        provider["keys"] = json!({"jwks": {"keys": keys}});
    }
    policy["authentication"]["origins"] = json!(["https://api.example.com"]);
    policy["authentication"]["identity_headers"] =
        json!({"subject": "x-auth-subject", "tenant": "x-auth-tenant", "scopes": "x-auth-scopes"});
    let guarded = (1..ROUTES).map(|number| {
        json!({
            "id": format!("r{number}"),
            "match": {"methods": ["GET"], "path": format!("/r{number}/{{tenant}}")},
            "access": {"scopes": {"all": ["orders:read"]}, "tenant": "{tenant}"},
        })
    });
    let public =
        json!({"id": "health", "match": {"methods": ["GET"], "path": "/healthz"}, "access": "public"});
    policy["authorization"] = json!({
        "scopes": {"orders:read": "Read", "orders:write": "Write"},
        "routes": std::iter::once(public).chain(guarded).collect::<Vec<Value>>(),
    });
    policy["audit"] = json!({"authentication": "failures", "authorization": "denials"});
    policy
}

fn started(policy: &Value) -> Host {
    let mut host = builder().configuration(policy.to_string()).build().unwrap();
    assert!(host.configured(), "{:?}", host.logs());
    host
}

fn request(path: &str) -> Request {
    Request::get("api.example.com", path)
        .header("x-request-id", "5f1e0c9a-0000-4000-8000-000000000001")
        .header("user-agent", "bench/1.0")
        .header("accept", "application/json")
        .header("x-forwarded-proto", "https")
}

fn bearer(path: &str, token: &str) -> Request {
    request(path).header("authorization", format!("Bearer {token}"))
}

/// What is measured, by name.
struct Ledger(Measured);

impl Ledger {
    fn put(&mut self, name: &str, cost: &Cost) {
        let calls = cost.host_calls.get(cost.host_calls.len() / 2);
        self.0
            .insert(name.to_owned(), (cost.median_fuel(), *calls.unwrap()));
    }

    /// A request that is made again and again, and what must become of it.
    fn again(&mut self, name: &str, host: &mut Host, one: &Request, code: &str) {
        let exchange = host.request(one.clone());
        let seen = exchange.property("scopegate.code").map(String::from_utf8_lossy);
        assert_eq!(seen.as_deref(), Some(code), "{name}");
        let cost = host.cost(REQUESTS, |_| one.clone());
        self.put(name, &cost);
    }

    /// Requests of which each is the first of its kind: the first warms the module up.
    fn each(&mut self, name: &str, host: &mut Host, requests: &[Request]) {
        let mut seen = Vec::new();
        for one in requests {
            let exchange = host.request(one.clone());
            assert_eq!(exchange.property("scopegate.code"), Some(&b"allow"[..]), "{name}");
            seen.push((exchange.fuel, exchange.host_calls));
        }
        let (mut fuel, mut host_calls): (Vec<u64>, Vec<usize>) = seen.into_iter().skip(1).unzip();
        fuel.sort_unstable();
        host_calls.sort_unstable();
        self.put(name, &Cost { fuel, host_calls });
    }
}

fn of_tokens(ledger: &mut Ledger) {
    let mut host = started(&usual(false));
    for algorithm in ["RS256", "ES256", "EdDSA", "HS256"] {
        if algorithm == "HS256" {
            host = started(&usual(true));
        }
        let tokens = tokens(algorithm, &json!({}));
        let requests: Vec<Request> = tokens.iter().map(|token| bearer(PATH, token)).collect();
        ledger.each(&format!("first sight, {algorithm}"), &mut host, &requests);
        ledger.again(
            &format!("seen before, {algorithm}"),
            &mut host,
            &requests[0],
            "allow",
        );
    }
}

/// What a key costs that was used often enough for a table of its multiples, and what making the table costs. Forged tokens
/// count as uses, and are refused as ever.
fn of_keys_in_use(ledger: &mut Ledger) {
    for algorithm in ["ES256", "EdDSA"] {
        let mut host = started(&usual(false));
        let tokens = tokens(algorithm, &json!({}));
        let forged = bearer(PATH, &forged(&tokens[0]));
        let refused: Vec<Exchange> = (0..6).map(|_| host.request(forged.clone())).collect();
        for exchange in &refused {
            let code = exchange.property("scopegate.code");
            assert_eq!(code, Some(&b"signature_invalid"[..]), "{algorithm}");
        }
        let dearest = refused.iter().max_by_key(|exchange| exchange.fuel).unwrap();
        let cost = Cost {
            fuel: vec![dearest.fuel],
            host_calls: vec![dearest.host_calls],
        };
        ledger.put(&format!("a table is made, {algorithm}"), &cost);
        let requests: Vec<Request> = tokens.iter().map(|token| bearer(PATH, token)).collect();
        ledger.each(
            &format!("first sight, {algorithm}, table made"),
            &mut host,
            &requests,
        );
    }
}

/// The token with another signature.
fn forged(token: &str) -> String {
    // In the middle of 64 bytes: numbers stay in their ranges, and points on their curves.
    let (before, after) = token.split_at(token.len() - 40);
    let (kept, changed) = before.split_at(before.len() - 4);
    let reversed: String = changed.chars().rev().collect();
    assert_ne!(changed, reversed);
    format!("{kept}{reversed}{after}")
}

fn of_others(ledger: &mut Ledger) {
    let mut host = started(&usual(true));
    let token = &tokens("HS256", &json!({}))[0];
    let rows = [
        ("no token", request(PATH), "credential_missing"),
        ("public route", request("/healthz"), "allow"),
        ("no route", request("/nowhere"), "no_route"),
        ("another tenant's", bearer("/r7/other", token), "tenant_mismatch"),
        (
            "a signature that fails",
            bearer(PATH, &format!("{token}A")),
            "signature_invalid",
        ),
    ];
    for (name, one, code) in rows {
        ledger.again(name, &mut host, &one, code);
    }
}

fn of_policies(ledger: &mut Ledger) {
    let token = &tokens("HS256", &json!({}))[0];
    let mut conditional = usual(true);
    for route in conditional["authorization"]["routes"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .skip(1)
    {
        route["access"]["when"] = json!(CONDITION);
    }
    let mut audited = usual(true);
    audited["audit"] = json!({"authentication": "all", "authorization": "all"});
    for (name, policy) in [("an expression", conditional), ("everything audited", audited)] {
        ledger.again(name, &mut started(&policy), &bearer(PATH, token), "allow");
    }
    let mut unrecorded = usual(true);
    unrecorded["audit"] = json!({"authentication": "none", "authorization": "none"});
    ledger.again(
        "no token, nothing audited",
        &mut started(&unrecorded),
        &request(PATH),
        "credential_missing",
    );
}

/// A token that was seen before, with a proof of its own for each request (RFC 9449).
fn of_proofs(ledger: &mut Ledger) {
    let mut policy = usual(false);
    policy["authentication"]["providers"][0]["binding"] = json!("dpop");
    policy["authentication"]["providers"][0]["dpop"] = json!({"algorithms": ["ES256"]});
    let client = Pair::new("client", "the client's key");
    let jwk = client.jwk();
    let public = json!({"crv": "P-256", "kty": "EC", "x": jwk["x"], "y": jwk["y"]});
    let digest = |text: &[u8]| BASE64URL.encode_to_string(Sha256::digest(text));
    let confirmed = json!({"cnf": {"jkt": digest(public.to_string().as_bytes())}});
    let token = &tokens("ES256", &confirmed)[0];
    let proved = |number: usize| {
        let claims = json!({
            "jti": format!("proof-{number:012}"), "htm": "GET", "htu": format!("https://api.example.com{PATH}"),
            "iat": NOW, "ath": digest(token.as_bytes()),
        });
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": public});
        request(PATH)
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", client.signed(&header, &claims))
    };
    let requests: Vec<Request> = (0..6).map(proved).collect();
    ledger.each("a proof of DPoP", &mut started(&policy), &requests);
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/plugin/budgets/budgets.json")
}

/// One line for each row that is not as recorded.
fn differences(measured: &Measured, recorded: &Value) -> Vec<String> {
    let row = |(name, (fuel, calls)): (&String, &(u64, usize))| {
        let budget = recorded[name]["instructions"].as_u64().unwrap_or_default();
        let held = recorded[name]["host_calls"].as_u64().unwrap_or_default();
        let most = budget + budget * MORE_PERCENT / 100;
        let least = budget - budget * LESS_PERCENT / 100;
        let calls = u64::try_from(*calls).unwrap();
        if *fuel > most || calls > held {
            Some(format!(
                "{name}: {fuel} instructions and {calls} host calls, {budget} and {held} are recorded"
            ))
        } else if *fuel < least || calls < held {
            Some(format!(
                "{name}: {fuel} instructions and {calls} host calls: lower the record of {budget} and {held}"
            ))
        } else {
            None
        }
    };
    let gone = recorded
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !measured.contains_key(*name));
    let gone = gone.map(|(name, _)| format!("{name}: recorded, and nobody measures it"));
    measured.iter().filter_map(row).chain(gone).collect()
}

/// The rows of `docs/performance.md`: what they are called there, and in the record.
const SHOWN: [(&str, &str); 16] = [
    ("permitted, RS256 token seen before", "seen before, RS256"),
    ("permitted, HS256 token seen before", "seen before, HS256"),
    ("the same with an expression", "an expression"),
    ("the same with everything audited", "everything audited"),
    ("no token", "no token"),
    ("the same with nothing audited", "no token, nothing audited"),
    ("another tenant's", "another tenant's"),
    ("no route", "no route"),
    ("public route", "public route"),
    ("first sight, HS256", "first sight, HS256"),
    ("first sight, EdDSA", "first sight, EdDSA"),
    (
        "the same once the key has its table",
        "first sight, EdDSA, table made",
    ),
    ("first sight, RS256 in the sandbox", "first sight, RS256"),
    ("first sight, ES256 in the sandbox", "first sight, ES256"),
    (
        "the same once the key has its table",
        "first sight, ES256, table made",
    ),
    ("a DPoP proof, ES256 in the sandbox", "a proof of DPoP"),
];

/// The table of `docs/performance.md`.
fn table(recorded: &Value) -> String {
    let mut text = String::from("| request | instructions | host calls |\n|---|---:|---:|\n");
    for (shown, name) in SHOWN {
        let row = &recorded[name];
        let instructions = grouped(row["instructions"].as_u64().unwrap());
        writeln!(text, "| {shown} | {instructions} | {} |", row["host_calls"]).unwrap();
    }
    text
}

/// A number of four digits that mean something at most, in groups of three.
fn grouped(number: u64) -> String {
    let unit = match number {
        0..100_000 => 100,
        100_000..1_000_000 => 1_000,
        _ => 10_000,
    };
    let digits = ((number + unit / 2) / unit * unit).to_string();
    let each = digits.chars().enumerate().flat_map(|(place, digit)| {
        let comma = place > 0 && (digits.len() - place).is_multiple_of(3);
        comma.then_some(',').into_iter().chain([digit])
    });
    each.collect()
}

/// Holds the table of the page to the record, or writes it.
fn page(recorded: &Value, is_written: bool) {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once("<!-- recorded -->\n").unwrap();
    let (old, after) = rest.split_once("<!-- end -->\n").unwrap();
    let new = table(recorded);
    if is_written {
        let text = format!("{before}<!-- recorded -->\n{new}<!-- end -->\n{after}");
        std::fs::write(&page, text).unwrap();
        return;
    }
    assert_eq!(
        old, new,
        "`docs/performance.md`: `SCOPEGATE_BLESS=1` writes the table anew"
    );
}

#[test]
fn a_request_costs_what_is_recorded_and_the_page_says_so() {
    let mut ledger = Ledger(Measured::new());
    of_tokens(&mut ledger);
    of_keys_in_use(&mut ledger);
    of_others(&mut ledger);
    of_policies(&mut ledger);
    of_proofs(&mut ledger);
    let Ledger(measured) = ledger;
    for (name, (fuel, calls)) in &measured {
        println!("{name}: {fuel} instructions, {calls} host calls");
    }
    let is_written = std::env::var_os("SCOPEGATE_BLESS").is_some();
    if is_written {
        let row = |(fuel, calls): &(u64, usize)| json!({"instructions": fuel, "host_calls": calls});
        let rows: BTreeMap<&String, Value> = measured.iter().map(|(name, cost)| (name, row(cost))).collect();
        std::fs::write(file(), format!("{:#}\n", json!(rows))).unwrap();
    }
    let recorded = std::fs::read_to_string(file()).unwrap_or_default();
    let recorded: Value = serde_json::from_str(&recorded).unwrap_or_default();
    let differences = differences(&measured, &recorded);
    assert!(
        differences.is_empty(),
        "{}\nrecord what is measured: SCOPEGATE_BLESS=1 cargo test -p scopegate-host-tests --test plugin budgets",
        differences.join("\n")
    );
    page(&recorded, is_written);
}

#[test]
fn a_record_that_is_too_low_too_high_or_of_nothing_is_a_difference() {
    let measured = Measured::from([("one".to_owned(), (1_000, 9))]);
    let said = |instructions: u64, host_calls: u64| {
        let recorded = json!({"one": {"instructions": instructions, "host_calls": host_calls}});
        differences(&measured, &recorded).join("\n")
    };
    for fine in [955, 1_000, 1_110] {
        assert_eq!(said(fine, 9), "", "{fine}");
    }
    assert!(
        said(940, 9).contains("940 and 9 are recorded"),
        "{}",
        said(940, 9)
    );
    assert!(said(1_000, 8).contains("are recorded"));
    assert!(said(1_200, 9).contains("lower the record") && said(1_000, 10).contains("lower the record"));
    assert!(differences(&measured, &json!({})).len() == 1);
    let other = json!({"one": {"instructions": 1_000, "host_calls": 9}, "two": {}});
    assert_eq!(
        differences(&measured, &other),
        ["two: recorded, and nobody measures it"]
    );
}
