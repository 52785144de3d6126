//! Random requests: most of them nearly match some route.

use fastrand::Rng;
use scopegate_reference::Request;
use serde_json::Value;

use crate::draw::{once_in, one, word};
use crate::policies::{METHODS, NOW, SEGMENTS};

/// What is put into a path to mislead, or to be read in more than one way.
const TRICKS: [&str; 36] = [
    "/", "//", "/./", "/../", "/x/../", "/a/../", "/%2e%2e/", "/.%2E/", "%2F", "%2f", "\\", "%5C", ";",
    ";v=1", "%3B", "%3bv", "/..;/", "/;/", "/;x/..", "%3F", "%23", "/..", "/.", "%61", "%41", "%25",
    "%c3%a9", "%C3%A9", "\\..\\", "%2F..%2F", "/a", "/A", "/b", "?", "?a=b", "/é",
];
/// What no path may hold.
const FAULTS: [&str; 8] = ["%2541", "%2", "%zz", "%00", "%u0041", "%c3", " ", "%0a"];
const AUTHORITIES: [&str; 14] = [
    "a.test",
    "A.Test",
    "a.test.",
    "a.test:8443",
    "b.a.test",
    "b.a.test:8443",
    "c.b.a.test",
    "d.c.b.a.test",
    "x.test",
    "b.test:1",
    "test",
    "a.test,b.test",
    "u@a.test",
    "",
];

/// A request, and when it comes.
pub(crate) fn request(rng: &mut Rng, policy: &Value) -> (Request, i64) {
    let request = Request {
        method: method(rng),
        target: target(rng, policy).into_bytes(),
        authority: (!once_in(rng, 80)).then(|| authority(rng).to_owned()),
        headers: headers(rng),
        source: None,
    };
    (request, time(rng))
}

fn method(rng: &mut Rng) -> String {
    let odd = once_in(rng, 40);
    (*if odd {
        word(rng, &["", "G T", "TRACE", "CONNECT", "PURGE", "connect", "get"])
    } else {
        word(rng, &METHODS)
    })
    .to_owned()
}

fn authority(rng: &mut Rng) -> &'static str {
    let good = !once_in(rng, 60);
    word(
        rng,
        if good {
            &AUTHORITIES[..11]
        } else {
            &AUTHORITIES[11..]
        },
    )
}

fn time(rng: &mut Rng) -> i64 {
    match rng.u32(..3) {
        0 => NOW,
        1 => NOW + 1,
        _ => NOW - 7 * 86_400 + rng.i64(0..14 * 86_400),
    }
}

fn target(rng: &mut Rng, policy: &Value) -> String {
    let mut path = if once_in(rng, 4) {
        random_path(rng)
    } else {
        path_of_route(rng, policy)
    };
    for _ in 0..[0, 0, 1, 1, 2, 3][rng.usize(..6)] {
        mislead(rng, &mut path);
    }
    if once_in(rng, 12) {
        path = encoded(rng, &path);
    }
    match rng.u32(..160) {
        0..3 if path.starts_with('/') => path.insert_str(
            0,
            word(
                rng,
                &[
                    "http://b.a.test",
                    "https://a.test:8443",
                    "http://",
                    "https://x@a.test",
                ],
            ),
        ),
        3 => path = "*".to_owned(),
        4 => path.push('#'),
        5 => path.push(' '),
        10..20 => path.push_str("?a=/../b"),
        _ => {}
    }
    path
}

fn random_path(rng: &mut Rng) -> String {
    let mut path = String::new();
    for _ in 0..rng.usize(..4) {
        path.push('/');
        path.push_str(word(rng, &SEGMENTS));
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

/// A path that a route of the policy matches.
fn path_of_route(rng: &mut Rng, policy: &Value) -> String {
    let routes = policy["authorization"]["routes"].as_array().expect("routes");
    let pattern = match routes.is_empty() {
        true => "/",
        false => one(rng, routes)["match"]["path"].as_str().expect("a pattern"),
    };
    let mut path = String::new();
    for part in pattern.split('/').skip(1) {
        match part {
            "**" => path.push_str(&random_path(rng)),
            _ if part.starts_with('{') => {
                path.push('/');
                path.push_str(word(rng, &["a", "b", "A", "acme", "é", "x.y", "a+b", "~"]));
            }
            _ => {
                path.push('/');
                path.push_str(part);
            }
        }
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

/// Puts a trick where a slash was, or between two letters; not within an escape, nor where it makes the path one that
/// begins with `//`.
fn mislead(rng: &mut Rng, path: &mut String) {
    let tricks: &[&str] = if once_in(rng, 60) { &FAULTS } else { &TRICKS };
    let trick = word(rng, tricks);
    let is_escape = |place: usize| {
        let before = path.as_bytes().get(place.saturating_sub(2)..place);
        before.is_some_and(|letters| letters.contains(&b'%'))
    };
    let places: Vec<usize> = path
        .char_indices()
        .map(|(place, _)| place)
        .chain([path.len()])
        .collect();
    let least = if trick.starts_with('/') { 2 } else { 1 };
    let places: Vec<usize> = places
        .into_iter()
        .filter(|place| *place >= least && !is_escape(*place))
        .collect();
    if places.is_empty() {
        return;
    }
    let place = *one(rng, &places);
    if once_in(rng, 2) && path.get(place..).is_some_and(|rest| rest.starts_with('/')) {
        path.remove(place);
    }
    path.insert_str(place, trick);
}

/// One letter as escapes of its bytes.
fn encoded(rng: &mut Rng, path: &str) -> String {
    let letters: Vec<char> = path.chars().collect();
    let chosen = rng.usize(1..letters.len().max(2));
    let mut text = String::new();
    for (place, letter) in letters.into_iter().enumerate() {
        if place == chosen && letter != '%' {
            let mut bytes = [0; 4];
            for byte in letter.encode_utf8(&mut bytes).bytes() {
                text.push_str(&format!("%{byte:02x}"));
            }
        } else {
            text.push(letter);
        }
    }
    text
}

fn headers(rng: &mut Rng) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
    if once_in(rng, 6) {
        add("origin", "https://app.test");
        add(
            "Access-Control-Request-Method",
            word(rng, &["GET", "POST", "DELETE", "HEAD", "get", ""]),
        );
    }
    match rng.u32(..200) {
        0 => add("x-http-method-override", "GET"),
        1 => add("Upgrade", "websocket, h2c"),
        2 => add("Upgrade", "websocket"),
        3 => {
            add("origin", "https://app.test");
            add("Origin", "https://app.test");
        }
        _ => {}
    }
    headers
}
