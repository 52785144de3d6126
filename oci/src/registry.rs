//! Images in a registry (OCI Distribution Specification): pushed over TLS, with the credentials that the user's own tools
//! keep. A registry on this machine is spoken to without TLS, as those tools do.

use std::io;

use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciEnvelope};
use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, RegistryOperation};

use crate::credentials;
use crate::digest::Blob;
use crate::image::Image;

/// Why an image could not be pushed. None of them shows credentials.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// What was written is no reference to an image.
    #[error(
        "`{reference}` is no reference to an image, like `registry.example/policies/orders:1.4`: {reason}"
    )]
    Reference {
        /// What was written.
        reference: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The credentials that are kept cannot be used.
    #[error("{0}")]
    Credentials(String),
    /// Nobody answers, or not as a registry does.
    #[error("`{registry}` cannot be reached: {reason}")]
    Unreachable {
        /// The registry, as in `ghcr.io`.
        registry: String,
        /// What happened.
        reason: String,
    },
    /// The registry wants other credentials.
    #[error(
        "`{registry}` does not let you push to `{repository}`: log in to it, with `docker login {registry}` say"
    )]
    Unauthorized {
        /// The registry.
        registry: String,
        /// The repository, as in `policies/orders`.
        repository: String,
    },
    /// The registry refuses the image.
    #[error("`{registry}` refuses the image: {reason}")]
    Refused {
        /// The registry.
        registry: String,
        /// What it says.
        reason: String,
    },
    /// The system cannot open connections.
    #[error("no connection can be opened: {0}")]
    System(#[from] io::Error),
}

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The reference that names this image and no other: `registry/repository@sha256:…`.
    pub reference: String,
    /// The digest of the manifest.
    pub digest: String,
}

/// A place for images in a registry.
#[derive(Debug, Clone)]
pub struct Registry {
    reference: Reference,
    is_plain: bool,
}

impl Registry {
    /// The place that `reference` names, as in `ghcr.io/example/orders:1.4`. Without TLS where it is on this machine, or
    /// where `is_plain` says so.
    ///
    /// # Errors
    /// [`RegistryError::Reference`].
    pub fn new(reference: &str, is_plain: bool) -> Result<Self, RegistryError> {
        let fault = |reason: String| RegistryError::Reference {
            reference: reference.to_owned(),
            reason,
        };
        let reference: Reference = reference
            .parse()
            .map_err(|error: oci_client::ParseError| fault(error.to_string()))?;
        if reference.digest().is_some() {
            return Err(fault(
                "an image is pushed under a tag; its digest follows from what it holds".to_owned(),
            ));
        }
        let is_plain = is_plain || is_loopback(reference.registry());
        Ok(Self { reference, is_plain })
    }

    /// Pushes `image`: its blobs, and then its manifest, which makes it visible.
    ///
    /// # Errors
    /// All but [`RegistryError::Reference`]. What was there under this reference then stays.
    pub fn push(&self, image: &Image) -> Result<Pushed, RegistryError> {
        let auth = credentials::of(self.reference.registry()).map_err(RegistryError::Credentials)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime
            .block_on(self.send(image, &auth))
            .map_err(|error| self.fault(&error))?;
        let digest = image.manifest.digest.clone();
        let (registry, repository) = (self.reference.registry(), self.reference.repository());
        Ok(Pushed {
            reference: format!("{registry}/{repository}@{digest}"),
            digest,
        })
    }

    async fn send(&self, image: &Image, auth: &RegistryAuth) -> Result<(), OciDistributionError> {
        let client = self.client()?;
        client
            .auth(&self.reference, auth, RegistryOperation::Push)
            .await?;
        for blob in &image.blobs {
            self.send_blob(&client, blob).await?;
        }
        let Blob {
            bytes, media_type, ..
        } = &image.manifest;
        let media_type = media_type
            .parse()
            .map_err(|_| OciDistributionError::UnsupportedMediaTypeError((*media_type).to_owned()))?;
        client
            .push_manifest_raw(&self.reference, bytes.clone(), media_type)
            .await?;
        Ok(())
    }

    async fn send_blob(&self, client: &Client, blob: &Blob) -> Result<(), OciDistributionError> {
        if client.blob_exists(&self.reference, &blob.digest).await? {
            return Ok(());
        }
        client
            .push_blob(&self.reference, blob.bytes.clone(), &blob.digest)
            .await
            .map(|_| ())
    }

    fn client(&self) -> Result<Client, OciDistributionError> {
        // Another part of the program may have chosen already; either serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let protocol = match self.is_plain {
            true => ClientProtocol::HttpsExcept(vec![self.reference.registry().to_owned()]),
            false => ClientProtocol::Https,
        };
        Client::try_from(ClientConfig {
            protocol,
            user_agent: concat!("scopegate/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        })
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a fault that is not known yet is shown in the words of the library"
    )]
    fn fault(&self, error: &OciDistributionError) -> RegistryError {
        let registry = self.reference.registry().to_owned();
        match error {
            OciDistributionError::UnauthorizedError { .. }
            | OciDistributionError::AuthenticationFailure(_) => self.unauthorized(),
            OciDistributionError::ServerError { code, .. } => self.answered(*code),
            OciDistributionError::RegistryError { envelope, .. } if is_denial(envelope) => {
                self.unauthorized()
            }
            OciDistributionError::RegistryError { envelope, .. } => RegistryError::Refused {
                registry,
                reason: messages(envelope),
            },
            OciDistributionError::RequestError(error) => match error.status() {
                Some(status) => self.answered(status.as_u16()),
                None => RegistryError::Unreachable {
                    registry,
                    reason: root(error),
                },
            },
            other => RegistryError::Unreachable {
                registry,
                reason: other.to_string(),
            },
        }
    }

    /// The fault that a status without more words means.
    fn answered(&self, status: u16) -> RegistryError {
        match status {
            401 | 403 => self.unauthorized(),
            _ => RegistryError::Refused {
                registry: self.reference.registry().to_owned(),
                reason: format!("it answered with status {status}"),
            },
        }
    }

    fn unauthorized(&self) -> RegistryError {
        RegistryError::Unauthorized {
            registry: self.reference.registry().to_owned(),
            repository: self.reference.repository().to_owned(),
        }
    }
}

/// Whether a registry is on this machine, with or without a port.
fn is_loopback(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn is_denial(envelope: &OciEnvelope) -> bool {
    use oci_client::errors::OciErrorCode::{Denied, Unauthorized};
    envelope
        .errors
        .iter()
        .any(|error| [Denied, Unauthorized].contains(&error.code))
}

fn messages(envelope: &OciEnvelope) -> String {
    let messages: Vec<&str> = envelope
        .errors
        .iter()
        .map(|error| error.message.as_str())
        .collect();
    messages.join("; ")
}

/// The reason behind the reasons: `connection refused`, rather than that a request could not be sent.
fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::{Registry, RegistryError, is_loopback};
    use crate::image::{Annotations, Form, Image};

    #[test]
    fn a_registry_on_this_machine_is_told_from_one_elsewhere() {
        for here in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:5000",
            "127.8.8.8",
            "[::1]:5000",
        ] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in [
            "registry.example",
            "localhost.example:5000",
            "10.0.0.1:5000",
            "127.0.0.1.example",
        ] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn what_is_no_reference_is_shown_with_one_that_is() {
        for wrong in [
            "",
            "Registry.example/UPPER:1",
            "registry.example/x:",
            "http://registry.example/x:1",
        ] {
            let error = Registry::new(wrong, false).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("`{wrong}` is no reference")),
                "{error}"
            );
        }
    }

    #[test]
    fn nothing_is_pushed_under_a_digest() {
        let reference = format!("registry.example/x@sha256:{}", "0".repeat(64));
        let error = Registry::new(&reference, false).unwrap_err();
        assert!(matches!(error, RegistryError::Reference { .. }), "{error}");
    }

    #[test]
    fn a_registry_that_nobody_runs_cannot_be_reached() {
        // Port 1 of this machine: nothing listens there.
        let image = Image::new(Form::Compat, b"\0asm", &Annotations::new()).unwrap();
        let error = Registry::new("127.0.0.1:1/x:1", false)
            .unwrap()
            .push(&image)
            .unwrap_err();
        assert!(matches!(error, RegistryError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("refused"), "{error}");
    }
}
