//! `scopegate serve`: real sockets, the real module, a policy that changes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Stdio};

use crate::common::{command, fixtures, run, stderr};

/// A gateway at work; ended when dropped.
struct Gateway {
    process: Child,
    log: BufReader<ChildStderr>,
    address: String,
}

impl Gateway {
    fn start(policy: &str, upstream: &str) -> Self {
        let arguments = [
            "serve",
            "--policy",
            policy,
            "--upstream",
            upstream,
            "--listen",
            "127.0.0.1:0",
        ];
        let mut process = command(&arguments).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let mut gateway = Self {
            process,
            log,
            address: String::new(),
        };
        let line = gateway.wait_for("listening on http://");
        gateway.address = line.split(['/', ',']).nth(2).unwrap().to_owned();
        gateway
    }

    /// Reads the log up to a line that holds `part`.
    fn wait_for(&mut self, part: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(
                self.log.read_line(&mut line).unwrap(),
                0,
                "the log ended without `{part}`:\n{seen}"
            );
            if line.contains(part) {
                return line;
            }
            seen.push_str(&line);
        }
    }

    fn get(&self, target: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An upstream that answers every request with what it was sent.
fn upstream() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = String::new();
            for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                match line {
                    Ok(line) if !line.is_empty() => head.push_str(&format!("{line}\n")),
                    _ => break,
                }
            }
            let length = head.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{head}"
            );
        }
    });
    format!("http://{address}")
}

#[test]
fn permitted_requests_reach_the_upstream_and_others_do_not() {
    let mut gateway = Gateway::start("weak.yaml", &upstream());
    let allowed = gateway.get("/healthz?x=1", "authorization: Bearer x.y.z\r\n");
    assert!(allowed.starts_with("HTTP/1.1 200 OK"), "{allowed}");
    assert!(
        allowed.contains("GET /healthz?x=1 HTTP/1.1") && allowed.contains("host: x.test"),
        "{allowed}"
    );
    assert!(
        !allowed.contains("x.y.z"),
        "the credential reached the upstream: {allowed}"
    );
    assert!(
        gateway
            .wait_for("/healthz")
            .starts_with("200 GET /healthz  allowed, route health")
    );

    let refused = gateway.get("/api", "");
    assert!(refused.starts_with("HTTP/1.1 401 Unauthorized"), "{refused}");
    assert!(
        refused.contains("www-authenticate: Bearer") && refused.contains("credential_missing"),
        "{refused}"
    );

    let hostile = gateway.get("/healthz/../api", "");
    assert!(hostile.starts_with("HTTP/1.1 400 "), "{hostile}");
}

#[test]
fn an_upstream_that_is_away_is_502() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gateway = Gateway::start("weak.yaml", &format!("http://{free}"));
    assert!(gateway.get("/healthz", "").starts_with("HTTP/1.1 502 "));
}

#[test]
fn a_changed_policy_is_taken_and_a_faulty_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    let put = |fixture: &str| std::fs::copy(fixtures().join(fixture), &policy).unwrap();
    put("weak.yaml");
    let mut gateway = Gateway::start(policy.to_str().unwrap(), &upstream());
    assert!(gateway.get("/healthz", "").starts_with("HTTP/1.1 200 "));
    put("faulty.yaml");
    gateway.wait_for("the new policy has faults; the old policy stays in force");
    assert!(gateway.get("/healthz", "").starts_with("HTTP/1.1 200 "));
    put("other.yaml");
    gateway.wait_for("the new policy is in force");
    assert!(gateway.get("/healthz", "").starts_with("HTTP/1.1 403 "));
    assert!(gateway.get("/alive", "").starts_with("HTTP/1.1 200 "));
}

#[test]
fn an_upstream_that_is_no_url_is_refused() {
    let output = run(&["serve", "--policy", "weak.yaml", "--upstream", "ftp://x"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("write `http://HOST:PORT`"));
}
