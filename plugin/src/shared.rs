//! What the workers of a process share. Hosts may look keys up by a hash alone (ngx_wasm_module: CRC-32), so every
//! value begins with its whole key, and a value under another key is no value.

use std::cell::Cell;

use crate::host::{self, HostError};

/// A number that no value has been given by any host so soon: it makes a first write fail where somebody was faster.
const NEVER_GIVEN: u32 = u32::MAX;

/// How large a value may be where a host fails the plugin for one that finds no room: little enough for the smallest zone
/// that makes sense in ngx_wasm_module.
const LIMITED_BYTES: usize = 256 * 1024;

thread_local! {
    static IS_LIMITED: Cell<bool> = const { Cell::new(false) };
}

/// From now on nothing is written that the host might fail for.
pub(crate) fn limit() {
    IS_LIMITED.set(true);
}

/// A value and the number by which to replace it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) value: Vec<u8>,
    cas: u32,
}

/// What stands under `key`. A value of another key counts as none, and is overwritten.
pub(crate) fn get(key: &str) -> Result<Option<Shared>, HostError> {
    let Some((bytes, cas)) = host::shared_data(key)? else {
        return Ok(None);
    };
    let value = unframed(key, &bytes);
    Ok(value.map(|value| Shared {
        value: value.to_vec(),
        cas,
    }))
}

/// Replaces what was read; `None` where there was nothing. `false` where another worker was faster.
pub(crate) fn replace(key: &str, read: Option<&Shared>, value: &[u8]) -> Result<bool, HostError> {
    let bytes = framed(key, value)?;
    match read {
        Some(shared) => host::set_shared_data(key, &bytes, shared.cas),
        None => create(key, &bytes),
    }
}

/// Puts a value under `key`, whatever stands there.
pub(crate) fn put(key: &str, value: &[u8]) -> Result<bool, HostError> {
    let cas = host::shared_data(key)?.map(|(_, cas)| cas);
    host::set_shared_data(key, &framed(key, value)?, cas.unwrap_or_default())
}

/// Hosts differ in what the number means for a key that is not there: Envoy takes 0 for "whatever stands there" and
/// any other number for a first write; ngx_wasm_module takes 0 alone for a first write.
fn create(key: &str, bytes: &[u8]) -> Result<bool, HostError> {
    if let Ok(true) = host::set_shared_data(key, bytes, NEVER_GIVEN) {
        return Ok(true);
    }
    match host::shared_data(key)? {
        None => host::set_shared_data(key, bytes, 0),
        // Another key's value, which a hash took for ours.
        Some((found, cas)) if unframed(key, &found).is_none() => host::set_shared_data(key, bytes, cas),
        Some(_) => Ok(false),
    }
}

/// # Errors
/// Where the value is larger than the host bears. Every worker is on its own then.
fn framed(key: &str, value: &[u8]) -> Result<Vec<u8>, HostError> {
    if IS_LIMITED.get() && value.len() > LIMITED_BYTES {
        return Err(HostError {
            function: "proxy_set_shared_data",
            status: host::BAD_ARGUMENT,
        });
    }
    let length = u32::try_from(key.len()).unwrap_or_default();
    Ok([&length.to_le_bytes()[..], key.as_bytes(), value].concat())
}

fn unframed<'b>(key: &str, bytes: &'b [u8]) -> Option<&'b [u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (found, value) = rest.split_at_checked(length)?;
    (found == key.as_bytes()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::{LIMITED_BYTES, framed, limit, unframed};

    #[test]
    fn a_value_of_another_key_is_no_value() {
        // Both have the CRC-32 0x4ddb0c25.
        let bytes = framed("plumless", b"value").unwrap();
        assert_eq!(unframed("plumless", &bytes), Some(&b"value"[..]));
        assert_eq!(unframed("buckeroo", &bytes), None);
        assert_eq!(unframed("plumles", &bytes), None);
        assert_eq!(unframed("plumlessvalue", &bytes), None);
        assert_eq!(unframed("plumless", b""), None);
    }

    #[test]
    fn a_value_is_bounded_where_hosts_fail_for_a_large_one() {
        let large = vec![0; LIMITED_BYTES + 1];
        assert!(framed("key", &large).is_ok());
        limit();
        assert!(framed("key", &large).is_err() && framed("key", &large[1..]).is_ok());
    }
}
