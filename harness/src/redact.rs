//! Texts without tokens: whatever a report shows goes through here.

use std::collections::BTreeMap;

/// Takes tokens out of texts. Shows none of them itself.
#[derive(Clone, Default)]
pub struct Redactor(Vec<(String, String)>);

/// A token this short may be part of any word: it is taken out where it is all of a text.
const SHORT: usize = 8;

/// How JSON Web Tokens begin, and how long what begins so must be to be taken for one.
const JWT: (&str, usize) = ("eyJ", 20);

impl Redactor {
    /// Knows these tokens, by name.
    #[must_use]
    pub fn of(tokens: &BTreeMap<String, String>) -> Self {
        let named = tokens.iter().filter(|(_, token)| !token.is_empty());
        let mut known: Vec<_> = named.map(|(name, token)| (name.clone(), token.clone())).collect();
        // One may be part of another.
        known.sort_by_key(|(_, token)| std::cmp::Reverse(token.len()));
        Self(known)
    }

    /// The text with the names of tokens in their place.
    #[must_use]
    pub fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, token) in &self.0 {
            let (bare, quoted) = (text == *token, text == format!("`{token}`"));
            if bare || quoted {
                return format!("<token {name}>");
            }
            if token.len() >= SHORT {
                text = text.replace(token, &format!("<token {name}>"));
            }
        }
        without_jwts(&text)
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} tokens)", self.0.len())
    }
}

/// Texts with what looks like a JSON Web Token taken out: proofs, and tokens that were changed.
fn without_jwts(text: &str) -> String {
    let (start, least) = JWT;
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=');
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(start) {
        let (before, from) = rest.split_at(at);
        let length = from.find(|c| !is_part(c)).unwrap_or(from.len());
        let (token, after) = from.split_at(length);
        cleaned.push_str(before);
        cleaned.push_str(if length >= least { "<token>" } else { token });
        rest = after;
    }
    cleaned.push_str(rest);
    cleaned
}

#[cfg(test)]
mod tests {
    use super::Redactor;

    #[test]
    fn no_token_is_left_in_a_text() {
        let tokens = [("key", "k-123456789"), ("short", "abc"), ("none", "")];
        let tokens = tokens.map(|(name, token)| (name.to_owned(), token.to_owned()));
        let redactor = Redactor::of(&tokens.into());
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln";
        for (text, cleaned) in [
            ("x-api-key: k-123456789!", "x-api-key: <token key>!"),
            ("`abc`", "<token short>"),
            ("abc", "<token short>"),
            ("the abc of it", "the abc of it"),
            ("eyJ is how they begin", "eyJ is how they begin"),
        ] {
            assert_eq!(redactor.clean(text), cleaned);
        }
        let text = format!("Bearer {jwt}, sid={jwt}; {jwt}");
        assert_eq!(redactor.clean(&text), "Bearer <token>, sid=<token>; <token>");
        assert_eq!(format!("{redactor:?}"), "Redactor(2 tokens)");
    }
}
