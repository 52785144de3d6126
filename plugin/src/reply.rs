//! A decision applied to the request: forwarded with what was proved, or answered.

use scopegate_authn::Reject;
use scopegate_engine::{Decision, Forward, Reply};

use crate::host::{self, HostError, Level, LocalResponse, Map};
use crate::proxy::Proxy;

/// There is no such function here (Proxy-Wasm ABI 0.2.1, `proxy_status_t`).
const UNIMPLEMENTED: u32 = 12;

/// Changes the request as it is to be forwarded.
pub(crate) fn forward(proxy: Proxy, change: &Forward) -> Result<(), HostError> {
    let takes_away = !change.remove.is_empty() || change.path.is_some();
    if takes_away && proxy == Proxy::Nginx {
        // INVARIANT: no policy with credentials to remove is served here. What is removed there is forwarded anyway.
        return Err(HostError {
            function: "proxy_remove_header_map_value",
            status: UNIMPLEMENTED,
        });
    }
    for name in &change.remove {
        host::remove_header(Map::RequestHeaders, name)?;
    }
    for (name, value) in &change.set {
        host::set_request_header(name.as_bytes(), value)?;
    }
    change
        .path
        .as_ref()
        .map_or(Ok(()), |path| host::set_request_header(b":path", path))
}

/// Answers in place of the upstream.
pub(crate) fn reply(proxy: Proxy, decision: &Decision, answer: &Reply) -> Result<(), HostError> {
    match proxy {
        Proxy::Envoy => reply_in_envoy(decision, answer),
        Proxy::Nginx => reply_in_nginx(answer),
    }
}

fn reply_in_envoy(decision: &Decision, answer: &Reply) -> Result<(), HostError> {
    let details = ["scopegate", decision.layer.name(), decision.code].join(":");
    // A host that is told a gRPC status writes these three itself.
    let is_hosts =
        |name: &str| answer.grpc.is_some() && (name == "content-type" || name.starts_with("grpc-"));
    let headers = answer.headers.iter().filter(|(name, _)| !is_hosts(name));
    let headers: Vec<(&str, &str)> = headers.map(|(name, value)| (*name, value.as_str())).collect();
    host::send_local_response(&LocalResponse {
        status: answer.status,
        details: &details,
        headers: &headers,
        body: answer
            .grpc
            .map_or(answer.body.as_slice(), |(_, message)| message.as_bytes()),
        grpc_status: answer.grpc.map(|(status, _)| status),
    })
}

/// Of several headers of one name the last alone would be sent, so challenges are joined (RFC 9110 section 11.6.1). The
/// details would be the reason in the status line.
fn reply_in_nginx(answer: &Reply) -> Result<(), HostError> {
    const CHALLENGE: &str = "www-authenticate";
    let is_challenge = |name: &str| name == CHALLENGE;
    let headers = || answer.headers.iter().map(|(name, value)| (*name, value.as_str()));
    let challenges: Vec<&str> = headers()
        .filter(|(name, _)| is_challenge(name))
        .map(|(_, value)| value)
        .collect();
    let challenges = challenges.join(", ");
    let mut joined: Vec<(&str, &str)> = headers().filter(|(name, _)| !is_challenge(name)).collect();
    if !challenges.is_empty() {
        joined.push((CHALLENGE, &challenges));
    }
    host::send_local_response(&LocalResponse {
        status: answer.status,
        details: "",
        headers: &joined,
        body: &answer.body,
        grpc_status: None,
    })
}

/// The same answer without its body.
pub(crate) fn without_body(answer: &Reply) -> Reply {
    let mut answer = answer.clone();
    answer.body.clear();
    if answer.grpc.is_none() {
        answer.headers.retain(|(name, _)| *name != "content-type");
    }
    answer
}

/// The answer when the host failed: as plain as can be, so that little more can fail.
pub(crate) fn close(error: HostError) {
    let message = format!(
        "scopegate: {} answered {}: the request is refused",
        error.function, error.status
    );
    let _ = host::log(Level::Error, &message);
    let _ = host::send_local_response(&LocalResponse {
        status: Reject::NotConfigured.status(),
        details: "scopegate:request:host_failed",
        headers: &[("cache-control", "no-store"), ("retry-after", "5")],
        body: b"",
        grpc_status: None,
    });
}
