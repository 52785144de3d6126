//! What a process has used, by the kernel's account of it.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The processor time that all threads of a process have used: `/proc/PID/task/*/schedstat`, in nanoseconds.
pub(super) fn processor_time(process: u32) -> io::Result<Duration> {
    let mut total = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let account = fs::read_to_string(thread?.path().join("schedstat"))?;
        let nanoseconds = account
            .split_whitespace()
            .next()
            .and_then(|field| field.parse().ok());
        let nanoseconds = nanoseconds.ok_or_else(|| odd("a thread's account"))?;
        total = total.saturating_add(Duration::from_nanos(nanoseconds));
    }
    Ok(total)
}

/// The memory that a process has in use, in kilobytes: `VmRSS` of `/proc/PID/status`.
pub(super) fn resident_kilobytes(process: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| odd("the process's status"))
}

fn odd(what: &str) -> io::Error {
    io::Error::other(format!("{what} has another shape than expected"))
}

/// Keeps a process, with all its threads, on one core; whether that could be done.
pub(super) fn pin(process: u32, core: usize) -> bool {
    let taskset = Path::new("taskset");
    let status = Command::new(taskset)
        .args(["--all-tasks", "--cpu-list", "--pid"])
        .arg(core.to_string())
        .arg(process.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}
