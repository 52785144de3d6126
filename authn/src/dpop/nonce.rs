//! Nonces that this server asks proofs for (RFC 9449 section 9): made from a secret and the time, stored nowhere.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use scopegate_document::UnixTime;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{base64url, limits};

/// What nonces are made with, so that the secret may serve other ends as well.
const LABEL: &[u8] = b"scopegate dpop nonce";

/// Issues nonces and knows its own again (RFC 9449 sections 8 and 9).
///
/// A nonce is an HMAC over the number of a window of time. Whoever holds the same secret issues and takes the same
/// ones: all workers of a host must share it.
pub struct Nonces {
    /// The secret, filled up with zeros to a block of SHA-256, as HMAC itself does (RFC 2104 section 2).
    block: Zeroizing<[u8; 64]>,
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces([redacted])")
    }
}

impl Nonces {
    /// Nonces made with `secret`: 32 bytes that nobody can guess.
    #[must_use]
    pub fn new(secret: &Zeroizing<[u8; 32]>) -> Self {
        let byte = |index: usize| secret.get(index).copied().unwrap_or_default();
        Self {
            block: Zeroizing::new(std::array::from_fn(byte)),
        }
    }

    /// The nonce to send in `DPoP-Nonce` at the time `now`. It is taken in this window of time and in the next one.
    #[must_use]
    pub fn issue(&self, now: UnixTime) -> String {
        base64url::encode(&self.of_window(window(now)))
    }

    /// Whether `nonce` was issued in this window of time or in the one before.
    pub(super) fn is_fresh(&self, nonce: &str, now: UnixTime) -> bool {
        let Some(given) = base64url::decode(nonce.as_bytes()) else {
            return false;
        };
        let this = window(now);
        let is_of = |window: i64| self.of_window(window).ct_eq(given.as_slice());
        (is_of(this) | is_of(this.saturating_sub(1))).into()
    }

    fn of_window(&self, window: i64) -> [u8; 32] {
        let mac = Hmac::<Sha256>::new((&*self.block).into());
        let mac = mac.chain_update(LABEL).chain_update(window.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}

fn window(now: UnixTime) -> i64 {
    now.0.div_euclid(limits::NONCE_WINDOW)
}

#[cfg(test)]
mod tests {
    use scopegate_document::UnixTime;
    use zeroize::Zeroizing;

    use super::Nonces;
    use crate::limits::NONCE_WINDOW;

    const START: UnixTime = UnixTime(1_795_338_000);

    fn nonces(byte: u8) -> Nonces {
        Nonces::new(&Zeroizing::new([byte; 32]))
    }

    #[test]
    fn a_nonce_is_fresh_in_its_window_and_in_the_next() {
        let (ours, nonce) = (nonces(1), nonces(1).issue(START));
        let cases = [
            (-1, false),
            (0, true),
            (NONCE_WINDOW - 1, true),
            (NONCE_WINDOW, true),
            (2 * NONCE_WINDOW - 1, true),
            (2 * NONCE_WINDOW, false),
            (i64::MAX, false),
        ];
        for (later, expected) in cases {
            assert_eq!(
                ours.is_fresh(&nonce, START.plus(later)),
                expected,
                "{later} s later"
            );
        }
    }

    #[test]
    fn nobody_else_makes_a_nonce() {
        let nonce = nonces(1).issue(START);
        assert!(!nonces(2).is_fresh(&nonce, START));
        let cut: String = nonce.chars().take(42).collect();
        let last = if nonce.ends_with('A') { "E" } else { "A" };
        for other in [
            String::new(),
            "A".repeat(43),
            cut.clone(),
            format!("{cut}{last}"),
            format!("{nonce}="),
            format!(" {nonce}"),
            format!("{nonce}{nonce}"),
            nonce.to_uppercase(),
        ] {
            assert!(!nonces(1).is_fresh(&other, START), "{other}");
        }
    }

    #[test]
    fn a_nonce_is_of_the_characters_that_the_header_takes_and_changes_with_the_window() {
        let now = nonces(1).issue(START);
        assert_eq!(now.len(), 43);
        assert!(
            now.bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
        );
        assert_eq!(now, nonces(1).issue(START.plus(NONCE_WINDOW - 1)));
        assert_ne!(now, nonces(1).issue(START.plus(NONCE_WINDOW)));
    }

    #[test]
    fn a_clock_at_either_end_of_time_does_no_harm_and_the_secret_is_not_shown() {
        for now in [UnixTime(i64::MIN), UnixTime(-1), UnixTime(0), UnixTime(i64::MAX)] {
            let nonce = nonces(1).issue(now);
            assert!(nonces(1).is_fresh(&nonce, now), "{now}");
        }
        assert_eq!(format!("{:?}", nonces(7)), "Nonces([redacted])");
    }
}
