//! The conformance module in a real Envoy: what it prints there is what the transcripts of `conformance/` say.
//!
//! With `SCOPEGATE_UPDATE_TRANSCRIPTS` set the transcripts are written anew; what a host of ours answers is held
//! against them in its own tests.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, fs, thread};

use scopegate_conformance::cases::{self, Case, Traffic};
use scopegate_conformance::{skips, transcript};
use scopegate_e2e::envoy::Envoy;
use scopegate_e2e::http1::{self, Field};
use serde_json::{Value, json};

use crate::common::{envoy, root};

/// The name of every plugin's root.
const ROOT: &str = "root";

/// The listener and the cluster of gRPC callouts.
const GRPC: &str = "grpc";

/// The clusters behind it.
const GRPC_ANSWERS: &str = "grpc that answers";
const GRPC_FAILS: &str = "grpc that fails";

/// What the plugins are configured with; the script is the configuration of their machine.
const CONFIGURATION: &str = "the configuration of the plugin";

/// How long a client waits that may never be answered; a case in which that happens is for the sake of it.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often, and for how long in all, is looked for the last line of a case.
const POLL: Duration = Duration::from_millis(10);
const POLLS: u32 = 1_000;

/// The module that prints what a host answers.
fn module() -> PathBuf {
    let named = env::var_os("SCOPEGATE_CONFORMANCE_WASM").map(PathBuf::from);
    let module =
        named.unwrap_or_else(|| root().join("target/wasm32-wasip1/release/scopegate_conformance.wasm"));
    assert!(
        module.is_file(),
        "`{}` is absent: run `cargo xtask conformance`",
        module.display()
    );
    module
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip(), "port_value": address.port()}})
}

fn any_port() -> Value {
    socket(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

/// An address at which nobody listens.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

fn text(value: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": value})
}

fn cluster(name: &str, address: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(address)}}]}],
        },
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}},
        }},
    })
}

/// A virtual machine for each case, so that nothing of one is seen in another.
fn wasm(case: &str, script: &str) -> Value {
    json!({
        "name": "plugin",
        "root_id": ROOT,
        "configuration": text(CONFIGURATION),
        "vm_config": {
            "vm_id": case,
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": module()}},
            "configuration": text(script),
            "environment_variables": {"key_values": {"CASE": case}},
        },
    })
}

fn listener(name: &str, filters: &[Value]) -> Value {
    json!({"name": name, "stat_prefix": name, "address": any_port(), "filter_chains": [{"filters": filters}]})
}

fn tcp(case: &Case) -> [Value; 2] {
    [
        json!({"name": "conformance", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm",
            "config": wasm(&case.name, &case.script),
        }}),
        json!({"name": "envoy.filters.network.tcp_proxy", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": case.name,
            "cluster": upstream_name(case),
        }}),
    ]
}

/// gRPC callouts come to a listener of the same Envoy, which makes HTTP/1.1 of them for an upstream of ours.
fn grpc_listener(address: SocketAddr) -> Value {
    let script = "";
    let routes = json!([
        {"match": {"path": "/test.Service/Http"}, "direct_response": {"status": 404}},
        {"match": {"path": "/test.Service/Fail"}, "route": {"cluster": GRPC_FAILS}},
        {"match": {"prefix": ""}, "route": {"cluster": GRPC_ANSWERS}},
    ]);
    let mut listener = listener(GRPC, &[connection_manager(GRPC, &wasm(GRPC, script), &routes)]);
    listener["address"] = socket(address);
    listener
}

/// An upstream that answers as soon as something comes, whether or not more follows.
fn eager(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
            kept.push(stream);
        }
    });
    address
}

fn http(case: &Case) -> Value {
    let routes = json!([{"match": {"prefix": ""}, "route": {"cluster": upstream_name(case)}}]);
    connection_manager(&case.name, &wasm(&case.name, &case.script), &routes)
}

fn connection_manager(name: &str, plugin: &Value, routes: &Value) -> Value {
    let filters = json!([
        {"name": "conformance", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": plugin,
        }},
        {"name": "envoy.filters.http.router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": true,
        }},
    ]);
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": name,
            "generate_request_id": false,
            "skip_xff_append": true,
            "http_protocol_options": {"enable_trailers": true},
            "http_filters": filters,
            "route_config": {"name": "all", "virtual_hosts": [{
                "name": "all", "domains": ["*"],
                "routes": routes,
            }]},
        },
    })
}

fn upstream_name(case: &Case) -> String {
    format!("upstream of {}", case.name)
}

/// An upstream that gives one answer and remembers what reached it.
struct Upstream {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    fn start(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let remembered = Arc::clone(&seen);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&remembered), answer.clone());
                thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    while let Ok(Some(message)) = http1::Message::read(&mut reader, false) {
                        let start = String::from_utf8_lossy(&message.start).replace(" HTTP/1.1", "");
                        let line =
                            transcript::message(&start, &message.headers, &message.body, &message.trailers);
                        seen.lock().unwrap().push(line);
                        if stream.write_all(&answer).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { address, seen }
    }
}

/// The upstreams of callouts: one answers, one is silent, one breaks the connection, and nobody listens at the last.
fn callout_clusters() -> Vec<Value> {
    let answer = "HTTP/1.1 200 x\r\nx-callee: 1\r\ntransfer-encoding: chunked\r\n\r\n\
                  6\r\ncallee\r\n0\r\nx-end: 2\r\n\r\n";
    let answers = Upstream::start(answer.as_bytes().to_vec());
    let accepting = |keep: bool| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let _ = http1::Message::read(&mut reader, false);
                kept.extend(Some(stream).filter(|_| keep));
            }
        });
        address
    };
    vec![
        cluster("answers", answers.address),
        cluster("silent", accepting(true)),
        cluster("breaks", accepting(false)),
        cluster("nobody", free_address()),
    ]
}

/// A cluster that speaks HTTP/2, as gRPC does.
fn grpc_cluster(address: SocketAddr) -> Value {
    let mut cluster = cluster(GRPC, address);
    cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]["explicit_http_config"] =
        json!({"http2_protocol_options": {}});
    cluster
}

/// An upstream of connections: it reads what a client sends, answers, and goes when the client goes.
fn connection_upstream(traffic: &[Traffic]) -> Option<Upstream> {
    let exchanges: Vec<(String, String)> = traffic
        .iter()
        .filter_map(|traffic| match traffic {
            Traffic::Connection { sends, answers } => Some((sends.clone(), answers.clone())),
            Traffic::Request { .. } => None,
        })
        .collect();
    if exchanges.is_empty() {
        return None;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let remembered = Arc::clone(&seen);
    thread::spawn(move || {
        for (mut stream, (_, answers)) in listener.incoming().flatten().zip(exchanges) {
            let mut buffer = [0; 1024];
            let first = stream.read(&mut buffer).unwrap_or(0);
            let line = format!("\"{}\"", buffer[..first].escape_ascii());
            remembered.lock().unwrap().push(line);
            let _ = stream.write_all(answers.as_bytes());
            while stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
        }
    });
    Some(Upstream { address, seen })
}

/// Sends over a connection, reads what comes until it is enough or the connection ends, and goes.
fn converse(address: SocketAddr, sends: &str, enough: usize) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(sends.as_bytes())?;
    let (mut got, mut buffer) = (Vec::new(), [0; 1024]);
    while got.len() < enough {
        match stream.read(&mut buffer) {
            Ok(read) if read > 0 => got.extend_from_slice(&buffer[..read]),
            Ok(_) | Err(_) => break,
        }
    }
    Ok(format!("\"{}\"", got.escape_ascii()))
}

fn fields(fields: &[(String, String)]) -> Vec<Field> {
    let bytes = |text: &String| text.as_bytes().to_vec();
    fields
        .iter()
        .map(|(name, value)| (bytes(name), bytes(value)))
        .collect()
}

/// A response as bytes.
fn response(message: &cases::Message) -> Vec<u8> {
    // What follows the first line is written as in a request.
    let (headers, trailers) = (fields(&message.headers), fields(&message.trailers));
    let empty = [(b"content-length".to_vec(), b"0".to_vec())];
    let is_empty = message.body.is_empty() && trailers.is_empty() && !matches!(message.status, 204 | 304);
    let headers = [&headers[..], if is_empty { &empty } else { &[] }].concat();
    let request = http1::Message::request(b"X", b"/", None, &headers, message.body.as_bytes(), &trailers);
    let rest = request.strip_prefix(b"X / HTTP/1.1\r\n").unwrap();
    [format!("HTTP/1.1 {} x\r\n", message.status).as_bytes(), rest].concat()
}

/// The lines that the module of a case printed in the worker that served it.
fn printed(log: &str, case: &str, process: u32) -> Vec<String> {
    // The root speaks without the name of the plugin.
    let marks = ["", " plugin"].map(|name| format!("] wasm log{name} {ROOT} {case}: "));
    let main_thread = format!("[{process}]");
    let line = |line: &str| {
        let (head, message) = marks.iter().find_map(|mark| line.split_once(mark))?;
        // The process's first thread has a machine of its own, to try the configuration.
        if head.contains(&main_thread) {
            return None;
        }
        transcript::printed(head.split("][").nth(2)?, message)
    };
    log.lines().filter_map(line).collect()
}

fn deleted(lines: &[String]) -> usize {
    lines.iter().filter(|line| line.ends_with(" delete()")).count()
}

/// Sends a request and reads its answer. A client that is not answered goes away.
fn exchange(address: SocketAddr, request: &[u8], bodiless: bool) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let answer = http1::Message::read(&mut BufReader::new(stream), bodiless)?;
    let answer = answer.ok_or(io::ErrorKind::UnexpectedEof)?;
    let start = String::from_utf8_lossy(&answer.start);
    let status = start.split(' ').nth(1).unwrap_or_default();
    Ok(transcript::message(
        status,
        &answer.headers,
        &answer.body,
        &answer.trailers,
    ))
}

/// Waits for what a case ends with; where it does not come, the transcript shows what is missing.
fn come(is_there: impl Fn() -> bool) {
    for _ in 0..POLLS {
        if is_there() {
            break;
        }
        thread::sleep(POLL);
    }
}

/// Runs the traffic of a case, and returns its transcript.
fn run(envoy: &Envoy, case: &Case, upstream: &Upstream) -> String {
    let address = envoy.listener(&case.name).unwrap();
    let lines = || printed(&envoy.log(), &case.name, envoy.id());
    let mut answers = Vec::new();
    for (number, traffic) in case.traffic.iter().enumerate() {
        let (method, path, message) = match traffic {
            Traffic::Request {
                method,
                path,
                message,
            } => (method, path, message),
            Traffic::Connection {
                sends,
                answers: enough,
            } => {
                answers.push(converse(address, sends, enough.len()).unwrap());
                come(|| deleted(&lines()) > number);
                continue;
            }
        };
        let request = http1::Message::request(
            method.as_bytes(),
            path.as_bytes(),
            Some(b"host.test"),
            &fields(&message.headers),
            message.body.as_bytes(),
            &fields(&message.trailers),
        );
        let answer = exchange(address, &request, method == "HEAD");
        answers.push(answer.unwrap_or_else(|_| "no answer".to_owned()));
        if case.until.is_none() {
            come(|| deleted(&lines()) > number);
        }
    }
    if let Some(last) = &case.until {
        come(|| lines().iter().any(|line| line.starts_with(last)));
    }
    let seen = upstream.seen.lock().unwrap();
    transcript::whole(&lines(), &seen, &answers)
}

#[test]
fn the_transcripts_are_those_of_a_real_envoy() {
    let Some(program) = envoy("the_transcripts_are_those_of_a_real_envoy") else {
        return;
    };
    let cases = cases::all().unwrap();
    let upstreams: BTreeMap<&str, Upstream> = cases
        .iter()
        .map(|case| {
            let upstream = connection_upstream(&case.traffic);
            let upstream = upstream.unwrap_or_else(|| Upstream::start(response(&case.response)));
            (case.name.as_str(), upstream)
        })
        .collect();
    let mut clusters: Vec<Value> = cases
        .iter()
        .map(|case| cluster(&upstream_name(case), upstreams[case.name.as_str()].address))
        .collect();
    let mut listeners: Vec<Value> = cases
        .iter()
        .map(|case| {
            let is_tcp = matches!(case.traffic.first(), Some(Traffic::Connection { .. }));
            let filters = if is_tcp {
                tcp(case).to_vec()
            } else {
                vec![http(case)]
            };
            listener(&case.name, &filters)
        })
        .collect();
    let grpc = free_address();
    clusters.extend(callout_clusters());
    clusters.push(grpc_cluster(grpc));
    listeners.push(grpc_listener(grpc));
    clusters.push(cluster(
        GRPC_ANSWERS,
        eager(
            "HTTP/1.1 200 x\r\ncontent-type: application/grpc\r\nx-initial: i\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
             a\r\n\0\0\0\0\x05reply\r\n0\r\ngrpc-status: 0\r\nx-trailer: t\r\n\r\n",
        ),
    ));
    clusters.push(cluster(
        GRPC_FAILS,
        eager(
            "HTTP/1.1 200 x\r\ncontent-type: application/grpc\r\ngrpc-status: 7\r\ngrpc-message: no\r\n\
             content-length: 0\r\nconnection: close\r\n\r\n",
        ),
    ));
    let bootstrap = json!({
        "admin": {"address": any_port()},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    });
    let envoy = Envoy::start(&program, &bootstrap.to_string(), Path::new("."), &[]).unwrap();
    let mut differing = Vec::new();
    for case in &cases {
        let transcript = run(&envoy, case, &upstreams[case.name.as_str()]);
        if skips::updates_records() {
            fs::write(cases::transcript_path(&case.name), &transcript).unwrap();
        }
        if cases::transcript(&case.name).as_deref() != Ok(&transcript) {
            differing.push(format!("{}:\n{transcript}", case.name));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
