//! Form fields (`application/x-www-form-urlencoded`), and the credentials of a client that are made of them.

use base64_simd::STANDARD;
use zeroize::Zeroizing;

/// Adds `text` to `form` as the name or the value of a field (RFC 6749 appendix B). Letters, digits, `-`, `.` and
/// `_` stay as they are; whoever decodes forms reads the rest from its escapes.
pub(super) fn encode(form: &mut String, text: &[u8]) {
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => form.push(char::from(*byte)),
            _ => {
                form.push('%');
                form.extend([byte >> 4, byte & 15].map(hex_digit));
            }
        }
    }
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16)
        .unwrap_or_default()
        .to_ascii_uppercase()
}

/// The value of `Authorization` for a client with a secret: HTTP Basic (RFC 7617) of both, each encoded as a form
/// field first (RFC 6749 section 2.3.1), so that a `:` in either is no end of the first.
pub(crate) fn authorization_of_client(id: &str, secret: &str) -> Zeroizing<String> {
    // An escape is three bytes: this never grows, and growing would leave the secret behind.
    let longest = id
        .len()
        .saturating_add(secret.len())
        .saturating_mul(3)
        .saturating_add(1);
    let mut pair = Zeroizing::new(String::with_capacity(longest));
    encode(&mut pair, id.as_bytes());
    pair.push(':');
    encode(&mut pair, secret.as_bytes());
    let encoded = Zeroizing::new(STANDARD.encode_to_string(pair.as_bytes()));
    Zeroizing::new(["Basic ", encoded.as_str()].concat())
}
