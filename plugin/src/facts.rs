//! The facts of a request, taken from the host as bytes. Nothing here is interpreted or trusted.

/// A header map, decoded: names and values as the host gave them.
pub(crate) type Pairs<'a> = Vec<(&'a [u8], &'a [u8])>;

/// The request: its pseudo-headers and its headers.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) method: &'a [u8],
    pub(crate) path: &'a [u8],
    pub(crate) authority: Option<&'a [u8]>,
    /// Whether the host tells the authority in two ways that differ.
    pub(crate) is_unclear: bool,
    pub(crate) headers: Pairs<'a>,
    pub(crate) request_id: Option<&'a [u8]>,
}

impl<'a> Facts<'a> {
    /// Reads the pairs of a request; `None` where the host shows only a part of it.
    pub(crate) fn from_pairs(pairs: Pairs<'a>) -> Option<Self> {
        let mut headers = pairs;
        let (mut method, mut path, mut authority, mut request_id) = (None, None, None, None);
        headers.retain(|(name, value)| {
            let is_header = name.first() != Some(&b':');
            // Of several of one name the first counts.
            match *name {
                b":method" => method = method.or(Some(*value)),
                b":path" => path = path.or(Some(*value)),
                b":authority" => authority = authority.or(Some(*value)),
                name if name.eq_ignore_ascii_case(b"x-request-id") => {
                    request_id = request_id.or(Some(*value));
                }
                _ => {}
            }
            is_header
        });
        Some(Self {
            method: method?,
            path: path?,
            authority,
            is_unclear: false,
            request_id,
            headers,
        })
    }
}

/// Decodes the pairs of a header map (Proxy-Wasm ABI 0.2.1, serialized map); `None` where the host's bytes
/// are no such map.
pub(crate) fn decode_pairs(bytes: &[u8]) -> Option<Pairs<'_>> {
    if bytes.is_empty() {
        return Some(Pairs::new());
    }
    let (count, mut sizes) = take_number(bytes)?;
    let mut texts = sizes.get(count.checked_mul(8)?..)?;
    let mut pairs = Pairs::with_capacity(count);
    for _ in 0..count {
        let (name_size, rest) = take_number(sizes)?;
        let (value_size, rest) = take_number(rest)?;
        sizes = rest;
        let (name, rest) = take_text(texts, name_size)?;
        let (value, rest) = take_text(rest, value_size)?;
        texts = rest;
        pairs.push((name, value));
    }
    Some(pairs)
}

fn take_number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

fn take_text(bytes: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(size)?;
    Some((text, rest.strip_prefix(b"\0")?))
}

#[cfg(test)]
mod tests {
    use super::{Facts, decode_pairs};

    #[test]
    fn pairs_are_decoded_as_the_host_encodes_them() {
        let bytes = b"\x02\0\0\0\x01\0\0\0\x02\0\0\0\x01\0\0\0\0\0\0\0a\0\xff\xfe\0b\0\0";
        assert_eq!(
            decode_pairs(bytes),
            Some(vec![(&b"a"[..], &b"\xff\xfe"[..]), (&b"b"[..], &b""[..])])
        );
        assert_eq!(decode_pairs(b""), Some(vec![]));
    }

    #[test]
    fn bytes_that_are_no_map_are_no_map() {
        let whole = b"\x01\0\0\0\x01\0\0\0\x02\0\0\0a\0bc\0";
        assert!(decode_pairs(whole).is_some());
        for end in 1..whole.len() {
            assert_eq!(decode_pairs(&whole[..end]), None, "{end}");
        }
        assert_eq!(decode_pairs(b"\xff\xff\xff\xff\0\0\0\0"), None);
    }

    #[test]
    fn a_request_without_a_method_or_a_path_is_not_whole() {
        assert!(Facts::from_pairs(vec![(b":path", b"/")]).is_none());
        assert!(Facts::from_pairs(vec![(b":method", b"GET")]).is_none());
        assert!(Facts::from_pairs(vec![]).is_none());
    }
}
