//! Base64url without padding, and nothing else (RFC 7515 section 2).

use base64_simd::URL_SAFE_NO_PAD;

/// The bytes that `text` stands for; nothing where it is padded, holds another character, or its last bits
/// are not zero.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode_to_vec(text).ok()
}

/// The one text that stands for `bytes`.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// Whether `text` is base64url in its one canonical form.
pub(crate) fn is_valid(text: &[u8]) -> bool {
    URL_SAFE_NO_PAD.check(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{decode, encode, is_valid};

    #[test]
    fn only_the_one_canonical_form_is_read() {
        assert_eq!(decode(b"AQAB").as_deref(), Some(&[1, 0, 1][..]));
        assert_eq!(decode(b"-_8").as_deref(), Some(&[0xfb, 0xff][..]));
        assert_eq!(decode(b""), Some(Vec::new()));
        assert_eq!(encode(&[0xfb, 0xff]), "-_8");
        assert!(is_valid(b"-_8"));
        let refused: &[&[u8]] = &[
            b"AQ==",
            b"AQ=",
            b"AR",
            b"-_9",
            b"A",
            b"AQAB\n",
            b" AQAB",
            b"+/8",
            b"A\0AB",
            b"A.AB",
            b"\xff\xff",
        ];
        for text in refused {
            assert_eq!(decode(text), None, "{}", text.escape_ascii());
            assert!(!is_valid(text), "{}", text.escape_ascii());
        }
    }
}
