//! Envoy, the client and the upstream among themselves: what a test of the plugin stands on.

use std::path::Path;

use scopegate_e2e::client;
use scopegate_e2e::envoy::bootstrap::{Listener, bootstrap};
use scopegate_e2e::envoy::{Envoy, EnvoyError, find};
use scopegate_e2e::http1::Message;
use scopegate_e2e::upstream::{MARK, Upstream};

/// The path of an Envoy; where the machine cannot have one, says so by name.
macro_rules! envoy_or_skip {
    () => {
        match find() {
            Ok(program) => program,
            Err(EnvoyError::Absent(why)) if std::env::var("CI").as_deref() != Ok("true") => {
                eprintln!("SKIPPED {}: {why}", module_path!());
                return;
            }
            Err(error) => panic!("{error}"),
        }
    };
}

#[test]
fn without_filters_every_byte_reaches_the_upstream_as_it_was_sent() {
    let program = envoy_or_skip!();
    let upstream = Upstream::start().unwrap();
    let listeners = [Listener {
        name: "plain".to_owned(),
        filters: vec![],
        direct: false,
    }];
    let envoy = Envoy::start(
        &program,
        &bootstrap(&listeners, upstream.address()),
        Path::new("."),
        &[],
    )
    .unwrap();
    let address = envoy.listener("plain").unwrap();
    let headers: Vec<_> = (0..200)
        .map(|n| (format!("x-{n}").into_bytes(), b"\xe9\xff".to_vec()))
        .collect();
    for path in [&b"/a//b/../c%2Fd"[..], b"/", b"/caf\xc3\xa9", b"/\xff", b"*"] {
        let method: &[u8] = if path == b"*" { b"OPTIONS" } else { b"POST" };
        let trailers = [(b"x-end".to_vec(), b"1".to_vec())];
        let answer = client::send(
            address,
            &Message::request(method, path, b"h:80", &headers, b"body", &trailers),
        );
        let answer = answer.unwrap();
        eprintln!(
            "{} {:?} {:?}",
            String::from_utf8_lossy(path),
            answer.status,
            answer.headers
        );
        for seen in upstream.take() {
            eprintln!("{seen:?}");
        }
    }
}
