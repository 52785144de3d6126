//! The module in NGINX, where less can be done than in Envoy: what is let through is marked, judged as it came, and
//! says nothing that a client made up; whatever cannot be decided at once is refused at once.

use scopegate_host_tests::{Exchange, Faults, Host, HostBuilder, Outcome, Profile, Request, Status};
use serde_json::{Value, json};

use crate::common::{self, anonymous, permitted, public, stopped};

/// The variable that the configuration declares, and that says that a request was let through.
const VERDICT: &str = "scopegate";

/// The policy of the other tests, with credentials that stay.
pub(crate) fn policy() -> Value {
    keeping(common::policy())
}

/// The same policy, with credentials that stay.
pub(crate) fn keeping(mut policy: Value) -> Value {
    for provider in policy["authentication"]["providers"].as_array_mut().unwrap() {
        provider["forward_credential"] = json!(true);
    }
    policy
}

pub(crate) fn under_nginx(builder: HostBuilder) -> HostBuilder {
    builder.profile(Profile::Nginx).variables([VERDICT])
}

fn builder() -> HostBuilder {
    under_nginx(common::builder()).configuration(policy().to_string())
}

pub(crate) fn started(builder: HostBuilder) -> Host {
    let mut host = builder.build().unwrap();
    assert!(host.configured(), "{:?}", host.logs());
    host
}

fn host() -> Host {
    started(builder())
}

/// Whether NGINX would send the request to the upstream, and not to where undecided ones go.
pub(crate) fn is_let_through(exchange: &Exchange) -> bool {
    exchange.forwarded().is_some() && exchange.property("ngx.scopegate") == Some(b"allow")
}

/// Requires that the module answered, and gives the status and the code of the problem.
pub(crate) fn refused(exchange: &Exchange) -> (u16, String) {
    let Outcome::LocalReply(reply) = &exchange.outcome else {
        panic!("no reply: {:?}", exchange.outcome)
    };
    assert!(!is_let_through(exchange));
    let problem: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    (
        reply.status,
        problem["code"].as_str().unwrap_or_default().to_owned(),
    )
}

fn refused_with(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn what_is_permitted_is_marked_and_carries_what_was_proved() {
    let mut host = host();
    let exchange = host.request(permitted());
    assert!(is_let_through(&exchange), "{:?}", exchange.outcome);
    let forwarded = exchange.forwarded().unwrap();
    assert_eq!(forwarded.header_values("x-auth-subject"), [b"anna"]);
    assert_eq!(forwarded.header_values("x-auth-scopes"), [b"orders:read"]);
    assert_eq!(forwarded.header_values("authorization").len(), 1, "it stays");
    for (name, value) in [("code", "allow"), ("route", "orders.list")] {
        assert_eq!(
            exchange.property(&format!("wasmx.scopegate_{name}")),
            Some(value.as_bytes())
        );
    }
    assert!(is_let_through(&host.request(public())));
    assert_eq!(host.failure(), None);
}

#[test]
fn what_is_refused_is_answered_and_never_marked() {
    let mut host = host();
    let rows = [
        (anonymous(), (401, "credential_missing")),
        (
            anonymous().header("authorization", "Bearer x"),
            (401, "token_malformed"),
        ),
        (Request::get("api.example.com", "/nowhere"), (403, "no_route")),
        (
            Request::get("api.example.com", "/nowhere/../healthz"),
            (400, "ambiguous_path"),
        ),
    ];
    for (request, (status, code)) in rows {
        let exchange = host.request(request);
        assert_eq!(refused(&exchange), refused_with(status, code));
        assert_eq!(exchange.property("ngx.scopegate"), None, "{code}");
        assert_eq!(
            exchange.property("wasmx.scopegate_code"),
            Some(code.as_bytes()),
            "filters are told"
        );
    }
}

#[test]
fn variables_that_are_declared_tell_access_logs_what_was_decided() {
    let names = [VERDICT, "scopegate_code"];
    let mut host = started(builder().variables(names));
    let exchange = host.request(permitted());
    assert!(is_let_through(&exchange));
    assert_eq!(exchange.property("ngx.scopegate_code"), Some(&b"allow"[..]));
    assert_eq!(exchange.property("ngx.scopegate_route"), None, "not declared");
}

#[test]
fn without_the_variable_nothing_is_let_through_and_the_log_says_what_is_missing() {
    let mut host = started(builder().variables([] as [&str; 0]));
    for request in [permitted(), public()] {
        let exchange = host.request(request);
        stopped(&host, &exchange, "no variable");
        assert_eq!(refused(&exchange).0, 503);
        let logs = host.logs();
        assert!(
            logs.iter().any(|line| line.message.contains("set $scopegate")),
            "{logs:?}"
        );
    }
    assert_eq!(
        refused(&host.request(anonymous())),
        refused_with(401, "credential_missing")
    );
}

#[test]
fn a_request_that_carries_an_identity_header_is_refused_however_it_is_spelled() {
    let mut host = host();
    let refusal = refused_with(400, "identity_header_refused");
    for name in [
        "x-auth-subject",
        "X-Auth-Subject",
        "X-AUTH-SUBJECT",
        "x_auth_subject",
        "X-Auth_Subject",
        "x-auth-scopes",
    ] {
        for request in [
            permitted(),
            public(),
            anonymous(),
            Request::get("a.test", "/nowhere"),
        ] {
            for value in ["root", "anna", ""] {
                let exchange = host.request(request.clone().header(name, value));
                assert_eq!(refused(&exchange), refusal, "{name}: {value}");
            }
            let twice = request.clone().header(name, "anna").header(name, "root");
            assert_eq!(refused(&host.request(twice)), refusal, "{name} twice");
        }
    }
    for name in ["x-auth-subjects", "x-authsubject", "subject", "x-auth"] {
        assert!(
            is_let_through(&host.request(permitted().header(name, "root"))),
            "{name}"
        );
    }
}

#[test]
fn a_path_is_judged_as_it_is_forwarded_and_not_as_the_host_decodes_it() {
    let mut host = host();
    for path in [
        "/nowhere/../healthz",
        "/nowhere/%2e%2e/healthz",
        "/nowhere/..%2fhealthz",
        "//healthz",
        "/./healthz",
        "/orders/../orders",
    ] {
        let exchange = host.request(Request::get("api.example.com", path));
        assert_eq!(refused(&exchange).0, 400, "{path}");
    }
    let exchange = host.request(Request::get("api.example.com", "/%68ealthz?x=%20&y=/../z"));
    assert!(is_let_through(&exchange));
    assert_eq!(
        exchange.forwarded().unwrap().header(":path"),
        Some(&b"/%68ealthz?x=%20&y=/../z"[..])
    );
    let missing = Faults::none().function_call("proxy_get_property", 0, Status::NotFound);
    host.inject(missing);
    let exchange = host.request(public());
    stopped(&host, &exchange, "a host that does not show the path as it came");
}

fn hosted() -> Host {
    let mut policy = policy();
    for route in policy["authorization"]["routes"].as_array_mut().unwrap() {
        route["match"]["hosts"] = json!(["api.example.com"]);
    }
    started(builder().configuration(policy.to_string()))
}

#[test]
fn the_authority_is_the_one_of_the_client_and_not_the_servers_own_name() {
    let mut host = hosted();
    for authority in ["api.example.com", "API.example.com:8443", "api.example.com."] {
        assert!(
            is_let_through(&host.request(Request::get(authority, "/healthz"))),
            "{authority}"
        );
    }
    for authority in ["server.test", "server.test:8080", "evil.example.com"] {
        let exchange = host.request(Request::get(authority, "/healthz"));
        assert_eq!(refused(&exchange), refused_with(403, "no_route"), "{authority}");
    }
}

#[test]
fn an_authority_that_is_told_in_two_ways_is_refused() {
    let mut host = hosted();
    let get = || Request::get("api.example.com", "/healthz");
    for (why, request) in [
        (
            "a target with a name of its own",
            get().header("Host", "internal.example.com"),
        ),
        (
            "two headers",
            Request::default()
                .header(":method", "GET")
                .header(":path", "/healthz")
                .header("Host", "api.example.com")
                .header("host", "internal.example.com"),
        ),
    ] {
        let exchange = host.request(request);
        assert_eq!(
            refused(&exchange),
            refused_with(400, "malformed_request"),
            "{why}"
        );
    }
}

#[test]
fn a_request_of_which_a_part_may_be_hidden_is_refused() {
    let mut host = host();
    let filled = |count: usize| {
        let filler = (0..count).map(|number| format!("x-{number}"));
        filler.fold(Request::get("api.example.com", "/healthz"), |request, name| {
            request.header(name, "v")
        })
    };
    // Two names are made up by the host, and two come with the request, and `Host`.
    assert!(is_let_through(&host.request(filled(94))));
    for count in [95, 96, 150] {
        let hidden = filled(count).header("x-auth-subject", "root");
        assert_eq!(
            refused(&host.request(hidden)),
            refused_with(431, "headers_truncated"),
            "{count}"
        );
    }
}

#[test]
fn a_policy_whose_credentials_are_to_be_removed_is_refused_when_it_is_configured() {
    let mut host = under_nginx(common::builder()).build().unwrap();
    assert!(!host.configured());
    let complaints: Vec<String> = host.logs().into_iter().map(|line| line.message).collect();
    let named = |line: &&String| line.contains("forward_credential: true") && line.contains("`corp`");
    assert_eq!(complaints.iter().filter(named).count(), 1, "{complaints:?}");
    let exchange = host.request(permitted());
    assert!(exchange.forwarded().is_none());
}

#[test]
fn such_a_policy_is_not_served_either_where_only_a_request_tells_the_host() {
    let silent = Faults::none().function_call("proxy_get_property", 0, Status::NotFound);
    let mut host = started(under_nginx(common::builder()).faults(silent));
    host.logs();
    for _ in 0..3 {
        for request in [permitted(), public(), anonymous()] {
            assert_eq!(
                refused(&host.request(request)),
                refused_with(503, "not_configured")
            );
        }
    }
    let logs = host.logs();
    let named = logs
        .iter()
        .filter(|line| line.message.contains("forward_credential: true"));
    assert_eq!(named.count(), 1, "{logs:?}");
}

#[test]
fn a_host_that_is_neither_lets_nothing_through() {
    for profile in [Profile::Envoy, Profile::Nginx] {
        for status in common::FAILURES {
            let mut host = started(builder().profile(profile));
            host.inject(Faults::none().function("proxy_set_property", status));
            for request in [permitted(), public()] {
                let exchange = host.request(request);
                stopped(&host, &exchange, &format!("{profile:?} {status:?}"));
            }
            host.inject(Faults::none());
            assert!(
                host.request(public()).forwarded().is_some(),
                "{profile:?}: it is told by the next request"
            );
        }
    }
}

#[test]
fn no_call_of_the_host_that_fails_lets_a_request_through_that_should_not_pass() {
    let mut host = host();
    host.request(permitted());
    let calls = host.request(permitted()).host_calls;
    assert!(calls > 5, "{calls} calls");
    for status in common::FAILURES {
        for number in 0..=calls {
            for request in [
                permitted(),
                anonymous(),
                public().header("x-auth-subject", "root"),
            ] {
                host.inject(Faults::none().call(number, status));
                let exchange = host.request(request.clone());
                assert_eq!(host.failure(), None, "call {number}, {status:?}");
                if request != permitted() {
                    assert!(!is_let_through(&exchange), "call {number}, {status:?}");
                } else if is_let_through(&exchange) {
                    let forwarded = exchange.forwarded().unwrap();
                    assert_eq!(
                        forwarded.header_values("x-auth-subject"),
                        [b"anna"],
                        "call {number}, {status:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn challenges_stand_in_one_header_and_none_is_lost() {
    let mut policy = policy();
    policy["authentication"]["origins"] = json!(["https://api.example.com"]);
    policy["authentication"]["providers"][0]["binding"] = json!("any");
    let mut host = started(builder().configuration(policy.to_string()));
    let exchange = host.request(anonymous());
    let challenges = exchange.local_reply().unwrap().header("www-authenticate");
    let challenges = String::from_utf8_lossy(challenges.unwrap_or_default()).into_owned();
    assert!(
        challenges.contains("Bearer realm=") && challenges.contains(", DPoP realm="),
        "{challenges}"
    );
}

#[test]
fn a_client_that_speaks_grpc_is_answered_in_its_own_way() {
    let mut host = host();
    let exchange = host.request(anonymous().header("content-type", "application/grpc"));
    let reply = exchange.local_reply().unwrap();
    assert_eq!((reply.status, reply.grpc_status), (200, Some(16)));
    assert_eq!(reply.body, b"");
    assert!(reply.header("grpc-message").is_some() && reply.header("www-authenticate").is_some());
}

#[test]
fn the_longest_names_of_routes_are_counted_and_fail_nothing() {
    let mut policy = policy();
    let long = "o".repeat(128);
    policy["authorization"]["routes"][1]["id"] = json!(long);
    let mut host = started(builder().configuration(policy.to_string()));
    assert!(is_let_through(&host.request(permitted())));
    assert_eq!(refused(&host.request(anonymous())).0, 401);
    assert_eq!(host.failure(), None);
    let metrics = host.metrics();
    assert!(metrics.keys().any(|name| name.contains(&long)), "{metrics:?}");
}

#[test]
fn a_policy_that_is_too_long_for_a_parameter_stands_in_the_environment() {
    let secret = common::secret();
    let with = |name: &'static str, value: String| {
        builder()
            .environment([("ORDERS_SECRET", secret.clone()), (name, value)])
            .configuration("env:ORDERS_POLICY")
            .build()
            .unwrap()
    };
    let mut host = with("ORDERS_POLICY", policy().to_string());
    assert!(host.configured(), "{:?}", host.logs());
    assert!(is_let_through(&host.request(permitted())));
    for (name, value) in [("OTHER", policy().to_string()), ("ORDERS_POLICY", "{".to_owned())] {
        let host = with(name, value);
        assert!(!host.configured(), "{name}");
    }
}
