//! A request that a route is about, as a test file writes it.

use serde_json::{Map, Value, json};

use super::document::{list, members, text, texts};

/// An address of documentation (RFC 5737), which no policy names as its own.
pub(super) const ELSEWHERE: &str = "203.0.113.9:4711";

/// A request for the route, by this method where it names none. A parameter that `tenant` names has this value; `below` is put where anything may follow.
pub(super) fn request(route: &Value, method: &str, tenant: &str, below: &str) -> Value {
    let access = route.pointer("/access").unwrap_or(&Value::Null);
    let mut request = Map::new();
    let (method, pattern) = match text(route, "/match/grpc") {
        Some(grpc) => ("POST", format!("/{grpc}")),
        None => {
            let pattern = text(route, "/match/path").unwrap_or("/");
            (
                texts(route, "/match/methods").first().copied().unwrap_or(method),
                pattern.to_owned(),
            )
        }
    };
    request.insert("method".to_owned(), json!(method));
    let mut target = path(&pattern, text(access, "/tenant"), tenant, below);
    let mut parameters: Vec<(String, String)> = Vec::new();
    let wanted = members(route, "/match/query").filter_map(|(name, rule)| Some((name, value(rule)?)));
    parameters.extend(wanted.map(|(name, value)| (name.to_owned(), value)));
    parameters.extend(equal(access, "/query"));
    for (at, (name, value)) in parameters.iter().enumerate() {
        let sign = if at == 0 { '?' } else { '&' };
        target.push_str(&format!("{sign}{}={}", escape(name), escape(value)));
    }
    request.insert("path".to_owned(), json!(target));
    let mut headers: Map<String, Value> = Map::new();
    let wanted = members(route, "/match/headers").filter_map(|(name, rule)| Some((name, value(rule)?)));
    headers.extend(wanted.map(|(name, value)| (name.to_owned(), json!(value))));
    headers.extend(equal(access, "/headers").map(|(name, value)| (name, json!(value))));
    if let Some(kind) = texts(route, "/match/content_type").first() {
        headers.insert("content-type".to_owned(), json!(kind.replace('*', "plain")));
    }
    if !headers.is_empty() {
        request.insert("headers".to_owned(), Value::Object(headers));
    }
    if let Some(host) = texts(route, "/match/hosts").first() {
        request.insert("authority".to_owned(), json!(host.replace('*', "some")));
    }
    if let Some(address) = texts(access, "/sources")
        .first()
        .map(|network| address_in(network))
    {
        request.insert("peer".to_owned(), json!({"address": address}));
    }
    Value::Object(request)
}

fn equal(access: &Value, pointer: &str) -> impl Iterator<Item = (String, String)> {
    let wanted = members(access, pointer)
        .filter_map(|(name, value)| Some((name.to_owned(), value.as_str()?.to_owned())));
    wanted.collect::<Vec<_>>().into_iter()
}

/// A value that a matcher takes; nothing where it wants absence.
fn value(rule: &Value) -> Option<String> {
    let listed = || list(rule, "/any").first().and_then(Value::as_str);
    let present = || (rule.pointer("/present") == Some(&Value::Bool(true))).then_some("anything");
    rule.as_str().or_else(listed).or_else(present).map(str::to_owned)
}

fn path(pattern: &str, owner: Option<&str>, tenant: &str, below: &str) -> String {
    let (pattern, tail) = match pattern.strip_suffix("/**") {
        Some(pattern) => (pattern, below),
        None => (pattern, ""),
    };
    let segment = |segment: &str| match segment.strip_prefix('{').and_then(|it| it.strip_suffix('}')) {
        Some(_) if owner == Some(segment) => escape(tenant),
        Some("id") => "7".to_owned(),
        Some(name) => format!("some-{}", escape(name).to_lowercase()),
        None => escape(segment),
    };
    let segments: Vec<String> = pattern.split('/').map(segment).collect();
    let path = format!("{}{tail}", segments.join("/"));
    match path.as_str() {
        "" => "/".to_owned(),
        _ => path,
    }
}

/// Bytes that are not unreserved, escaped (RFC 3986 section 2.1).
fn escape(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte: u8| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

fn address_in(network: &str) -> String {
    let address = network.split('/').next().unwrap_or_default();
    match address.contains(':') {
        true => format!("[{address}]:4711"),
        false => format!("{address}:4711"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::request;

    #[test]
    fn a_request_has_what_its_route_asks_for() {
        let route = json!({
            "match": {
                "hosts": ["*.example.com"], "methods": ["PUT"], "path": "/t/{tenant}/ä b/{id}/**",
                "query": {"q": {"any": ["x y"]}, "absent": {"present": false}}, "headers": {"x-a": {"present": true}},
            },
            "access": {"tenant": "{tenant}", "sources": ["2001:db8::/32"], "query": {"z": "1"}},
        });
        let expected = json!({
            "method": "PUT", "path": "/t/acme/%C3%A4%20b/7/page?q=x%20y&z=1", "authority": "some.example.com",
            "headers": {"x-a": "anything"}, "peer": {"address": "[2001:db8::]:4711"},
        });
        assert_eq!(request(&route, "GET", "acme", "/page"), expected);
    }
}
