//! `scopegate import`: tests of other tools.

use std::fs;

use crate::common::{run, stderr, stdout};

const SUITE: &str = r#"
test {
  name: "Refuses"
  request_headers {
    input { header { key: ":method" value: "GET" } header { key: ":path" value: "/nowhere" } }
    result { immediate { http_status: 403 } log { regex: ".*" } }
  }
}
test {
  name: "Lets in"
  request_headers { input { header { key: ":path" value: "/healthz" } } result { no_header { key: "x-auth-subject" } } }
}
"#;

#[test]
fn a_suite_of_the_plugin_tester_becomes_tests_that_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("tests.textpb"), SUITE).unwrap();
    fs::copy(crate::common::fixtures().join("weak.yaml"), at("policy.yaml")).unwrap();
    let made = run(
        &[
            "import",
            "plugin-tester",
            &at("tests.textpb"),
            "--policy",
            &at("policy.yaml"),
            "-o",
            &at("new.test.yaml"),
        ],
        "",
    );
    assert_eq!(made.status.code(), Some(1), "{}", stderr(&made));
    let said = stderr(&made);
    assert!(said.contains("tests.textpb:6: Refuses: `log`:"), "{said}");
    let ran = run(&["test", &at("new.test.yaml"), "--engine", "both"], "");
    assert_eq!(ran.status.code(), Some(0), "{}{}", stdout(&ran), stderr(&ran));

    let again = run(
        &[
            "import",
            "plugin-tester",
            &at("tests.textpb"),
            "-o",
            &at("new.test.yaml"),
        ],
        "",
    );
    assert_eq!(again.status.code(), Some(2), "{}", stderr(&again));
}

#[test]
fn what_is_no_suite_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tests.textpb");
    fs::write(&file, "test {\n  name: \"a\"\n  requst_headers {}\n}\n").unwrap();
    let refused = run(&["import", "plugin-tester", file.to_str().unwrap()], "");
    assert_eq!((refused.status.code(), stdout(&refused).as_str()), (Some(2), ""));
    assert!(
        stderr(&refused).contains("tests.textpb:3:3"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(
        run(&["import", "plugin-tester", "absent.textpb"], "")
            .status
            .code(),
        Some(3)
    );
}
