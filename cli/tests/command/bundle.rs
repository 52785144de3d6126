//! `scopegate bundle` and `scopegate inspect` as a person and a script see them.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::common::{command, run, stderr, stdout};
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
