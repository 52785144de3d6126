//! Keys that are fetched: where, how often, and how long they serve.

use std::ops::RangeInclusive;

use scopegate_host_tests::{Answer, Callout, Host, Profile, Response};
use serde_json::{Value, json};

use crate::common::NOW;
use crate::issuer::{
    Pair, Server, UPSTREAM, counted, decided, document, keys, pass, passed, policy_with, shown, started,
    unavailable, worker,
};
use crate::nginx::{keeping, under_nginx};

fn pair() -> Pair {
    Pair::new("k1", "first")
}

fn header<'c>(callout: &'c Callout, name: &str) -> Option<&'c str> {
    callout
        .header(name)
        .and_then(|value| std::str::from_utf8(value).ok())
}

/// Whether a record of the last request says this. Records are written on hosts too where more is needed to forward.
fn says(host: &mut Host, text: &str) -> bool {
    host.logs().iter().any(|line| line.message.contains(text))
}

#[test]
fn keys_are_fetched_from_where_the_policy_says_on_every_host() {
    for (profile, upstream) in [(Profile::Envoy, "idp"), (Profile::Nginx, "idp.example.com:8443")] {
        let policy = keeping(policy_with(
            json!({"jwks_uri": "https://IDP.example.com:8443/jwks?v=1", "upstream": upstream}),
        ));
        let server = Server::of(&[]);
        server
            .upstreams
            .on(upstream, "/jwks", Answer::Response(keys(&[&pair()])));
        let mut host = started(
            under_nginx(worker(&server))
                .configuration(policy.to_string())
                .profile(profile),
        );
        assert_eq!(
            server.count(),
            0,
            "nothing is fetched while the plugin is configured"
        );
        host.tick().unwrap();
        let asked = server.asked();
        assert_eq!(asked.len(), 1, "{profile:?}");
        assert_eq!(
            (asked[0].upstream.as_str(), asked[0].timeout_ms),
            (upstream, 5_000)
        );
        for (name, value) in [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "idp.example.com:8443"),
            (":path", "/jwks?v=1"),
            ("accept", "application/json, application/jwk-set+json"),
        ] {
            assert_eq!(header(&asked[0], name), Some(value), "{profile:?}");
        }
        assert_eq!(header(&asked[0], "authorization"), None);
        assert_eq!(asked[0].body, b"");
        assert_eq!(counted(&host, "scopegate.fetch.keys.corp.begun"), 1);
        assert_eq!(
            counted(&host, "scopegate.fetch.keys.corp.changed"),
            1,
            "{profile:?}"
        );
        let good = host.request(pair().request());
        assert!(
            says(&mut host, "\"outcome\":\"success\""),
            "{profile:?}: not proved"
        );
        let stranger = host.request(Pair::new("k1", "stranger").request());
        assert!(says(&mut host, "signature_invalid"), "{profile:?}");
        assert!(stranger.forwarded().is_none(), "{profile:?}");
        assert!(good.forwarded().is_some(), "{profile:?}: with fetched keys");
    }
}

const METADATA: &str = "/.well-known/openid-configuration";

fn discovering() -> Value {
    let discovery = format!("https://idp.example.com{METADATA}");
    policy_with(json!({"discovery": discovery, "upstream": UPSTREAM}))
}

/// Serves this metadata, and the keys at `/keys`.
fn discovery(metadata: Value) -> Server {
    let server = Server::of(&[]);
    let serve =
        |path: &str, response: Response| server.upstreams.on(UPSTREAM, path, Answer::Response(response));
    serve(METADATA, document(&metadata));
    serve("/keys", keys(&[&pair()]));
    server
}

fn paths(server: &Server) -> Vec<String> {
    server.asked().iter().map(Callout::path).collect()
}

#[test]
fn discovery_finds_the_keys_and_asks_again_after_a_day() {
    let metadata = json!({"issuer": "https://idp.example.com", "jwks_uri": "https://idp.example.com/keys"});
    let server = discovery(metadata);
    let mut host = started(worker(&server).configuration(discovering().to_string()));
    host.tick().unwrap();
    assert_eq!(paths(&server), [METADATA, "/keys"]);
    passed(&host.request(pair().request()), "with keys that were discovered");
    pass(&mut [&mut host], 600);
    assert_eq!(paths(&server), ["/keys"], "the metadata is known");
    host.clock().advance(24 * 60 * 60);
    host.tick().unwrap();
    assert_eq!(paths(&server), [METADATA, "/keys"], "a day later");
}

#[test]
fn metadata_of_another_issuer_or_that_leads_elsewhere_gives_no_keys() {
    let here = "https://idp.example.com/keys";
    for (issuer, uri) in [
        ("https://idp.example.com/", here),
        ("https://evil.example.com", here),
        ("https://IDP.example.com", here),
        ("https://idp.example.com", "https://evil.example.com/keys"),
        ("https://idp.example.com", "http://idp.example.com/keys"),
        ("https://idp.example.com", "https://idp.example.com:444/keys"),
    ] {
        let server = discovery(json!({"issuer": issuer, "jwks_uri": uri}));
        let mut host = started(worker(&server).configuration(discovering().to_string()));
        host.tick().unwrap();
        assert_eq!(paths(&server), [METADATA], "{issuer} {uri}");
        unavailable(&host.request(pair().request()), &format!("{issuer} {uri}"));
        assert_eq!(counted(&host, "scopegate.fetch.keys.corp.refused"), 1);
    }
}

#[test]
fn metadata_that_turns_bad_does_not_take_good_keys_away() {
    let metadata =
        |issuer: &str| document(&json!({"issuer": issuer, "jwks_uri": "https://idp.example.com/keys"}));
    let server =
        discovery(json!({"issuer": "https://idp.example.com", "jwks_uri": "https://idp.example.com/keys"}));
    let mut host = started(worker(&server).configuration(discovering().to_string()));
    host.tick().unwrap();
    server.asked();
    let evil = metadata("https://evil.example.com");
    server.upstreams.on(UPSTREAM, METADATA, Answer::Response(evil));
    server.upstreams.on(UPSTREAM, "/keys", Answer::status(404));
    pass(&mut [&mut host], 700);
    let asked = paths(&server);
    assert_eq!(asked.first().map(String::as_str), Some("/keys"));
    assert!(
        asked.iter().skip(1).all(|path| path == METADATA) && asked.len() > 1,
        "{asked:?}"
    );
    passed(&host.request(pair().request()), "with the last good keys");
}

/// Seconds from the first fetch to the next.
fn until_next(mut host: Host, server: &Server) -> u64 {
    host.tick().unwrap();
    assert_eq!(server.count(), 1);
    for second in 1..=3_600 {
        pass(&mut [&mut host], 1);
        if server.count() > 0 {
            return second;
        }
    }
    panic!("nothing was fetched for an hour")
}

#[test]
fn workers_that_start_together_do_not_stay_together() {
    let mut intervals = Vec::new();
    for start in 0..12 {
        let server = Server::of(&[&pair()]);
        let host = started(worker(&server));
        host.clock().set(NOW + start);
        intervals.push(until_next(host, &server));
    }
    assert!(
        intervals.iter().all(|seconds| (540..=600).contains(seconds)),
        "{intervals:?}"
    );
    intervals.sort_unstable();
    intervals.dedup();
    assert!(intervals.len() > 6, "{intervals:?}");
}

type Field = (&'static str, &'static str);

#[test]
fn caching_headers_count_within_the_bounds_of_the_policy() {
    let cases: [(&[Field], RangeInclusive<u64>); 7] = [
        (&[("cache-control", "public, max-age=200")], 180..=200),
        (&[("cache-control", "max-age=200"), ("age", "80")], 108..=120),
        (&[("cache-control", "max-age=200"), ("age", "300")], 54..=60),
        (&[("cache-control", "max-age=1")], 54..=60),
        (&[("cache-control", "no-store")], 54..=60),
        (&[("cache-control", "max-age=86400")], 540..=600),
        (&[("cache-control", "max-age=x")], 540..=600),
    ];
    for (headers, expected) in cases {
        let server = Server::of(&[]);
        let answer = headers.iter().fold(keys(&[&pair()]), |answer, (name, value)| {
            answer.header(name, value)
        });
        server.answer(Answer::Response(answer));
        let seconds = until_next(started(worker(&server)), &server);
        assert!(expected.contains(&seconds), "{headers:?}: after {seconds} s");
    }
}

#[test]
fn what_did_not_change_is_not_sent_again_and_stays_fresh() {
    let server = Server::of(&[]);
    server.answer(Answer::Response(keys(&[&pair()]).header("etag", "\"7\"")));
    let mut host = started(worker(&server));
    host.tick().unwrap();
    assert_eq!(
        header(&server.asked()[0], "if-none-match"),
        None,
        "there is nothing yet"
    );
    server.answer(Answer::status(304));
    for _ in 0..3 {
        pass(&mut [&mut host], 1_800);
        let asked = server.asked();
        assert!(
            asked
                .iter()
                .all(|callout| header(callout, "if-none-match") == Some("\"7\"")),
            "{asked:?}"
        );
        passed(
            &host.request(pair().request()),
            "after answers that nothing changed",
        );
    }
    assert!(counted(&host, "scopegate.fetch.keys.corp.unchanged") >= 9);
    assert_eq!(counted(&host, "scopegate.fetch.keys.corp.changed"), 1);
}

#[test]
fn good_keys_serve_for_max_stale_and_then_it_is_an_outage_and_not_a_bad_token() {
    let server = Server::of(&[&pair()]);
    let policy = policy_with(json!({
        "jwks_uri": "https://idp.example.com/jwks", "upstream": UPSTREAM, "refresh": "1m", "max_stale": "5m",
    }));
    let mut host = started(worker(&server).configuration(policy.to_string()));
    host.tick().unwrap();
    server.answer(Answer::Failure);
    for second in 1..=300 {
        pass(&mut [&mut host], 1);
        passed(&host.request(pair().request()), &format!("after {second} s"));
    }
    assert!((5..=6).contains(&(server.count() - 1)), "a try a minute");
    for second in 301..=330 {
        pass(&mut [&mut host], 1);
        for request in [
            pair().request(),
            Pair::new("k1", "stranger").request(),
            Pair::new("k9", "first").request(),
        ] {
            let exchange = decided(&mut host, request);
            unavailable(&exchange, &format!("after {second} s"));
        }
    }
    server.publish(&[&pair()]);
    pass(&mut [&mut host], 60);
    passed(&host.request(pair().request()), "the server is back");
}

#[test]
fn the_age_of_the_keys_is_shown() {
    let server = Server::of(&[&pair()]);
    let mut host = started(worker(&server));
    host.tick().unwrap();
    server.answer(Answer::Failure);
    for seconds in [100, 600, 1_000] {
        host.clock().set(NOW + seconds);
        pass(&mut [&mut host], 2);
        let age = shown(&host, "scopegate.age.keys.corp");
        assert!((seconds..=seconds + 2).contains(&age), "{age} after {seconds} s");
    }
    server.publish(&[&pair()]);
    pass(&mut [&mut host], 70);
    assert!(
        shown(&host, "scopegate.age.keys.corp") <= 70,
        "known to be good since"
    );
}
