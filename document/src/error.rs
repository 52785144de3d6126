//! The error of a policy document: what is wrong, in which field, and what would be right.
//!
//! Positions (file, line, column) are not known here: they are looked up from the field's path by
//! whoever read the text.

use std::fmt;

/// One fault of a policy document.
///
/// `path` is the path of the field, as in `authorization.routes[3].match.path`. A compiler of a section
/// names it relative to its section; [`PolicyError::within`] completes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    /// A stable identifier of the kind of fault, in `snake_case`.
    pub code: &'static str,
    /// The path of the field at fault; empty for the document itself.
    pub path: String,
    /// What is wrong: one line, lower case, user input in backticks.
    pub message: String,
    /// What would be right.
    pub help: String,
}

impl PolicyError {
    /// A fault of the field at `path`.
    #[must_use]
    pub fn new(
        code: &'static str,
        path: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            code,
            path: path.into(),
            message: message.into(),
            help: help.into(),
        }
    }

    /// The same fault, its path completed by the `section` that holds it.
    #[must_use]
    pub fn within(mut self, section: &str) -> Self {
        self.path = match (section.is_empty(), self.path.is_empty()) {
            (true, _) => self.path,
            (_, true) => section.to_owned(),
            (false, false) if self.path.starts_with('[') => format!("{section}{}", self.path),
            (false, false) => format!("{section}.{}", self.path),
        };
        self
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "{} ({})", self.message, self.help),
            path => write!(f, "{path}: {} ({})", self.message, self.help),
        }
    }
}

impl std::error::Error for PolicyError {}

#[cfg(test)]
mod tests {
    use super::PolicyError;

    #[test]
    fn a_section_completes_the_path() {
        let at = |path: &str| PolicyError::new("x", path, "m", "h").within("authorization").path;
        assert_eq!(at("routes[3].match"), "authorization.routes[3].match");
        assert_eq!(at("[3]"), "authorization[3]");
        assert_eq!(at(""), "authorization");
    }
}
