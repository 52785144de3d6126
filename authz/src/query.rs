//! The query of a request, decoded strictly, for whoever asks for a parameter by name.
//!
//! Upstreams read queries in many ways: some take `;` for a separator, some `+` for a blank, some let a bad escape
//! stand, some read `name[]` as `name`, some `a.b` as `a_b`. Where that leaves open what one of them would find under
//! a name that is asked for, the answer is [`Unclear`], never a guess. A query that nobody asks about is not looked at,
//! and one that is asked about several times is decoded once.

use std::borrow::Cow;

use smallvec::SmallVec;

/// The most parameters that are looked at: PHP and Node.js read no more than 1,000 by default, so that what comes
/// later is there for some upstreams only.
const MAX_PARAMETERS: usize = 1_000;

/// The longest query that is looked at, in bytes: each name that is asked for is compared with all of it, before
/// anybody has said who asks.
const MAX_BYTES: usize = 16_384;

/// A query, as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<'r> {
    target: &'r [u8],
}

/// What an upstream would find is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unclear;

/// The values of one parameter, in their order.
pub(crate) type Values<'r> = SmallVec<[Cow<'r, str>; 1]>;

/// A parameter: name and value, decoded.
pub(crate) type Parameter<'r> = (Cow<'r, str>, Cow<'r, str>);

/// A text of the query, decoded once, and whether every upstream decodes it so.
#[derive(Debug)]
struct Decoded<'r> {
    text: Cow<'r, [u8]>,
    is_clear: bool,
    /// From where on it is open what the text is: at a broken escape, or what is no UTF-8.
    open_from: usize,
}

/// The parameters of a query, their names decoded.
#[derive(Debug, Default)]
pub(crate) struct Parameters<'r> {
    named: Vec<Named<'r>>,
}

#[derive(Debug)]
struct Named<'r> {
    name: Decoded<'r>,
    /// As it is written. `None`: the parameter is there only for those who take `;` for a separator.
    value: Option<&'r [u8]>,
}

impl<'r> Query<'r> {
    /// The query of a request target, in origin or absolute form. Nothing is looked at yet.
    pub(crate) const fn of(target: &'r [u8]) -> Self {
        Self { target }
    }

    /// Its parameters, for whoever asks for some by name.
    ///
    /// # Errors
    /// When upstreams read different parts of it, or it is too long.
    pub(crate) fn named(&self) -> Result<Parameters<'r>, Unclear> {
        let mut named = Vec::new();
        for parameter in self.split()? {
            let (name, value) = split_at(parameter, b'=');
            let value = Some(value.unwrap_or_default());
            named.push(Named {
                name: decode(name),
                value,
            });
            if parameter.contains(&b';') {
                let parts = parameter.split(|byte| *byte == b';');
                named.extend(parts.map(|part| Named {
                    name: decode(split_at(part, b'=').0),
                    value: None,
                }));
            }
        }
        Ok(Parameters { named })
    }

    /// All parameters, decoded, in their order.
    ///
    /// # Errors
    /// When an upstream could read any of them in another way.
    pub(crate) fn parameters(&self) -> Result<Vec<Parameter<'r>>, Unclear> {
        let read = |parameter: &'r [u8]| {
            let (name, value) = split_at(parameter, b'=');
            let texts = (decode(name).text(), decode(value.unwrap_or_default()).text());
            let both = texts.0.zip(texts.1);
            both.filter(|(name, _)| !name.contains('[')).ok_or(Unclear)
        };
        self.split()?.map(read).collect()
    }

    /// The parameters as they are written, without empty ones.
    fn split(&self) -> Result<impl Iterator<Item = &'r [u8]> + use<'r>, Unclear> {
        let (path, query) = split_at(self.target, b'?');
        let query = query.unwrap_or_default();
        if query.len() > MAX_BYTES {
            return Err(Unclear);
        }
        let separators = query.iter().filter(|byte| matches!(byte, b'&' | b';')).count();
        // To whoever decodes before parsing, the query begins or ends elsewhere.
        if separators >= MAX_PARAMETERS || has_escaped_delimiter(path) {
            return Err(Unclear);
        }
        let parameters = query.split(|byte| *byte == b'&');
        Ok(parameters.filter(|parameter| !parameter.is_empty()))
    }
}

impl<'r> Decoded<'r> {
    /// Whether some upstream could read this as `name`.
    fn could_be(&self, name: &str) -> bool {
        if *self.text == *name.as_bytes() {
            return true;
        }
        let mut seen = form(&self.text).peekable();
        for (_, wanted) in form(name.as_bytes()) {
            // Some drop control characters.
            while seen
                .next_if(|(at, byte)| *at < self.open_from && byte.is_ascii_control())
                .is_some()
            {}
            match seen.next() {
                Some((at, _)) if at >= self.open_from => return true,
                Some((_, byte)) if byte == wanted => {}
                _ => return false,
            }
        }
        let rest = self
            .text
            .get(seen.peek().map_or(self.text.len(), |(at, _)| *at)..);
        let rest = rest.unwrap_or_default();
        let is_over = |first: &u8| matches!(first, b'[' | b']') || first.is_ascii_control();
        rest.first().is_none_or(is_over)
            || rest.iter().all(|byte| matches!(byte, b' ' | b'+'))
            || self.text.len().saturating_sub(rest.len()) >= self.open_from
    }

    /// The text, where every upstream reads the same.
    fn text(self) -> Option<Cow<'r, str>> {
        if !self.is_clear {
            return None;
        }
        match self.text {
            Cow::Borrowed(text) => std::str::from_utf8(text).ok().map(Cow::Borrowed),
            Cow::Owned(text) => String::from_utf8(text).ok().map(Cow::Owned),
        }
    }
}

impl<'r> Parameters<'r> {
    /// The values of the parameter called `name`, decoded; `a` and `a=` are both there with an empty value.
    ///
    /// # Errors
    /// When an upstream could find something else under that name.
    pub(crate) fn values(&self, name: &str) -> Result<Values<'r>, Unclear> {
        let mut values = Values::new();
        for Named { name: seen, value } in &self.named {
            if !seen.could_be(name) {
                continue;
            }
            let is_whole = seen.is_clear && seen.text.as_ref() == name.as_bytes();
            let value = value.filter(|_| is_whole).and_then(|value| decode(value).text());
            values.push(value.ok_or(Unclear)?);
        }
        Ok(values)
    }
}

/// Whether an upstream could read a parameter that is called `seen` as one that is called `name`.
pub(crate) fn could_be(seen: &str, name: &str) -> bool {
    let text = Cow::Borrowed(seen.as_bytes());
    let decoded = Decoded {
        text,
        is_clear: true,
        open_from: seen.len(),
    };
    decoded.could_be(name)
}

/// What is left of a name, byte by byte and where it is, when all is done to it that upstreams do to names. PHP drops
/// the blanks before it and writes `_` for blanks, `.` and a `[` that is not closed; Rack and Node.js read `[name]` as
/// `name`; others drop a `?` that begins the query once more.
fn form(name: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let is_dropped = |byte: u8| matches!(byte, b' ' | b'+' | b'[' | b']' | b'?') || byte.is_ascii_control();
    let bytes = name.iter().copied().enumerate();
    bytes
        .skip_while(move |(_, byte)| is_dropped(*byte))
        .map(|(at, byte)| match byte {
            b' ' | b'+' | b'.' | b'[' => (at, b'_'),
            other => (at, other),
        })
}

/// Decodes once. A bad escape stands as it is; it, a `+`, a `;` and a control character leave open what is meant.
fn decode(text: &[u8]) -> Decoded<'_> {
    let is_odd = |byte: &u8| matches!(byte, b'%' | b'+' | b';') || byte.is_ascii_control();
    if !text.iter().any(is_odd) {
        return Decoded {
            text: Cow::Borrowed(text),
            is_clear: true,
            open_from: valid_up_to(text),
        };
    }
    let mut is_clear = true;
    let mut broken = None;
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let escaped = (*first == b'%').then(|| escape(after)).flatten();
        match escaped {
            Some((byte, after)) => {
                is_clear &= !byte.is_ascii_control();
                decoded.push(byte);
                rest = after;
            }
            None => {
                is_clear &= !is_odd(first);
                if *first == b'%' {
                    broken.get_or_insert(decoded.len());
                }
                decoded.push(*first);
            }
        }
    }
    let valid = valid_up_to(&decoded);
    Decoded {
        text: Cow::Owned(decoded),
        is_clear,
        open_from: broken.map_or(valid, |broken| broken.min(valid)),
    }
}

fn valid_up_to(text: &[u8]) -> usize {
    std::str::from_utf8(text).map_or_else(|error| error.valid_up_to(), str::len)
}

fn escape(after: &[u8]) -> Option<(u8, &[u8])> {
    let ([high, low], rest) = after.split_first_chunk()?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(*high)?.checked_mul(16)?.checked_add(digit(*low)?)?;
    Some((u8::try_from(value).ok()?, rest))
}

fn has_escaped_delimiter(path: &[u8]) -> bool {
    let is_delimiter = |window: &[u8]| matches!(window, [b'%', b'3', b'f' | b'F'] | [b'%', b'2', b'3']);
    path.windows(3).any(is_delimiter)
}

/// What is before the first `at`, and what is after it.
fn split_at(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    let mut parts = text.splitn(2, |byte| *byte == at);
    (parts.next().unwrap_or_default(), parts.next())
}

#[cfg(test)]
mod tests {
    use super::{MAX_BYTES, MAX_PARAMETERS, Query, Unclear};
    use proptest::prelude::*;

    /// The values of `name`, or `None` where they are not clear.
    fn values(target: &str, name: &str) -> Option<Vec<String>> {
        let found = Query::of(target.as_bytes()).named().ok()?.values(name).ok()?;
        Some(found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_parameter_is_found_by_its_decoded_name() {
        let rows: &[(&str, &str, &[&str])] = &[
            ("/a", "x", &[]),
            ("/a?", "x", &[]),
            ("/a?y=1", "x", &[]),
            ("/a?x=1", "x", &["1"]),
            ("/a?x", "x", &[""]),
            ("/a?x=", "x", &[""]),
            ("/a?&&x=1&", "x", &["1"]),
            ("/a?x=1&x=2&x=1", "x", &["1", "2", "1"]),
            ("/a?x=a=b", "x", &["a=b"]),
            ("/a?x=a?b", "x", &["a?b"]),
            ("/a?%78=%31", "x", &["1"]),
            ("/a?x=caf%C3%A9", "x", &["caf\u{e9}"]),
            ("/a?x=caf\u{e9}", "x", &["caf\u{e9}"]),
            ("/a?x=%2B%26%3D%3B", "x", &["+&=;"]),
            ("/a?X=1", "x", &[]),
            ("/a?xx=1&ax=2", "x", &[]),
            ("/a?a%26x=1", "x", &[]),
            ("/a?=1", "x", &[]),
            ("https://h/a?x=1", "x", &["1"]),
            ("https://h?x=1", "x", &["1"]),
            ("/a%2Fb?x=1", "x", &["1"]),
            // What is odd elsewhere does not matter here.
            ("/a?q=a+b&x=1", "x", &["1"]),
            ("/a?q=100%&x=1", "x", &["1"]),
            ("/a?q=%ff&x=1", "x", &["1"]),
            ("/a?q=a;b&x=1", "x", &["1"]),
            ("/a?q[]=1&x=1", "x", &["1"]),
            ("/a?a.x=1&xx.=2&x_=3&%20y=4&x=1", "x", &["1"]),
            ("/a?a.b=1", "a.b", &["1"]),
            ("/a?filter[owner]=1&filter[status]=2", "filter[status]", &["2"]),
        ];
        for (target, name, expected) in rows {
            let expected = expected.iter().map(|value| (*value).to_owned()).collect();
            assert_eq!(values(target, name), Some(expected), "{target}");
        }
    }

    #[test]
    fn what_upstreams_read_in_several_ways_is_unclear() {
        let rows = [
            ("/a?x=1+2", "x"),
            ("/a?x=%", "x"),
            ("/a?x=%4", "x"),
            ("/a?x=%zz", "x"),
            ("/a?x=%u0031", "x"),
            ("/a?x=%ff", "x"),
            ("/a?x=%c0%af", "x"),
            ("/a?x=1%00", "x"),
            ("/a?x=%0a", "x"),
            ("/a?x=1;y=2", "x"),
            ("/a?y=2;x=1", "x"),
            ("/a?y=2;%78=1", "x"),
            ("/a?x;y", "x"),
            ("/a?;x=1", "x"),
            ("/a?x[]=1", "x"),
            ("/a?x%5B0%5D=1", "x"),
            ("/a?x%5Bk=1", "x"),
            ("/a?dry+run=1", "dry run"),
            ("/a?dry+run=1", "dry+run"),
            ("/a%3Fx=1?x=2", "x"),
            ("/a%3fb", "x"),
            ("/a%23b?x=2", "x"),
        ];
        for (target, name) in rows {
            assert_eq!(values(target, name), None, "{target}");
        }
        // What PHP, Rack, Node.js and others make of names.
        for written in [
            "admin_mode%00",
            "admin_mode%00x",
            "admin_mode%0d",
            "%0aadmin_mode",
            "admin%0a_mode",
            "%20admin_mode",
            "+admin_mode",
            "admin_mode%20",
            "admin.mode",
            "admin%2emode",
            "admin[mode",
            "admin%5Bmode",
            "admin+mode",
            "admin%20mode",
            "admin%2Bmode",
            "%20%20admin.mode[]",
            "[admin_mode]",
            "admin_mode]",
            "?admin_mode",
            "%u0061dmin_mode",
            "admin_mod%u0065",
            "admin_mode%",
            "admin_mode%zz",
            "admin%_mode",
            "%c1%a1dmin_mode",
            "admin%ff_mode",
            "y=2;admin.mode",
            "y;+admin_mode",
        ] {
            let target = |rest: &str| format!("/mq?{written}=1{rest}");
            assert_eq!(values(&target(""), "admin_mode"), None, "{written}");
            assert_eq!(values(&target("&admin_mode=2"), "admin_mode"), None, "{written}");
        }
        let many = |count: usize| format!("/?{}", "a&".repeat(count));
        assert_eq!(
            values(&format!("{}x=1", many(MAX_PARAMETERS - 1)), "x"),
            Some(vec!["1".to_owned()])
        );
        assert_eq!(values(&format!("{}x=1", many(MAX_PARAMETERS)), "x"), None);
        assert_eq!(values(&format!("/?x={}", ";".repeat(MAX_PARAMETERS)), "y"), None);
        let long = |count: usize| format!("/?y={}", "a".repeat(count));
        assert_eq!(values(&long(MAX_BYTES - 2), "x"), Some(vec![]));
        assert_eq!(values(&long(MAX_BYTES - 1), "x"), None);
    }

    #[test]
    fn all_parameters_are_given_where_all_are_clear() {
        let all = |target: &'static str| {
            let found = Query::of(target.as_bytes()).parameters()?;
            Ok(found
                .into_iter()
                .map(|(name, value)| format!("{name}:{value}"))
                .collect::<Vec<_>>())
        };
        assert_eq!(all("/a"), Ok(vec![]));
        assert_eq!(
            all("/a?b=%31&&a&b=2"),
            Ok(vec!["b:1".to_owned(), "a:".to_owned(), "b:2".to_owned()])
        );
        for target in [
            "/?a+b=1",
            "/?a=b+c",
            "/?a=1;b=2",
            "/?a=%",
            "/?a=%ff",
            "/?a[]=1",
            "/?a;b",
            "/%3F?a=1",
        ] {
            assert_eq!(all(target), Err(Unclear), "{target}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_answered(target in prop::collection::vec(any::<u8>(), 0..64)) {
            let query = Query::of(&target);
            let _ = (query.named().map(|named| named.values("x")), query.parameters());
        }

        /// What is clear is what a plain decoder reads, and what a sloppy one reads as well.
        #[test]
        fn what_is_clear_is_read_alike_by_all(
            pieces in prop::collection::vec(prop::sample::select(vec!["x", "y", "=", "&", ";", "+", "%", "%78", "%3D", "%26", "1", "[", "]", "%5B"]), 0..12),
        ) {
            let query = pieces.concat();
            let Some(clear) = values(&format!("/?{query}"), "x") else { return Ok(()) };
            let lenient = |text: &str, plus: &str| text.replace("%78", "x").replace("%3D", "=").replace("%26", "&").replace("%5B", "[").replace('+', plus);
            for separators in [&['&'][..], &['&', ';'][..]] {
                for plus in ["+", " "] {
                    let read: Vec<String> = query.split(separators).filter(|part| !part.is_empty()).filter_map(|part| {
                        let (name, value) = part.split_once('=').unwrap_or((part, ""));
                        (lenient(name, plus).split('[').next() == Some("x")).then(|| lenient(value, plus))
                    }).collect();
                    prop_assert_eq!(&read, &clear, "{}", query);
                }
            }
        }
    }
}
