//! Lines that the module logged, through the ABI or through its standard output and error.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The level of a log line, in the numbering of the ABI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// 0
    Trace,
    /// 1
    Debug,
    /// 2; standard output is logged at this level.
    Info,
    /// 3
    Warn,
    /// 4; standard error is logged at this level.
    Error,
    /// 5
    Critical,
}

impl LogLevel {
    pub(crate) fn from_abi(level: u32) -> Option<Self> {
        Some(match level {
            0 => Self::Trace,
            1 => Self::Debug,
            2 => Self::Info,
            3 => Self::Warn,
            4 => Self::Error,
            5 => Self::Critical,
            _ => return None,
        })
    }
}

/// One logged line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its level.
    pub level: LogLevel,
    /// What was logged; bytes that are not UTF-8 are replaced.
    pub message: String,
    /// The context that logged it.
    pub context: u32,
    /// The name of the plugin that logged it; empty where it has none.
    pub plugin: String,
}

/// The lines so far. Machines of one proxy share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logs(Arc<Mutex<Vec<LogLine>>>);

impl Logs {
    pub(crate) fn push(&self, line: LogLine) {
        self.lock().push(line);
    }

    pub(crate) fn take(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LogLine>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
