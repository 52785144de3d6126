//! What NGINX makes of the target of a request before a module sees it, and the variables that it has of one.

use crate::abi::{BufferType, MapType};
use crate::headers::{HeaderMap, Headers};
use crate::profile::Profile;
use crate::slots::Kind;

/// The server's own name, as `server_name` has it.
const SERVER: &str = "server.test";

/// The port of the server.
const PORT: u64 = 8_080;

/// The name of the machine.
const MACHINE: &str = "machine.test";

/// The headers of a request. What is the authority elsewhere is the header `Host`, and beside it stands what the host
/// makes up.
pub(crate) fn request_headers(headers: Headers, profile: Profile) -> HeaderMap {
    let find = |name: &[u8]| headers.iter().find(|(key, _)| key == name);
    let path = find(b":path").map(|(_, value)| value.clone());
    let has_host = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"host"));
    let authority = find(b":authority").filter(|_| !has_host);
    let host = authority.map(|(_, value)| (b"Host".to_vec(), value.clone()));
    let mut map = HeaderMap::new(
        Kind::Request,
        headers.iter().cloned().chain(host).collect(),
        profile,
    );
    if let Some(path) = path {
        map.make_up(b":path", &decoded_target(&path));
    }
    map.make_up(b":authority", format!("{SERVER}:{PORT}").as_bytes());
    map
}

/// A variable of the request, where NGINX has one of that name.
pub(crate) fn variable(headers: &HeaderMap, name: &[u8]) -> Option<Vec<u8>> {
    let target = || headers.sent(b":path").map(<[u8]>::to_vec);
    match name {
        b"request_uri" => target(),
        b"uri" => target().map(|target| decoded_path(cut(&target).0)),
        b"args" => target().map(|target| cut(&target).1.to_vec()),
        b"host" => {
            // The name in the target of the request comes before the header.
            let named = headers.sent(b":authority").or_else(|| headers.sent(b"host"));
            Some(named.map_or(SERVER.as_bytes().to_vec(), host_of))
        }
        b"hostname" => Some(MACHINE.as_bytes().to_vec()),
        b"request_method" => headers.sent(b":method").map(<[u8]>::to_vec),
        b"scheme" => headers.sent(b":scheme").map(<[u8]>::to_vec),
        _ => None,
    }
}

/// The variable that a property of a request stands for.
pub(crate) fn variable_of(field: &[u8]) -> Option<&'static [u8]> {
    Some(match field {
        b"path" => b"request_uri",
        b"url_path" => b"uri",
        b"query" => b"args",
        b"host" => b"hostname",
        b"method" => b"request_method",
        b"scheme" => b"scheme",
        _ => return None,
    })
}

/// Bodies are there in some callbacks only (`ngx_proxy_wasm_get_buffer_helper`).
pub(crate) fn reading_traps(callback: &str, buffer: BufferType) -> Option<&'static str> {
    let (callbacks, why): (&[&str], _) = match buffer {
        BufferType::HttpRequestBody => (
            &[
                "proxy_on_request_headers",
                "proxy_on_request_body",
                "proxy_on_log",
            ],
            "can only get request body during \"on_request_body\", \"on_log\"",
        ),
        BufferType::HttpResponseBody => (
            &["proxy_on_response_body"],
            "can only get response body during \"on_response_body\"",
        ),
        BufferType::HttpCallResponseBody => (
            &["proxy_on_http_call_response", "proxy_on_log"],
            "can only get dispatch response body during \"on_http_dispatch_response\"",
        ),
        BufferType::NetworkDownstreamData
        | BufferType::NetworkUpstreamData
        | BufferType::GrpcReceiveBuffer
        | BufferType::VmConfiguration
        | BufferType::PluginConfiguration
        | BufferType::CallData => return None,
    };
    (!callbacks.contains(&callback)).then_some(why)
}

/// Bodies can be changed in fewer (`ngx_proxy_wasm_hfuncs_set_buffer`).
pub(crate) fn editing_traps(callback: &str, buffer: BufferType) -> Option<&'static str> {
    let (callbacks, why): (&[&str], _) = match buffer {
        BufferType::HttpRequestBody => (
            &["proxy_on_request_headers", "proxy_on_request_body"],
            "can only set request body during \"on_request_body\"",
        ),
        BufferType::HttpResponseBody => (
            &["proxy_on_response_body"],
            "can only set response body during \"on_response_body\"",
        ),
        BufferType::HttpCallResponseBody
        | BufferType::NetworkDownstreamData
        | BufferType::NetworkUpstreamData
        | BufferType::GrpcReceiveBuffer
        | BufferType::VmConfiguration
        | BufferType::PluginConfiguration
        | BufferType::CallData => return None,
    };
    (!callbacks.contains(&callback)).then_some(why)
}

/// Headers can be changed until they are on their way (`ngx_proxy_wasm_hfuncs_set_header_check`).
pub(crate) fn headers_trap(callback: &str, map: MapType) -> Option<&'static str> {
    const REQUEST: [&str; 3] = [
        "proxy_on_request_headers",
        "proxy_on_request_body",
        "proxy_on_http_call_response",
    ];
    match map {
        MapType::HttpRequestHeaders => (!REQUEST.contains(&callback))
            .then_some("can only set request headers before response is produced"),
        MapType::HttpResponseHeaders => {
            let is_open = REQUEST.contains(&callback) || callback == "proxy_on_response_headers";
            (!is_open).then_some("can only set response headers before \"on_response_body\"")
        }
        MapType::HttpRequestTrailers
        | MapType::HttpResponseTrailers
        | MapType::GrpcReceiveInitialMetadata
        | MapType::GrpcReceiveTrailingMetadata
        | MapType::HttpCallResponseHeaders
        | MapType::HttpCallResponseTrailers => None,
    }
}

/// The name in `Host`: in lower case, without the port and a dot at its end (`ngx_http_validate_host`).
fn host_of(value: &[u8]) -> Vec<u8> {
    let name = match value.iter().rposition(|byte| *byte == b':') {
        Some(at) if !value.ends_with(b"]") => value.split_at(at).0,
        _ => value,
    };
    name.strip_suffix(b".").unwrap_or(name).to_ascii_lowercase()
}

fn cut(target: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = target.splitn(2, |byte| *byte == b'?');
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

fn decoded_target(target: &[u8]) -> Vec<u8> {
    let (path, query) = cut(target);
    let path = decoded_path(path);
    match query {
        b"" => path,
        query => [&path, &b"?"[..], query].concat(),
    }
}

/// A path with its escapes decoded, its dot segments resolved and its double slashes merged (`ngx_http_parse_complex_uri`).
fn decoded_path(path: &[u8]) -> Vec<u8> {
    let decoded = decoded(path);
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut is_folder = false;
    for segment in decoded.split(|byte| *byte == b'/') {
        is_folder = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let mut path = b"/".to_vec();
    path.extend(kept.join(&b'/'));
    if is_folder && path.len() > 1 {
        path.push(b'/');
    }
    path
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let escape = after.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = escape
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(byte.unwrap_or(*first));
        rest = match byte {
            Some(_) => after.get(2..).unwrap_or_default(),
            None => after,
        };
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::{decoded_target, host_of};

    #[test]
    fn a_target_is_decoded_and_normalised_but_for_its_query() {
        for (target, expected) in [
            ("/a/b", "/a/b"),
            ("/a//b/", "/a/b/"),
            ("/a/./b/../c", "/a/c"),
            ("/a%2Fb%20c?x=%20", "/a/b c?x=%20"),
            ("/a/%2e%2e/b", "/b"),
            ("/../a", "/a"),
            ("/100%", "/100%"),
            ("/", "/"),
        ] {
            assert_eq!(decoded_target(target.as_bytes()), expected.as_bytes(), "{target}");
        }
    }

    #[test]
    fn a_host_is_a_name_in_lower_case_without_its_port() {
        for (value, expected) in [
            ("API.example.com:8443", "api.example.com"),
            ("api.example.com.", "api.example.com"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(host_of(value.as_bytes()), expected.as_bytes(), "{value}");
        }
    }
}
