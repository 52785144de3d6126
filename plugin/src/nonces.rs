//! The secret behind the nonces that proofs are asked for: made by the first worker that needs it, shared by all.

use scopegate_authn::Nonces;
use zeroize::Zeroizing;

use crate::shared;

const KEY: &str = "scopegate nonce secret";

/// The nonces of this process; nothing where its workers cannot share a secret.
pub(crate) fn of_process() -> Option<Nonces> {
    if let Some(nonces) = shared_secret() {
        return Some(nonces);
    }
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut_slice()).ok()?;
    // Another worker may have been faster: then its secret counts.
    let _ = shared::replace(KEY, None, secret.as_slice());
    shared_secret()
}

fn shared_secret() -> Option<Nonces> {
    let bytes = Zeroizing::new(shared::get(KEY).ok()??.value);
    let secret = Zeroizing::new(<[u8; 32]>::try_from(bytes.as_slice()).ok()?);
    Some(Nonces::new(&secret))
}
