//! What the tests in Envoy share: finding Envoy and the module, and requests in few words.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use scopegate_conformance::skips;
use scopegate_e2e::client::{self, Answer};
use scopegate_e2e::envoy::{EnvoyError, find};
use scopegate_e2e::http1::{Field, Message};
use scopegate_engine::source;
use serde_json::Value;

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// The plugin's module.
pub(crate) fn module() -> PathBuf {
    let named = std::env::var_os("SCOPEGATE_WASM").map(PathBuf::from);
    let module = named.unwrap_or_else(|| root().join("target/wasm32-wasip1/release/scopegate_plugin.wasm"));
    assert!(
        module.is_file(),
        "`{}` is absent: run `cargo xtask wasm`",
        module.display()
    );
    module
}

/// The path of an Envoy. Where the machine cannot have one, says which test is skipped; where `CI` is set that is a
/// failure.
pub(crate) fn envoy(test: &str) -> Option<PathBuf> {
    match find() {
        Ok(program) => Some(program),
        Err(EnvoyError::Absent(why)) => {
            skips::skip(test, &why);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// A policy file of the repository, as JSON.
pub(crate) fn policy(path: &str) -> Value {
    let source =
        source::load(&[root().join(path)]).unwrap_or_else(|fault| panic!("{path}: {:?}", fault.diagnostics));
    serde_json::from_slice(&source.json()).unwrap()
}

/// A header field.
pub(crate) fn field(name: &str, value: impl AsRef<[u8]>) -> Field {
    (name.as_bytes().to_vec(), value.as_ref().to_vec())
}

/// The field that carries a token.
pub(crate) fn bearer(token: &str) -> Field {
    field("authorization", format!("Bearer {token}"))
}

/// Sends a request and returns the answer.
pub(crate) fn send(address: SocketAddr, method: &str, path: &str, headers: &[Field]) -> Answer {
    let request = Message::request(
        method.as_bytes(),
        path.as_bytes(),
        Some(b"api.example.com"),
        headers,
        b"",
        &[],
    );
    client::send(address, &request).unwrap()
}

/// The code of a refusal; empty where the answer is none of the plugin's.
pub(crate) fn code(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    body["code"].as_str().unwrap_or_default().to_owned()
}
