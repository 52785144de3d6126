//! Envoy, the client and the upstream among themselves: what a test of the plugin stands on.

use std::path::Path;

use crate::common::field;
use scopegate_e2e::client;
use scopegate_e2e::envoy::Envoy;
use scopegate_e2e::envoy::bootstrap::{Listener, bootstrap};
use scopegate_e2e::http1::Message;
use scopegate_e2e::upstream::{MARK, Upstream};

#[test]
fn without_a_filter_the_upstream_sees_what_was_sent() {
    let Some(program) = crate::common::envoy("without_a_filter_the_upstream_sees_what_was_sent") else {
        return;
    };
    let upstream = Upstream::start().unwrap();
    let listeners = [Listener::new("plain", vec![])];
    let envoy = Envoy::start(
        &program,
        &bootstrap(&listeners, upstream.address()),
        Path::new("."),
        &[],
    )
    .unwrap();
    let address = envoy.listener("plain").unwrap();

    let headers: Vec<_> = (0..200).map(|n| field(&format!("x-{n}"), b"\xe9\xff")).collect();
    let trailers = [field("x-end", "1")];
    for path in ["/", "/a//b/../c%2Fd", "/a;b=c?d=%ff"] {
        let request = Message::request(
            b"POST",
            path.as_bytes(),
            Some(b"h:80"),
            &headers,
            b"body",
            &trailers,
        );
        let answer = client::send(address, &request).unwrap();
        assert!(
            answer.status == 200 && answer.header(MARK).is_some(),
            "{path}: {answer:?}"
        );
        let seen = upstream.take();
        assert_eq!(seen.len(), 1, "{path}");
        assert_eq!(
            (seen[0].method.as_slice(), seen[0].path.as_slice()),
            (&b"POST"[..], path.as_bytes())
        );
        assert_eq!(
            (seen[0].body.as_slice(), &seen[0].trailers),
            (&b"body"[..], &trailers.to_vec())
        );
        assert!(
            headers.iter().all(|header| seen[0].headers.contains(header)),
            "{path}: {:?}",
            seen[0].headers
        );
    }
}
