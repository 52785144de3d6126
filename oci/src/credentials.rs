//! What a registry is shown: the credentials that `docker login`, `skopeo login` or a helper keep for it. They are read
//! when they are needed, and neither kept nor shown.

use docker_credential::{CredentialRetrievalError, DockerCredential};
use oci_client::secrets::RegistryAuth;

/// The credentials for `registry`, as in `ghcr.io`; nobody's where none are kept.
///
/// # Errors
/// In words, where credentials are kept and cannot be read.
pub(crate) fn of(registry: &str) -> Result<RegistryAuth, String> {
    match docker_credential::get_credential(registry) {
        Ok(DockerCredential::UsernamePassword(name, password)) => Ok(RegistryAuth::Basic(name, password)),
        // An identity token is exchanged by protocols that differ between registries.
        Ok(DockerCredential::IdentityToken(_)) => Err(format!(
            "the credentials kept for `{registry}` are an identity token: log in with a name and a password or an access token"
        )),
        Err(
            CredentialRetrievalError::ConfigNotFound
            | CredentialRetrievalError::ConfigReadError
            | CredentialRetrievalError::NoCredentialConfigured,
        ) => Ok(RegistryAuth::Anonymous),
        Err(
            CredentialRetrievalError::HelperCommunicationError
            | CredentialRetrievalError::HelperFailure { .. },
        ) => Err(format!(
            "the helper that keeps the credentials for `{registry}` failed"
        )),
        Err(
            CredentialRetrievalError::MalformedHelperResponse
            | CredentialRetrievalError::CredentialMismatchError
            | CredentialRetrievalError::CredentialDecodingError,
        ) => Err(format!("the credentials kept for `{registry}` cannot be read")),
    }
}
