//! The two forms of an image that holds a module, and what each consists of.

use std::collections::BTreeMap;
use std::io;

use oci_client::manifest::{
    IMAGE_CONFIG_MEDIA_TYPE, IMAGE_LAYER_GZIP_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, OciDescriptor,
    OciImageManifest,
};
use serde_json::json;

use crate::digest::{Blob, digest};
use crate::layer;

/// What is said of an image, as in `org.opencontainers.image.version`: names and values.
pub type Annotations = BTreeMap<String, String>;

/// The media type of the layer that says for which runtime a module is.
const RUNTIME_MEDIA_TYPE: &str = "application/vnd.module.wasm.config.v1+json";
/// The media type of the layer that is the module.
const MODULE_MEDIA_TYPE: &str = "application/vnd.module.wasm.content.layer.v1+wasm";

/// How a module lies in an image (Wasm Image Specification v0.0.0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// A container image whose one layer holds `plugin.wasm`. Every registry takes it.
    Compat,
    /// An artifact with media types of its own: the module as it is, beside a description of its runtime.
    Artifact,
}

impl Form {
    /// Both, the one that every registry takes first.
    pub const ALL: [Self; 2] = [Self::Compat, Self::Artifact];

    /// The name, as in `compat`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compat => "compat",
            Self::Artifact => "artifact",
        }
    }
}

/// A module as an image: a manifest, and what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// How the module lies in it.
    pub form: Form,
    /// The manifest; its digest is the image's.
    pub manifest: Blob,
    /// The configuration and the layers.
    pub blobs: Vec<Blob>,
}

impl Image {
    /// The image of `module` in this form. The same module and annotations give the same bytes, whoever makes it.
    ///
    /// # Errors
    /// Where the module cannot be packed, which is a matter of memory alone.
    pub fn new(form: Form, module: &[u8], annotations: &Annotations) -> io::Result<Self> {
        match form {
            Form::Compat => Self::compat(module, annotations),
            Form::Artifact => Self::artifact(module, annotations),
        }
    }

    fn compat(module: &[u8], annotations: &Annotations) -> io::Result<Self> {
        let layer = layer::of(module)?;
        let config = json!({
            "architecture": "wasm",
            "os": "wasip1",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer.archive)]},
        });
        let config = Blob::new(IMAGE_CONFIG_MEDIA_TYPE, config.to_string().into_bytes());
        let layer = Blob::new(IMAGE_LAYER_GZIP_MEDIA_TYPE, layer.compressed);
        let layers = vec![layer.descriptor(None)];
        let mut annotations = annotations.clone();
        annotations.insert("module.wasm.image/variant".to_owned(), "compat".to_owned());
        Self::of(
            Form::Compat,
            &config,
            layers,
            annotations,
            vec![config.clone(), layer],
        )
    }

    /// Istio asks for exactly two layers, the description among them; as the configuration it stands there as well.
    fn artifact(module: &[u8], annotations: &Annotations) -> io::Result<Self> {
        let runtime = json!({
            "type": "envoy_proxy",
            "abiVersions": ["v0.2.1"],
            "config": {"rootIds": [""]},
        });
        let runtime = Blob::new(RUNTIME_MEDIA_TYPE, runtime.to_string().into_bytes());
        let module = Blob::new(MODULE_MEDIA_TYPE, module.to_vec());
        let layers = vec![
            runtime.descriptor(Some("runtime-config.json")),
            module.descriptor(Some("plugin.wasm")),
        ];
        let blobs = vec![runtime.clone(), module];
        Self::of(Form::Artifact, &runtime, layers, annotations.clone(), blobs)
    }

    fn of(
        form: Form,
        config: &Blob,
        layers: Vec<OciDescriptor>,
        annotations: Annotations,
        blobs: Vec<Blob>,
    ) -> io::Result<Self> {
        let manifest = OciImageManifest {
            media_type: Some(OCI_IMAGE_MEDIA_TYPE.to_owned()),
            config: config.descriptor(None),
            layers,
            annotations: Some(annotations),
            ..OciImageManifest::default()
        };
        let manifest = serde_json::to_vec(&manifest).map_err(io::Error::other)?;
        Ok(Self {
            form,
            manifest: Blob::new(OCI_IMAGE_MEDIA_TYPE, manifest),
            blobs,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{Annotations, Form, Image};

    fn image(form: Form) -> (Image, Value) {
        let annotations =
            Annotations::from([("org.opencontainers.image.version".to_owned(), "7".to_owned())]);
        let image = Image::new(form, b"\0asm module", &annotations).unwrap();
        let manifest = serde_json::from_slice(&image.manifest.bytes).unwrap();
        (image, manifest)
    }

    fn media_types(manifest: &Value) -> Vec<&str> {
        let layers = manifest["layers"].as_array().unwrap();
        layers
            .iter()
            .map(|layer| layer["mediaType"].as_str().unwrap())
            .collect()
    }

    #[test]
    fn a_compatible_image_is_one_compressed_layer_and_says_that_it_is_one() {
        let (image, manifest) = image(Form::Compat);
        assert_eq!(
            media_types(&manifest),
            ["application/vnd.oci.image.layer.v1.tar+gzip"]
        );
        assert_eq!(
            manifest["config"]["mediaType"],
            "application/vnd.oci.image.config.v1+json"
        );
        assert_eq!(manifest["annotations"]["module.wasm.image/variant"], "compat");
        assert_eq!(manifest["annotations"]["org.opencontainers.image.version"], "7");
        assert_eq!(image.blobs.len(), 2);
    }

    #[test]
    fn an_artifact_has_two_layers_of_which_one_is_the_module_as_it_is() {
        let (image, manifest) = image(Form::Artifact);
        let expected = [
            "application/vnd.module.wasm.config.v1+json",
            "application/vnd.module.wasm.content.layer.v1+wasm",
        ];
        assert_eq!(media_types(&manifest), expected);
        assert_eq!(image.blobs[1].bytes, b"\0asm module");
        assert_eq!(manifest["layers"][1]["digest"], image.blobs[1].digest.as_str());
    }

    #[test]
    fn the_same_module_gives_the_same_image() {
        for form in Form::ALL {
            assert_eq!(image(form).0, image(form).0);
        }
        assert_ne!(
            image(Form::Compat).0.manifest.digest,
            image(Form::Artifact).0.manifest.digest
        );
    }
}
