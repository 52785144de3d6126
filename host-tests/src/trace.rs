//! The record of host calls: which, in which callback, by which context, about what, with which answer. Values only
//! where they were asked for, and those of credentials only by their length.

use std::fmt;

use crate::pairs;
use crate::redact::{Redacted, is_secret};

/// One call from the module into the host.
#[derive(Clone, PartialEq, Eq)]
pub struct HostCall {
    /// The callback in which it was made.
    pub callback: &'static str,
    /// The function, such as `proxy_get_header_map_value` or `fd_write`.
    pub function: &'static str,
    /// The context it was called for.
    pub context: u32,
    /// The arguments, as numbers: pointers and lengths among them.
    pub arguments: Vec<i64>,
    /// What it was about: the name of a header, the path of a property, a length. Never a value.
    pub about: String,
    /// The status it returned; for WASI an error number. `None` where the call failed the module.
    pub status: Option<i32>,
    /// The byte strings that the module handed over, in order, names among them. Empty unless values are recorded.
    pub taken: Vec<Vec<u8>>,
    /// The byte string that the module was given. `None` unless values are recorded.
    pub given: Option<Vec<u8>>,
}

/// How much of a value is shown.
const SHOWN_BYTES: usize = 120;

impl HostCall {
    /// The same without any value: each is replaced by its length.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let hide = |value: &Vec<u8>| format!("[{} bytes]", value.len()).into_bytes();
        Self {
            taken: self.taken.iter().map(hide).collect(),
            given: self.given.as_ref().map(hide),
            ..self.clone()
        }
    }

    /// Whether it is about a header that holds a credential, by its name or as a property.
    fn is_secret(&self) -> bool {
        let last = self.about.rsplit(r"\x00").find(|part| !part.is_empty());
        last.is_some_and(|name| is_secret(name.as_bytes()))
    }

    fn show(&self, f: &mut fmt::Formatter<'_>, value: &[u8]) -> fmt::Result {
        // The name is what it is about.
        if self.is_secret() && value.escape_ascii().to_string() != self.about {
            return write!(f, "[{} bytes]", value.len());
        }
        let decoded = pairs::decode(value);
        if !decoded.is_empty() {
            return write!(f, "{:?}", Redacted(&decoded));
        }
        let (head, rest) = value.split_at_checked(SHOWN_BYTES).unwrap_or((value, &[]));
        write!(f, "\"{}\"", head.escape_ascii())?;
        match rest.len() {
            0 => Ok(()),
            more => write!(f, " and {more} bytes"),
        }
    }
}

/// One line: `[2 proxy_on_request_headers] proxy_get_header_map_value "host" -> 0, "a.test"`.
impl fmt::Display for HostCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} {}] {}", self.context, self.callback, self.function)?;
        if self.taken.is_empty() && !self.about.is_empty() {
            write!(f, " \"{}\"", self.about)?;
        }
        for (position, value) in self.taken.iter().enumerate() {
            f.write_str(if position == 0 { " " } else { ", " })?;
            self.show(f, value)?;
        }
        match self.status {
            Some(status) => write!(f, " -> {status}")?,
            None => f.write_str(" -> the module was ended")?,
        }
        match &self.given {
            Some(given) => {
                f.write_str(", ")?;
                self.show(f, given)
            }
            None => Ok(()),
        }
    }
}

impl fmt::Debug for HostCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The calls so far.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) enabled: bool,
    /// Whether the bytes that go to and fro are kept.
    pub(crate) values: bool,
    pub(crate) calls: Vec<HostCall>,
    pub(crate) count: usize,
}
