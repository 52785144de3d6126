//! `cargo xtask test`: every check there is, one step after another, and a table of what came of each.
//!
//! A step that this machine cannot run is skipped by name with its reason; where `CI` is set, a skip is a failure.
//! The steps share one profile and one set of features, so that nothing is built twice.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use scopegate_trim::Proxies;

use crate::command::{self, Failure};
use crate::debian;
use crate::foreign;
use crate::manifests;
use crate::products;
use crate::release;
use crate::toolchain::{BROWSER, Toolchain};
use crate::tools;
use crate::workspace::Workspace;

/// What came of a step.
enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

/// A step's name and what it does.
type Step = (&'static str, fn(&Workspace) -> Result<Verdict, Failure>);

const STEPS: [Step; 14] = [
    ("format", format),
    ("dependencies", dependencies),
    ("module", module),
    ("lints", lints),
    ("build", build),
    ("tests", tests),
    ("documentation", documentation),
    ("in Node: authn", |workspace| node(workspace, "authn")),
    ("in Node: authz", |workspace| node(workspace, "authz")),
    ("in Node: engine", |workspace| node(workspace, "engine")),
    ("manifests", manifests),
    ("policies", policies),
    ("release", |workspace| {
        release::check::try_one(workspace).map(|()| Verdict::Passed)
    }),
    ("module size", |workspace| {
        end_to_end(workspace, Proxies::Any, &["size"])
    }),
];

/// Steps that need Envoy, which not every machine can have.
const ENVOY: [Step; 2] = [
    ("Envoy, end to end", |workspace| {
        end_to_end(workspace, Proxies::Envoy, &["test"])
    }),
    ("Envoy, bundles", |workspace| {
        end_to_end(workspace, Proxies::Envoy, &["test", "--bundled"])
    }),
];

/// Runs the steps whose name contains one of `only`; all of them where it is empty.
pub(crate) fn run(workspace: &Workspace, only: &[String]) -> Result<ExitCode, Failure> {
    let wanted = |name: &str| only.is_empty() || only.iter().any(|text| name.contains(text.as_str()));
    let mut rows = Vec::new();
    for (name, step) in STEPS.into_iter().chain(ENVOY).filter(|(name, _)| wanted(name)) {
        eprintln!("\n== {name}");
        let (verdict, seconds) = timed(|| step(workspace));
        if let Verdict::Failed(why) | Verdict::Skipped(why) = &verdict {
            eprintln!("{name}: {why}");
        }
        rows.push((name, verdict, seconds));
    }
    if rows.is_empty() {
        return Err("no step has that text in its name".into());
    }
    Ok(report(&rows))
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a step took is shown, never decided upon"
)]
fn timed(step: impl FnOnce() -> Result<Verdict, Failure>) -> (Verdict, u64) {
    let start = Instant::now();
    let verdict = step().unwrap_or_else(|failure| Verdict::Failed(failure.to_string()));
    (verdict, start.elapsed().as_secs())
}

fn report(rows: &[(&str, Verdict, u64)]) -> ExitCode {
    let strict = env::var_os("CI").is_some_and(|value| !value.is_empty());
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    println!("\n{:<20} {:<8} {:>7}", "step", "result", "seconds");
    for (name, verdict, seconds) in rows {
        let (count, result, why) = match verdict {
            Verdict::Passed => (&mut passed, "passed", ""),
            Verdict::Failed(why) => (&mut failed, "FAILED", why.as_str()),
            Verdict::Skipped(why) if strict => (&mut failed, "SKIPPED", why.as_str()),
            Verdict::Skipped(why) => (&mut skipped, "skipped", why.as_str()),
        };
        *count += 1;
        println!(
            "{name:<20} {result:<8} {seconds:>7}  {}",
            why.lines().next().unwrap_or_default()
        );
    }
    println!("\n{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn passes(command: &mut Command) -> Result<Verdict, Failure> {
    command::run(command).map(|()| Verdict::Passed)
}

fn format(workspace: &Workspace) -> Result<Verdict, Failure> {
    passes(workspace.cargo().args(["fmt", "--all", "--check"]))
}

fn dependencies(workspace: &Workspace) -> Result<Verdict, Failure> {
    let mut deny = Command::new(tools::DENY.path(workspace)?);
    passes(
        deny.current_dir(&workspace.root)
            .args(["check", "bans", "licenses", "sources"]),
    )
}

fn module(workspace: &Workspace) -> Result<Verdict, Failure> {
    products::plugin(workspace, Proxies::Any)?;
    products::conformance(workspace)?;
    Ok(Verdict::Passed)
}

fn lints(workspace: &Workspace) -> Result<Verdict, Failure> {
    passes(
        workspace
            .cargo()
            .args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    )
}

/// Programs and tests together, so that both are built with the same features, once.
fn build(workspace: &Workspace) -> Result<Verdict, Failure> {
    passes(
        workspace
            .cargo()
            .args(["build", "--workspace", "--bins", "--tests"]),
    )
}

/// All tests; one that could not run here adds a line to a file, and the step counts as skipped.
fn tests(workspace: &Workspace) -> Result<Verdict, Failure> {
    // A run of this step alone has them too; where they are built, that is soon seen.
    module(workspace)?;
    let skips = workspace.target.join("skipped-tests");
    command::on(&skips, remove(&skips))?;
    if let Err(failure) = foreign::fetch_all(workspace) {
        eprintln!("note: the tests with modules of others are skipped: {failure}");
    }
    let mut cargo = workspace.cargo();
    if let Err(failure) = name_registry(workspace, &mut cargo) {
        eprintln!("note: the test with a registry is skipped: {failure}");
    }
    cargo
        .args(["test", "--workspace", "--no-fail-fast"])
        .env("SCOPEGATE_WASM", products::module(workspace, Proxies::Any))
        .env(
            "SCOPEGATE_CONFORMANCE_WASM",
            products::conformance_module(workspace),
        )
        .env(
            "SCOPEGATE_CONFORMANCE_NGINX_WASM",
            products::conformance_module_for_nginx(workspace),
        )
        .env("SCOPEGATE_FOREIGN_MODULES", &workspace.cache)
        .env("SCOPEGATE_SKIPS", &skips);
    command::run(&mut cargo)?;
    let lines = match fs::read_to_string(&skips) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Verdict::Passed),
        lines => command::on(&skips, lines)?,
    };
    eprint!("{lines}");
    Ok(skipped(&lines))
}

/// Tells the tests where a registry of images is, and a client that reads it.
fn name_registry(workspace: &Workspace, tests: &mut Command) -> Result<(), Failure> {
    tests
        .env("SCOPEGATE_REGISTRY", debian::registry(&workspace.cache)?)
        .env("SCOPEGATE_SKOPEO", debian::skopeo(&workspace.cache)?);
    Ok(())
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// The verdict on a run whose skipped tests are these lines, `SKIPPED <test>: <reason>`.
fn skipped(lines: &str) -> Verdict {
    let name = |line: &str| {
        let (name, _) = line.strip_prefix("SKIPPED ")?.split_once(':')?;
        Some(name.to_owned())
    };
    let names: BTreeSet<String> = lines.lines().filter_map(name).collect();
    if names.is_empty() {
        return Verdict::Passed;
    }
    let names: Vec<String> = names.into_iter().collect();
    Verdict::Skipped(format!("{} tests: {}", names.len(), names.join(", ")))
}

fn documentation(workspace: &Workspace) -> Result<Verdict, Failure> {
    let mut cargo = workspace.cargo();
    passes(
        cargo
            .args(["doc", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

const NO_NODE: &str = "Node (`node`) is not installed";

fn has_node() -> bool {
    command::output(Command::new("node").arg("--version")).is_ok()
}

/// The manifests of the examples, against the schemas of what they are.
fn manifests(workspace: &Workspace) -> Result<Verdict, Failure> {
    if !has_node() {
        return Ok(Verdict::Skipped(NO_NODE.to_owned()));
    }
    manifests::check(workspace).map(|()| Verdict::Passed)
}

/// The tests of a crate that run in a JavaScript engine, as they would in a browser.
fn node(workspace: &Workspace, name: &str) -> Result<Verdict, Failure> {
    if !workspace.root.join(name).join("tests/wasm.rs").is_file() {
        return Ok(Verdict::Skipped(format!("{name}/tests/wasm.rs is absent")));
    }
    if !has_node() {
        return Ok(Verdict::Skipped(NO_NODE.to_owned()));
    }
    let runner = tools::BINDGEN.path(workspace)?;
    let toolchain = Toolchain::for_target(workspace, BROWSER)?;
    let mut cargo = toolchain.cargo(workspace, "test", BROWSER, true)?;
    cargo.args(["--package", &format!("scopegate-{name}"), "--test", "wasm"]);
    passes(cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner))
}

/// The policy tests through the command that users run, and through the real module.
fn policies(workspace: &Workspace) -> Result<Verdict, Failure> {
    let test = |arguments: &[&str]| {
        let mut command = Command::new(workspace.program("scopegate"));
        command
            .current_dir(&workspace.root)
            .arg("test")
            .args(arguments)
            .env("SCOPEGATE_WASM", products::module(workspace, Proxies::Any));
        command::run(&mut command)
    };
    // The policies are examples of good tests; the corpus asks each thing once.
    test(&["policies", "--threshold", "100"])?;
    test(&["corpus"])?;
    // Each rule of each policy is missed by some test of it.
    test(&["policies", "--mutate"])?;
    Ok(Verdict::Passed)
}

fn end_to_end(workspace: &Workspace, proxies: Proxies, arguments: &[&str]) -> Result<Verdict, Failure> {
    let mut program = products::end_to_end_program(workspace, &products::module(workspace, proxies));
    program.args(arguments);
    let status = command::on(Path::new("scopegate-e2e"), program.status())?;
    Ok(match status.code() {
        Some(0) => Verdict::Passed,
        Some(products::CANNOT_RUN) => {
            Verdict::Skipped("this machine has no Envoy and cannot get one".to_owned())
        }
        _ => Verdict::Failed(format!(
            "`scopegate-e2e {}` ended with {status}",
            arguments.join(" ")
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::{Verdict, skipped};

    #[test]
    fn a_run_in_which_tests_were_skipped_is_not_passed_and_counts_each_test_once() {
        assert!(matches!(skipped(""), Verdict::Passed));
        let lines = "SKIPPED b: no file\nSKIPPED a: no Envoy: none\nSKIPPED b: no other file\n";
        assert!(matches!(skipped(lines), Verdict::Skipped(why) if why == "2 tests: a, b"));
    }
}
