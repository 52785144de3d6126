//! Images in a real registry (Debian's `docker-registry`), read back by a client that is not ours (Debian's `skopeo`).
//!
//! `cargo xtask test` fetches both and names them: `SCOPEGATE_REGISTRY` is the program, `SCOPEGATE_SKOPEO` a folder with
//! `usr/bin/skopeo` and the libraries it needs.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod served;

use std::fs;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use scopegate_oci::{Annotations, Form, Image, Registry, RegistryError, layout};
use serde_json::Value;
use tempfile::TempDir;

use crate::served::{Served, USER, programs, skopeo};

const MODULE: &[u8] = b"\0asm\x01\0\0\0 and more that is no module, which no registry minds";
const MODULE_MEDIA_TYPE: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
fn image(form: Form) -> Image {
    let annotations = Annotations::from([("org.opencontainers.image.title".to_owned(), "orders".to_owned())]);
    Image::new(form, MODULE, &annotations).unwrap()
}

/// The module of a copy that skopeo made (`dir:`), found as Istio's agent and Envoy Gateway find it: in the last layer
/// where that is a compressed archive, else in the layer with the media type of modules, of exactly two.
fn module_of(copy: &Path) -> Vec<u8> {
    let manifest: Value = serde_json::from_slice(&fs::read(copy.join("manifest.json")).unwrap()).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    let blob = |layer: &Value| {
        let digest = layer["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        fs::read(copy.join(digest)).unwrap()
    };
    let last = layers.last().unwrap();
    if last["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip" {
        return plugin_in(&blob(last));
    }
    assert_eq!(layers.len(), 2, "{manifest}");
    blob(
        layers
            .iter()
            .find(|layer| layer["mediaType"] == MODULE_MEDIA_TYPE)
            .unwrap(),
    )
}

fn plugin_in(layer: &[u8]) -> Vec<u8> {
    let mut archive = tar::Archive::new(GzDecoder::new(layer));
    let mut file = archive.entries().unwrap().next().unwrap().unwrap();
    assert_eq!(file.path().unwrap(), Path::new("plugin.wasm"));
    let mut module = Vec::new();
    file.read_to_end(&mut module).unwrap();
    module
}

#[test]
fn what_is_pushed_is_read_back_by_another_client_in_both_forms() {
    let Some((registry, root)) = programs("what_is_pushed_is_read_back_by_another_client_in_both_forms")
    else {
        return;
    };
    let served = Served::start(&registry, None);
    for form in Form::ALL {
        let image = image(form);
        let reference = format!("{}/policies/orders:{}", served.address, form.name());
        let place = Registry::new(&reference, false).unwrap();
        let pushed = place.push(&image).unwrap();
        assert_eq!(pushed.digest, image.manifest.digest);
        assert_eq!(place.push(&image).unwrap(), pushed, "pushed twice is pushed once");
        let copy = TempDir::new().unwrap();
        let target = format!("dir:{}", copy.path().display());
        // By the digest that was printed: what people write into their manifests.
        let source = format!("docker://{}", pushed.reference);
        skopeo(&root, &["copy", "--src-tls-verify=false", &source, &target]);
        assert_eq!(module_of(copy.path()), MODULE);
        let raw = skopeo(
            &root,
            &[
                "inspect",
                "--raw",
                "--tls-verify=false",
                &format!("docker://{reference}"),
            ],
        );
        assert_eq!(raw, image.manifest.bytes, "the tag names the same manifest");
    }
}

#[test]
fn a_layout_is_copied_into_a_registry_as_it_is() {
    let Some((registry, root)) = programs("a_layout_is_copied_into_a_registry_as_it_is") else {
        return;
    };
    let served = Served::start(&registry, None);
    let folder = TempDir::new().unwrap();
    let images = Form::ALL.map(image);
    layout::write(folder.path(), &images).unwrap();
    for image in images {
        let source = format!("oci:{}:{}", folder.path().display(), image.form.name());
        let target = format!("docker://{}/orders:{}", served.address, image.form.name());
        skopeo(&root, &["copy", "--dest-tls-verify=false", &source, &target]);
        let raw = skopeo(&root, &["inspect", "--raw", "--tls-verify=false", &target]);
        assert_eq!(raw, image.manifest.bytes);
    }
}

#[test]
fn a_registry_that_knows_its_users_refuses_a_stranger_in_words_that_help() {
    let Some((registry, _)) =
        programs("a_registry_that_knows_its_users_refuses_a_stranger_in_words_that_help")
    else {
        return;
    };
    let served = Served::start(&registry, Some(USER));
    let place = Registry::new(&format!("{}/orders:1", served.address), false).unwrap();
    let error = place.push(&image(Form::Compat)).unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error}");
    let said = error.to_string();
    assert!(
        said.contains("docker login") && said.contains("`orders`"),
        "{said}"
    );
}
