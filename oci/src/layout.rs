//! Images as a folder: an OCI image layout (OCI Image Specification, image-layout.md), which `skopeo`, `oras`, `crane` and
//! the rest copy to a registry.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use crate::digest::Blob;
use crate::image::Image;

/// Writes `images` into `folder`, which is made where it is absent; each is found there under the name of its form. Blobs
/// of other images that are there already stay; the index names these images alone, and is written last.
///
/// # Errors
/// What the file system answers.
pub fn write(folder: &Path, images: &[Image]) -> io::Result<()> {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    for image in images {
        image
            .blobs
            .iter()
            .chain([&image.manifest])
            .try_for_each(|blob| put(&blobs, blob))?;
    }
    let marker = json!({"imageLayoutVersion": "1.0.0"});
    replace(&folder.join("oci-layout"), marker.to_string().as_bytes())?;
    let manifests: Vec<Value> = images.iter().map(entry).collect();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    });
    replace(&folder.join("index.json"), index.to_string().as_bytes())
}

fn entry(image: &Image) -> Value {
    json!({
        "mediaType": image.manifest.media_type,
        "digest": image.manifest.digest,
        "size": image.manifest.bytes.len(),
        "annotations": {"org.opencontainers.image.ref.name": image.form.name()},
    })
}

fn put(blobs: &Path, blob: &Blob) -> io::Result<()> {
    let name = blob.digest.strip_prefix("sha256:").unwrap_or(&blob.digest);
    replace(&blobs.join(name), &blob.bytes)
}

/// Whoever reads the folder meanwhile sees a file as it was or as it is, never half of it.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let staging = path.with_extension("writing");
    fs::write(&staging, bytes)?;
    fs::rename(&staging, path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::Value;
    use tempfile::TempDir;

    use super::write;
    use crate::digest::digest;
    use crate::image::{Annotations, Form, Image};

    #[test]
    fn every_file_of_a_layout_is_named_by_its_digest_and_found_from_the_index() {
        let folder = TempDir::new().unwrap();
        let images = Form::ALL.map(|form| Image::new(form, b"\0asm", &Annotations::new()).unwrap());
        write(folder.path(), &images).unwrap();
        let index: Value =
            serde_json::from_slice(&fs::read(folder.path().join("index.json")).unwrap()).unwrap();
        for (image, entry) in images.iter().zip(index["manifests"].as_array().unwrap()) {
            assert_eq!(entry["digest"], image.manifest.digest.as_str());
            assert_eq!(
                entry["annotations"]["org.opencontainers.image.ref.name"],
                image.form.name()
            );
        }
        for file in fs::read_dir(folder.path().join("blobs/sha256")).unwrap() {
            let file = file.unwrap();
            let found = digest(&fs::read(file.path()).unwrap());
            assert_eq!(found, format!("sha256:{}", file.file_name().display()));
        }
    }
}
