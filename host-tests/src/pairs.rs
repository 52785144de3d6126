//! The wire form of header maps: a count, the lengths of all names and values, then each with a NUL after it.

use crate::headers::Headers;

/// What a host reads from a module: more than this counts as empty.
const MAX_BYTES: usize = 1024 * 1024;
const MAX_PAIRS: usize = 1024;

/// Writes pairs.
pub(crate) fn encode<'p>(pairs: impl Iterator<Item = &'p (Vec<u8>, Vec<u8>)> + Clone) -> Vec<u8> {
    let mut out = length(pairs.clone().count()).to_vec();
    for (name, value) in pairs.clone() {
        out.extend(length(name.len()));
        out.extend(length(value.len()));
    }
    for (name, value) in pairs {
        out.extend_from_slice(name);
        out.push(0);
        out.extend_from_slice(value);
        out.push(0);
    }
    out
}

fn length(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes()
}

/// Reads pairs. Anything malformed or too large is no pairs at all, as in proxy-wasm-cpp-host.
pub(crate) fn decode(bytes: &[u8]) -> Headers {
    if bytes.len() > MAX_BYTES {
        return Headers::new();
    }
    read(bytes).unwrap_or_default()
}

fn read(bytes: &[u8]) -> Option<Headers> {
    let mut rest = bytes;
    let count = number(&mut rest)?;
    if count > MAX_PAIRS {
        return None;
    }
    let mut lengths = Vec::with_capacity(count);
    for _ in 0..count {
        lengths.push((number(&mut rest)?, number(&mut rest)?));
    }
    let mut pairs = Headers::with_capacity(count);
    for (name, value) in lengths {
        pairs.push((text(&mut rest, name)?, text(&mut rest, value)?));
    }
    rest.is_empty().then_some(pairs)
}

fn number(rest: &mut &[u8]) -> Option<usize> {
    let (head, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    usize::try_from(u32::from_le_bytes(*head)).ok()
}

fn text(rest: &mut &[u8], len: usize) -> Option<Vec<u8>> {
    let (head, tail) = rest.split_at_checked(len)?;
    let (nul, tail) = tail.split_first()?;
    *rest = tail;
    (*nul == 0).then(|| head.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let pairs: Headers = vec![
            (b"a".to_vec(), b"1".to_vec()),
            (Vec::new(), Vec::new()),
            (b"b".to_vec(), vec![0, 0xff, b'\n']),
        ];
        assert_eq!(decode(&encode(pairs.iter())), pairs);
        assert_eq!(decode(&encode(Headers::new().iter())), Headers::new());
    }

    #[test]
    fn malformed_pairs_count_as_none() {
        let good = encode([(b"name".to_vec(), b"value".to_vec())].iter());
        for cut in 0..good.len() {
            assert_eq!(decode(&good[..cut]), Headers::new(), "cut at {cut}");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert_eq!(decode(&longer), Headers::new(), "bytes after the last pair");
        let mut unterminated = good;
        *unterminated.last_mut().unwrap() = 1;
        assert_eq!(decode(&unterminated), Headers::new(), "no NUL after a value");
    }

    #[test]
    fn too_many_or_too_large_pairs_count_as_none() {
        let many = |count: usize| vec![(b"k".to_vec(), Vec::new()); count];
        assert_eq!(decode(&encode(many(1024).iter())).len(), 1024);
        assert_eq!(decode(&encode(many(1025).iter())).len(), 0);
        let large = |size: usize| [(b"k".to_vec(), vec![b'x'; size])];
        assert_eq!(decode(&encode(large(1024 * 1024 - 15).iter())).len(), 1);
        assert_eq!(decode(&encode(large(1024 * 1024 - 14).iter())).len(), 0);
        assert_eq!(decode(&[0xff; 4]).len(), 0, "a count alone");
    }
}
