//! A fetched document on its way to other workers of the process: as it came, with what a conditional request
//! needs. Whoever takes it over reads it as strictly as whoever fetched it.

use sha2::{Digest, Sha256};

/// A document as it was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    version: u64,
    /// Its entity tag (RFC 9110 section 8.8.3), where it has one.
    pub(crate) etag: Option<String>,
    /// The document.
    pub(crate) body: Vec<u8>,
}

impl Record {
    pub(crate) fn new(body: Vec<u8>, etag: Option<String>) -> Self {
        let version = version_of(&body);
        Self { version, etag, body }
    }

    /// Its number, never 0: the same for the same document, whoever fetched it and when. Workers that could not share
    /// for a while know by it whether they have the same.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The record as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let etag = self.etag.as_deref().unwrap_or_default();
        let length = u32::try_from(etag.len()).unwrap_or_default();
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(etag.as_bytes());
        bytes.extend(&self.body);
        bytes
    }

    /// The record that `bytes` hold; nothing where they are none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (length, bytes) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (etag, body) = bytes.split_at_checked(length)?;
        let etag = std::str::from_utf8(etag).ok()?;
        Some(Self::new(
            body.to_vec(),
            (!etag.is_empty()).then(|| etag.to_owned()),
        ))
    }
}

/// A part of the SHA-256 of a document.
fn version_of(body: &[u8]) -> u64 {
    let digest: [u8; 32] = Sha256::digest(body).into();
    let part = digest.first_chunk::<8>().map(|part| u64::from_le_bytes(*part));
    part.unwrap_or_default().max(1)
}

#[cfg(test)]
mod tests {
    use super::Record;

    #[test]
    fn other_workers_read_what_was_written() {
        for etag in [None, Some("\"7\"".to_owned())] {
            let record = Record::new(b"{}".to_vec(), etag);
            assert_eq!(Record::decode(&record.encode()), Some(record.clone()));
            let header = record.encode().len() - record.body.len();
            for length in 0..header {
                assert_eq!(Record::decode(&record.encode()[..length]), None);
            }
        }
        assert_eq!(Record::decode(&[0xff; 16]), None);
    }

    #[test]
    fn the_number_is_that_of_the_document_alone() {
        let version = |body: &[u8], etag: &str| Record::new(body.to_vec(), Some(etag.to_owned())).version();
        assert_eq!(version(b"{}", "1"), version(b"{}", "2"));
        assert_ne!(version(b"{}", "1"), version(b"{ }", "1"));
    }
}
