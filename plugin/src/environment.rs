//! Secrets that a policy names: the environment that the proxy gives the VM. Nothing else is read from it.

use scopegate_authn::Secrets;

/// The environment of the VM (Envoy: `vm_config.environment_variables`).
pub(crate) struct Environment;

impl Secrets for Environment {
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}
