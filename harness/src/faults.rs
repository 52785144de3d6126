//! Faults of a test file that would make it say less than it seems to: names that stand twice, callers that
//! are missing, places for tokens that nobody makes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::build;
use crate::exchange::decode_hex;
use crate::format::{
    Allow, ExpectSpec, HeaderExpect, HeadersSpec, MatrixSpec, OneOrMany, RequestSpec, TestSpec,
};
use crate::suite::{Case, Kind};

/// A fault: the path of the field, what is wrong, what would be right.
pub(crate) type Fault = (String, String, String);

/// What help says of a name that is not there: the one that is most like it, and all there are.
pub(crate) fn nearest(name: &str, known: &[String], what: &str) -> String {
    if known.is_empty() {
        return "none are described".to_owned();
    }
    let near = |other: &&String| strsim::damerau_levenshtein(name, other);
    let most = (name.chars().count() / 3).max(1);
    let best = known.iter().min_by_key(near).filter(|other| near(other) <= most);
    let all = format!("{what}: {}", known.join(", "));
    match best {
        Some(best) => format!("did you mean `{best}`? {all}"),
        None => all,
    }
}

/// Tests of one name cannot be told apart in a report.
pub(crate) fn same_names(tests: &[TestSpec]) -> Vec<Fault> {
    let fault = |(at, name): (usize, &str)| {
        let message = format!("another test is called `{name}` already");
        let help = "give each test a name of its own".to_owned();
        (format!("tests[{at}].name"), message, help)
    };
    let names = tests.iter().map(|test| test.name.as_str());
    repeated(names).into_iter().map(fault).collect()
}

/// Callers that a matrix lacks, or names twice.
pub(crate) fn callers(callers: &[String]) -> Vec<Fault> {
    if callers.is_empty() {
        let message = "the matrix has no callers".to_owned();
        let help = "name tokens, and `none` for no token at all".to_owned();
        return vec![("matrix.callers".to_owned(), message, help)];
    }
    let fault = |(at, caller): (usize, &str)| {
        let message = format!("`{caller}` is listed twice");
        (
            format!("matrix.callers[{at}]"),
            message,
            "name it once".to_owned(),
        )
    };
    let callers = callers.iter().map(String::as_str);
    repeated(callers).into_iter().map(fault).collect()
}

/// The names that stood before, each with its index.
fn repeated<'n>(names: impl Iterator<Item = &'n str>) -> Vec<(usize, &'n str)> {
    let mut known = BTreeSet::new();
    let mut repeated: Vec<(usize, &str)> = names.enumerate().collect();
    repeated.retain(|(_, name)| !known.insert(*name));
    repeated
}

/// Places for tokens (`{{name}}`) that no token has the name of.
pub(crate) fn placeholders(
    tests: &[TestSpec],
    matrix: Option<&MatrixSpec>,
    is_token: impl Fn(&str) -> bool,
) -> Vec<Fault> {
    let mut texts = Vec::new();
    for (at, test) in tests.iter().enumerate() {
        let path = format!("tests[{at}]");
        if let Some(request) = &test.request {
            collect(request, &format!("{path}.request"), &mut texts);
        }
        for (at, step) in test.steps.iter().enumerate() {
            if let Some(request) = &step.request {
                collect(request, &format!("{path}.steps[{at}].request"), &mut texts);
            }
        }
    }
    if let Some(matrix) = matrix {
        collect(&matrix.request, "matrix.request", &mut texts);
        let rows = matrix.cells.keys();
        texts.extend(rows.map(|row| (format!("matrix.cells.{row}"), row.as_str())));
    }
    let unknown = texts.into_iter().flat_map(|(path, text)| {
        let names = build::placeholders(text).into_iter();
        names.map(move |name| (path.clone(), name))
    });
    let unknown = unknown.filter(|(_, name)| !is_token(name));
    let fault = |(path, name): (String, &str)| {
        let message = format!("there is no token `{name}` to put here");
        (path, message, "describe it under `tokens`".to_owned())
    };
    unknown.map(fault).collect()
}

/// A request whose target is stated twice.
pub(crate) fn target(request: &RequestSpec, path: &str) -> Option<Fault> {
    let fault = || {
        let message = "the path is stated twice".to_owned();
        let help = "write `path`, or `path_hex` for bytes that are no text".to_owned();
        (format!("{path}.path_hex"), message, help)
    };
    (request.path.is_some() && request.path_hex.is_some()).then(fault)
}

/// Bytes in hex that are none.
pub(crate) fn bytes(request: &RequestSpec, path: &str) -> Vec<Fault> {
    let target = request.path_hex.iter();
    let target = target.map(|hex| (format!("{path}.path_hex"), hex));
    let headers = request.headers_hex.iter().enumerate();
    let headers = headers.map(|(at, (_, hex))| (format!("{path}.headers_hex[{at}][1]"), hex));
    let bad = target.chain(headers).filter(|(_, hex)| decode_hex(hex).is_none());
    let fault = |(path, hex): (String, &String)| {
        let message = format!("`{hex}` is not made of bytes in hex");
        (
            path,
            message,
            "write two hex digits a byte, as in `2f61`".to_owned(),
        )
    };
    bad.map(fault).collect()
}

/// Another end of a connection that there cannot be: an address that is none, a digest of another length.
pub(crate) fn peer(request: &RequestSpec, path: &str) -> Vec<Fault> {
    let Some(peer) = &request.peer else {
        return Vec::new();
    };
    let is_address = |text: &&String| scopegate_engine::Request::source_from(text.as_bytes()).is_some();
    let is_digest = |text: &&String| decode_hex(text).is_some_and(|bytes| bytes.len() == 32);
    let address = peer.address.iter().find(|text| !is_address(text)).map(|text| {
        let help = "write an address and a port, as in `192.0.2.1:4711` or `[2001:db8::1]:4711`";
        ("address", format!("`{text}` is no address"), help)
    });
    let digest = peer.cert_sha256.iter().find(|text| !is_digest(text)).map(|text| {
        let help = "write the 64 hex digits of a SHA-256, or leave it out";
        ("cert_sha256", format!("`{text}` is no SHA-256"), help)
    });
    let faults = address.into_iter().chain(digest);
    faults
        .map(|(field, message, help)| (format!("{path}.peer.{field}"), message, help.to_owned()))
        .collect()
}

/// Cells of a matrix that a test, or another cell, has the name of: in a report nobody could tell them apart.
pub(crate) fn names_of_cells(cases: &[Case]) -> Vec<Fault> {
    let (mut known, mut faults) = (BTreeSet::new(), Vec::new());
    let is_cell = |case: &&Case| matches!(case.kind, Kind::Cell(_));
    for cell in cases.iter().filter(is_cell) {
        if !known.insert(cell.name.as_str()) {
            let message = format!("another cell is called `{}` already", cell.name);
            faults.push((
                cell.path.clone(),
                message,
                "give the caller another name".to_owned(),
            ));
        }
    }
    for test in cases
        .iter()
        .filter(|case| !is_cell(case) && known.contains(case.name.as_str()))
    {
        let message = format!("a cell of the matrix is called `{}` already", test.name);
        let help = "give each test a name of its own".to_owned();
        faults.push((format!("{}.name", test.path), message, help));
    }
    faults
}

/// Expectations that hold whatever the plugin does: of names that it never uses, or of a reply that there is none of.
pub(crate) fn expectations(expect: &ExpectSpec, path: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let forwarded =
        expect.would_deny.is_some() || matches!(&expect.allow, Some(Allow::Route(_) | Allow::Any(true)));
    let replied = [
        ("status", expect.status.is_some()),
        ("headers", !expect.headers.is_empty()),
        ("body", expect.body.is_some()),
    ];
    for (name, _) in replied
        .into_iter()
        .filter(|(_, is_stated)| forwarded && *is_stated)
    {
        let message = format!("`{name}` is one of a reply, and a request that is forwarded has none");
        let help = "leave it out, or write `upstream` for what the upstream sees".to_owned();
        faults.push((format!("{path}.{name}"), message, help));
    }
    for (field, names) in [("headers", &expect.headers), ("upstream", &expect.upstream)] {
        for name in names.keys().filter(|name| !is_header_name(name)) {
            let message = format!("`{name}` is no name of a header");
            let help = match field {
                "upstream" if name == ":path" => "write `upstream_path`",
                _ => "write a name such as `x-auth-subject`",
            };
            faults.push((format!("{path}.{field}.{name}"), message, help.to_owned()));
        }
    }
    for (field, headers) in [("headers", &expect.headers), ("upstream", &expect.upstream)] {
        let empty = |value: &Option<HeaderExpect>| matches!(value, Some(HeaderExpect::Contains(part)) if part.contains.is_empty());
        for (name, _) in headers.iter().filter(|(_, value)| empty(value)) {
            let message = "every value contains an empty text".to_owned();
            let help = "write a part of the value".to_owned();
            faults.push((format!("{path}.{field}.{name}.contains"), message, help));
        }
    }
    if expect.body.as_ref().is_some_and(Value::is_null) {
        let message = "null says nothing of a body".to_owned();
        let help = "write its text, or members that it has; `\"\"` for none".to_owned();
        faults.push((format!("{path}.body"), message, help));
    }
    let properties = expect
        .properties
        .keys()
        .map(|name| ("properties", name, PROPERTIES));
    let records = expect.audit.iter().flatten().enumerate();
    let members = |value: &Value, place: String, known: &[&str]| -> Vec<Fault> {
        let names = value.as_object().into_iter().flat_map(serde_json::Map::keys);
        names.filter_map(|name| unknown(name, &place, known)).collect()
    };
    for (at, record) in records {
        faults.extend(members(record, format!("{path}.audit[{at}]"), AUDIT));
        for (field, known) in AUDIT_MEMBERS {
            let value = record.get(field).unwrap_or(&Value::Null);
            faults.extend(members(value, format!("{path}.audit[{at}].{field}"), known));
        }
    }
    if let Some(body) = &expect.body {
        faults.extend(members(body, format!("{path}.body"), BODY));
    }
    faults.extend(
        properties.filter_map(|(field, name, known)| unknown(name, &format!("{path}.{field}"), known)),
    );
    faults
}

/// The members of audit records.
const AUDIT: &[&str] = &[
    "event",
    "request_id",
    "time",
    "outcome",
    "provider",
    "credential",
    "subject",
    "client",
    "tenant",
    "method",
    "host",
    "route",
    "path",
    "required",
    "effective",
    "granted_by",
    "missing",
    "condition",
    "reason",
    "policy",
];

/// Those of them that have members, and these.
const AUDIT_MEMBERS: [(&str, &[&str]); 2] = [
    ("policy", &["name", "version", "digest"]),
    (
        "credential",
        &["kind", "fingerprint", "alg", "kid", "issued_at", "expires_at"],
    ),
];

/// The properties of a request.
const PROPERTIES: &[&str] = &[
    "scopegate.layer",
    "scopegate.code",
    "scopegate.route",
    "scopegate.would_deny",
    "scopegate.provider",
    "scopegate.subject",
    "scopegate.client",
    "scopegate.tenant",
];

/// The members of a refusal's body.
const BODY: &[&str] = &["type", "title", "status", "code", "request_id"];

fn unknown(name: &str, place: &str, known: &[&str]) -> Option<Fault> {
    let fault = || {
        let known: Vec<String> = known.iter().map(|&name| name.to_owned()).collect();
        let message = format!("`{name}` is never there");
        (format!("{place}.{name}"), message, nearest(name, &known, "known"))
    };
    (!known.contains(&name)).then(fault)
}

/// Whether this is a token (RFC 9110 section 5.6.2), as the name of every header is.
fn is_header_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

/// What each row and each caller of a matrix says by itself, and its `request` must not.
pub(crate) fn every_request(request: &RequestSpec) -> Vec<Fault> {
    let row = "each row states its own: `GET /orders`";
    let stated = [
        ("method", request.method.is_some(), row),
        ("path", request.path.is_some(), row),
        ("path_hex", request.path_hex.is_some(), row),
        ("token", request.token.is_some(), "name it in `callers`"),
    ];
    let fault = |(name, _, help): (&str, bool, &str)| {
        let message = format!("`{name}` is not one for every request of a matrix");
        (format!("matrix.request.{name}"), message, help.to_owned())
    };
    stated
        .into_iter()
        .filter(|(_, is_stated, _)| *is_stated)
        .map(fault)
        .collect()
}

/// The texts of a request that tokens are put into, each with its path.
fn collect<'r>(request: &'r RequestSpec, path: &str, texts: &mut Vec<(String, &'r str)>) {
    let named = [("path", &request.path), ("body", &request.body)];
    for (name, text) in named {
        texts.extend(text.as_deref().map(|text| (format!("{path}.{name}"), text)));
    }
    match &request.headers {
        HeadersSpec::Pairs(pairs) => {
            let values = pairs.iter().enumerate();
            texts.extend(values.map(|(at, (_, value))| (format!("{path}.headers[{at}]"), value.as_str())));
        }
        HeadersSpec::Mapping(mapping) => {
            for (name, values) in mapping {
                let values = OneOrMany::as_slice(values).iter();
                texts.extend(values.map(|value| (format!("{path}.headers.{name}"), value.as_str())));
            }
        }
    }
}
