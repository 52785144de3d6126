//! What a module may use, and what becomes of requests when it fails.

/// Bounds on one virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Fuel for one entry into the module, about one unit for each instruction; `None` sets no bound.
    pub fuel: Option<u64>,
    /// Bytes of linear memory.
    pub memory: usize,
}

impl Default for Limits {
    /// No bound on fuel, and Envoy's 1 GiB of memory.
    fn default() -> Self {
        Self {
            fuel: None,
            memory: 1024 * 1024 * 1024,
        }
    }
}

/// What is done with requests once the module has trapped or would not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailurePolicy {
    /// Every request is answered with 503 (Envoy's `FAIL_CLOSED`).
    #[default]
    Closed,
    /// Requests go on as if there were no plugin (`FAIL_OPEN`).
    Open,
    /// Requests are answered with 503 until it is time for a new machine; the next one then gets it (`FAIL_RELOAD`).
    /// See [`crate::HostBuilder::reload_after`].
    Reload,
}
