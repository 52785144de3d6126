//! This layer is built without the means to verify anything: it has the type of a verified caller, and no way
//! to make one.

use std::process::Command;

#[test]
fn no_cryptography_and_no_token_parser_is_among_the_dependencies() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args([
            "tree",
            "--offline",
            "--locked",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--package",
            "scopegate-authz",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo tree");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8_lossy(&tree.stdout);
    let has = |name: &str| tree.lines().any(|line| line.split(' ').next() == Some(name));
    assert!(has("scopegate-authn"), "{tree}");
    for name in [
        "jwt-compact",
        "rsa",
        "p256",
        "p384",
        "p521",
        "ed25519-dalek",
        "hmac",
        "sha2",
        "base64-simd",
    ] {
        assert!(!has(name), "{name} in {tree}");
    }
}
