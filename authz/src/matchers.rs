//! What a route matches beyond host, path and method: headers, query parameters, the content type of the body.
//!
//! Only here is it looked up in a request. A header or parameter that an upstream could read in another way is
//! [`Unclear`], and so is the request then: no route is guessed at.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::media_type::{MediaRange, MediaType};
use crate::query::{Parameters, Query, Unclear};

/// The headers of a request: names and values.
pub(crate) type Headers<'r> = &'r [(&'r [u8], &'r [u8])];

const CONTENT_TYPE: &str = "content-type";

/// What a route matches beyond host, path and method. Nothing: it matches whatever comes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Matchers {
    /// By name, in lower case, sorted.
    pub(crate) headers: Vec<Matcher>,
    /// By decoded name, sorted.
    pub(crate) query: Vec<Matcher>,
    /// Any of these; empty: any or none.
    pub(crate) content_types: Vec<MediaRange>,
}

/// What one header or parameter must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Matcher {
    pub(crate) name: String,
    pub(crate) wanted: Wanted,
}

/// What the value of a header or parameter must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// There, whatever it is.
    Present,
    /// Not there.
    Absent,
    /// One of these.
    Any(Vec<String>),
}

/// How specific the matchers of a route are: headers, query parameters, whether it names content types. More is
/// more specific.
pub(crate) type Specificity = (usize, usize, bool);

/// What the routes of one host and pattern look at, all together.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) headers: Vec<String>,
    pub(crate) query: Vec<String>,
    pub(crate) content_type: bool,
}

/// `None`: it is not there.
type HeaderValue<'r> = Option<&'r [u8]>;
type QueryValue<'r> = Option<Cow<'r, str>>;

/// What was found in a request under some names.
#[derive(Debug)]
pub(crate) struct Found<'n, 'r> {
    headers: SmallVec<[(&'n str, HeaderValue<'r>); 4]>,
    query: SmallVec<[(&'n str, QueryValue<'r>); 4]>,
    content_type: Option<MediaType<'r>>,
}

impl Matchers {
    pub(crate) fn is_empty(&self) -> bool {
        self.specificity() == (0, 0, false)
    }

    pub(crate) fn specificity(&self) -> Specificity {
        (
            self.headers.len(),
            self.query.len(),
            !self.content_types.is_empty(),
        )
    }

    /// Whether no request can have both.
    pub(crate) fn are_disjoint(&self, other: &Self) -> bool {
        let types = !self.content_types.is_empty() && !other.content_types.is_empty();
        let overlap = |range: &MediaRange| other.content_types.iter().any(|other| range.overlaps(other));
        exclude(&self.headers, &other.headers)
            || exclude(&self.query, &other.query)
            || (types && !self.content_types.iter().any(overlap))
    }

    /// Whether a request has all of it.
    pub(crate) fn fit(&self, found: &Found<'_, '_>) -> bool {
        self.fit_query(found)
            && self
                .headers
                .iter()
                .all(|matcher| matcher.wanted.fits(value_of(&found.headers, &matcher.name)))
            && (self.content_types.is_empty()
                || found
                    .content_type
                    .is_some_and(|media| self.content_types.iter().any(|range| range.covers(&media))))
    }

    /// Whether a request has what the query must have.
    pub(crate) fn fit_query(&self, found: &Found<'_, '_>) -> bool {
        let value = |name: &str| {
            let value = found.query.iter().find(|(other, _)| *other == name);
            value.and_then(|(_, value)| value.as_deref().map(str::as_bytes))
        };
        self.query
            .iter()
            .all(|matcher| matcher.wanted.fits(value(&matcher.name)))
    }
}

impl Wanted {
    fn fits(&self, value: Option<&[u8]>) -> bool {
        match (self, value) {
            (Self::Present, value) => value.is_some(),
            (Self::Absent, value) => value.is_none(),
            (Self::Any(values), Some(value)) => values.iter().any(|wanted| wanted.as_bytes() == value),
            (Self::Any(_), None) => false,
        }
    }

    /// Whether no value, or absence, fits both.
    fn excludes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Absent, Self::Absent) | (Self::Present, Self::Present | Self::Any(_)) => false,
            (Self::Any(_), Self::Present) => false,
            (Self::Absent, Self::Present | Self::Any(_)) | (Self::Present | Self::Any(_), Self::Absent) => {
                true
            }
            (Self::Any(values), Self::Any(others)) => !values.iter().any(|value| others.contains(value)),
        }
    }
}

impl Names {
    pub(crate) fn add(&mut self, matchers: &Matchers) {
        let add = |names: &mut Vec<String>, matchers: &[Matcher]| {
            for Matcher { name, .. } in matchers {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        };
        add(&mut self.headers, &matchers.headers);
        add(&mut self.query, &matchers.query);
        self.content_type |= !matchers.content_types.is_empty();
    }

    /// Looks the names up. A preflight says nothing of the headers and the body of the request it asks about: of it,
    /// only the query is looked at.
    ///
    /// # Errors
    /// When an upstream could find something else under one of the names.
    pub(crate) fn find<'n, 'r>(
        &'n self,
        headers: Headers<'r>,
        query: &Query<'r>,
        is_preflight: bool,
    ) -> Result<Found<'n, 'r>, Unclear> {
        let parameters = match self.query.is_empty() {
            true => Parameters::default(),
            false => query.named()?,
        };
        let parameter = |name: &'n String| Ok((name.as_str(), one(parameters.values(name)?)?));
        let mut found = Found {
            headers: SmallVec::new(),
            query: self.query.iter().map(parameter).collect::<Result<_, _>>()?,
            content_type: None,
        };
        if is_preflight {
            return Ok(found);
        }
        for name in &self.headers {
            found.headers.push((name, header(headers, name)?));
        }
        if self.content_type {
            let media = header(headers, CONTENT_TYPE)?.map(|value| MediaType::parse(value).ok_or(Unclear));
            found.content_type = media.transpose()?;
        }
        Ok(found)
    }
}

/// Whether one of two routes wants of a name what the other does not.
fn exclude(matchers: &[Matcher], others: &[Matcher]) -> bool {
    let excluded = |matcher: &Matcher| {
        let other = others.iter().find(|other| other.name == matcher.name);
        other.is_some_and(|other| matcher.wanted.excludes(&other.wanted))
    };
    matchers.iter().any(excluded)
}

fn value_of<'r>(found: &[(&str, HeaderValue<'r>)], name: &str) -> HeaderValue<'r> {
    found
        .iter()
        .find(|(other, _)| *other == name)
        .and_then(|(_, value)| *value)
}

/// The one value of a header, without the blanks around it (RFC 9110 section 5.5). Several fields are one where
/// their values are the same. `_` and `-` are the same in names to whoever passes them on in the style of CGI: a
/// header that only such an upstream would take for the one that is asked for makes it unclear.
fn header<'r>(headers: Headers<'r>, name: &str) -> Result<HeaderValue<'r>, Unclear> {
    let mut found = None;
    for (other, value) in headers.iter().filter(|(other, _)| other.len() == name.len()) {
        if !is_alike(other, name.as_bytes()) {
            continue;
        }
        let value = trim(value);
        let is_same = found.is_none_or(|found| found == value);
        if !is_same || !other.eq_ignore_ascii_case(name.as_bytes()) {
            return Err(Unclear);
        }
        found = Some(value);
    }
    Ok(found)
}

/// Whether two names of headers are the same but for case, `_` and `-`.
pub(crate) fn is_alike(name: &[u8], other: &[u8]) -> bool {
    let dashed = |byte: &u8| {
        if *byte == b'_' {
            b'-'
        } else {
            byte.to_ascii_lowercase()
        }
    };
    name.iter().map(dashed).eq(other.iter().map(dashed))
}

fn trim(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value
        .iter()
        .position(|byte| !is_blank(byte))
        .unwrap_or(value.len());
    let end = value
        .iter()
        .rposition(|byte| !is_blank(byte))
        .map_or(start, |last| last.saturating_add(1));
    value.get(start..end).unwrap_or_default()
}

/// The one value among several that are the same.
fn one(values: crate::query::Values<'_>) -> Result<QueryValue<'_>, Unclear> {
    let mut values = values.into_iter();
    let first = values.next();
    match values.all(|other| Some(&other) == first.as_ref()) {
        true => Ok(first),
        false => Err(Unclear),
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Headers, Matcher, Matchers, Names, Wanted};
    use crate::media_type::MediaRange;
    use crate::query::{Query, Unclear};

    /// Headers that are shown, and what comes of them.
    type Row<'r, T> = (Headers<'r>, T);
    type Answer = Result<bool, Unclear>;

    fn wants(name: &str, wanted: &[&str]) -> Matcher {
        let wanted = match wanted {
            ["+"] => Wanted::Present,
            ["-"] => Wanted::Absent,
            values => Wanted::Any(values.iter().map(|value| (*value).to_owned()).collect()),
        };
        Matcher {
            name: name.to_owned(),
            wanted,
        }
    }

    fn headers(matchers: &[(&str, &[&str])]) -> Matchers {
        let headers = matchers.iter().map(|(name, wanted)| wants(name, wanted));
        Matchers {
            headers: headers.collect(),
            ..Matchers::default()
        }
    }

    fn types(ranges: &[&str]) -> Matchers {
        let parse = |range: &&str| MediaRange::parse(range).expect(range);
        Matchers {
            content_types: ranges.iter().map(parse).collect(),
            ..Matchers::default()
        }
    }

    #[test]
    fn routes_are_disjoint_where_no_request_fits_both() {
        let rows: &[(Matchers, Matchers, bool)] = &[
            (headers(&[]), headers(&[]), false),
            (headers(&[("a", &["1"])]), headers(&[("a", &["1"])]), false),
            (headers(&[("a", &["1"])]), headers(&[("a", &["2"])]), true),
            (
                headers(&[("a", &["1", "2"])]),
                headers(&[("a", &["2", "3"])]),
                false,
            ),
            (headers(&[("a", &["1", "2"])]), headers(&[("a", &["3"])]), true),
            (headers(&[("a", &["1"])]), headers(&[("b", &["2"])]), false),
            (headers(&[("a", &["1"])]), headers(&[("a", &["+"])]), false),
            (headers(&[("a", &["1"])]), headers(&[("a", &["-"])]), true),
            (headers(&[("a", &["+"])]), headers(&[("a", &["-"])]), true),
            (headers(&[("a", &["-"])]), headers(&[("a", &["-"])]), false),
            (headers(&[("a", &["+"])]), headers(&[("a", &["+"])]), false),
            (
                headers(&[("a", &["1"]), ("b", &["x"])]),
                headers(&[("a", &["1"]), ("b", &["y"])]),
                true,
            ),
            (types(&["a/b"]), types(&["a/b"]), false),
            (types(&["a/b"]), types(&["a/c"]), true),
            (types(&["a/b"]), types(&["a/*"]), false),
            (types(&["a/*"]), types(&["b/*"]), true),
            (types(&["a/*"]), types(&["c/d", "a/b"]), false),
            (types(&["a/b"]), types(&[]), false),
        ];
        for (one, other, expected) in rows {
            assert_eq!(one.are_disjoint(other), *expected, "{one:?} {other:?}");
            assert_eq!(other.are_disjoint(one), *expected, "{other:?} {one:?}");
        }
    }

    fn fits(matchers: &Matchers, headers: Headers<'_>) -> Result<bool, Unclear> {
        let mut names = Names::default();
        names.add(matchers);
        let found: Found<'_, '_> = names.find(headers, &Query::of(b"/"), false)?;
        Ok(matchers.fit(&found))
    }

    #[test]
    fn a_header_fits_by_its_whole_value_and_is_unclear_where_upstreams_could_differ() {
        let version = headers(&[("x-v", &["1", "2"])]);
        let absent = headers(&[("x-v", &["-"])]);
        let rows: &[Row<'_, (Answer, Answer)>] = &[
            (&[], (Ok(false), Ok(true))),
            (&[(b"x-v", b"1")], (Ok(true), Ok(false))),
            (&[(b"X-V", b"2")], (Ok(true), Ok(false))),
            (&[(b"x-v", b" 1\t")], (Ok(true), Ok(false))),
            (&[(b"x-v", b"")], (Ok(false), Ok(false))),
            (&[(b"x-v", b"1, 1")], (Ok(false), Ok(false))),
            (&[(b"x-v", b"1;q=1")], (Ok(false), Ok(false))),
            (&[(b"x-v", b"11")], (Ok(false), Ok(false))),
            (&[(b"x-v", b"\xff")], (Ok(false), Ok(false))),
            (&[(b"x-w", b"1")], (Ok(false), Ok(true))),
            (&[(b"x-v", b"1"), (b"X-V", b"1")], (Ok(true), Ok(false))),
            (&[(b"x-v", b"1"), (b"x-v", b"2")], (Err(Unclear), Err(Unclear))),
            (&[(b"x-v", b"1"), (b"x-v", b"")], (Err(Unclear), Err(Unclear))),
            (&[(b"x_v", b"1")], (Err(Unclear), Err(Unclear))),
            (&[(b"x-v", b"1"), (b"X_V", b"1")], (Err(Unclear), Err(Unclear))),
        ];
        for (shown, (of_version, of_absent)) in rows {
            assert_eq!(fits(&version, shown), *of_version, "{shown:?}");
            assert_eq!(fits(&absent, shown), *of_absent, "{shown:?}");
        }
    }

    #[test]
    fn a_content_type_that_is_none_is_unclear() {
        let json = types(&["application/json", "text/*"]);
        let rows: &[Row<'_, Answer>] = &[
            (&[], Ok(false)),
            (&[(b"content-type", b"application/json")], Ok(true)),
            (&[(b"Content-Type", b"Application/JSON; charset=utf-8")], Ok(true)),
            (&[(b"content-type", b"text/csv")], Ok(true)),
            (&[(b"content-type", b"application/json-patch+json")], Ok(false)),
            (&[(b"content-type", b"")], Err(Unclear)),
            (&[(b"content-type", b"json")], Err(Unclear)),
            (
                &[(b"content-type", b"application/json, text/plain")],
                Err(Unclear),
            ),
            (
                &[
                    (b"content-type", b"text/plain"),
                    (b"content-type", b"application/json"),
                ],
                Err(Unclear),
            ),
            (&[(b"content_type", b"text/plain")], Err(Unclear)),
        ];
        for (shown, expected) in rows {
            assert_eq!(fits(&json, shown), *expected, "{shown:?}");
        }
    }
}
