//! Secrets that stand outside the policy. What is read here is never shown, also where it is at fault.

use zeroize::Zeroizing;

use crate::section::SecretReference;

use super::Context;

/// Reads the secret that stands at `path`; `form` says in which form the variable holds it.
pub(super) fn read(
    context: &mut Context<'_>,
    path: &str,
    reference: Option<&SecretReference>,
    form: &str,
) -> Option<Zeroizing<String>> {
    let Some(SecretReference { env }) = reference else {
        let help = "name the environment variable that holds it, as in `{env: NAME}`";
        context.faults.missing(path, help);
        return None;
    };
    let path = format!("{path}.env");
    if !is_variable_name(env) {
        // What stands here may be the secret itself: it is not shown.
        let message = "this is no name of an environment variable";
        let help = "name the variable that holds the secret, as in `{env: ORDERS_SECRET}`";
        context.faults.invalid(path, message, help);
        return None;
    }
    let value = context.secrets.get(env).map(Zeroizing::new);
    if value.is_none() {
        let message = match is_plain_name(env) {
            true => format!("the environment has no `{env}`"),
            false => "the environment has no variable of this name".to_owned(),
        };
        let help = format!("set the variable for the proxy's VM, {form}");
        context.faults.add("secret_missing", path, message, help);
    }
    value
}

/// A name of a variable (POSIX.1-2017 section 8.1), in either case.
fn is_variable_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts_with_digit = name.starts_with(|first: char| first.is_ascii_digit());
    (1..=64).contains(&name.len()) && name.bytes().all(fits) && !starts_with_digit
}

/// A name in upper case, as variables are written: no secret looks like that.
fn is_plain_name(name: &str) -> bool {
    !name.bytes().any(|byte| byte.is_ascii_lowercase())
}
