//! A fetched document on its way to other workers of the process: as it came, with what a conditional request
//! needs. Whoever takes it over reads it as strictly as whoever fetched it.

/// A document as it was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number, as in [`Schedule::version`](super::Schedule::version). The driver sets it when it shares it.
    pub version: u64,
    /// Its entity tag (RFC 9110 section 8.8.3), where it has one.
    pub etag: Option<String>,
    /// The document.
    pub body: Vec<u8>,
}

impl Record {
    /// The record as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let etag = self.etag.as_deref().unwrap_or_default();
        let length = u32::try_from(etag.len()).unwrap_or_default();
        let mut bytes = self.version.to_le_bytes().to_vec();
        bytes.extend(length.to_le_bytes());
        bytes.extend(etag.as_bytes());
        bytes.extend(&self.body);
        bytes
    }

    /// The record that `bytes` hold; nothing where they are none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, bytes) = bytes.split_first_chunk::<8>()?;
        let (length, bytes) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (etag, body) = bytes.split_at_checked(length)?;
        let etag = std::str::from_utf8(etag).ok()?;
        Some(Self {
            version: u64::from_le_bytes(*version),
            etag: (!etag.is_empty()).then(|| etag.to_owned()),
            body: body.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Record;

    #[test]
    fn other_workers_read_what_was_written() {
        for etag in [None, Some("\"7\"".to_owned())] {
            let record = Record {
                version: 7,
                etag,
                body: b"{}".to_vec(),
            };
            assert_eq!(Record::decode(&record.encode()), Some(record.clone()));
            let header = record.encode().len() - record.body.len();
            for length in 0..header {
                assert_eq!(Record::decode(&record.encode()[..length]), None);
            }
        }
        assert_eq!(Record::decode(&[0xff; 16]), None);
    }
}
