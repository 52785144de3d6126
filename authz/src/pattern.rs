//! Path patterns: `/tenants/{tenant}/orders`, `/files/**`.
//!
//! Only the text of a policy is read here; the paths of requests are read in `path` and matched in `router`.

/// The most segments of a pattern. No API nests deeper, and matching recurses once for each.
pub(crate) const MAX_SEGMENTS: usize = 128;

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) segments: Vec<Segment>,
    /// Whether it ends in `/**`.
    pub(crate) rest: bool,
}

/// A segment of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Itself, compared as decoded UTF-8.
    Literal(String),
    /// `{name}`: exactly one segment that is not empty.
    Parameter(String),
}

/// What is wrong with a text of the policy, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: help.into(),
        }
    }
}

impl Pattern {
    /// Reads a pattern of a policy.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let body = text.strip_prefix('/').ok_or_else(|| {
            Fault::new(
                format!("the pattern `{}` does not start with `/`", text.escape_debug()),
                "write a path, as in `/orders/{id}`",
            )
        })?;
        let (body, rest) = match body.strip_suffix("**") {
            Some("") => ("", true),
            Some(before) => match before.strip_suffix('/') {
                Some(before) => (before, true),
                None => (body, false),
            },
            None => (body, false),
        };
        if body.is_empty() && (!rest || text == "/**") {
            return Ok(Self {
                segments: Vec::new(),
                rest,
            });
        }
        let segments: Vec<Segment> = body
            .split('/')
            .map(|segment| parse_segment(segment, text))
            .collect::<Result<_, _>>()?;
        if segments.len() > MAX_SEGMENTS {
            return Err(Fault::new(
                format!("the pattern has {} segments", segments.len()),
                format!("write at most {MAX_SEGMENTS}"),
            ));
        }
        let pattern = Self { segments, rest };
        pattern.check_names()?;
        Ok(pattern)
    }

    /// Where in the path the parameter called `name` stands: the index of its segment.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.segments
            .iter()
            .position(|segment| matches!(segment, Segment::Parameter(other) if other == name))
    }

    /// The names of its parameters, in order.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.positions().map(|(_, name)| name)
    }

    /// The parameters, in order: the index of the segment, and the name.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (usize, &str)> {
        let segments = self.segments.iter().enumerate();
        segments.filter_map(|(position, segment)| match segment {
            Segment::Parameter(name) => Some((position, name.as_str())),
            Segment::Literal(_) => None,
        })
    }

    fn check_names(&self) -> Result<(), Fault> {
        let mut seen = std::collections::BTreeSet::new();
        match self.parameters().find(|name| !seen.insert(*name)) {
            Some(name) => Err(Fault::new(
                format!("the pattern names the parameter `{{{name}}}` twice"),
                "give each parameter a name of its own",
            )),
            None => Ok(()),
        }
    }
}

fn parse_segment(segment: &str, pattern: &str) -> Result<Segment, Fault> {
    if segment.contains(['{', '}']) {
        return parse_parameter(segment);
    }
    check_literal(segment, pattern)?;
    Ok(Segment::Literal(segment.to_owned()))
}

fn parse_parameter(segment: &str) -> Result<Segment, Fault> {
    let name = segment
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or_default();
    let valid = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '_');
    match valid {
        true => Ok(Segment::Parameter(name.to_owned())),
        false => Err(Fault::new(
            format!("the segment `{}` is no parameter", segment.escape_debug()),
            "a parameter is a whole segment: `{name}`, of letters, digits and `_`",
        )),
    }
}

fn check_literal(segment: &str, pattern: &str) -> Result<(), Fault> {
    let shown = segment.escape_debug();
    if segment.is_empty() {
        let trailing = pattern.ends_with('/');
        return Err(match trailing {
            true => Fault::new(
                "the pattern ends in `/`",
                "leave it out: one trailing slash of a request is ignored",
            ),
            false => Fault::new("the pattern has an empty segment", "write single slashes"),
        });
    }
    if matches!(segment, "." | "..") {
        return Err(Fault::new(
            format!("the pattern has the dot segment `{segment}`"),
            "write the path it leads to",
        ));
    }
    if segment.contains('*') {
        return Err(Fault::new(
            format!("the segment `{shown}` holds `*`, which is no wildcard here"),
            "write `{name}` for one segment, or end the pattern in `/**` for everything below",
        ));
    }
    let barred =
        |character: &char| matches!(character, '%' | '?' | '#' | '\\' | ';') || character.is_control();
    match segment.chars().find(barred) {
        Some(character) => Err(Fault::new(
            format!("the segment `{shown}` holds `{}`", character.escape_debug()),
            "write literals as decoded text, without `%`, `?`, `#`, `\\`, `;` and control characters",
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_SEGMENTS, Pattern, Segment};

    #[test]
    fn patterns_are_literals_parameters_and_a_rest() {
        let literal = |text: &str| Segment::Literal(text.to_owned());
        let parameter = |text: &str| Segment::Parameter(text.to_owned());
        let table: &[(&str, Vec<Segment>, bool)] = &[
            ("/", vec![], false),
            ("/**", vec![], true),
            ("/healthz", vec![literal("healthz")], false),
            (
                "/tenants/{tenant}/orders",
                vec![literal("tenants"), parameter("tenant"), literal("orders")],
                false,
            ),
            ("/files/**", vec![literal("files")], true),
            (
                "/caf\u{e9}/a b/x:y",
                vec![literal("caf\u{e9}"), literal("a b"), literal("x:y")],
                false,
            ),
            ("/{a}/{b_2}/**", vec![parameter("a"), parameter("b_2")], true),
            (
                "/.well-known/...",
                vec![literal(".well-known"), literal("...")],
                false,
            ),
        ];
        for (text, segments, rest) in table {
            let pattern = Pattern::parse(text).expect(text);
            assert_eq!((&pattern.segments, pattern.rest), (segments, *rest), "{text}");
        }
    }

    #[test]
    fn what_no_decoded_path_can_be_is_an_error() {
        let refused = [
            "",
            "orders",
            "//",
            "/a//b",
            "/a/",
            "/**/",
            "/**/a",
            "/a/**/b",
            "/a**",
            "/*",
            "/a/*",
            "/***",
            "/a/.",
            "/../a",
            "/a%2Fb",
            "/a?b",
            "/a#b",
            "/a\\b",
            "/a;b",
            "/a\u{0}",
            "/a\u{85}",
            "/{}",
            "/{a",
            "/a}",
            "/{a}b",
            "/{1}",
            "/{a-b}",
            "/{a}/{a}",
            "/{a}/x/{a}/**",
            "*",
            "/{*a}",
            "//**",
        ];
        for text in refused {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
        assert!(Pattern::parse(&"/a".repeat(MAX_SEGMENTS)).is_ok());
        assert!(Pattern::parse(&"/a".repeat(MAX_SEGMENTS + 1)).is_err());
    }

    #[test]
    fn a_parameter_is_found_by_its_name() {
        let pattern = Pattern::parse("/a/{x}/b/{y}").expect("a pattern");
        assert_eq!(
            (
                pattern.position("x"),
                pattern.position("y"),
                pattern.position("z")
            ),
            (Some(1), Some(3), None)
        );
    }
}
