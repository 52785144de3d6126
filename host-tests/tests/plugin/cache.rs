//! Tokens that were proved once: used again while they are worth something and no longer, by nobody else, and never
//! more of them than there is room for.

use scopegate_host_tests::{Host, Request};
use serde_json::{Value, json};

use crate::common::{NOW, builder, policy, refused, signed};
use crate::issuer::{Pair, Server, bearer, loaded, passed, shown, started};

fn minted(claims: Value) -> String {
    let mut all = json!({
        "iss": "https://idp.example.com",
        "aud": "https://api.example.com",
        "sub": "anna",
        "scope": "orders:read",
        "iat": NOW - 10,
        "exp": NOW + 600,
    });
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    signed(&json!({"alg": "HS256", "kid": "k1"}), &all)
}

fn host() -> Host {
    started(builder())
}

fn rejected(host: &mut Host, request: Request) -> String {
    let (status, code) = refused(&host.request(request));
    assert_eq!(status, 401, "{code}");
    code
}

#[test]
fn a_token_that_was_proved_takes_a_fraction_of_the_work() {
    let pair = Pair::new("k1", "first");
    let mut host = loaded(&Server::of(&[&pair]));
    passed(
        &host.request(bearer(&pair.token_with(json!({"jti": "0"})))),
        "to set up",
    );
    let request = pair.request();
    let first = host.request(request.clone());
    passed(&first, "at first sight");
    for _ in 0..3 {
        let again = host.request(request.clone());
        passed(&again, "again");
        assert!(again.fuel * 10 < first.fuel, "{} of {}", again.fuel, first.fuel);
    }
}

#[test]
fn a_proved_token_ends_to_the_second() {
    let mut host = host();
    let request = bearer(&minted(json!({})));
    for second in [0, 600, 629] {
        host.clock().set(NOW + second);
        passed(&host.request(request.clone()), &format!("{second} s"));
    }
    for second in [630, 631, 10_000] {
        host.clock().set(NOW + second);
        assert_eq!(
            rejected(&mut host, request.clone()),
            "token_expired",
            "{second} s"
        );
    }
    host.clock().set(NOW + 629);
    passed(&host.request(request), "the clock stepped back");
}

#[test]
fn a_proved_token_begins_to_the_second_too() {
    let mut host = host();
    let request = bearer(&minted(json!({"nbf": NOW, "iat": NOW - 3_000})));
    passed(&host.request(request.clone()), "proved, and kept");
    host.clock().set(NOW - 30);
    passed(&host.request(request.clone()), "within the skew");
    host.clock().set(NOW - 31);
    assert_eq!(rejected(&mut host, request.clone()), "token_not_yet_valid");
    host.clock().set(NOW);
    passed(&host.request(request), "the time has come");
}

#[test]
fn a_proved_token_without_iat_is_measured_by_the_clock_each_time() {
    let mut host = host();
    let token = signed(
        &json!({"alg": "HS256", "kid": "k1"}),
        &json!({
            "iss": "https://idp.example.com", "aud": "https://api.example.com", "sub": "anna",
            "scope": "orders:read", "exp": NOW + 24 * 60 * 60,
        }),
    );
    passed(&host.request(bearer(&token)), "a day at most");
    host.clock().set(NOW - 1);
    assert_eq!(rejected(&mut host, bearer(&token)), "lifetime_too_long");
}

#[test]
fn what_one_policy_proved_is_nothing_to_the_next() {
    let mut host = host();
    let request = bearer(&minted(json!({})));
    passed(&host.request(request.clone()), "proved, and kept");
    let mut stricter = policy();
    stricter["authentication"]["providers"][0]["audiences"] = json!(["https://other.example.com"]);
    assert_eq!(host.configure(stricter.to_string()), Ok(true));
    assert_eq!(rejected(&mut host, request.clone()), "audience_mismatch");
    let mut renamed = policy();
    renamed["authentication"]["providers"][0]["keys"][0]["kid"] = json!("k2");
    assert_eq!(host.configure(renamed.to_string()), Ok(true));
    assert_eq!(rejected(&mut host, request.clone()), "key_not_found");
    assert_eq!(host.configure(policy().to_string()), Ok(true));
    passed(&host.request(request), "the first policy again");
}

#[test]
fn a_decision_is_never_kept() {
    let mut host = host();
    let request = bearer(&minted(json!({})));
    passed(&host.request(request.clone()), "proved, and kept");
    let mut narrower = policy();
    narrower["authorization"]["scopes"]["orders:list"] = json!("List orders");
    narrower["authorization"]["routes"][1]["access"] = json!({"scopes": {"all": ["orders:list"]}});
    assert_eq!(host.configure(narrower.to_string()), Ok(true));
    assert_eq!(refused(&host.request(request)), (403, "scope_missing".to_owned()));
}

#[test]
fn a_token_is_proved_for_the_place_where_it_stood() {
    let mut policy = policy();
    let mut web = policy["authentication"]["providers"][0].clone();
    web["name"] = json!("web");
    web["audiences"] = json!(["https://web.example.com"]);
    web["credential"] = json!({"cookie": "session"});
    policy["authentication"]["providers"]
        .as_array_mut()
        .unwrap()
        .push(web);
    policy["authorization"]["ceilings"] =
        json!([{"provider": "corp", "scopes": ["*"]}, {"provider": "web", "scopes": ["*"]}]);
    policy["authorization"]["routes"][1]["access"]["providers"] = json!(["corp", "web"]);
    let mut host = started(builder().configuration(policy.to_string()));
    let cookie =
        |token: &str| Request::get("api.example.com", "/orders").header("cookie", format!("session={token}"));
    let api = minted(json!({}));
    let session = minted(json!({"aud": "https://web.example.com"}));
    let both = minted(json!({"aud": ["https://web.example.com", "https://api.example.com"]}));
    for _ in 0..2 {
        passed(&host.request(bearer(&api)), "in the header");
        passed(&host.request(cookie(&session)), "in the cookie");
        assert_eq!(rejected(&mut host, cookie(&api)), "audience_mismatch");
        assert_eq!(rejected(&mut host, bearer(&session)), "audience_mismatch");
        passed(&host.request(bearer(&both)), "in either");
        passed(&host.request(cookie(&both)), "in either");
    }
    let twice = bearer(&both).header("cookie", format!("session={both}"));
    assert_eq!(
        refused(&host.request(twice)),
        (400, "credential_multiple".to_owned())
    );
}

#[test]
fn a_token_with_the_end_of_a_proved_one_is_another_token() {
    let mut host = host();
    let token = minted(json!({}));
    passed(&host.request(bearer(&token)), "proved, and kept");
    let (_, signature) = token.rsplit_once('.').unwrap();
    let forged = |claims: Value| {
        let other = minted(claims);
        let (input, _) = other.rsplit_once('.').unwrap();
        format!("{input}.{signature}")
    };
    for claims in [
        json!({"sub": "root"}),
        json!({"scope": "orders:read orders:admin"}),
        json!({"exp": NOW + 601}),
        json!({"jti": "x".repeat(5_000)}),
    ] {
        let forged = forged(claims);
        assert!(forged.ends_with(signature));
        for _ in 0..2 {
            assert_eq!(rejected(&mut host, bearer(&forged)), "signature_invalid");
        }
    }
    for spoiled in [format!("{token}="), token.chars().take(token.len() - 1).collect()] {
        assert!(
            host.request(bearer(&spoiled)).forwarded().is_none(),
            "{}",
            spoiled.len() - token.len()
        );
    }
    passed(&host.request(bearer(&token)), "the proved one");
}

#[test]
fn what_was_refused_is_not_kept() {
    let mut host = host();
    let request = bearer(&minted(json!({"nbf": NOW + 100})));
    assert_eq!(rejected(&mut host, request.clone()), "token_not_yet_valid");
    host.clock().advance(100);
    passed(&host.request(request), "when its time has come");
}

#[test]
fn what_the_cache_did_is_counted_once_a_second() {
    let mut host = host();
    for _ in 0..4 {
        passed(&host.request(bearer(&minted(json!({})))), "the same token");
    }
    assert_eq!(
        rejected(&mut host, bearer(&minted(json!({"exp": NOW - 60})))),
        "token_expired"
    );
    for _ in 0..20 {
        host.tick().unwrap();
    }
    let counted =
        ["hits", "misses", "tokens"].map(|name| shown(&host, &format!("scopegate.token_cache.{name}")));
    assert_eq!(counted, [3, 2, 1]);
    assert_eq!(host.configure(policy().to_string()), Ok(true));
    passed(&host.request(bearer(&minted(json!({})))), "by the next policy");
    for _ in 0..20 {
        host.tick().unwrap();
    }
    let counted =
        ["hits", "misses", "tokens"].map(|name| shown(&host, &format!("scopegate.token_cache.{name}")));
    assert_eq!(counted, [3, 3, 1], "counters go on, and what is held begins anew");
}

#[test]
fn a_worker_that_serves_nothing_does_not_say_that_no_token_is_held() {
    let mut host = host();
    for _ in 0..20 {
        host.tick().unwrap();
    }
    assert_eq!(host.metrics().get("scopegate.token_cache.tokens"), None);
    assert_eq!(host.metrics().get("scopegate.token_cache.bytes"), None);
}

/// Shows so many tokens, each of them good and none of them twice, and requires that the module's memory stops growing.
fn many(tokens: u64) {
    let mut policy = policy();
    policy["audit"] = json!({"authentication": "none", "authorization": "none"});
    let mut host = started(builder().configuration(policy.to_string()));
    let show = |host: &mut Host, number: u64| {
        let token = minted(json!({"jti": format!("token-{number}"), "tid": "a-tenant", "azp": "a-client"}));
        assert!(
            host.request(bearer(&token)).forwarded().is_some(),
            "token {number}"
        );
    };
    let settled = tokens / 5;
    (0..settled).for_each(|number| show(&mut host, number));
    let before = host.memory_bytes();
    (settled..tokens).for_each(|number| show(&mut host, number));
    host.tick().unwrap();
    let after = host.memory_bytes();
    let [held, bytes, bound] =
        ["tokens", "bytes", "bound"].map(|name| shown(&host, &format!("scopegate.token_cache.{name}")));
    println!(
        "{tokens} tokens: {} KiB of memory after {settled}, {} KiB after all",
        before / 1024,
        after / 1024
    );
    println!("the cache holds {held} tokens, {bytes} bytes of {bound}");
    assert!(bytes <= bound && held > 0, "{bytes} of {bound}");
    assert!(after <= before + 1024 * 1024, "{before}, then {after}");
    assert!(after < 48 * 1024 * 1024, "{after}");
    assert_eq!(shown(&host, "scopegate.token_cache.misses"), tokens);
    assert_eq!(shown(&host, "scopegate.token_cache.evictions"), tokens - held);
}

#[test]
fn a_hundred_thousand_tokens_take_no_more_room_than_there_is() {
    many(100_000);
}

#[test]
#[ignore = "takes minutes; run it with `--ignored`"]
fn a_million_tokens_take_no_more_room_than_there_is() {
    many(1_000_000);
}
