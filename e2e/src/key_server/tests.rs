//! The server itself, by a client that reads bytes.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Document, Introspection, KeyServer, Mode};
use crate::client::{self, Answer};
use crate::http1::{Field, Message};

const JWKS: &str = "/jwks";

fn get(server: &KeyServer, path: &str, headers: &[Field]) -> std::io::Result<Answer> {
    let request = Message::request(b"GET", path.as_bytes(), Some(b"idp"), headers, b"", &[]);
    client::send(server.address(), &request)
}

fn served() -> KeyServer {
    let server = KeyServer::start().unwrap();
    server.serve(
        JWKS,
        Document::jwks(&[json!({"kid": "k1"})])
            .etag("one")
            .cache_control("max-age=60"),
    );
    server
}

#[test]
fn a_document_is_served_until_another_takes_its_place() {
    let server = served();
    let first = get(&server, JWKS, &[]).unwrap();
    let body: Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!((first.status, &body["keys"][0]["kid"]), (200, &json!("k1")));
    assert_eq!(first.text("cache-control").as_deref(), Some("max-age=60"));
    let tag = |tag: &[u8]| [(b"if-none-match".to_vec(), tag.to_vec())];
    assert_eq!(get(&server, JWKS, &tag(b"\"one\"")).unwrap().status, 304);
    server.serve(JWKS, Document::jwks(&[]).etag("two"));
    let second = get(&server, JWKS, &tag(b"\"one\"")).unwrap();
    assert_eq!(
        (second.status, second.body.as_slice()),
        (200, &b"{\"keys\":[]}"[..])
    );
    assert_eq!(get(&server, "/other?x=1", &[]).unwrap().status, 404);

    let statuses: Vec<_> = server.asked_at(JWKS).iter().map(|asked| asked.status).collect();
    assert_eq!(statuses, [Some(200), Some(304), Some(200)]);
    assert_eq!(
        server.asked_at(JWKS)[1]
            .request
            .header("if-none-match")
            .as_deref(),
        Some("\"one\"")
    );
    assert_eq!((server.count("/other"), server.asked().len()), (1, 4));
    assert!(server.asked().windows(2).all(|pair| pair[0].at <= pair[1].at));
}

#[test]
fn each_mode_spoils_the_answer_in_its_own_way_and_the_next_is_whole() {
    let server = served();
    let whole = get(&server, JWKS, &[]).unwrap();
    let moved = "http://elsewhere.example/jwks".to_owned();
    type Expected = fn(&Answer, &Answer) -> bool;
    let answered: [(Mode, Expected); 8] = [
        (Mode::Status(500), |answer, _| answer.status == 500),
        (Mode::Garbage, |answer, whole| {
            answer.status == 200
                && answer.headers.len() == whole.headers.len()
                && answer.body.starts_with(b"\xff")
        }),
        (Mode::WrongContentType, |answer, whole| {
            answer.text("content-type").as_deref() == Some("text/html") && answer.body == whole.body
        }),
        (Mode::HalfJson, |answer, whole| {
            whole.body.starts_with(&answer.body) && answer.body.len() == whole.body.len() / 2
        }),
        (Mode::Empty, |answer, _| {
            answer.status == 200 && answer.body.is_empty()
        }),
        (Mode::Redirect(moved), |answer, _| {
            answer.status == 302 && answer.header("location").is_some()
        }),
        (Mode::Oversize, |answer, whole| {
            answer.body.len() > 1024 * 1024 && answer.body.starts_with(&whole.body)
        }),
        (Mode::Slow(Duration::from_millis(1)), |answer, whole| {
            answer == whole
        }),
    ];
    for (mode, expected) in answered {
        server.set_mode(JWKS, mode.clone());
        let answer = get(&server, JWKS, &[]).unwrap();
        assert!(expected(&answer, &whole), "{mode:?}: {answer:?}");
    }
    for mode in [Mode::Truncated, Mode::Reset] {
        server.set_mode(JWKS, mode.clone());
        assert!(get(&server, JWKS, &[]).is_err(), "{mode:?}");
    }
    server.set_mode(JWKS, Mode::Up);
    assert_eq!(get(&server, JWKS, &[]).unwrap(), whole);
}

#[test]
fn a_server_that_hangs_reads_the_request_and_is_silent_until_it_ends() {
    let server = served();
    server.set_mode(JWKS, Mode::Hang);
    let waiting = {
        let server = server.clone();
        std::thread::spawn(move || get(&server, JWKS, &[]).is_err())
    };
    assert_eq!(server.wait_for(JWKS, 1).unwrap()[0].status, None);
    assert!(!waiting.is_finished());
    server.refuse().unwrap();
    assert!(waiting.join().unwrap());
}

#[test]
fn connections_are_refused_and_taken_again_on_the_same_port() {
    let server = served();
    let address = server.address();
    for _ in 0..3 {
        assert_eq!(get(&server, JWKS, &[]).unwrap().status, 200);
        server.refuse().unwrap();
        assert!(get(&server, JWKS, &[]).is_err());
        server.listen().unwrap();
        assert_eq!(server.address(), address);
    }
    assert_eq!(server.count(JWKS), 3);
}

#[test]
fn an_introspection_endpoint_answers_its_clients_of_the_tokens_it_knows() {
    let server = KeyServer::start().unwrap();
    let endpoint = Introspection::with_client("orders", "p:ss word").active("known", json!({"sub": "anna"}));
    server.introspect("/introspect", endpoint);
    let ask = |method: &[u8], kind: &str, authorization: &str, body: &[u8]| {
        let headers = [
            (b"content-type".to_vec(), kind.as_bytes().to_vec()),
            (b"authorization".to_vec(), authorization.as_bytes().to_vec()),
        ];
        let request = Message::request(method, b"/introspect", Some(b"idp"), &headers, body, &[]);
        let answer = client::send(server.address(), &request).unwrap();
        (
            answer.status,
            serde_json::from_slice::<Value>(&answer.body).unwrap_or_default(),
        )
    };
    let form = "application/x-www-form-urlencoded";
    let basic = format!(
        "Basic {}",
        base64_simd::STANDARD.encode_to_string("orders:p%3Ass+word")
    );
    assert_eq!(
        ask(b"POST", form, &basic, b"token=known"),
        (200, json!({"active": true, "sub": "anna"}))
    );
    assert_eq!(
        ask(b"POST", form, &basic, b"token=other"),
        (200, json!({"active": false}))
    );
    assert_eq!(ask(b"POST", form, "Basic bm9ib2R5", b"token=known").0, 401);
    assert_eq!(ask(b"POST", form, &basic, b"other=1").0, 400);
    assert_eq!(ask(b"POST", "application/json", &basic, b"{}").0, 415);
    assert_eq!(ask(b"GET", form, &basic, b"").0, 405);
}
