//! What a bundle leaves open to the proxy that runs it: the names of upstreams, and which lines are logged. Nothing here
//! can say who is trusted or what is allowed; what is not declared open is refused.

use std::collections::BTreeMap;

use scopegate_document::json;
use serde_json::Value;

use crate::host::Level;

/// A field that a bundle may leave open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// The proxy's names of the upstreams that the policy names.
    Upstreams,
    /// The least level of the lines that are logged.
    LogLevel,
}

impl Field {
    const ALL: [Self; 2] = [Self::Upstreams, Self::LogLevel];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Upstreams => "upstreams",
            Self::LogLevel => "log_level",
        }
    }

    fn called(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// The fields that a list names, in JSON: what a bundle is made with.
    pub(crate) fn list(text: &[u8]) -> Result<Vec<Self>, String> {
        let fault = || "the list of open fields is no list of their names".to_owned();
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let list = json::parse(text).map_err(|_| fault())?;
        let names = list.as_array().ok_or_else(fault)?;
        let field = |name: &Value| {
            let name = name.as_str().ok_or_else(fault)?;
            Self::called(name).ok_or_else(|| format!("there is no open field `{}`", name.escape_debug()))
        };
        names.iter().map(field).collect()
    }
}

/// What a proxy's configuration set of the fields that are open.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Opened {
    upstreams: BTreeMap<String, String>,
    pub(crate) least: Option<Level>,
}

impl Opened {
    /// Reads the configuration of a bundle: nothing, or an object of fields that are open. `known` are the upstreams that
    /// the policy names.
    pub(crate) fn read(text: &[u8], open: &[Field], known: &[&str]) -> Result<Self, Vec<String>> {
        let mut opened = Self::default();
        if text.trim_ascii().is_empty() {
            return Ok(opened);
        }
        let members = json::parse_object(text).map_err(|error| {
            vec![format!(
                "this is a bundle: its configuration is empty, or a JSON object of open fields; {error}"
            )]
        })?;
        let mut faults = Vec::new();
        for (name, value) in &members {
            let set = match Field::called(name).filter(|field| open.contains(field)) {
                Some(field) => opened.set(field, value, known),
                None => Err(closed(name, open)),
            };
            faults.extend(set.err());
        }
        match faults.is_empty() {
            true => Ok(opened),
            false => Err(faults),
        }
    }

    fn set(&mut self, field: Field, value: &Value, known: &[&str]) -> Result<(), String> {
        match field {
            Field::Upstreams => self.upstreams = upstreams(value, known)?,
            Field::LogLevel => self.least = Some(level(value)?),
        }
        Ok(())
    }

    /// The proxy's name of an upstream.
    pub(crate) fn upstream<'n>(&'n self, name: &'n str) -> &'n str {
        self.upstreams.get(name).map_or(name, String::as_str)
    }

    /// What tells a document from those that others fetch by the same name from elsewhere.
    pub(crate) fn key(&self, document: String) -> String {
        let mut key = document;
        for (name, cluster) in &self.upstreams {
            key.push_str(&format!(" {name}={cluster}"));
        }
        key
    }
}

fn closed(name: &str, open: &[Field]) -> String {
    let name = name.escape_debug();
    match open {
        [] => format!("`{name}` cannot be set: this is a bundle that leaves nothing open"),
        open => {
            let names: Vec<_> = open.iter().map(|field| field.name()).collect();
            format!(
                "`{name}` cannot be set: this is a bundle that leaves open only `{}`",
                names.join("`, `")
            )
        }
    }
}

fn upstreams(value: &Value, known: &[&str]) -> Result<BTreeMap<String, String>, String> {
    let fault =
        || "`upstreams` is no object of names: {\"NAME IN THE POLICY\": \"NAME IN THE PROXY\"}".to_owned();
    let members = value.as_object().ok_or_else(fault)?;
    let named = |(name, value): (&String, &Value)| {
        let cluster = value
            .as_str()
            .filter(|cluster| !cluster.is_empty())
            .ok_or_else(fault)?;
        match known.contains(&name.as_str()) {
            true => Ok((name.clone(), cluster.to_owned())),
            false => Err(format!("the policy names no upstream `{}`", name.escape_debug())),
        }
    };
    members.iter().map(named).collect()
}

fn level(value: &Value) -> Result<Level, String> {
    match value.as_str() {
        Some("info") => Ok(Level::Info),
        Some("warn") => Ok(Level::Warn),
        Some("error") => Ok(Level::Error),
        Some(_) | None => Err("`log_level` is one of `info`, `warn`, `error`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Field, Opened};
    use crate::host::Level;

    const ALL: &[Field] = &Field::ALL;

    fn read(text: &str, open: &[Field]) -> Result<Opened, String> {
        Opened::read(text.as_bytes(), open, &["idp", "other"]).map_err(|faults| faults.join("; "))
    }

    #[test]
    fn nothing_is_set_by_nothing() {
        for text in ["", "  \n", "{}"] {
            assert_eq!(read(text, &[]), Ok(Opened::default()), "{text:?}");
        }
    }

    #[test]
    fn open_fields_are_set() {
        let opened = read(r#"{"upstreams": {"idp": "cluster_1"}, "log_level": "warn"}"#, ALL).unwrap();
        assert_eq!(
            (opened.upstream("idp"), opened.upstream("other")),
            ("cluster_1", "other")
        );
        assert_eq!(opened.least, Some(Level::Warn));
    }

    #[test]
    fn everything_else_is_refused() {
        let cases: &[(&str, &[Field], &str)] = &[
            (r#"{"upstreams": {}}"#, &[], "leaves nothing open"),
            (
                r#"{"upstreams": {}}"#,
                &[Field::LogLevel],
                "leaves open only `log_level`",
            ),
            (
                r#"{"scopegate": "v1", "authorization": {}}"#,
                ALL,
                "`authorization` cannot be set",
            ),
            (r#"{"upstreams": {"unknown": "x"}}"#, ALL, "no upstream `unknown`"),
            (r#"{"upstreams": {"idp": ""}}"#, ALL, "no object of names"),
            (r#"{"upstreams": {"idp": 1}}"#, ALL, "no object of names"),
            (r#"{"upstreams": []}"#, ALL, "no object of names"),
            (r#"{"log_level": "none"}"#, ALL, "one of"),
            (r#"{"log_level": "warn", "log_level": "warn"}"#, ALL, "log_level"),
            ("env:POLICY", ALL, "this is a bundle"),
            ("[]", ALL, "not an object"),
            ("null", ALL, "not an object"),
            ("{", ALL, "this is a bundle"),
        ];
        for (text, open, expected) in cases {
            let refused = read(text, open).unwrap_err();
            assert!(refused.contains(expected), "{text}: {refused}");
        }
    }

    #[test]
    fn documents_from_two_places_are_two() {
        let at = |cluster: &str| read(&format!(r#"{{"upstreams": {{"idp": "{cluster}"}}}}"#), ALL).unwrap();
        let key = |opened: &Opened| opened.key("idp https://idp".to_owned());
        assert_ne!(key(&at("a")), key(&at("b")));
        assert_eq!(key(&Opened::default()), "idp https://idp");
    }

    #[test]
    fn only_known_fields_can_be_left_open() {
        assert_eq!(Field::list(br#"["log_level"]"#), Ok(vec![Field::LogLevel]));
        assert_eq!(Field::list(b""), Ok(vec![]));
        assert!(Field::list(br#"["audiences"]"#).is_err());
        assert!(Field::list(b"{}").is_err());
    }
}
