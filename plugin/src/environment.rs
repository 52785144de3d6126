//! What stands in the environment that the proxy gives the VM: secrets that a policy names, and the policy itself where
//! the configuration says so. Nothing else is read from it.

use scopegate_authn::Secrets;

/// The environment of the VM (Envoy: `vm_config.environment_variables`).
pub(crate) struct Environment;

impl Secrets for Environment {
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// How a configuration begins that names the variable in which the policy stands. NGINX takes no parameter longer than
/// 4 KiB. No policy begins like this: it is JSON.
const REFERENCE: &[u8] = b"env:";

/// The policy that a configuration is, or names.
pub(crate) fn policy(configuration: Vec<u8>) -> Result<Vec<u8>, Vec<String>> {
    let Some(name) = configuration.strip_prefix(REFERENCE) else {
        return Ok(configuration);
    };
    let name = String::from_utf8_lossy(name.trim_ascii()).into_owned();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let policy = std::env::var(&name).ok().filter(|_| name.bytes().all(is_name));
    policy.map(String::into_bytes).ok_or_else(|| {
        vec![format!(
            "there is no variable `{}` in the environment",
            name.escape_debug()
        )]
    })
}
