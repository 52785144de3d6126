//! Whether what a release holds decides: its bundles, and its command where there is no other file at all.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::command::{self, Failure, on};
use crate::workspace::Workspace;

use super::check::program;
use super::{BUNDLES, MODULE, json};

/// The time at which the tests of these policies ask.
const NOW: &str = "2026-11-22T09:00:00Z";

/// What is asked of a policy, and the code of the answer; none, where the request is let through.
type Case = (&'static str, Option<&'static str>);

/// Policies that let something through for which no token need be made, with requests of their own tests.
const ASKED: [(&str, [Case; 2]); 2] = [
    (
        ALONE,
        [
            (
                r#"{"method": "GET", "path": "/partners/acme/orders", "authority": "api.example.com", "headers": [["x-api-key", "acme-example-key-5f3c9a"]]}"#,
                None,
            ),
            (
                r#"{"method": "GET", "path": "/partners/acme/orders", "authority": "api.example.com", "headers": [["x-api-key", "globex-example-key-81d2e7"]]}"#,
                Some("tenant_mismatch"),
            ),
        ],
    ),
    (
        "public-site-admin",
        [
            (
                r#"{"method": "GET", "path": "/about", "authority": "www.example.com"}"#,
                None,
            ),
            (
                r#"{"method": "POST", "path": "/about", "authority": "www.example.com"}"#,
                Some("no_route"),
            ),
        ],
    ),
];

/// The policy that the command is tried with in a folder where nothing else is.
const ALONE: &str = "partner-api-keys";

/// Where a build leaves the plugin's module, below the folder of the sources.
const BUILT: &str = "target/wasm32-wasip1/release";

/// The bundles of some policies permit and refuse what these policies do, and so does the command alone. The others are not
/// asked: the command of the tests takes long to compile each.
pub(super) fn right(workspace: &Workspace, folder: &Path) -> Result<(), Failure> {
    let bundles = || {
        ASKED.iter().try_for_each(|(name, _)| {
            let mut decide = Command::new(program(folder));
            decide.args(["decide", "--now", NOW, "--bundle"]);
            answers(
                name,
                decide.arg(folder.join(BUNDLES).join(format!("{name}.wasm"))),
            )
        })
    };
    let empty = || {
        let place = Nowhere::new()?;
        let done = alone(workspace, folder, &place.0);
        done.map_err(|why| format!("the command of the release, in an empty folder: {why}").into())
    };
    command::with_progress("asking the command and two bundles", || {
        thread::scope(|scope| {
            let other = scope.spawn(bundles);
            empty().and(other.join().map_err(|_| "a thread of this task failed")?)
        })
    })
}

/// With nothing but a policy beside it and no variable, the command decides, and makes the bundle that is in the release. A file
/// lies where a build would leave the plugin: who can write around a folder does not choose what a release makes bundles of there.
fn alone(workspace: &Workspace, folder: &Path, place: &Path) -> Result<(), Failure> {
    let policy = workspace.root.join("policies").join(ALONE).join("policy.yaml");
    on(&policy, fs::copy(&policy, place.join("policy.yaml")))?;
    let planted = place.join(BUILT);
    on(&planted, fs::create_dir_all(&planted))?;
    let planted = planted.join(MODULE);
    on(&planted, fs::write(&planted, "planted"))?;
    let scopegate = |arguments: &[&str]| {
        let mut program = Command::new(program(folder));
        program.current_dir(place).env_clear().args(arguments);
        program
    };
    let decide = ["decide", "--now", NOW, "--policy", "policy.yaml"];
    answers(ALONE, &mut scopegate(&decide))?;
    command::output(&mut scopegate(&["bundle", "policy.yaml", "--output", "x.wasm"]))?;
    let read = |path: PathBuf| on(&path, fs::read(&path));
    let released = read(folder.join(BUNDLES).join(format!("{ALONE}.wasm")))?;
    match read(place.join("x.wasm"))? == released {
        true => Ok(()),
        false => Err(format!("it makes another bundle of `{ALONE}` than the release has").into()),
    }
}

/// The program answers the requests to this policy as it must.
fn answers(name: &str, decide: &mut Command) -> Result<(), Failure> {
    let cases = ASKED
        .iter()
        .filter(|(asked, _)| *asked == name)
        .flat_map(|(_, cases)| cases);
    let cases: Vec<&Case> = cases.collect();
    let requests: String = cases.iter().map(|(request, _)| format!("{request}\n")).collect();
    let said = asked(decide, &requests)?;
    let answers: Vec<&str> = said.lines().collect();
    if answers.len() != cases.len() || cases.is_empty() {
        return Err(format!("`{name}`: {} answers to {} requests", answers.len(), cases.len()).into());
    }
    for ((request, code), answer) in cases.into_iter().zip(answers) {
        let answer = json(name, answer)?;
        let text = |member: &str| answer.get(member).and_then(Value::as_str);
        let is_right = match code {
            Some(code) => text("outcome") == Some("reply") && text("code") == Some(code),
            None => text("outcome") == Some("forward"),
        };
        if !is_right {
            return Err(format!("`{name}` answers {request} with {answer}").into());
        }
    }
    Ok(())
}

/// What a program answers to these lines.
fn asked(program: &mut Command, lines: &str) -> Result<String, Failure> {
    let name = Path::new("scopegate");
    let mut child = on(name, program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn())?;
    // A program that ends without reading says why, and by its status that it failed.
    let _ = child
        .stdin
        .take()
        .map(|mut input| input.write_all(lines.as_bytes()));
    let output = on(name, child.wait_with_output())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("`scopegate decide` ended with {}", output.status).into()),
    }
}

/// An empty folder with no checkout around it, which is gone with this.
struct Nowhere(PathBuf);

impl Nowhere {
    fn new() -> Result<Self, Failure> {
        let path = env::temp_dir().join(format!("scopegate-release-{}", std::process::id()));
        on(&path, fs::create_dir(&path))?;
        Ok(Self(path))
    }
}

impl Drop for Nowhere {
    fn drop(&mut self) {
        // What is left of it is in nobody's way.
        let _ = fs::remove_dir_all(&self.0);
    }
}
