//! Random requests: most of them nearly match some route.

use fastrand::Rng;
use scopegate_reference::Request;
use serde_json::Value;

use crate::conditions::{ADDRESSES, HEADER};
use crate::draw::{once_in, one, word};
use crate::policies::{METHODS, NOW, Policy, SEGMENTS};

/// What is put into a path to mislead, or to be read in more than one way.
const TRICKS: [&str; 36] = [
    "/", "//", "/./", "/../", "/x/../", "/a/../", "/%2e%2e/", "/.%2E/", "%2F", "%2f", "\\", "%5C", ";",
    ";v=1", "%3B", "%3bv", "/..;/", "/;/", "/;x/..", "%3F", "%23", "/..", "/.", "%61", "%41", "%25",
    "%c3%a9", "%C3%A9", "\\..\\", "%2F..%2F", "/a", "/A", "/b", "?", "?a=b", "/é",
];
/// What no path may hold.
const FAULTS: [&str; 8] = ["%2541", "%2", "%zz", "%00", "%u0041", "%c3", " ", "%0a"];
const AUTHORITIES: [&str; 11] = [
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
];

/// When clocks change in Europe and in America: in October, November and March.
const CLOCK_CHANGES: [i64; 4] = [1_792_890_000, 1_793_512_800, 1_805_007_600, 1_806_195_600];

/// A request, and when it comes. Most are aimed at some route.
pub(crate) fn request(rng: &mut Rng, policy: &Policy) -> (Request, i64) {
    let routes = policy.document["authorization"]["routes"]
        .as_array()
        .expect("routes");
    let aim = if routes.is_empty() || once_in(rng, 6) {
        &Value::Null
    } else {
        &one(rng, routes)["match"]
    };
    let request = Request {
        method: if policy.is_calm {
            "GET".to_owned()
        } else {
            method(rng, aim)
        },
        target: target(rng, aim, policy.is_calm).into_bytes(),
        authority: authority(rng, aim),
        headers: headers(rng, aim),
        source: (!once_in(rng, 5)).then(|| word(rng, &ADDRESSES).parse().expect("an address")),
    };
    (request, time(rng))
}

/// One of the texts of a list, where there is one; most of the time.
fn listed(rng: &mut Rng, aim: &Value, field: &str) -> Option<String> {
    let items = aim[field].as_array().filter(|_| !once_in(rng, 4))?;
    one(rng, items).as_str().map(str::to_owned)
}

fn method(rng: &mut Rng, aim: &Value) -> String {
    if once_in(rng, 50) {
        return word(rng, &["", "G T", "TRACE", "CONNECT", "PURGE", "connect", "get"]).to_owned();
    }
    listed(rng, aim, "methods").unwrap_or_else(|| word(rng, &METHODS).to_owned())
}

fn authority(rng: &mut Rng, aim: &Value) -> Option<String> {
    match rng.u32(..120) {
        0 => return None,
        1 => return Some(word(rng, &["a.test,b.test", "u@a.test", ""]).to_owned()),
        _ => {}
    }
    let host = listed(rng, aim, "hosts").map(|host| host.replace('*', word(rng, &["x", "b", "x.y", "b.a"])));
    Some(host.unwrap_or_else(|| word(rng, &AUTHORITIES).to_owned()))
}

/// Now; some moment of the weeks around; or a moment near the one at which clocks are changed.
fn time(rng: &mut Rng) -> i64 {
    match rng.u32(..8) {
        0..3 => NOW,
        3 => NOW + 1,
        4 => one(rng, &CLOCK_CHANGES) - 7_200 + rng.i64(0..4) * 3_600 + rng.i64(-1..2),
        _ => NOW - 7 * 86_400 + rng.i64(0..14 * 86_400),
    }
}

fn target(rng: &mut Rng, aim: &Value, is_calm: bool) -> String {
    let mut path = match aim["path"].as_str() {
        Some(pattern) => path_of_pattern(rng, pattern),
        None => random_path(rng),
    };
    if is_calm {
        return path + &query(rng, aim);
    }
    for _ in 0..[0, 0, 0, 1, 1, 2, 3][rng.usize(..7)] {
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
        10..15 => path.push_str("?a=/../b"),
        _ => path.push_str(&query(rng, aim)),
    }
    path
}

/// A query, most of the time one that the route asks for.
fn query(rng: &mut Rng, aim: &Value) -> String {
    let mut pairs = Vec::new();
    for (name, wanted) in aim["query"].as_object().into_iter().flatten() {
        if !once_in(rng, 5) {
            pairs.push(format!("{name}={}", accepted(rng, wanted)));
        }
    }
    if once_in(rng, 5) {
        let others = [
            "f=csv",
            "f=json",
            "f=%63sv",
            "f=csv&f=csv",
            "f=csv&f=json",
            "f",
            "f=",
            "F=csv",
            "g=1",
            "f=a+b",
            "f=csv;g=1",
            "f=%zz",
            "f%zz=csv",
            "%20f=csv",
            "f%00=csv",
            "[f]=csv",
            "f%20=csv",
            "%c1f=csv",
            "h=%zz",
            "h=a+b",
            "h;i",
            "g=%2B",
            "%66=csv",
            "f=%C3%A9",
            "f=%ff",
            "&&",
            "=csv",
            "f==csv",
            "h=%00",
        ];
        pairs.push(word(rng, &others).to_owned());
        rng.shuffle(&mut pairs);
    }
    if pairs.is_empty() {
        String::new()
    } else {
        format!("?{}", pairs.join("&"))
    }
}

/// A value that the form accepts, or one of its kind.
fn accepted(rng: &mut Rng, wanted: &Value) -> String {
    let any = wanted["any"]
        .as_array()
        .map(|values| one(rng, values).as_str().unwrap_or_default());
    let value = wanted
        .as_str()
        .or(any)
        .unwrap_or_else(|| word(rng, &["1", "csv", ""]));
    value.to_owned()
}

fn random_path(rng: &mut Rng) -> String {
    let mut path = String::new();
    for _ in 0..rng.usize(..4) {
        path.push('/');
        path.push_str(word(rng, &SEGMENTS));
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

/// A path that the pattern matches.
fn path_of_pattern(rng: &mut Rng, pattern: &str) -> String {
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

fn headers(rng: &mut Rng, aim: &Value) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
    for (name, wanted) in aim["headers"].as_object().into_iter().flatten() {
        if !once_in(rng, 5) {
            add(name, &accepted(rng, wanted));
        }
    }
    if once_in(rng, 6) {
        let name = word(rng, &["x-v", "X-V", "x-b", "x_v"]);
        add(name, word(rng, &["1", "2", "3", "", "1, 2", "A", "a"]));
    }
    for _ in 0..[0, 1, 1, 2][rng.usize(..4)] {
        add(HEADER, word(rng, &["eu", "us"]));
    }
    if let Some(range) = listed(rng, aim, "content_type") {
        add("content-type", &range.replace('*', "json"));
    }
    if once_in(rng, 8) {
        let types = [
            "application/json",
            "Application/JSON; charset=utf-8",
            "text/plain",
            "application/",
            "",
            "text/plain ;a=b",
            "application",
        ];
        add("Content-Type", word(rng, &types));
    }
    if once_in(rng, 6) {
        add("origin", "https://app.test");
        add(
            "Access-Control-Request-Method",
            word(rng, &["GET", "POST", "DELETE", "HEAD", "get", ""]),
        );
    }
    match rng.u32(..200) {
        4..8 => add(
            "Host",
            word(
                rng,
                &[
                    "a.test",
                    "A.test.",
                    "a.test:8443",
                    "a.test:1",
                    "b.a.test",
                    "",
                    "a.test, b.test",
                ],
            ),
        ),
        8 => add("origin", "https://app.test, https://app.test"),
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
