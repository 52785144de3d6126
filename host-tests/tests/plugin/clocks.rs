//! Clocks that fail, stand still, or step: nothing passes that should not, and what was shut opens again.

use scopegate_host_tests::{Answer, Host, Outcome, Request};
use serde_json::json;

use crate::common::{NOW, refused};
use crate::issuer::{
    Pair, Server, bearer, counted, decided, loaded, pass, passed, started, unavailable, worker,
};

const HOUR: u64 = 60 * 60;

fn pair() -> Pair {
    Pair::new("k1", "first")
}

/// A request with a token that is made and ends around this time.
fn made_at(pair: &Pair, now: u64) -> Request {
    bearer(&pair.token_with(json!({"iat": now - 10, "exp": now + 600})))
}

fn stranger_stays_outside(host: &mut Host, now: u64) {
    let stranger = decided(host, made_at(&Pair::new("k1", "stranger"), now));
    assert!(stranger.forwarded().is_none(), "{:?}", stranger.outcome);
}

fn clock_unavailable() -> (u16, String) {
    (503, "clock_unavailable".to_owned())
}

#[test]
fn while_the_clock_fails_nobody_passes_nobody_waits_and_nothing_is_fetched() {
    let server = Server::of(&[&pair()]);
    let mut host = started(worker(&server));
    let waiting = host.request(pair().request());
    assert_eq!(waiting.outcome, Outcome::Paused);
    host.clock().fail();
    host.tick().unwrap();
    assert_eq!(refused(&host.resume(waiting.stream)), clock_unavailable());
    for _ in 0..100 {
        host.tick().unwrap();
        assert_eq!(refused(&host.request(pair().request())), clock_unavailable());
    }
    assert_eq!(server.count(), 0);
    host.clock().recover();
    passed(&decided(&mut host, pair().request()), "the clock is back");
}

#[test]
fn an_answer_that_comes_while_the_clock_fails_is_asked_for_again() {
    let server = Server::silent();
    let mut host = started(worker(&server));
    host.tick().unwrap();
    let token = host.callouts()[0].token;
    server.publish(&[&pair()]);
    host.clock().fail();
    host.answer(
        token,
        Answer::Response(crate::issuer::keys(&[&Pair::new("k1", "stranger")])),
    )
    .unwrap();
    assert_eq!(refused(&host.request(pair().request())), clock_unavailable());
    host.clock().recover();
    pass(&mut [&mut host], 6);
    passed(&host.request(pair().request()), "fetched anew");
    stranger_stays_outside(&mut host, NOW);
}

#[test]
fn keys_that_were_proved_fresh_pass_nobody_while_the_clock_fails() {
    let server = Server::of(&[&pair()]);
    let mut host = loaded(&server);
    passed(&host.request(pair().request()), "before");
    host.clock().fail();
    assert_eq!(refused(&host.request(pair().request())), clock_unavailable());
    host.clock().recover();
    passed(&host.request(pair().request()), "after");
}

#[test]
fn a_clock_that_stands_still_stops_nobody_and_floods_nobody() {
    let server = Server::of(&[&pair()]);
    let mut host = started(worker(&server));
    for _ in 0..2_000 {
        host.tick().unwrap();
    }
    assert_eq!(server.count(), 1);
    passed(&host.request(pair().request()), "with the keys of the one fetch");
    let unknown = decided(&mut host, Pair::new("k9", "first").request());
    assert_eq!(refused(&unknown), (401, "key_not_found".to_owned()));
    stranger_stays_outside(&mut host, NOW);
}

#[test]
fn a_clock_that_stands_still_while_nobody_answers_is_an_outage() {
    let server = Server::silent();
    let mut host = started(worker(&server));
    let waiting = host.request(pair().request());
    for _ in 0..30 {
        host.tick().unwrap();
    }
    unavailable(&host.resume(waiting.stream), "nobody answers");
    assert_eq!(server.count(), 1);
}

#[test]
fn a_clock_that_steps_back_an_hour_judges_by_the_time_it_shows() {
    let server = Server::of(&[&pair()]);
    let mut host = loaded(&server);
    let now = made_at(&pair(), NOW);
    passed(&host.request(now.clone()), "before");
    host.clock().set(NOW - HOUR);
    assert_eq!(
        refused(&host.request(now.clone())),
        (401, "token_not_yet_valid".to_owned())
    );
    passed(
        &host.request(made_at(&pair(), NOW - HOUR)),
        "a token of that time",
    );
    stranger_stays_outside(&mut host, NOW - HOUR);
    host.tick().unwrap();
    assert_eq!(
        server.count(),
        1,
        "what was fetched in the future is fetched anew"
    );
    pass(&mut [&mut host], 1_200);
    assert!((2..=3).contains(&server.count()), "and then as ever");
    host.clock().set(NOW);
    passed(&decided(&mut host, now), "the time is right again");
    stranger_stays_outside(&mut host, NOW);
}

#[test]
fn keys_from_a_future_further_than_max_stale_do_not_serve() {
    let server = Server::of(&[&pair()]);
    let mut host = loaded(&server);
    server.answer(Answer::Failure);
    host.clock().set(NOW - HOUR);
    passed(&host.request(made_at(&pair(), NOW - HOUR)), "an hour");
    host.clock().set(NOW - HOUR - 1);
    unavailable(
        &decided(&mut host, made_at(&pair(), NOW - HOUR - 1)),
        "more than an hour",
    );
    server.publish(&[&pair()]);
    pass(&mut [&mut host], 61);
    passed(
        &host.request(made_at(&pair(), NOW - HOUR)),
        "fetched by that time",
    );
}

#[test]
fn a_clock_that_steps_forward_a_day_needs_new_keys_and_recovers() {
    let server = Server::of(&[&pair()]);
    let mut host = loaded(&server);
    let now = made_at(&pair(), NOW);
    passed(&host.request(now.clone()), "before");
    host.clock().set(NOW + 24 * HOUR);
    assert_eq!(
        refused(&decided(&mut host, now.clone())),
        (401, "token_expired".to_owned())
    );
    server.answer(Answer::Failure);
    unavailable(&decided(&mut host, made_at(&pair(), NOW + 24 * HOUR)), "old keys");
    server.publish(&[&pair()]);
    pass(&mut [&mut host], 61);
    passed(&decided(&mut host, made_at(&pair(), NOW + 24 * HOUR)), "new keys");
    stranger_stays_outside(&mut host, NOW + 24 * HOUR);
    host.clock().set(NOW + 100);
    passed(&decided(&mut host, now), "the time is right again");
    stranger_stays_outside(&mut host, NOW + 100);
    assert_eq!(counted(&host, "scopegate.fetch.keys.corp.changed"), 1);
}
