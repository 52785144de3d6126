//! Bytes with their digest: what an image is made of.

use oci_client::manifest::OciDescriptor;
use sha2::{Digest as _, Sha256};

/// Bytes of an image, with what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// What the bytes are, as in `application/vnd.oci.image.manifest.v1+json`.
    pub media_type: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// `sha256:` and 64 lower-case hexadecimal digits (OCI Image Specification, descriptor.md).
    pub digest: String,
}

impl Blob {
    pub(crate) fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self {
            media_type,
            digest: digest(&bytes),
            bytes,
        }
    }

    /// The descriptor of these bytes; under `title` where they were a file.
    pub(crate) fn descriptor(&self, title: Option<&str>) -> OciDescriptor {
        OciDescriptor {
            media_type: self.media_type.to_owned(),
            digest: self.digest.clone(),
            size: i64::try_from(self.bytes.len()).unwrap_or(i64::MAX),
            annotations: title
                .map(|title| [("org.opencontainers.image.title".to_owned(), title.to_owned())].into()),
            ..OciDescriptor::default()
        }
    }
}

/// The digest of `bytes`, as descriptors have it.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn a_digest_is_sha256_in_hexadecimal() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest(b""), empty);
    }
}
