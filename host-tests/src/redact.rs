//! Header lists for people: credentials are shown by their length alone.

use std::fmt;

/// Shows headers with the values of credentials left out.
pub(crate) struct Redacted<'h>(pub(crate) &'h [(Vec<u8>, Vec<u8>)]);

const SECRET: [&[u8]; 6] = [
    b"authorization",
    b"proxy-authorization",
    b"cookie",
    b"set-cookie",
    b"x-api-key",
    b"dpop",
];

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, value)| Field(name, value)))
            .finish()
    }
}

/// Whether a header of this name holds a credential.
pub(crate) fn is_secret(name: &[u8]) -> bool {
    SECRET.iter().any(|secret| secret.eq_ignore_ascii_case(name))
}

struct Field<'h>(&'h [u8], &'h [u8]);

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.escape_ascii();
        if is_secret(self.0) {
            return write!(f, "{name}: [{} bytes]", self.1.len());
        }
        write!(f, "{name}: {}", self.1.escape_ascii())
    }
}
