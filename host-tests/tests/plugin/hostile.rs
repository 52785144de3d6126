//! Requests made to break the module, or to get past it.

use scopegate_host_tests::{Profile, Request};

use crate::common::{anonymous, builder, host, permitted, public, refused, stopped, token};

#[test]
fn a_good_token_passes_with_its_identity_and_without_its_credential() {
    let mut host = host();
    let exchange = host.request(permitted().body("b"));
    let forwarded = exchange
        .forwarded()
        .unwrap_or_else(|| panic!("{:?} {:?}", exchange.outcome, host.logs()));
    assert_eq!(forwarded.header("x-auth-subject"), Some(&b"anna"[..]));
    assert_eq!(forwarded.header("x-auth-scopes"), Some(&b"orders:read"[..]));
    assert_eq!(forwarded.header("authorization"), None);
    assert_eq!(forwarded.body, b"b");
}

/// Every byte that could end a string, a line or a character set.
const ODD: [&[u8]; 6] = [b"\xff", b"\xc3\x28", b"\x80", b"\0", b"\r\n", b"\x1b[2J"];

#[test]
fn odd_bytes_in_any_header_never_bring_the_module_down() {
    let mut host = host();
    let names: Vec<Vec<u8>> = permitted()
        .header("x-other", "v")
        .headers
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    for name in names {
        for odd in ODD {
            let mut request = permitted().header("x-other", "v");
            for (key, value) in &mut request.headers {
                if *key == name {
                    value.extend_from_slice(odd);
                }
            }
            let exchange = host.request(request);
            let why = format!("{} {}", name.escape_ascii(), odd.escape_ascii());
            assert_eq!(host.failure(), None, "{why}");
            let harmless = [&b":scheme"[..], b"x-other"].contains(&name.as_slice());
            assert_eq!(
                exchange.forwarded().is_some(),
                harmless,
                "{why}: {:?}",
                exchange.outcome
            );
        }
    }
}

#[test]
fn odd_bytes_in_the_name_of_a_header_never_bring_the_module_down() {
    let mut host = host();
    for odd in ODD {
        let exchange = host.request(
            permitted()
                .header(odd, "v")
                .header([b"x-auth", odd, b"subject"].concat(), "root"),
        );
        assert_eq!(host.failure(), None, "{}", odd.escape_ascii());
        if let Some(forwarded) = exchange.forwarded() {
            assert_eq!(
                forwarded.header_values("x-auth-subject"),
                [b"anna"],
                "{}",
                odd.escape_ascii()
            );
        }
    }
}

#[test]
fn odd_bytes_in_the_path_are_malformed() {
    let mut host = host();
    for odd in [
        &b"\xff"[..],
        b"\0",
        b" ",
        b"\x7f",
        b"%",
        b"%u0041",
        b"%00",
        b"%ff",
    ] {
        let exchange = host.request(Request::get("api.example.com", [b"/orders", odd].concat()));
        assert_eq!(
            refused(&exchange),
            (400, "malformed_request".to_owned()),
            "{}",
            odd.escape_ascii()
        );
        assert_eq!(host.failure(), None);
    }
}

#[test]
fn hundreds_of_headers_are_looked_at() {
    let mut host = host();
    let many = |start: Request| (0..200).fold(start, |request, n| request.header(format!("x-{n}"), "v"));
    let exchange = host.request(many(permitted()).header("X-Auth-Subject", "root"));
    let forwarded = exchange.forwarded().unwrap();
    assert_eq!(forwarded.header_values("x-auth-subject"), [b"anna"]);
    assert_eq!(forwarded.header("x-199"), Some(&b"v"[..]));
    assert_eq!(
        refused(&host.request(many(anonymous()))),
        (401, "credential_missing".to_owned())
    );
}

#[test]
fn a_token_of_64_kib_is_refused_for_its_size() {
    let mut host = host();
    let long = format!("Bearer {}", "a".repeat(64 * 1024));
    let exchange = host.request(anonymous().header("authorization", long));
    assert_eq!(refused(&exchange), (401, "token_too_large".to_owned()));
    let long = format!("Bearer {}{}", token(), "A".repeat(64 * 1024));
    let exchange = host.request(anonymous().header("authorization", long));
    assert_eq!(refused(&exchange), (401, "token_too_large".to_owned()));
}

#[test]
fn megabytes_of_headers_are_refused_and_forgotten() {
    let mut host = host();
    let huge = "v".repeat(4 * 1024 * 1024);
    for _ in 0..3 {
        let exchange = host.request(anonymous().header("x-huge", &huge));
        stopped(&host, &exchange, "a huge header");
    }
    assert!(host.request(permitted()).forwarded().is_some());
}

/// The identity headers as a client may try to write them.
const SPOOFED: [&str; 6] = [
    "x-auth-subject",
    "X-Auth-Subject",
    "X-AUTH-SUBJECT",
    "x_auth_subject",
    "X_Auth-Subject",
    "x-auth-scopes",
];

#[test]
fn identity_headers_of_the_client_never_reach_the_upstream() {
    let mut host = host();
    for (which, request) in [("public", public()), ("guarded", permitted())] {
        let spoofed = SPOOFED.iter().fold(request, |request, name| {
            request.header(name, "root").header(name, "admin")
        });
        let exchange = host.request(spoofed);
        let forwarded = exchange
            .forwarded()
            .unwrap_or_else(|| panic!("{which}: {:?}", exchange.outcome));
        for (name, value) in &forwarded.headers {
            let shown = format!("{which}: {}: {}", name.escape_ascii(), value.escape_ascii());
            assert!(value != b"root" && value != b"admin", "{shown}");
        }
    }
}

#[test]
fn identity_headers_in_trailers_never_reach_the_upstream() {
    let mut host = host();
    for (which, request) in [("public", public()), ("guarded", permitted())] {
        let start = request.body("b").trailer("checksum", "1");
        let spoofed = SPOOFED
            .iter()
            .fold(start, |request, name| request.trailer(name, "root"));
        let exchange = host.request(spoofed);
        let trailers = &exchange
            .forwarded()
            .unwrap_or_else(|| panic!("{which}: {:?}", exchange.outcome))
            .trailers;
        assert_eq!(*trailers, [(b"checksum".to_vec(), b"1".to_vec())], "{which}");
    }
}

#[test]
fn a_credential_on_a_public_route_is_not_forwarded() {
    let exchange = host().request(public().header("authorization", format!("Bearer {}", token())));
    assert_eq!(exchange.forwarded().unwrap().header("authorization"), None);
}

#[test]
fn a_refused_request_lets_nothing_of_its_body_pass() {
    let mut host = host();
    let request = Request::new("POST", "api.example.com", "/orders")
        .body("payload")
        .trailer("t", "1");
    let exchange = host.request(request.clone());
    assert_eq!(refused(&exchange), (401, "credential_missing".to_owned()));
    let id = host.open_stream(std::collections::BTreeMap::new());
    host.request_headers(id, request.headers, false);
    host.request_body(id, b"payload", false);
    host.request_body(id, b"more", true);
    assert_eq!(host.forwarded_request(id).body, b"");
    host.finish(id);
}

#[test]
fn a_request_with_no_method_or_no_path_is_refused() {
    let mut host = host();
    for missing in [&b":method"[..], b":path"] {
        let mut request = permitted();
        request.headers.retain(|(name, _)| name != missing);
        let exchange = host.request(request);
        stopped(&host, &exchange, &missing.escape_ascii().to_string());
    }
    let exchange = host.request(Request::default());
    stopped(&host, &exchange, "no headers at all");
}

#[test]
fn a_grpc_request_is_refused_in_grpc() {
    let exchange = host().request(anonymous().header("content-type", "application/grpc"));
    let reply = exchange.local_reply().unwrap();
    assert_eq!((reply.status, reply.grpc_status), (200, Some(16)));
    assert!(reply.body.is_empty());
}

#[test]
fn thousands_of_streams_leave_nothing_behind() {
    let mut host = host();
    let mut round = || {
        for number in 0..500 {
            host.request(permitted().header("x-number", number.to_string()));
            host.request(anonymous());
        }
        host.logs();
        host.trace();
        assert_eq!(host.open_streams(), 0);
        host.memory_bytes()
    };
    let (first, second, third) = (round(), round(), round());
    assert_eq!((second, third), (first, first), "the module's memory grows");
}

#[test]
fn no_host_lets_an_anonymous_request_or_a_spoofed_identity_pass() {
    for profile in [Profile::Envoy, Profile::Spec, Profile::Nginx] {
        let mut host = builder().profile(profile).build().unwrap();
        let exchange = host.request(anonymous());
        stopped(&host, &exchange, "no credential");
        for request in [public(), permitted()] {
            let spoofed = SPOOFED
                .iter()
                .fold(request, |request, name| request.header(name, "root"));
            let exchange = host.request(spoofed);
            assert_eq!(host.failure(), None, "{profile:?}");
            let headers = exchange
                .forwarded()
                .map(|forwarded| forwarded.headers.clone())
                .unwrap_or_default();
            assert!(
                headers.iter().all(|(_, value)| value != b"root"),
                "{profile:?}: {:?}",
                exchange.outcome
            );
        }
    }
}
