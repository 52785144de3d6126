//! `scopegate test --init`: writes a first test file for a policy.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use scopegate_document::UnixTime;
use scopegate_engine::source;
use scopegate_harness::init::{InitError, first_tests};
use scopegate_harness::native::system_time;

use crate::{Exit, Failure, output};

/// Writes tests of the policy in `files` to `target`, or beside it. What is there is never written over.
pub(crate) fn run(files: &[PathBuf], target: Option<PathBuf>, is_json: bool) -> Result<Exit, Failure> {
    let Some(first) = files.first() else {
        let message = "name the policy: `scopegate test --init policy.yaml`".to_owned();
        return Err(Failure::Invalid(message));
    };
    if let Some(folder) = files.iter().find(|file| file.is_dir()) {
        let message = format!("`{}` is a folder: name the policy's file in it", folder.display());
        return Err(Failure::Invalid(message));
    }
    let target = target.unwrap_or_else(|| beside(first));
    if target.exists() {
        return Err(exists(&target));
    }
    let source = source::load(files)?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let message = format!(
            "cannot write `{}`: `{}` is no folder",
            target.display(),
            folder.display()
        );
        return Err(Failure::Environment(
            message,
            "make it first, or name another file with `-o FILE`".to_owned(),
        ));
    }
    let base = target.parent().unwrap_or(Path::new("")).to_path_buf();
    let names: Vec<String> = files.iter().map(|file| relative(file, &base)).collect();
    let now = system_time().map_or(UnixTime(0), |now| now.minus(now.0.rem_euclid(3_600)));
    let written = first_tests(&source, &names, &base, now)?;
    create(&target, &written.text)?;
    let shown = target.display().to_string();
    output::write(&match is_json {
        true => format!(
            "{}\n",
            serde_json::json!({"file": shown, "tests": written.tests, "gaps": written.gaps})
        ),
        false => said(&shown, written.tests, written.gaps),
    })?;
    Ok(Exit::Fine)
}

/// Writes a file that is not there yet.
pub(crate) fn create(target: &Path, text: &str) -> Result<(), Failure> {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(target);
    let done = file.and_then(|mut file| file.write_all(text.as_bytes()));
    done.map_err(|error| {
        let help = "name another file with `-o FILE`".to_owned();
        match error.kind() == ErrorKind::AlreadyExists {
            true => exists(target),
            false => {
                let message = format!("cannot write `{}`: {}", target.display(), source::reason(&error));
                Failure::Environment(message, help)
            }
        }
    })
}

fn said(file: &str, tests: usize, gaps: usize) -> String {
    let gaps = match gaps {
        0 => String::new(),
        1 => "What they leave open stands there in 1 comment, `# not written`.\n".to_owned(),
        gaps => format!("What they leave open stands there in {gaps} comments, `# not written`.\n"),
    };
    format!(
        "wrote {file}: {tests} tests, all of which pass\n{gaps}\nNext:\n  \
         scopegate test {file}             runs them through the plugin\n  \
         scopegate test --watch {file}     runs them again at every change\n  \
         scopegate test --mutate {file}    says which rules no test would miss\n"
    )
}

/// `policy.test.yaml` beside `policy.yaml`.
fn beside(policy: &Path) -> PathBuf {
    let stem = policy.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    policy.with_file_name(format!(
        "{}.test.yaml",
        stem.unwrap_or_else(|| "policy".to_owned())
    ))
}

/// The policy as seen from the folder of its tests.
pub(crate) fn relative(policy: &Path, base: &Path) -> String {
    // The folder of a file that is named alone is this one: nothing of it is written.
    let here = |path: &Path| Path::new(".").join(path);
    let absolute = |path: &Path| std::path::absolute(here(path)).unwrap_or_else(|_| path.to_path_buf());
    let (policy, base) = (absolute(policy), absolute(base));
    let shared = policy
        .components()
        .zip(base.components())
        .take_while(|(one, other)| one == other)
        .count();
    let up = base.components().skip(shared).map(|_| "..".to_owned());
    let down = policy.components().skip(shared);
    let down = down.map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

fn exists(target: &Path) -> Failure {
    let shown = target.display();
    Failure::Invalid(format!(
        "`{shown}` is there already, and is not written over; name another with `-o FILE`"
    ))
}

impl From<InitError> for Failure {
    fn from(error: InitError) -> Self {
        match error {
            InitError::Policy(fault) => fault.into(),
            InitError::Executor(error) => error.into(),
        }
    }
}
