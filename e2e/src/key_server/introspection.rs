//! An introspection endpoint (RFC 7662): it answers who proves to be a client, and says of each token what it
//! was told to say.

use std::collections::BTreeMap;
use std::fmt;

use scopegate_harness::upstream::form_field;
use serde_json::{Value, json};

use super::document::Reply;
use crate::upstream::Seen;

/// What an introspection endpoint knows.
#[derive(Clone, Default, PartialEq)]
pub struct Introspection {
    credentials: Option<String>,
    tokens: BTreeMap<String, Value>,
}

impl fmt::Debug for Introspection {
    /// Without the password and the tokens.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Introspection")
            .field("tokens", &self.tokens.len())
            .finish_non_exhaustive()
    }
}

impl Introspection {
    /// An endpoint that knows no token, and answers those who prove themselves by this name and password
    /// (RFC 6749 section 2.3.1: each is form-encoded before they are joined).
    #[must_use]
    pub fn with_client(username: &str, password: &str) -> Self {
        let pair = format!("{}:{}", encoded(username), encoded(password));
        let credentials = base64_simd::STANDARD.encode_to_string(pair);
        Self {
            credentials: Some(credentials),
            tokens: BTreeMap::new(),
        }
    }

    /// The same, and this token is active with these members.
    #[must_use]
    pub fn active(mut self, token: &str, mut members: Value) -> Self {
        if let Some(members) = members.as_object_mut() {
            members.insert("active".to_owned(), json!(true));
        }
        self.tokens.insert(token.to_owned(), members);
        self
    }

    /// The same, and this is answered for the token whatever it is.
    #[must_use]
    pub fn says(mut self, token: &str, answer: Value) -> Self {
        self.tokens.insert(token.to_owned(), answer);
        self
    }

    pub(super) fn reply(&self, request: &Seen) -> Reply {
        if request.method != b"POST" {
            return Reply::empty(405);
        }
        if request.header("content-type").as_deref() != Some("application/x-www-form-urlencoded") {
            return Reply::empty(415);
        }
        if !self.knows(request.header("authorization").as_deref()) {
            let mut reply = Reply::empty(401);
            let challenge = b"Basic realm=\"introspection\"".to_vec();
            reply.headers.push((b"www-authenticate".to_vec(), challenge));
            return reply;
        }
        let Some(token) = form_field(&request.body, "token") else {
            return Reply::empty(400);
        };
        // RFC 7662 section 2.2: of a token that it does not know, it says no more than this.
        let unknown = json!({"active": false});
        let answer = self.tokens.get(&token).unwrap_or(&unknown);
        Reply::new(200, "application/json", answer.to_string().into_bytes())
    }

    fn knows(&self, authorization: Option<&str>) -> bool {
        let given = authorization.and_then(|value| value.strip_prefix("Basic "));
        match &self.credentials {
            Some(credentials) => given == Some(credentials),
            None => true,
        }
    }
}

fn encoded(text: &str) -> String {
    let each = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::{encoded, form_field};

    #[test]
    fn what_is_encoded_is_decoded_to_the_same() {
        let text = "pä:ss w+rd%&=";
        let form = format!("p={}", encoded(text));
        assert_eq!(form_field(form.as_bytes(), "p").as_deref(), Some(text));
    }
}
