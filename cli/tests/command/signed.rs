//! Signatures on bundles, as whoever makes and whoever receives a bundle meets them.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use serde_json::Value;

use crate::common::{run, stderr, stdout};
use crate::keys::{OTHER, PUBLIC, SECRET};

const POLICY: &str = "../../../policies/partner-api-keys/policy.yaml";

/// A folder with keys and bundles of one policy: signed, unsigned, and unsigned with the signature beside it.
struct Made {
    folder: tempfile::TempDir,
}

impl Made {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// A file beside the others, of this test alone.
    fn add(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let made = Made {
            folder: tempfile::tempdir().unwrap(),
        };
        for (name, key) in [
            ("secret.pem", SECRET),
            ("public.pem", PUBLIC),
            ("other.pem", OTHER),
        ] {
            made.add(name, key);
        }
        let secret = made.path("secret.pem");
        for (file, further) in [
            ("signed.wasm", &["--sign", secret.to_str().unwrap()][..]),
            (
                "beside.wasm",
                &[
                    "--sign",
                    secret.to_str().unwrap(),
                    "--signature",
                    made.path("beside.sig").to_str().unwrap(),
                ][..],
            ),
            ("unsigned.wasm", &[][..]),
        ] {
            let to = made.path(file);
            let done = run(
                &[&["bundle", POLICY, "-o", to.to_str().unwrap()], further].concat(),
                "",
            );
            assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
        }
        made
    })
}

/// `scopegate inspect FILE --verify KEY FURTHER`.
fn verify(file: &Path, key: &str, further: &[&str]) -> Output {
    let key = made().path(key);
    let arguments = [
        "inspect",
        file.to_str().unwrap(),
        "--verify",
        key.to_str().unwrap(),
    ];
    run(&[&arguments[..], further].concat(), "")
}

/// Nothing is printed of a file that is refused, and the one line on standard error names it and says why.
fn refused(output: &Output, status: i32, file: &Path, why: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(stdout(output).is_empty(), "{}", stdout(output));
    let expected = format!("error: `{}`: {why}", file.display());
    assert!(
        said.starts_with(&expected),
        "{said:?} does not start with {expected:?}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}

fn find(bytes: &[u8], text: &str) -> usize {
    let mut windows = bytes.windows(text.len());
    windows.position(|window| window == text.as_bytes()).unwrap()
}

#[test]
fn a_signed_bundle_is_shown_as_signed_by_the_key_that_signed_it() {
    let file = made().path("signed.wasm");
    let shown = verify(&file, "public.pem", &[]);
    assert_eq!(shown.status.code(), Some(0), "{}", stderr(&shown));
    assert!(
        stdout(&shown).contains("made with the key given"),
        "{}",
        stdout(&shown)
    );
    let shown: Value =
        serde_json::from_slice(&verify(&file, "public.pem", &["--format", "json"]).stdout).unwrap();
    assert_eq!(shown["signature"], "verified");
    assert_eq!(shown["manifest"]["policy"]["name"], "partner-api");

    let unasked = run(&["inspect", file.to_str().unwrap()], "");
    assert!(
        stdout(&unasked).contains("not checked: there is one, and `--verify KEY` tells whose"),
        "{}",
        stdout(&unasked)
    );
}

#[test]
fn a_signature_beside_a_bundle_leaves_the_bundle_as_it_is() {
    assert!(made().bytes("beside.wasm") == made().bytes("unsigned.wasm"));
    let (file, beside) = (made().path("beside.wasm"), made().path("beside.sig"));
    let beside = ["--signature", beside.to_str().unwrap()];
    let shown = verify(&file, "public.pem", &beside);
    assert_eq!(shown.status.code(), Some(0), "{}", stderr(&shown));
    assert!(
        stdout(&shown).contains("made with the key given"),
        "{}",
        stdout(&shown)
    );

    let wrong = "no signature on this module was made with this key";
    refused(&verify(&file, "other.pem", &beside), 1, &file, wrong);
    refused(
        &verify(&file, "public.pem", &[]),
        1,
        &file,
        "the module is not signed",
    );
}

#[test]
fn a_signature_of_another_key_and_no_signature_at_all_are_findings() {
    let signed = made().path("signed.wasm");
    let wrong = "no signature on this module was made with this key";
    refused(&verify(&signed, "other.pem", &[]), 1, &signed, wrong);
    let unsigned = made().path("unsigned.wasm");
    refused(
        &verify(&unsigned, "public.pem", &[]),
        1,
        &unsigned,
        "the module is not signed",
    );
}

#[test]
fn a_signature_for_another_bundle_is_of_no_use() {
    let (other, beside) = (made().path("other.wasm"), made().path("beside.sig"));
    let done = run(
        &[
            "bundle",
            "../../../policies/public-site-admin/policy.yaml",
            "-o",
            other.to_str().unwrap(),
        ],
        "",
    );
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    refused(
        &verify(&other, "public.pem", &["--signature", beside.to_str().unwrap()]),
        1,
        &other,
        "no signature on this module was made with this key",
    );
}

#[test]
fn a_bundle_whose_bytes_were_changed_is_refused_with_a_key_and_without() {
    let wrong = "no signature on this module was made with this key";
    let changed = "the bundle was changed after it was made";
    for (name, place) in [
        ("compiled", "orders.create"),
        ("shown", "scopegate.policy"),
        ("manifest", "scopegate.manifest"),
    ] {
        let mut bytes = made().bytes("signed.wasm");
        let at = find(&bytes, place) + if name == "compiled" { 0 } else { place.len() + 20 };
        bytes[at] ^= 1;
        let file = made().add(&format!("changed-{name}.wasm"), &bytes);
        refused(&verify(&file, "public.pem", &[]), 1, &file, wrong);
        refused(&run(&["inspect", file.to_str().unwrap()], ""), 2, &file, changed);
        refused(
            &run(&["inspect", "--policy", file.to_str().unwrap()], ""),
            2,
            &file,
            changed,
        );
    }
}

#[test]
fn a_signature_that_was_changed_is_none() {
    let mut bytes = made().bytes("signed.wasm");
    // Its section stands after the 8 bytes that all modules begin with, and the signature at the end of it.
    let end = 8 + bytes.len() - made().bytes("unsigned.wasm").len();
    bytes[end - 1] ^= 1;
    let file = made().add("changed-signature.wasm", &bytes);
    refused(
        &verify(&file, "public.pem", &[]),
        1,
        &file,
        "no signature on this module was made with this key",
    );

    let beside = made().add("garbage.sig", b"no signature");
    let file = made().path("unsigned.wasm");
    refused(
        &verify(&file, "public.pem", &["--signature", beside.to_str().unwrap()]),
        2,
        &file,
        "the signature cannot be read",
    );
}

#[test]
fn a_bundle_that_was_cut_off_is_refused_with_a_key_and_without() {
    let bytes = made().bytes("signed.wasm");
    for (name, kept) in [("half", bytes.len() / 2), ("short", bytes.len() - 1)] {
        let file = made().add(&format!("cut-{name}.wasm"), &bytes[..kept]);
        let damaged = "the module is damaged or cut off";
        refused(&verify(&file, "public.pem", &[]), 2, &file, damaged);
        refused(&run(&["inspect", file.to_str().unwrap()], ""), 2, &file, damaged);
    }
    let empty = made().add("cut-empty.wasm", b"");
    refused(
        &verify(&empty, "public.pem", &[]),
        2,
        &empty,
        "this is no WebAssembly module",
    );
}

#[test]
fn a_key_that_is_none_is_named_and_no_bundle_is_made_with_it() {
    let file = made().path("signed.wasm");
    let public = made().path("public.pem");
    let secret = made().path("secret.pem");
    refused(
        &verify(&file, "secret.pem", &[]),
        2,
        &secret,
        "this is no public key for Ed25519 in PEM, DER or raw form",
    );
    let to = made().path("never.wasm");
    let arguments = [
        "bundle",
        POLICY,
        "-o",
        to.to_str().unwrap(),
        "--sign",
        public.to_str().unwrap(),
    ];
    refused(
        &run(&arguments, ""),
        2,
        &public,
        "this is no secret key for Ed25519 in PEM, DER or raw form",
    );
    assert!(!to.exists());

    let absent = verify(&file, "absent.pem", &[]);
    assert_eq!(absent.status.code(), Some(3));
    assert!(stderr(&absent).contains("absent.pem"), "{}", stderr(&absent));
    let alone = run(&["inspect", file.to_str().unwrap(), "--signature", "x.sig"], "");
    assert_eq!(alone.status.code(), Some(2));
    assert!(stderr(&alone).contains("--verify"), "{}", stderr(&alone));
}
