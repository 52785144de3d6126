//! A verified caller cannot be made up.
use scopegate_authn::Verified;

fn main() {
    let _ = Verified { provider: "corp".to_owned(), subject: Some("anna".to_owned()) };
}
