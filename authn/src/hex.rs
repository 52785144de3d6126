//! Hexadecimal digits, for digests that are written so.

/// The SHA-256 that 64 hex digits stand for, in upper or lower case; nothing for any other text.
pub(crate) fn digest(text: &[u8]) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, digits) in digest.iter_mut().zip(text.chunks_exact(2)) {
        let &[high, low] = digits else { return None };
        *byte = nibble(high)? << 4 | nibble(low)?;
    }
    Some(digest)
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn sixty_four_digits_are_a_digest() {
        let text = "00ff".repeat(16);
        let bytes = [0, 0xff].repeat(16);
        assert_eq!(
            digest(text.as_bytes()).as_ref().map(<[u8; 32]>::as_slice),
            Some(&*bytes)
        );
        assert_eq!(digest(text.to_uppercase().as_bytes()), digest(text.as_bytes()));
        let refused = [
            "",
            "00",
            text.trim_start_matches("00f"),
            &format!("{text}00"),
            &text.replace('f', "g"),
            &text.replace("00f", " +f"),
        ];
        for text in refused {
            assert_eq!(digest(text.as_bytes()), None, "{text}");
        }
    }
}
