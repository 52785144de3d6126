//! The query of a request, decoded.

/// A query that every upstream reads alike: names and values, decoded once, in order.
pub(crate) type Parameters = Vec<(String, String)>;

/// "A query that upstreams read in different ways there (bad escapes, `;` as separator, `+`)" is none.
pub(crate) fn read(query: Option<&str>) -> Option<Parameters> {
    let query = query.unwrap_or_default();
    if query.contains([';', '+']) {
        return None;
    }
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(pair).collect()
}

fn pair(written: &str) -> Option<(String, String)> {
    let (name, value) = written.split_once('=').unwrap_or((written, ""));
    Some((decode(name)?, decode(value)?))
}

fn decode(written: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = written.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            let digits = std::str::from_utf8(&digits).ok()?.to_owned();
            bytes.push(u8::from_str_radix(&digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The values of one parameter.
pub(crate) fn values<'q>(parameters: &'q Parameters, name: &str) -> Vec<&'q str> {
    let named = parameters.iter().filter(|(found, _)| found == name);
    named.map(|(_, value)| value.as_str()).collect()
}
