//! What upstreams do to a path, written as plainly as can be, each on its own.

/// Percent-decoding, once, of everything; `None` where it fails.
pub(crate) fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let hex = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

pub(crate) fn remove_dots(path: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let last = parts.last().copied().unwrap_or_default();
    for part in &parts {
        match *part {
            "." => {}
            ".." => drop(out.pop()),
            other => out.push(other),
        }
    }
    let slash = if last == "." || last == ".." { "/" } else { "" };
    let joined = format!("/{}{}", out.join("/"), if out.is_empty() { "" } else { slash });
    joined
}

pub(crate) fn merge(path: &str) -> String {
    let mut path = path.to_owned();
    while path.contains("//") {
        path = path.replace("//", "/");
    }
    path
}

pub(crate) fn backslash(path: &str) -> String {
    path.replace('\\', "/")
}

pub(crate) fn strip_parameters(path: &str) -> String {
    path.split('/')
        .map(|part| part.split(';').next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("/")
}

pub(crate) fn cut(path: &str) -> String {
    path.split(['?', '#']).next().unwrap_or_default().to_owned()
}

pub(crate) fn unescape_slashes(path: &str) -> String {
    ["%2F", "%2f"]
        .iter()
        .fold(path.to_owned(), |path, escape| path.replace(escape, "/"))
}

pub(crate) fn unescape_backslashes(path: &str) -> String {
    ["%5C", "%5c"]
        .iter()
        .fold(path.to_owned(), |path, escape| path.replace(escape, "\\"))
}

pub(crate) fn unescape_dots(path: &str) -> String {
    ["%2E", "%2e"]
        .iter()
        .fold(path.to_owned(), |path, escape| path.replace(escape, "."))
}

/// A step by its name.
pub(crate) type Step = (&'static str, fn(&str) -> String);

/// Every step but decoding.
pub(crate) const STEPS: &[Step] = &[
    ("dot segments", remove_dots),
    ("merge", merge),
    ("backslash", backslash),
    ("strip", strip_parameters),
    ("cut", cut),
    ("%2F", unescape_slashes),
    ("%5C", unescape_backslashes),
    ("%2E", unescape_dots),
];

/// The steps of real servers, in their order. Every one ends decoded.
pub(crate) fn all(path: &str) -> Vec<(&'static str, Option<String>)> {
    let raw = path.to_owned();
    let nginx = |path: &str| decode(path).map(|path| remove_dots(&merge(&path)));
    vec![
        ("plain decoding", decode(&raw)),
        (
            "RFC 3986, then decoding",
            decode(&remove_dots(&unescape_dots(&raw))),
        ),
        ("raw dot segments, then decoding", decode(&remove_dots(&raw))),
        (
            "decoding, then dot segments",
            decode(&raw).map(|path| remove_dots(&path)),
        ),
        ("nginx: decode, merge, dot segments", nginx(&raw)),
        (
            "merge first, then dot segments, then decoding",
            decode(&remove_dots(&merge(&raw))),
        ),
        (
            "decode, dot segments, merge",
            decode(&raw).map(|path| merge(&remove_dots(&path))),
        ),
        (
            "Envoy: backslash, dot segments, merge",
            decode(&merge(&remove_dots(&unescape_dots(&backslash(&raw))))),
        ),
        (
            "Envoy with escaped slashes",
            decode(&merge(&remove_dots(&unescape_dots(&backslash(
                &unescape_backslashes(&unescape_slashes(&raw)),
            ))))),
        ),
        (
            "Tomcat: strip, decode, dot segments",
            decode(&strip_parameters(&raw)).map(|path| remove_dots(&path)),
        ),
        (
            "Tomcat with merge",
            decode(&strip_parameters(&raw)).map(|path| merge(&remove_dots(&path))),
        ),
        (
            "Jetty: dot segments, strip, decode",
            decode(&strip_parameters(&remove_dots(&raw))),
        ),
        (
            "decode, strip, dot segments",
            decode(&raw).map(|path| remove_dots(&strip_parameters(&path))),
        ),
        (
            "IIS: decode, backslash, dot segments",
            decode(&raw).map(|path| remove_dots(&backslash(&path))),
        ),
        (
            "decode, backslash, strip, merge, dot segments",
            decode(&raw).map(|path| remove_dots(&merge(&strip_parameters(&backslash(&path))))),
        ),
        (
            "decode, then parse as a target again",
            decode(&raw).map(|path| cut(&path)),
        ),
        (
            "decode, parse again, backslash, dot segments",
            decode(&raw).map(|path| remove_dots(&backslash(&cut(&path)))),
        ),
        (
            "decode, parse again, strip, merge, dot segments",
            decode(&raw).map(|path| remove_dots(&merge(&strip_parameters(&cut(&path))))),
        ),
    ]
}
