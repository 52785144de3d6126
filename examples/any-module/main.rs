//! Tests of a Proxy-Wasm module, whatever it is for: no proxy is started, and nothing is mocked in the module.
//!
//! The module is `filter.wat`, written by hand to be read; yours is a `.wasm` file: `Module::from_file("filter.wasm")`.
//! Run these with `cargo test -p scopegate-host-tests --test any-module`.

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use scopegate_host_tests::{
        Chain, Clock, Comparison, FailurePolicy, Faults, Host, Metric, Module, Outcome, Plugin, Request,
        Status,
    };

    fn module() -> Module {
        let bytes = wat::parse_str(include_str!("filter.wat")).unwrap();
        Module::from_bytes(&bytes).unwrap()
    }

    fn host() -> Host {
        let builder = Host::builder(&module()).clock(Clock::virtual_at(1_790_000_000));
        let host = builder.build().unwrap();
        assert!(host.configured());
        host
    }

    #[test]
    fn a_request_goes_to_the_upstream_with_a_mark() {
        let exchange = host().request(Request::get("example.com", "/coffee"));
        let forwarded = exchange.forwarded().unwrap();
        assert_eq!(forwarded.header("x-filtered"), Some(&b"yes"[..]));
    }

    #[test]
    fn a_teapot_is_answered_and_counted() {
        let mut host = host();
        let exchange = host.request(Request::get("example.com", "/teapot"));
        let reply = exchange.local_reply().unwrap();
        assert_eq!(
            (reply.status, reply.body.as_slice()),
            (418, &b"short and stout"[..])
        );
        assert_eq!(host.metrics()["teapots"], Metric::Counter(1));
    }

    /// What if the proxy fails, and not the module?
    #[test]
    fn a_path_that_cannot_be_read_is_no_teapot() {
        let mut host = host();
        host.inject(Faults::none().function("proxy_get_header_map_value", Status::InternalFailure));
        assert!(
            host.request(Request::get("example.com", "/teapot"))
                .forwarded()
                .is_some()
        );
    }

    /// A module that runs away is stopped, and the proxy does with the request what it is configured to do.
    #[test]
    fn a_module_that_takes_too_long_is_ended() {
        let limits = scopegate_host_tests::Limits {
            fuel: Some(20),
            ..Default::default()
        };
        let mut host = Host::builder(&module())
            .limits(limits)
            .failure_policy(FailurePolicy::Open)
            .build()
            .unwrap();
        let exchange = host.request(Request::get("example.com", "/teapot"));
        assert!(matches!(
            exchange.outcome,
            Outcome::Failed {
                reply_status: 503,
                ..
            }
        ));
        assert!(host.failure().is_some());
        // Only those that come later go past a module that fails open.
        let later = host.request(Request::get("example.com", "/teapot"));
        assert!(matches!(later.outcome, Outcome::Forwarded(_)));
    }

    /// Two plugins in one proxy: the reply of the second is seen by nobody behind it.
    #[test]
    fn two_filters_in_a_row() {
        let (first, second) = (module(), module());
        let clock = Clock::virtual_at(1_790_000_000);
        let mut chain = Chain::builder()
            .plugin(Plugin::new("first", &first))
            .plugin(Plugin::new("second", &second))
            .machines(move |host| host.clock(clock.clone()))
            .build()
            .unwrap();
        let marked = chain.request(Request::get("example.com", "/coffee"));
        assert_eq!(marked.forwarded().unwrap().header_values("x-filtered").len(), 2);
        assert_eq!(
            chain.request(Request::get("example.com", "/teapot")).decided_by,
            Some(0)
        );
        chain.advance(Duration::from_secs(60)).unwrap();
    }

    /// NGINX shows a decoded path, Envoy the path as it came: the same test under both says so.
    #[test]
    fn an_encoded_teapot_is_one_in_nginx_alone() {
        let compared = Comparison::run(
            &module(),
            |host| host.clock(Clock::virtual_at(1_790_000_000)),
            |host| {
                host.request(Request::get("example.com", "/tea%70ot"))
                    .forwarded()
                    .is_some()
            },
        );
        let results: Vec<&str> = compared
            .transcripts
            .iter()
            .map(|one| one.result.as_str())
            .collect();
        assert_eq!(results, ["true", "false", "true"], "{compared}");
    }

    #[test]
    fn it_costs_little_and_leaves_nothing_behind_but_what_it_never_frees() {
        let mut host = host();
        let cost = host.cost(20, |_| Request::get("example.com", "/coffee"));
        assert!(cost.median_fuel() < 200, "{cost}");
        let leaks = host.leaks(100, |host, _| {
            drop(host.request(Request::get("example.com", "/coffee")))
        });
        assert!(leaks.is_none(), "{leaks}");
    }
}
