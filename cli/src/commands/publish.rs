//! Where else a bundle goes: into a folder as OCI images, into a registry. What an image consists of is not known here.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use scopegate_bundle::{Inspection, Manifest};
use scopegate_oci::{Annotations, Form, Image, Pushed, Registry, RegistryError, layout};

use crate::{Failure, files};

/// Where else a bundle goes.
#[derive(Debug, Args)]
pub(super) struct Publish {
    /// Writes it into this folder too, as OCI images in both forms (`oci:DIR:compat`, `oci:DIR:artifact`)
    #[arg(long, value_name = "DIR")]
    oci: Option<PathBuf>,
    /// Pushes it to a registry, as in `registry.example/policies/orders:1.4`, with the credentials of `docker login`
    #[arg(long, value_name = "REFERENCE")]
    push: Option<String>,
    /// The form that is pushed: every registry takes `compat`
    #[arg(long, value_enum, default_value_t, value_name = "FORM", requires = "push")]
    push_as: PushedForm,
    /// Pushes without TLS; to a registry on this machine that is the default
    #[arg(long, requires = "push")]
    plain_http: bool,
}

/// How the module lies in the image that is pushed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum PushedForm {
    /// A container image with `plugin.wasm`, for every registry
    #[default]
    Compat,
    /// An artifact with media types of its own
    Artifact,
}

impl From<PushedForm> for Form {
    fn from(form: PushedForm) -> Self {
        match form {
            PushedForm::Compat => Self::Compat,
            PushedForm::Artifact => Self::Artifact,
        }
    }
}

impl Publish {
    /// The registry to push to. Asked before anything is made: a reference that is wrong costs nobody a bundle.
    pub(super) fn registry(&self) -> Result<Option<Registry>, Failure> {
        let place = self.push.as_ref();
        let registry = place.map(|reference| Registry::new(reference, self.plain_http));
        registry.transpose().map_err(failure)
    }

    /// Writes and pushes the images of a bundle.
    pub(super) fn publish(
        &self,
        registry: Option<&Registry>,
        module: &[u8],
        made: &Inspection,
    ) -> Result<Option<Pushed>, Failure> {
        let annotations = made
            .bundle
            .as_ref()
            .map(|(manifest, _)| annotations(manifest))
            .unwrap_or_default();
        let image = |form| {
            Image::new(form, module, &annotations).map_err(|error| Failure::Invalid(error.to_string()))
        };
        if let Some(folder) = &self.oci {
            let images = [image(Form::Compat)?, image(Form::Artifact)?];
            layout::write(folder, &images).map_err(|error| files::unwritable(folder, &error))?;
        }
        let Some(registry) = registry else { return Ok(None) };
        registry
            .push(&image(self.push_as.into())?)
            .map(Some)
            .map_err(failure)
    }
}

/// What is said of an image: whatever tells it from others, and nothing of when and where it was made.
fn annotations(manifest: &Manifest) -> Annotations {
    let Manifest { policy, plugin, .. } = manifest;
    let known = [
        ("org.opencontainers.image.title", policy.name.as_ref()),
        ("org.opencontainers.image.version", policy.version.as_ref()),
        ("scopegate.policy.digest", Some(&policy.digest)),
        ("scopegate.plugin.version", Some(&plugin.version)),
    ];
    let known = known
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.clone())));
    known.collect()
}

fn failure(error: RegistryError) -> Failure {
    let kept = "the bundle itself was written; the same command pushes it again";
    match error {
        RegistryError::Reference { .. } => Failure::Invalid(error.to_string()),
        RegistryError::Credentials(_)
        | RegistryError::Unreachable { .. }
        | RegistryError::Unauthorized { .. }
        | RegistryError::Refused { .. }
        | RegistryError::System(_) => Failure::Environment(error.to_string(), kept.to_owned()),
    }
}
