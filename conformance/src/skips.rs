//! Tests that cannot run on a machine, and what is told of them: one rule for all that need something which not every
//! machine has. What is needed, and where it is looked for, is not known here.

use std::env;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Write as _};

/// Whether this is a run that must do everything: `CI` is set, to whatever.
#[must_use]
pub fn is_strict() -> bool {
    is_set(env::var_os("CI").as_deref())
}

fn is_set(value: Option<&OsStr>) -> bool {
    value.is_some_and(|value| !value.is_empty())
}

/// Says that a test was skipped: on the standard error, and in the file that `SCOPEGATE_SKIPS` names.
///
/// # Panics
/// Where `CI` is set, as nothing may be skipped there; and where the file cannot be written.
pub fn skip(test: &str, why: &str) {
    tell(test, why, is_strict(), env::var_os("SCOPEGATE_SKIPS").as_deref());
}

fn tell(test: &str, why: &str, strict: bool, file: Option<&OsStr>) {
    let line = format!("SKIPPED {test}: {why}\n");
    eprint!("{line}");
    if let Some(file) = file.filter(|file| !file.is_empty()) {
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)
            .and_then(|mut file| file.write_all(line.as_bytes()));
        assert!(written.is_ok(), "{}: {written:?}", file.display());
    }
    assert!(!strict, "`{test}` may not be skipped in CI: {why}");
}

/// Says that a comparison was not made: on the standard error, past whatever collects what tests print. For what no machine
/// need have, and so no failure where `CI` is set.
pub fn not_run(test: &str, why: &str) {
    // Where nothing can be written, nobody reads it.
    let _ = writeln!(io::stderr(), "NOT RUN {test}: {why}");
}

/// Whether what was recorded is to be written anew: `SCOPEGATE_UPDATE_TRANSCRIPTS` is set.
///
/// # Panics
/// Where `CI` is set too: a run that must prove something does not change what is to be proved.
#[must_use]
pub fn updates_records() -> bool {
    may_update(env::var_os("SCOPEGATE_UPDATE_TRANSCRIPTS").is_some(), is_strict())
}

fn may_update(asked: bool, strict: bool) -> bool {
    assert!(
        !(asked && strict),
        "`SCOPEGATE_UPDATE_TRANSCRIPTS` is set, and so is `CI`: expectations are not rewritten there"
    );
    asked
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::panic::catch_unwind;
    use std::{env, fs, process};

    use super::{is_set, may_update, tell};

    #[test]
    fn any_value_of_ci_is_strict_and_none_is_not() {
        for value in ["true", "1", "yes", "TRUE"] {
            assert!(is_set(Some(OsStr::new(value))), "{value}");
        }
        assert!(!is_set(None));
        assert!(!is_set(Some(OsStr::new(""))));
    }

    #[test]
    fn a_test_that_is_skipped_is_in_the_file_and_fails_a_strict_run_too() {
        let file = env::temp_dir().join(format!("skips-{}", process::id()));
        tell("one", "nothing there", false, Some(file.as_os_str()));
        let strict = catch_unwind(|| tell("two", "nothing there", true, Some(file.as_os_str())));
        assert!(strict.is_err());
        let lines = fs::read_to_string(&file).unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(lines, "SKIPPED one: nothing there\nSKIPPED two: nothing there\n");
        assert!(catch_unwind(|| tell("three", "nothing there", true, None)).is_err());
    }

    #[test]
    fn a_strict_run_rewrites_nothing() {
        assert!(may_update(true, false));
        assert!(!may_update(false, true));
        assert!(catch_unwind(|| may_update(true, true)).is_err());
    }
}
