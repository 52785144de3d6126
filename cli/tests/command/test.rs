//! `scopegate test` as a person and a script see it.

use crate::common::{run, stderr, stdout};
use serde_json::Value;

#[test]
fn tests_that_hold_end_with_0_in_the_module_and_natively() {
    for engine in ["wasm", "native", "both"] {
        let output = run(&["test", "--engine", engine, "."], "");
        assert_eq!(
            output.status.code(),
            Some(0),
            "{engine}: {}{}",
            stdout(&output),
            stderr(&output)
        );
        assert!(
            stdout(&output).contains(" passed, 0 failed, 0 skipped"),
            "{}",
            stdout(&output)
        );
    }
}

#[test]
fn a_failure_shows_what_was_expected_and_what_was_seen() {
    let output = run(&["test", "../failing/wrong.test.yaml"], "");
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!("failing", stdout(&output));
}

#[test]
fn a_fault_of_a_test_file_is_shown_where_it_stands() {
    let output = run(&["test", "../failing/shape.test.yaml"], "");
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
    insta::assert_snapshot!("shape", stderr(&output));
}

#[test]
fn a_threshold_is_never_rounded_up() {
    let output = run(&["test", "--threshold", "100", "weak.test.yaml"], "");
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(
        stderr(&output).contains("below the threshold of 100 %"),
        "{}",
        stderr(&output)
    );
    assert_eq!(
        run(&["test", "--threshold", "10", "weak.test.yaml"], "")
            .status
            .code(),
        Some(0)
    );
}

#[test]
fn numbers_that_are_none_are_refused_in_plain_words() {
    for (argument, message) in [
        ("--threshold=99.9", "write a whole number from 0 to 100"),
        ("--threshold=101", "write a whole number from 0 to 100"),
        (
            "--jobs=0",
            "write how many cases run at a time: a whole number, at least 1",
        ),
    ] {
        let output = run(&["test", argument, "weak.test.yaml"], "");
        assert_eq!(output.status.code(), Some(2), "{argument}");
        assert!(
            stderr(&output).contains(message),
            "{argument}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn a_filter_chooses_cases() {
    let output = run(
        &["test", "--filter", "nobody", "--format", "json", "weak.test.yaml"],
        "",
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["summary"]["passed"], 1);
    assert_eq!(report["suites"][0]["cases"][0]["name"], "nobody else is");
}

#[test]
fn reports_for_machines_stand_alone_on_standard_output() {
    for (format, start) in [
        ("junit", "<?xml"),
        ("tap", "TAP version 14"),
        ("github", "::notice"),
        ("json", "{"),
    ] {
        let output = run(&["test", "--format", format, "weak.test.yaml"], "");
        assert!(
            stdout(&output).starts_with(start),
            "{format}: {}",
            stdout(&output)
        );
    }
}

#[test]
fn no_tests_and_no_files_are_told_apart() {
    assert_eq!(run(&["test", "../command"], "").status.code(), Some(2));
    assert_eq!(run(&["test", "absent"], "").status.code(), Some(3));
}

#[test]
fn tests_that_did_not_run_are_never_green() {
    let output = run(&["test", "--filter", "no such name", "weak.test.yaml"], "");
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
    assert!(
        stderr(&output).contains("no case ran: no name contains `no such name`"),
        "{}",
        stderr(&output)
    );
}

/// What is said of a test file, with `text` after its policy.
fn said_of(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let policy = crate::common::fixtures().join("weak.yaml");
    let path = folder.path().join("a.test.yaml");
    std::fs::write(&path, format!("policy: {}\n{text}", policy.display())).unwrap();
    let output = run(&["test", "--engine", "native", path.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(2), "{text}: {}", stdout(&output));
    stderr(&output)
}

#[test]
fn a_test_file_that_says_less_than_it_seems_to_is_faulty() {
    let one = "{name: one, request: {path: /healthz}, expect: {allow: true}}";
    for (text, message) in [
        (String::new(), "the file tests nothing"),
        ("tests: []".to_owned(), "the file tests nothing"),
        (
            "matrix: {callers: [], cells: {GET /healthz: {}}}".to_owned(),
            "the matrix has no callers",
        ),
        (
            "matrix: {callers: [none], cells: {}}".to_owned(),
            "the matrix has no cells",
        ),
        (
            "matrix: {callers: [none, none], cells: {GET /healthz: {none: allow}}}".to_owned(),
            "`none` is listed twice",
        ),
        (
            format!("tests: [{one}, {one}]"),
            "another test is called `one` already",
        ),
        (
            format!("tests: [{}]", one.replace("/healthz", "/healthz, path_hex: 2f")),
            "tests[0].request.path_hex: the path is stated twice",
        ),
        (
            "matrix: {callers: [none], request: {path_hex: 2f}, cells: {GET /healthz: {none: allow}}}"
                .to_owned(),
            "matrix.request.path_hex: `path_hex` is not one for every request of a matrix",
        ),
        (
            "matrix: {callers: [none], request: {path: /}, cells: {GET /healthz: {none: allow}}}".to_owned(),
            "matrix.request.path: `path` is not one for every request of a matrix",
        ),
        (
            "matrix: {callers: [none], request: {method: PUT}, cells: {GET /healthz: {none: allow}}}"
                .to_owned(),
            "matrix.request.method: `method` is not one for every request of a matrix",
        ),
        (
            "matrix: {callers: [none], request: {token: none}, cells: {GET /healthz: {none: allow}}}"
                .to_owned(),
            "matrix.request.token: `token` is not one for every request of a matrix",
        ),
        (
            "tests: [{name: one, steps: [{advance: 1m}]}]".to_owned(),
            "the test `one` sends no request",
        ),
        (
            "tests: [{name: one, steps: [{advance: 220000d}]}]".to_owned(),
            "tests[0].steps[0].advance: the clock would go on by more than a hundred years",
        ),
        (
            format!("tests: [{}]", one.replace("/healthz", "\"/healthz?{{who}}\"")),
            "tests[0].request.path: there is no token `who`",
        ),
        (
            format!(
                "tests: [{}]",
                one.replace("/healthz", "/healthz, headers: {x-a: \"{{who}}\"}")
            ),
            "tests[0].request.headers.x-a: there is no token `who`",
        ),
        (
            format!(
                "tests: [{}]",
                one.replace("/healthz", "/healthz, body: \"{{who}}\"")
            ),
            "tests[0].request.body: there is no token `who`",
        ),
    ] {
        let said = said_of(&text);
        let joined = said
            .lines()
            .map(|line| line.trim_start_matches([' ', '│', '×']))
            .collect::<Vec<_>>()
            .join(" ");
        assert!(joined.contains(message), "{text}: {said}");
    }
}

#[test]
fn an_expectation_that_always_holds_is_a_fault() {
    for (expect, message) in [
        (
            "allow: true, status: 200",
            "tests[0].expect.status: `status` is one of a reply",
        ),
        (
            "allow: true, headers: {x-a: null}",
            "tests[0].expect.headers: `headers` is one of a reply",
        ),
        (
            "allow: true, body: \"\"",
            "tests[0].expect.body: `body` is one of a reply",
        ),
        ("allow: true, layer: null", "layer"),
        ("deny: no_route, status: null", "status"),
        (
            "deny: no_route, body: null",
            "tests[0].expect.body: null says nothing of a body",
        ),
        ("deny: no_route, audit: null", "audit"),
        ("deny: no_route, callouts: null", "callouts"),
        (
            "deny: no_route, body: {cod: null}",
            "tests[0].expect.body.cod: `cod` is never there",
        ),
        (
            "deny: no_route, audit: [{rouet: null}]",
            "tests[0].expect.audit[0].rouet: `rouet` is never there",
        ),
        (
            "deny: no_route, metrics: {scopegate.decison.deny: 0}",
            "the plugin has no metric `scopegate.decison.deny`",
        ),
        (
            "deny: no_route, properties: {scopegate.cod: null}",
            "`scopegate.cod` is never there",
        ),
        (
            "allow: true, upstream: {\"x-auth-subject \": null}",
            "is no name of a header",
        ),
        (
            "allow: true, upstream: {\":path\": null}",
            "`:path` is no name of a header",
        ),
        (
            "allow: true, upstream: {x-a: {contains: a, equals: b}}",
            "expected a text, a list of texts",
        ),
    ] {
        let said = said_of(&format!(
            "tests: [{{name: one, request: {{path: /healthz}}, expect: {{{expect}}}}}]"
        ));
        let joined: Vec<_> = said
            .lines()
            .map(|line| line.trim_start_matches([' ', '│', '×']))
            .collect();
        assert!(joined.join(" ").contains(message), "{expect}: {said}");
    }
}

#[test]
fn an_upstream_and_a_token_that_say_more_than_counts_are_faults() {
    let tests = "tests: [{name: one, request: {path: /healthz}, expect: {allow: true}}]";
    for (more, message) in [
        (
            "upstreams: {idp: [{status: 200}]}",
            "the policy has no upstream `idp`",
        ),
        (
            "tokens: {a: {raw: x, expires_in: 5m}}",
            "a token with `raw` has nothing else of its own",
        ),
        (
            "tokens: {a: {raw: x}, b: {from: a, claims: {sub: anna}}}",
            "a token with `raw` has nothing else of its own",
        ),
    ] {
        let said = said_of(&format!("{more}\n{tests}"));
        let joined: Vec<_> = said
            .lines()
            .map(|line| line.trim_start_matches([' ', '│', '×']))
            .collect();
        assert!(joined.join(" ").contains(message), "{more}: {said}");
    }
}

/// A policy whose keys are fetched, and which lets credentials go on: what it forwards holds a token.
const FETCHING: &str = "\
scopegate: v1
authentication:
  providers:
    - name: corp
      type: jwt
      issuer: https://idp.example.com
      audiences: [api]
      algorithms: [HS256, ES256]
      forward_credential: true
      keys: {jwks_uri: https://idp.example.com/jwks, upstream: idp}
authorization:
  scopes: {api:use: Use the API}
  routes:
    - {id: health, match: {methods: [GET], path: /healthz}, access: public}
    - {id: api, match: {methods: [GET], path: /api}, access: {scopes: {all: [api:use]}}}
";

/// A folder with that policy, and a test file that holds `tests`.
fn fetching(tests: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policy.yaml"), FETCHING).unwrap();
    let head = "policy: policy.yaml\n\
                keys: {k1: {alg: ES256, provider: corp}}\n\
                tokens: {user: {key: k1, claims: {sub: anna, scope: \"api:use\"}}}\n\
                upstreams: {idp: [{path: /jwks, jwks: [k1]}]}\n";
    std::fs::write(folder.path().join("a.test.yaml"), format!("{head}{tests}")).unwrap();
    folder
}

/// Runs the tests in a folder.
fn run_in(folder: &std::path::Path, arguments: &[&str]) -> std::process::Output {
    let mut command = crate::common::command(&["test"]);
    command.args(arguments).current_dir(folder).output().unwrap()
}

#[test]
fn callouts_metrics_and_properties_can_be_expected_of_the_module() {
    let folder = fetching(
        "tests:
  - name: keys are fetched once
    steps:
      - request: {path: /api, token: user}
        expect:
          allow: api
          callouts: [{upstream: idp, method: GET, path: /jwks}]
          metrics: {scopegate.authorization.api.allow: 1, scopegate.authorization.api.deny.scope_missing: 0}
          properties: {scopegate.code: allow, scopegate.route: api, scopegate.would_deny: null}
      - request: {path: /api, token: user}
        expect: {allow: api, callouts: [], metrics: {scopegate.authentication.corp.success: 1}}
",
    );
    let output = run_in(folder.path(), &[]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    // The engine itself counts nothing: that is never taken for a zero.
    let output = run_in(folder.path(), &["--engine", "native"]);
    let said = stderr(&output);
    assert_eq!(
        (output.status.code(), said.as_str()),
        (
            Some(2),
            "error: no case ran: all 1 were skipped: `native` does not show metrics and properties\n"
        )
    );
    let output = run_in(folder.path(), &["--engine", "both", "--format", "tap"]);
    assert!(
        stdout(&output).contains("# SKIP `native` does not show metrics and properties"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn what_differs_is_shown_as_a_difference_and_holds_no_token() {
    let folder = fetching(
        "tests:
  - name: more is asked than that
    request: {path: /api, token: user, headers: {cookie: \"sid=abc\"}}
    expect:
      allow: health
      callouts: [{upstream: idp, path: /jwks, times: 2}]
      metrics: {scopegate.authorization.api.allow: 2}
      properties: {scopegate.code: null}
      upstream: {authorization: null}
      audit: [{event: authorization, outcome: allow, effective: [\"api:use\"]}]
",
    );
    let output = run_in(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    insta::assert_snapshot!("differences", stdout(&output));
    for format in ["human", "json", "junit", "tap", "github"] {
        let output = run_in(folder.path(), &["--format", format, "--verbose"]);
        assert!(!stdout(&output).contains("eyJ"), "{}", stdout(&output));
        // What is in several lines is shown on one, and not as escapes.
        let is_escaped = format != "json" && stdout(&output).contains("\\n");
        assert!(!is_escaped, "{format}: {}", stdout(&output));
    }
}

#[test]
fn what_a_terminal_would_obey_is_shown_in_every_report() {
    let hostile = "\\e]0;x\\a \\0 \\u009b2J \\u202e\\n::error::not mine";
    let folder = fetching(&format!(
        "tests:
  - name: \"name {hostile}\"
    request: {{path: \"/api{hostile}\", headers: {{\"x-{hostile}\": \"{hostile}\"}}}}
    expect: {{deny: no_route, headers: {{x-a: \"{hostile}\"}}}}
"
    ));
    for format in ["human", "junit", "tap", "github"] {
        let output = run_in(folder.path(), &["--engine", "native", "--format", format]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let text = stdout(&output) + &stderr(&output);
        let is_obeyed =
            |character: char| character.is_control() && character != '\n' || character == '\u{202e}';
        assert!(!text.contains(is_obeyed), "{format}: {text:?}");
        let commands = text
            .lines()
            .filter(|line| line.trim_start().starts_with("::error::"))
            .count();
        assert_eq!(commands, 0, "{format}: {text}");
        assert!(
            text.contains("u{1b}") && text.contains("u{202e}"),
            "{format}: {text}"
        );
    }
}

#[test]
fn a_filter_says_how_many_it_has_chosen() {
    let output = run(&["test", "--filter", "nobody", "weak.test.yaml"], "");
    assert_eq!(stderr(&output), "1 of 2 cases have `nobody` in their names\n");
}

#[test]
fn the_first_failure_ends_a_run_that_is_to_fail_fast() {
    let output = run(&["test", "--fail-fast", "../failing/wrong.test.yaml"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).ends_with("0 passed, 1 failed, 0 skipped\n"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn output_does_not_depend_on_how_many_cases_run_at_a_time() {
    let said = ["1", "7"].map(|jobs| {
        let arguments = ["test", "--jobs", jobs, "--verbose", "--engine", "native", "."];
        stdout(&run(&arguments, ""))
    });
    assert_eq!(said[0], said[1]);
    assert_eq!(run(&["test", "--jobs", "0", "."], "").status.code(), Some(2));
}

#[test]
fn the_module_runs_as_if_in_another_proxy() {
    let folder = fetching(
        "tests:
  - name: health is public
    request: {path: /healthz}
    expect: {allow: health}
",
    );
    for (profile, name) in [("envoy", "wasm"), ("nginx", "nginx"), ("spec", "spec")] {
        let output = run_in(folder.path(), &["--profile", profile]);
        let said = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{said}{}", stderr(&output));
        assert!(
            said.starts_with(&format!("./a.test.yaml ({name}): 1 passed")),
            "{said}"
        );
    }
}

#[test]
fn the_speed_of_both_engines_is_measured() {
    let arguments = [
        "test",
        "--bench",
        "--engine",
        "both",
        "--format",
        "json",
        "weak.test.yaml",
    ];
    let output = run(&arguments, "");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [native, wasm] = [&report["bench"][0], &report["bench"][1]];
    assert_eq!(
        (&native["executor"], &wasm["executor"]),
        (&"native".into(), &"wasm".into())
    );
    assert!(
        native["cases_per_second"].as_f64() > Some(0.0) && native["fuel"].is_null(),
        "{native}"
    );
    assert!(wasm["fuel"]["p50"].as_u64() > Some(1_000), "{wasm}");
}

/// A command that runs, its lines as they come.
struct Running {
    child: std::process::Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Running {
    fn start(mut command: std::process::Command) -> Self {
        use std::io::BufRead as _;
        use std::process::Stdio;

        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = std::sync::mpsc::channel();
        let pipes: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for pipe in pipes {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in std::io::BufReader::new(pipe).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Self { child, lines }
    }

    /// Waits for a line with this in it, on standard output or standard error.
    fn wait_for(&self, text: &str) {
        let patience = std::time::Duration::from_secs(120);
        loop {
            let line = self.lines.recv_timeout(patience);
            assert!(line.is_ok(), "nobody said `{text}`");
            if line.unwrap().contains(text) {
                return;
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn a_watch_runs_again_after_each_change_survives_faults_and_ends_as_the_last_run_did() {
    let test = |name: &str, code: &str| {
        format!("tests: [{{name: {name}, request: {{path: /nowhere}}, expect: {{deny: {code}}}}}]\n")
    };
    let folder = fetching(&test("one", "no_route"));
    let path = folder.path().join("a.test.yaml");
    let good = std::fs::read_to_string(&path).unwrap();
    let mut command = crate::common::command(&["test", "--engine", "native", "--watch", "."]);
    command.current_dir(folder.path());
    let mut running = Running::start(command);
    running.wait_for("1 passed, 0 failed");
    std::fs::write(&path, good.replace("no_route", "scope_missing")).unwrap();
    running.wait_for("0 passed, 1 failed");
    std::fs::write(&path, "policy: [").unwrap();
    running.wait_for("unclosed bracket");
    // The policy is read too, though it is not named.
    std::fs::write(&path, &good).unwrap();
    running.wait_for("1 passed, 0 failed");
    let policy = folder.path().join("policy.yaml");
    std::fs::write(&policy, FETCHING.replace("/healthz", "/nowhere")).unwrap();
    running.wait_for("0 passed, 1 failed");
    // And so are the files that it takes from, wherever they stand.
    let shared = tempfile::tempdir().unwrap();
    let fixtures = shared.path().join("shared.yaml");
    std::fs::write(&fixtures, "tokens: {other: {raw: a}}\n").unwrap();
    std::fs::write(&policy, FETCHING).unwrap();
    std::fs::write(&path, format!("fixtures: {}\n{good}", fixtures.display())).unwrap();
    running.wait_for("1 passed, 0 failed");
    std::fs::write(&fixtures, "tokns: {}\n").unwrap();
    running.wait_for("unknown field `tokns`");
    std::fs::write(&fixtures, "tokens: {}\n").unwrap();
    std::fs::write(&policy, FETCHING.replace("/healthz", "/nowhere")).unwrap();
    running.wait_for("0 passed, 1 failed");
    let id = running.child.id().to_string();
    std::process::Command::new("kill")
        .args(["-INT", &id])
        .status()
        .unwrap();
    assert_eq!(running.child.wait().unwrap().code(), Some(1));
}

#[test]
fn nonces_of_the_module_do_not_hide_what_its_tests_reach() {
    for engine in ["wasm", "native", "both"] {
        let policy = "../../../policies/mobile-api-dpop";
        let output = run(&["test", policy, "--engine", engine, "--threshold", "100"], "");
        assert_eq!(output.status.code(), Some(0), "{engine}: {}", stdout(&output));
    }
}

#[test]
fn flags_that_would_be_ignored_are_refused() {
    for arguments in [
        &["--mutate", "--filter", "x"][..],
        &["--mutate", "--threshold", "100"],
        &["--mutate", "--engine", "wasm"],
        &["--mutate", "--profile", "nginx"],
        &["--mutate", "--wasm", "x.wasm"],
        &["--mutate", "--watch"],
        &["--mutate", "--format", "junit"],
        &["--bench", "--threshold", "100"],
        &["--bench", "--format", "tap"],
        &["--init", "--mutate"],
        &["--init", "--watch"],
        &["--init", "--threshold", "100"],
    ] {
        let output = run(&[&["test"], arguments, &["weak.test.yaml"]].concat(), "");
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            stdout(&output)
        );
    }
}

#[test]
fn tests_that_fail_before_anything_is_mutated_are_a_finding() {
    let output = run(&["test", "--mutate", "../failing/wrong.test.yaml"], "");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("fails on the policy as it is"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn flags_about_a_module_that_does_not_run_are_refused() {
    for flags in [&["--wasm", "x.wasm"][..], &["--profile", "nginx"]] {
        let output = run(
            &[&["test", "--engine", "native", "weak.test.yaml"], flags].concat(),
            "",
        );
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        assert!(
            stderr(&output).contains("leave one of the two out"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn a_measurement_of_cases_that_fail_is_no_green_run() {
    let arguments = [
        "test",
        "--bench",
        "--engine",
        "native",
        "../failing/wrong.test.yaml",
    ];
    let output = run(&arguments, "");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).contains("cases/s"), "{}", stdout(&output));
    assert!(
        stderr(&output).contains("of the measured cases failed"),
        "{}",
        stderr(&output)
    );
}

/// A folder whose one test passes, in a file of this name.
fn one_test_called(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let policy = crate::common::fixtures().join("weak.yaml");
    let text = format!(
        "policy: {}\ntests: [{{name: one, request: {{path: /healthz}}, expect: {{allow: true}}}}]\n",
        policy.display()
    );
    std::fs::write(path, text).unwrap();
    folder
}

#[test]
fn a_test_file_whose_name_is_almost_right_is_not_passed_over() {
    for (name, right) in [
        ("access.test.yml", "access.test.yaml"),
        ("X.TEST.YAML", "X.test.yaml"),
        ("below/x_test.yaml", "x.test.yaml"),
    ] {
        let folder = one_test_called(name);
        let output = run_in(folder.path(), &["--engine", "native", "."]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(
            said.contains(name) && said.contains(&format!("call it `{right}`")),
            "{said}"
        );
        let named = run_in(folder.path(), &["--engine", "native", name]);
        assert_eq!(named.status.code(), Some(0), "{name}: {}", stderr(&named));
    }
    // Other tools have tests too.
    let folder = one_test_called("a.test.yaml");
    std::fs::write(
        folder.path().join("docker-compose.test.yml"),
        "services: {web: {image: x}}\n",
    )
    .unwrap();
    let output = run_in(folder.path(), &["--engine", "native", "."]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn only_folders_that_cargo_builds_in_are_not_looked_into() {
    let folder = one_test_called("target/a.test.yaml");
    let run = || run_in(folder.path(), &["--engine", "native", "."]);
    assert!(stdout(&run()).contains("1 passed"), "{}", stderr(&run()));
    std::fs::write(folder.path().join("target/CACHEDIR.TAG"), "").unwrap();
    assert_eq!(run().status.code(), Some(2));
}

#[cfg(unix)]
#[test]
fn a_file_runs_once_however_many_links_lead_to_it() {
    let folder = one_test_called("a.test.yaml");
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, folder.path().join(name)).unwrap();
    link(".", "loop");
    link("a.test.yaml", "again.test.yaml");
    let output = run_in(folder.path(), &["--engine", "native", ".", "a.test.yaml", "loop"]);
    assert!(
        stdout(&output).ends_with("\n1 passed, 0 failed, 0 skipped\n"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_policy_that_is_one_part_of_several_is_named() {
    let folder = one_test_called("a.test.yaml");
    std::fs::write(
        folder.path().join("part.yaml"),
        "scopegate: v1\nauthentication: {realm: x}\n",
    )
    .unwrap();
    let tests = "policy: part.yaml\ntests: [{name: one, request: {}, expect: {deny: no_route}}]\n";
    std::fs::write(folder.path().join("a.test.yaml"), tests).unwrap();
    let said = stderr(&run_in(folder.path(), &["--engine", "native", "."]));
    assert!(
        said.contains("the field `authorization` is missing") && said.contains("part.yaml:1:1"),
        "{said}"
    );
}

#[test]
fn a_file_that_is_no_text_is_a_faulty_file_and_not_a_missing_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.test.yaml");
    std::fs::write(&file, b"tests: \xff").unwrap();
    let path = file.to_str().unwrap();
    for arguments in [&["test", path][..], &["import", "plugin-tester", path]] {
        let output = run(arguments, "");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(!stderr(&output).contains("policy file"), "{}", stderr(&output));
    }
}
