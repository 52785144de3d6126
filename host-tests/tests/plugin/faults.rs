//! Faults of the host: each call failing in each way, memory that runs out, a clock that stops. Whatever fails,
//! nothing passes that would not have passed, and the module lives on.

use scopegate_host_tests::{Exchange, Faults, Host, MapType, Request, Status};

use crate::common::{FAILURES, NOW, anonymous, builder, host, permitted, public, refused, stopped, token};

/// A host that has served the request so many times: the first time there is more to set up.
fn served(request: fn() -> Request, times: usize) -> Host {
    let mut host = host();
    for _ in 0..times {
        host.request(request());
    }
    host.trace();
    host
}

/// The host calls that a request takes, in order.
fn calls(mut host: Host, request: Request) -> Vec<&'static str> {
    host.request(request);
    host.trace().into_iter().map(|call| call.function).collect()
}

/// Makes each host call of a request fail in each way, one at a time, on a fresh host and on one that has
/// served before.
fn each_failure(request: fn() -> Request, judge: impl Fn(&Host, &Exchange, &str)) {
    for times in [0, 1] {
        let made = calls(served(request, times), request());
        assert!(made.len() >= 3, "{made:?}");
        for (number, function) in made.iter().enumerate() {
            for status in FAILURES {
                let mut host = served(request, times);
                host.inject(Faults::none().call(number, status));
                let exchange = host.request(request());
                let why = format!("{function} answers {status:?} as call {number} after {times} requests");
                judge(&host, &exchange, &why);
                host.inject(Faults::none());
                let again = host.request(anonymous());
                stopped(&host, &again, &why);
                assert!(
                    host.request(permitted()).forwarded().is_some(),
                    "{why}, then a good request"
                );
            }
        }
    }
}

#[test]
fn a_permitted_request_passes_only_if_every_host_call_works() {
    each_failure(permitted, stopped);
}

#[test]
fn a_refused_request_does_not_pass_whatever_fails() {
    each_failure(anonymous, stopped);
}

#[test]
fn spoofed_headers_do_not_pass_a_public_route_whatever_fails() {
    let spoofed = || {
        public()
            .header("x-auth-subject", "root")
            .header("authorization", format!("Bearer {}", token()))
    };
    each_failure(spoofed, |host, exchange, why| {
        assert_eq!(host.failure(), None, "{why}");
        if let Some(forwarded) = exchange.forwarded() {
            assert_eq!(forwarded.header("x-auth-subject"), None, "{why}");
            assert_eq!(forwarded.header("authorization"), None, "{why}");
        }
    });
}

#[test]
fn a_function_that_never_works_lets_nothing_pass() {
    let mut functions = calls(host(), permitted());
    functions.extend(calls(host(), anonymous()));
    functions.sort_unstable();
    functions.dedup();
    for function in functions {
        for status in FAILURES {
            let mut host = host();
            host.inject(Faults::none().function(function, status));
            let why = format!("{function} always answers {status:?}");
            let exchange = host.request(anonymous());
            stopped(&host, &exchange, &why);
            let exchange = host.request(permitted());
            if function != "proxy_send_local_response" {
                stopped(&host, &exchange, &why);
            }
        }
    }
}

#[test]
fn spoofed_trailers_do_not_pass_whatever_fails() {
    let with_trailers = || permitted().body("b").trailer("x-auth-subject", "root");
    each_failure(with_trailers, |host, exchange, why| {
        assert_eq!(host.failure(), None, "{why}");
        assert!(exchange.forwarded().is_none(), "{why}: {:?}", exchange.outcome);
    });
}

#[test]
fn headers_that_the_host_does_not_show_are_no_request() {
    let mut host = host();
    host.inject(Faults::none().missing_map(MapType::HttpRequestHeaders));
    for request in [permitted(), anonymous(), public()] {
        let exchange = host.request(request);
        stopped(&host, &exchange, "no headers");
    }
}

#[test]
fn memory_that_runs_out_lets_nothing_pass() {
    let mut host = host();
    for number in 0..3 {
        host.inject(Faults::none().allocation(number));
        let exchange = host.request(anonymous());
        stopped(&host, &exchange, &format!("allocation {number}"));
    }
    host.inject(Faults::none().allocation(0));
    let exchange = host.request(permitted());
    stopped(&host, &exchange, "no allocation at all");
}

#[test]
fn a_clock_that_fails_is_an_outage_and_not_a_bad_token() {
    let mut host = host();
    host.clock().fail();
    assert_eq!(
        refused(&host.request(permitted())),
        (503, "clock_unavailable".to_owned())
    );
    host.clock().recover();
    assert!(host.request(permitted()).forwarded().is_some());
}

#[test]
fn a_clock_that_stands_at_its_beginning_is_an_outage_too() {
    let mut host = host();
    host.clock().set(0);
    let exchange = host.request(permitted());
    stopped(&host, &exchange, "1970");
}

#[test]
fn a_token_ends_with_the_clock() {
    let mut host = host();
    host.clock().set(NOW + 629);
    assert!(host.request(permitted()).forwarded().is_some(), "within the skew");
    host.clock().set(NOW + 631);
    assert_eq!(
        refused(&host.request(permitted())),
        (401, "token_expired".to_owned())
    );
    host.clock().set(NOW - 100);
    let exchange = host.request(permitted());
    stopped(&host, &exchange, "issued in the future");
}

/// Faults in every host call from the very start: the policy is in force as a whole or not at all.
#[test]
fn a_start_in_which_a_host_call_fails_never_opens_the_door() {
    let mut unconfigured = 0;
    let total = builder().build().unwrap().host_calls();
    for number in 0..total {
        for status in [Status::NotFound, Status::InternalFailure] {
            let Ok(mut host) = builder().faults(Faults::none().call(number, status)).build() else {
                continue;
            };
            host.inject(Faults::none());
            unconfigured += usize::from(!host.configured());
            let exchange = host.request(anonymous());
            assert!(
                exchange.forwarded().is_none(),
                "call {number} answers {status:?}: {:?}",
                exchange.outcome
            );
            let exchange = host.request(permitted());
            assert!(
                host.configured() || exchange.forwarded().is_none(),
                "call {number} answers {status:?}"
            );
        }
    }
    assert!(unconfigured > 0, "no fault was felt among {total} calls");
}
