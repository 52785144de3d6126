//! The upstreams that a policy calls out to, as tests describe them: what each answers to which request. Every
//! executor serves these; nothing here sends anything.

use std::collections::BTreeMap;

use crate::exchange::{Headers, value_of};

/// Upstreams by name. Whoever is not here breaks every connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upstreams(BTreeMap<String, Vec<Rule>>);

/// What is answered to one kind of request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The method; any where there is none.
    pub method: Option<String>,
    /// The path without its query; any where there is none.
    pub path: Option<String>,
    /// Fields that the form in the body must have.
    pub form: BTreeMap<String, String>,
    /// What is answered.
    pub served: Served,
}

/// What becomes of a request to an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// It is answered.
    Answer {
        /// The status.
        status: u16,
        /// The headers.
        headers: Headers,
        /// The body.
        body: Vec<u8>,
    },
    /// The connection breaks.
    Broken,
    /// It is never answered.
    Silent,
}

/// A request to an upstream.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// The method.
    pub method: &'q [u8],
    /// The path, with its query.
    pub path: &'q [u8],
    /// The headers.
    pub headers: &'q Headers,
    /// The body.
    pub body: &'q [u8],
}

impl Upstreams {
    /// Every name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether the upstream of that name is described.
    #[must_use]
    pub fn describes(&self, upstream: &str) -> bool {
        self.0.contains_key(upstream)
    }

    /// Adds rules, which come before those that are there. One for the same requests is replaced.
    pub fn set(&mut self, upstream: &str, rules: Vec<Rule>) {
        let known = self.0.entry(upstream.to_owned()).or_default();
        known.retain(|old| !rules.iter().any(|new| new.is_for_what(old)));
        known.splice(0..0, rules);
    }

    /// What becomes of a request: the first rule that fits counts, and what no rule fits is 404.
    #[must_use]
    pub fn serve(&self, upstream: &str, question: &Question<'_>) -> Served {
        let Some(rules) = self.0.get(upstream) else {
            return Served::Broken;
        };
        let rule = rules.iter().find(|rule| rule.fits(question));
        rule.map_or_else(|| Served::status(404), |rule| rule.served.to(question))
    }
}

impl Rule {
    fn is_for_what(&self, other: &Self) -> bool {
        (&self.method, &self.path, &self.form) == (&other.method, &other.path, &other.form)
    }

    fn fits(&self, question: &Question<'_>) -> bool {
        let path = question
            .path
            .split(|byte| *byte == b'?')
            .next()
            .unwrap_or_default();
        let is = |wanted: &Option<String>, found: &[u8]| {
            wanted.as_ref().is_none_or(|wanted| wanted.as_bytes() == found)
        };
        let has = |(name, value): (&String, &String)| form_field(question.body, name).as_ref() == Some(value);
        is(&self.method, question.method) && is(&self.path, path) && self.form.iter().all(has)
    }
}

impl Served {
    /// An answer without headers and body.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// The same, but 304 for who has it already (RFC 9110 section 13.1.2).
    fn to(&self, question: &Question<'_>) -> Self {
        let Self::Answer { headers, .. } = self else {
            return self.clone();
        };
        let tag = value_of(headers, "etag");
        match tag.is_some() && value_of(question.headers, "if-none-match") == tag {
            true => Self::Answer {
                status: 304,
                headers: headers.clone(),
                body: Vec::new(),
            },
            false => self.clone(),
        }
    }
}

/// The value of a field of a form (`application/x-www-form-urlencoded`), where it can be decoded to text.
#[must_use]
pub fn form_field(form: &[u8], name: &str) -> Option<String> {
    let mut pairs = form.split(|byte| *byte == b'&');
    pairs.find_map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let found = decoded(halves.next()?)? == name;
        found
            .then(|| decoded(halves.next().unwrap_or_default()))
            .flatten()
    })
}

fn decoded(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [*rest.next()?, *rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Question, Rule, Served, Upstreams, form_field};

    fn rule(method: Option<&str>, path: Option<&str>, token: Option<&str>, status: u16) -> Rule {
        Rule {
            method: method.map(str::to_owned),
            path: path.map(str::to_owned),
            form: token
                .map(|token| ("token".to_owned(), token.to_owned()))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
            served: Served::status(status),
        }
    }

    fn ask(upstreams: &Upstreams, method: &str, path: &str, body: &str) -> Served {
        let question = Question {
            method: method.as_bytes(),
            path: path.as_bytes(),
            headers: &Vec::new(),
            body: body.as_bytes(),
        };
        upstreams.serve("idp", &question)
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        let mut upstreams = Upstreams::default();
        assert_eq!(ask(&upstreams, "GET", "/", ""), Served::Broken);
        upstreams.set(
            "idp",
            vec![
                rule(Some("POST"), Some("/introspect"), Some("a b"), 201),
                rule(Some("POST"), Some("/introspect"), None, 202),
                rule(None, Some("/jwks"), None, 203),
            ],
        );
        assert_eq!(
            ask(&upstreams, "POST", "/introspect", "x=1&token=a+b"),
            Served::status(201)
        );
        assert_eq!(
            ask(&upstreams, "POST", "/introspect", "token=c"),
            Served::status(202)
        );
        assert_eq!(ask(&upstreams, "GET", "/introspect", ""), Served::status(404));
        assert_eq!(ask(&upstreams, "GET", "/jwks?x=1", ""), Served::status(203));
        upstreams.set("idp", vec![rule(None, Some("/jwks"), None, 500)]);
        assert_eq!(ask(&upstreams, "GET", "/jwks", ""), Served::status(500));
        assert_eq!(
            ask(&upstreams, "POST", "/introspect", "token=c"),
            Served::status(202)
        );
    }

    #[test]
    fn who_has_a_document_is_told_that_it_is_the_same() {
        let mut upstreams = Upstreams::default();
        let mut tagged = rule(None, None, None, 200);
        tagged.served = Served::Answer {
            status: 200,
            headers: vec![(b"ETag".to_vec(), b"\"1\"".to_vec())],
            body: b"{}".to_vec(),
        };
        upstreams.set("idp", vec![tagged]);
        for (tag, expected) in [("\"1\"", 304), ("\"2\"", 200)] {
            let question = Question {
                method: b"GET",
                path: b"/",
                headers: &vec![(b"if-none-match".to_vec(), tag.into())],
                body: b"",
            };
            let served = upstreams.serve("idp", &question);
            assert!(
                matches!(&served, Served::Answer { status, .. } if *status == expected),
                "{served:?}"
            );
        }
    }

    #[test]
    fn a_field_of_a_form_is_decoded() {
        let form = b"a=1&token=x%2B+y%3d&token=2&bad=%2";
        assert_eq!(form_field(form, "token").as_deref(), Some("x+ y="));
        assert_eq!(form_field(form, "bad"), None);
        assert_eq!(form_field(form, "none"), None);
    }
}
