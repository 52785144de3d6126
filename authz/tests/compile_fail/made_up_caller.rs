//! A verified caller cannot be made up.
use scopegate_authn::Verified;

fn main() {
    let _ = Verified { provider: "corp".into(), subject: Some("anna".into()) };
}
