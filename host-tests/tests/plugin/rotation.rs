//! Keys that change: new ones are found, old ones are worth nothing any more, and nobody can make us ask all the time.

use scopegate_host_tests::{Host, Outcome};
use serde_json::json;

use crate::common::refused;
use crate::issuer::{
    Pair, Server, UPSTREAM, bearer, decided, fetching, jwks, loaded, pass, passed, started, worker,
};

fn old() -> Pair {
    Pair::new("k1", "first")
}

fn new() -> Pair {
    Pair::new("k2", "second")
}

fn key_not_found() -> (u16, String) {
    (401, "key_not_found".to_owned())
}

#[test]
fn the_first_request_with_a_new_key_waits_for_it_once_and_passes() {
    let server = Server::of(&[&old()]);
    let mut host = loaded(&server);
    pass(&mut [&mut host], 60);
    server.publish(&[&old(), &new()]);
    let exchange = host.request(new().request());
    assert_eq!(exchange.outcome, Outcome::Paused);
    passed(&host.request(old().request()), "whose key is known does not wait");
    host.tick().unwrap();
    passed(&host.resume(exchange.stream), "with the new key");
    passed(&host.request(new().request()), "the next needs no waiting");
    passed(&host.request(old().request()), "the old key is still there");
    assert_eq!(server.count(), 1);
}

#[test]
fn an_unknown_key_is_asked_for_once_a_minute_at_most() {
    let server = Server::of(&[&old()]);
    let mut host = loaded(&server);
    for second in 1..60 {
        pass(&mut [&mut host], 1);
        let exchange = host.request(new().request());
        assert_eq!(
            refused(&exchange),
            key_not_found(),
            "{second} s after the last fetch"
        );
    }
    assert_eq!(server.count(), 0);
    pass(&mut [&mut host], 1);
    assert_eq!(
        refused(&decided(&mut host, new().request())),
        key_not_found(),
        "still unknown"
    );
    assert_eq!(server.count(), 1);
    server.publish(&[&new()]);
    assert_eq!(
        refused(&host.request(new().request())),
        key_not_found(),
        "not a minute later"
    );
    pass(&mut [&mut host], 60);
    passed(&decided(&mut host, new().request()), "a minute later");
}

/// Each second 10 requests with key ids that nobody knows, and one good request.
fn flood(host: &mut Host, seconds: u64, mut each: impl FnMut(u64)) {
    let mut waiting = Vec::new();
    for second in 0..seconds {
        for number in 0..10 {
            let kid = format!("{second}-{number}");
            let exchange = host.request(Pair::new(&kid, "first").request());
            if exchange.outcome == Outcome::Paused {
                waiting.push(exchange.stream);
            } else {
                assert_eq!(refused(&exchange), key_not_found());
            }
            host.advance(crate::issuer::TICK).unwrap();
        }
        passed(
            &host.request(old().request()),
            &format!("a good request after {second} s"),
        );
        each(second);
    }
    pass(&mut [host], 4);
    for stream in waiting {
        assert_eq!(refused(&host.resume(stream)), key_not_found());
    }
    assert_eq!((host.failure(), host.open_streams()), (None, 0));
}

#[test]
fn ten_thousand_unknown_keys_provoke_one_fetch_a_minute_and_stop_nobody() {
    let server = Server::of(&[&old()]);
    let mut host = loaded(&server);
    let mut last = 0;
    let mut fetches = 0;
    flood(&mut host, 1_000, |second| {
        let asked = server.count();
        assert!(asked <= 1, "{asked} fetches in a second");
        if asked == 1 {
            assert!(
                second + 2 >= last + 60,
                "{} s after the last fetch",
                second - last
            );
            (last, fetches) = (second, fetches + 1);
        }
    });
    assert!((15..=17).contains(&fetches), "{fetches} fetches in 1,000 s");
}

#[test]
fn a_flood_at_one_provider_does_not_keep_another_from_its_keys() {
    let mut policy = fetching();
    let providers = policy["authentication"]["providers"].as_array_mut().unwrap();
    let mut other = providers[0].clone();
    other["name"] = json!("other");
    other["issuer"] = json!("https://other.example.com");
    other["keys"] = json!({"jwks_uri": "https://other.example.com/other", "upstream": UPSTREAM});
    providers.push(other);
    policy["authorization"]["ceilings"] =
        json!([{"provider": "corp", "scopes": ["*"]}, {"provider": "other", "scopes": ["*"]}]);
    policy["authorization"]["routes"][1]["access"]["providers"] = json!(["corp", "other"]);
    let server = Server::of(&[&old()]);
    let stranger = Pair::new("k1", "other");
    server.upstreams.on(
        UPSTREAM,
        "/other",
        scopegate_host_tests::Answer::json(200, jwks(&[&stranger]).to_string()),
    );
    let mut host = started(worker(&server).configuration(policy.to_string()));
    host.tick().unwrap();
    pass(&mut [&mut host], 61);
    server.asked();
    assert_eq!(refused(&decided(&mut host, new().request())), key_not_found());
    let rotated = Pair::new("k2", "other");
    server.upstreams.on(
        UPSTREAM,
        "/other",
        scopegate_host_tests::Answer::json(200, jwks(&[&rotated]).to_string()),
    );
    let token = rotated.token_with(json!({"iss": "https://other.example.com"}));
    passed(
        &decided(&mut host, bearer(&token)),
        "the other provider's new key",
    );
    let wrong = rotated.token_with(json!({}));
    assert_eq!(
        refused(&host.request(bearer(&wrong))),
        key_not_found(),
        "a key of another issuer"
    );
    assert_eq!(server.count(), 2);
}

#[test]
fn what_a_removed_key_proved_is_refused_after_the_refresh() {
    let server = Server::of(&[&old(), &new()]);
    let mut host = loaded(&server);
    for _ in 0..3 {
        passed(&host.request(old().request()), "proved, and kept");
    }
    server.publish(&[&new()]);
    passed(&host.request(old().request()), "nobody knows yet");
    pass(&mut [&mut host], 600);
    for _ in 0..3 {
        assert_eq!(refused(&decided(&mut host, old().request())), key_not_found());
    }
    passed(&host.request(new().request()), "the key that stayed");
}

#[test]
fn what_another_key_of_the_same_name_proved_is_refused_after_the_refresh() {
    let server = Server::of(&[&old()]);
    let mut host = loaded(&server);
    let replaced = Pair::new("k1", "second");
    passed(&host.request(old().request()), "proved, and kept");
    assert_eq!(
        refused(&host.request(replaced.request())),
        (401, "signature_invalid".to_owned())
    );
    server.publish(&[&replaced]);
    pass(&mut [&mut host], 600);
    assert_eq!(
        refused(&host.request(old().request())),
        (401, "signature_invalid".to_owned())
    );
    passed(&host.request(replaced.request()), "with the new key");
}

#[test]
fn what_was_proved_is_not_proved_anew_while_the_keys_stay() {
    let server = Server::of(&[&old()]);
    let mut host = loaded(&server);
    let first = host.request(old().request()).fuel;
    pass(&mut [&mut host], 1_200);
    assert!(server.count() >= 2);
    let after = host.request(old().request());
    passed(&after, "after two refreshes");
    assert!(after.fuel * 10 < first, "{} of {first}", after.fuel);
}
