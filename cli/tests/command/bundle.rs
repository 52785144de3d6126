//! `scopegate bundle` and `scopegate inspect` as a person and a script see them.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use scopegate_bundle::{Baker, Options, Proxies};
use serde_json::{Value, json};

use crate::common::{command, module, run, stderr, stdout};
use crate::served::{Served, USER, programs, skopeo};

const POLICY: &str = "../../../policies/partner-api-keys/policy.yaml";

fn bundle(to: &Path, further: &[&str]) -> Output {
    let to = to.to_str().unwrap();
    let arguments = [&["bundle", POLICY, "-o", to], further].concat();
    run(&arguments, "")
}

fn inspect(file: &Path, further: &[&str]) -> Output {
    let arguments = [&["inspect", file.to_str().unwrap()], further].concat();
    run(&arguments, "")
}

#[test]
fn a_bundle_is_the_same_wherever_it_is_made_and_shows_its_policy() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, other) = (one.path().join("one.wasm"), other.path().join("other.wasm"));
    for path in [&one, &other] {
        let made = bundle(path, &["--open", "log_level"]);
        assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
        let shown: Value = serde_json::from_slice(&inspect(path, &["--format", "json"]).stdout).unwrap();
        let plugin = shown["manifest"]["plugin"]["digest"].as_str().unwrap();
        assert!(stderr(&made).contains(plugin), "{}", stderr(&made));
    }
    assert!(std::fs::read(&one).unwrap() == std::fs::read(&other).unwrap());

    let shown: Value = serde_json::from_slice(&inspect(&one, &["--format", "json"]).stdout).unwrap();
    assert_eq!(shown["manifest"]["policy"]["name"], "partner-api");
    assert_eq!(shown["manifest"]["open"], serde_json::json!(["log_level"]));
    assert_eq!(shown["manifest"]["form"], "compiled");
    assert_eq!(shown["signature"], "absent");
    let policy: Value = serde_json::from_slice(&inspect(&one, &["--policy"]).stdout).unwrap();
    assert_eq!(policy, shown["policy"]);
    assert_eq!(policy["metadata"]["name"], "partner-api");
}

#[test]
fn a_policy_with_errors_makes_no_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("faulty.wasm");
    let refused = run(&["bundle", "faulty.yaml", "-o", path.to_str().unwrap()], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("faulty.yaml"), "{}", stderr(&refused));
    assert!(stdout(&refused).is_empty());
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

/// A policy with these keys, in a file.
fn policy_of(folder: &Path, algorithms: &Value, keys: &Value) -> String {
    let policy = json!({
        "scopegate": "v1",
        "metadata": {"name": "orders"},
        "authentication": {"providers": [{
            "name": "corp",
            "type": "jwt",
            "issuer": "https://idp.example.com",
            "audiences": ["orders"],
            "algorithms": algorithms,
            "require": {"claims": {"env": "AWS_SECRET_ACCESS_KEY"}},
            "keys": keys,
        }]},
        "authorization": {
            "scopes": {"r": "Read"},
            "routes": [{"id": "a", "match": {"path": "/a"}, "access": {"scopes": {"all": ["r"]}}}],
        },
    });
    let path = folder.join("policy.yaml");
    std::fs::write(&path, format!("{policy:#}")).unwrap();
    path.to_str().unwrap().to_owned()
}

const SHARED: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";
const PRIVATE: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

fn open_key() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": "open", "alg": "EdDSA", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

fn private_key() -> Value {
    let mut key = open_key();
    key["kid"] = "private".into();
    key["d"] = PRIVATE.into();
    key
}

#[test]
fn a_policy_that_secrets_stand_in_makes_no_bundle_and_nothing_shows_them() {
    let shared = json!({"kty": "oct", "kid": "k", "alg": "HS256", "k": SHARED});
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made.wasm");
    for (algorithms, keys, code) in [
        (json!(["HS256"]), json!([shared]), "key_secret_inline"),
        (json!(["EdDSA"]), json!([private_key()]), "key_private"),
        // No provider would take this one; it would stand in the file all the same.
        (json!(["EdDSA"]), json!([open_key(), shared]), "key_secret_inline"),
    ] {
        let path = policy_of(folder.path(), &algorithms, &json!({"jwks": {"keys": keys}}));
        for format in ["human", "json"] {
            let refused = run(
                &["bundle", &path, "-o", made.to_str().unwrap(), "--format", format],
                "",
            );
            let all = stdout(&refused) + &stderr(&refused);
            assert_eq!(refused.status.code(), Some(2), "{all}");
            assert!(all.contains(code), "{all}");
            assert!(!all.contains(SHARED) && !all.contains(PRIVATE), "{all}");
            assert!(!made.exists());
        }
    }
}

#[test]
fn warnings_are_shown_whatever_the_format_is() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made.wasm");
    let skipped = json!({"kty": "oct", "kid": "k", "alg": "HS256"});
    let path = policy_of(
        folder.path(),
        &json!(["EdDSA"]),
        &json!({"jwks": {"keys": [open_key(), skipped]}}),
    );
    for format in ["human", "json"] {
        let done = run(
            &["bundle", &path, "-o", made.to_str().unwrap(), "--format", format],
            "",
        );
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
        assert!(
            stderr(&done).contains("key_skipped"),
            "{format}: {}",
            stderr(&done)
        );
    }
}

/// A bundle such as the command makes none of.
fn strange(folder: &Path) -> PathBuf {
    let policy = policy_of(
        folder,
        &json!(["EdDSA"]),
        &json!({"jwks": {"keys": [private_key()]}}),
    );
    let options = Options {
        open: Vec::new(),
        proxies: Proxies::Any,
        by: "tests\n\u{1b}[1msignature \u{1b}[0m made with the key given\u{1b}[8m".to_owned(),
        at: None,
    };
    let mut policy: Value = serde_json::from_slice(&std::fs::read(policy).unwrap()).unwrap();
    policy["authorization"]["scopes"]["r"] = json!("R\u{9b}1m\u{202e}");
    let baker = Baker::new(std::fs::read(module()).unwrap()).unwrap().for_tests();
    let path = folder.join("strange.wasm");
    std::fs::write(&path, baker.bake(&policy, &options).unwrap()).unwrap();
    path
}

#[test]
fn nothing_in_a_bundle_moves_the_cursor_or_makes_up_a_line_or_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = strange(folder.path());
    for further in [&[][..], &["--policy"], &["--format", "json"]] {
        let shown = inspect(&path, further);
        assert_eq!(shown.status.code(), Some(0), "{}", stderr(&shown));
        let text = stdout(&shown);
        assert!(!text.contains(PRIVATE), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{text}");
        let about = text.lines().filter(|line| line.starts_with("signature"));
        assert_eq!(about.count(), usize::from(further.is_empty()), "{text}");
    }
    let policy: Value = serde_json::from_slice(&inspect(&path, &["--policy"]).stdout).unwrap();
    let key = &policy["authentication"]["providers"][0]["keys"]["jwks"]["keys"][0];
    assert_eq!(key["d"], "(redacted)");
    assert_eq!(key["x"], open_key()["x"]);
}

#[test]
fn a_bundle_is_handed_the_variables_that_were_named_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made.wasm");
    let keys = json!([{"kid": "k", "alg": "HS256", "secret": {"env": "ORDERS_SECRET"}}]);
    let path = policy_of(folder.path(), &json!(["HS256"]), &keys);
    let made = made.to_str().unwrap();
    assert_eq!(run(&["bundle", &path, "-o", made], "").status.code(), Some(0));
    let shown: Value =
        serde_json::from_slice(&inspect(Path::new(made), &["--format", "json"]).stdout).unwrap();
    assert_eq!(shown["manifest"]["secrets"], json!(["ORDERS_SECRET"]));
    let decide = |further: &[&str]| {
        let mut command = command(&[&["decide", "--bundle", made], further].concat());
        command
            .env("ORDERS_SECRET", SHARED)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let held_back = decide(&[]);
    assert_eq!(held_back.status.code(), Some(3), "{}", stderr(&held_back));
    assert!(
        stderr(&held_back).contains("the bundle takes `ORDERS_SECRET`"),
        "{}",
        stderr(&held_back)
    );
    let given = decide(&["--env", "ORDERS_SECRET"]);
    assert_eq!(given.status.code(), Some(0), "{}", stderr(&given));
    assert!(!stderr(&given).contains("ORDERS_SECRET"), "{}", stderr(&given));
}

#[test]
fn a_bundle_is_an_image_in_a_folder_and_in_a_registry_that_asks_who_pushes() {
    let test = "a_bundle_is_an_image_in_a_folder_and_in_a_registry_that_asks_who_pushes";
    let Some((registry, root)) = programs(test) else {
        return;
    };
    let served = Served::start(&registry, Some(USER));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders.wasm");
    let images = folder.path().join("images");
    let reference = format!("{}/policies/orders:1", served.address);
    let push = |credentials: &Path| {
        let mut command = command(&["bundle", POLICY, "--format", "json", "--push", &reference]);
        command.arg("-o").arg(&file).arg("--oci").arg(&images);
        command.env("DOCKER_CONFIG", credentials).output().unwrap()
    };

    let stranger = folder.path().join("stranger");
    let refused = push(&stranger);
    assert_eq!(refused.status.code(), Some(3));
    let said = stderr(&refused);
    assert!(
        said.contains("docker login") && said.contains("the bundle itself was written"),
        "{said}"
    );
    let bundle = std::fs::read(&file).unwrap();

    // As `docker login` writes it: the name and the password in base64.
    let known = folder.path().join("known");
    std::fs::create_dir(&known).unwrap();
    let entry = serde_json::json!({"auths": {served.address.as_str(): {"auth": "c2NvcGVnYXRlOm9wZW4="}}});
    std::fs::write(known.join("config.json"), entry.to_string()).unwrap();
    let pushed = push(&known);
    assert_eq!(pushed.status.code(), Some(0), "{}", stderr(&pushed));
    let printed: Value = serde_json::from_slice(&pushed.stdout).unwrap();
    let image = printed["image"].as_str().unwrap();

    let raw = |from: &str| {
        skopeo(
            &root,
            &[
                "inspect",
                "--raw",
                "--creds=scopegate:open",
                "--tls-verify=false",
                from,
            ],
        )
    };
    let remote = raw(&format!("docker://{image}"));
    assert_eq!(
        remote,
        skopeo(
            &root,
            &["inspect", "--raw", &format!("oci:{}:compat", images.display())]
        )
    );
    let manifest: Value = serde_json::from_slice(&remote).unwrap();
    assert_eq!(
        manifest["annotations"]["scopegate.policy.digest"],
        printed["policy"]
    );
    assert!(
        skopeo(
            &root,
            &["inspect", "--raw", &format!("oci:{}:artifact", images.display())]
        )
        .len()
            > 100
    );
    assert!(
        std::fs::read(&file).unwrap() == bundle,
        "pushed again, it is the same bundle"
    );
}

#[test]
fn a_reference_that_is_wrong_costs_nobody_a_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.wasm");
    let refused = bundle(&path, &["--push", "Registry.example/ORDERS:1"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("is no reference to an image"),
        "{}",
        stderr(&refused)
    );
    assert!(!path.exists());
}
