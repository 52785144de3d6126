//! Collecting faults, so that an author sees all of them at once.

use scopegate_document::PolicyError;

/// The faults found so far.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<PolicyError>);

impl Faults {
    pub(crate) fn push(&mut self, fault: PolicyError) {
        self.0.push(fault);
    }

    pub(crate) fn add(
        &mut self,
        code: &'static str,
        path: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(PolicyError::new(code, path, message, help));
    }

    /// A value that the field cannot have.
    pub(crate) fn invalid(
        &mut self,
        path: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add("invalid_value", path, message, help);
    }

    /// A field that must be there.
    pub(crate) fn missing(&mut self, path: impl Into<String>, help: impl Into<String>) {
        let path = path.into();
        let field = path.rsplit('.').next().unwrap_or_default().to_owned();
        self.add("missing_field", path, format!("`{field}` is missing"), help);
    }

    /// A list that must not be empty.
    pub(crate) fn empty_list(&mut self, path: impl Into<String>) {
        let message = "the list is empty";
        self.add(
            "empty_list",
            path,
            message,
            "write at least one entry, or leave the field out where it is optional",
        );
    }

    /// Something that stands there twice.
    pub(crate) fn duplicate(
        &mut self,
        path: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add("duplicate", path, message, help);
    }

    /// A list of texts that must be there: not empty, no empty entry, none twice.
    pub(crate) fn check_texts(&mut self, path: &str, list: &[String]) {
        if list.is_empty() {
            self.empty_list(path);
        }
        for (index, text) in list.iter().enumerate() {
            let path = format!("{path}[{index}]");
            if text.is_empty() {
                self.invalid(path, "the entry is empty", "write a text, or remove the entry");
            } else if list.iter().take(index).any(|earlier| earlier == text) {
                let message = format!("`{}` stands here twice", text.escape_debug());
                self.duplicate(path, message, "remove one of them");
            }
        }
    }

    /// `value` where there are no faults.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Vec<PolicyError>> {
        match self.0.is_empty() {
            true => Ok(value),
            false => Err(self.0),
        }
    }
}
