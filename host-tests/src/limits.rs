//! What a module may use, and what becomes of requests when it fails.

use wasmtime::ResourceLimiter;

/// Bounds on one virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Fuel for one entry into the module, about one unit for each instruction; `None` sets no bound.
    pub fuel: Option<u64>,
    /// Bytes of linear memory, of all memories together. It bounds as well what the module hands to the host in one
    /// callback: no more than this, and never more than 256 MiB.
    pub memory: usize,
}

/// The fuel of one callback unless a test says otherwise: some seconds, so that an endless loop is told and not waited
/// for. Whole requests of large modules use a thousandth of it.
const FUEL: u64 = 4_000_000_000;

/// The elements of all tables of a module together: as many as V8 allows in one.
const TABLE_ELEMENTS: usize = 10_000_000;

/// The most that a module may hand to the host in one callback.
const HANDED_BYTES: usize = 256 * 1024 * 1024;

/// What the host keeps at least of each thing that it is handed.
const KEPT_BYTES: usize = 64;

/// What is left of the bounds of a machine.
#[derive(Debug)]
pub(crate) struct Bounds {
    memory: usize,
    elements: usize,
    handed: usize,
    per_callback: usize,
}

impl Bounds {
    pub(crate) fn new(limits: Limits) -> Self {
        let per_callback = limits.memory.min(HANDED_BYTES);
        Self {
            memory: limits.memory,
            elements: TABLE_ELEMENTS,
            handed: per_callback,
            per_callback,
        }
    }

    /// Another callback begins.
    pub(crate) fn enter(&mut self) {
        self.handed = self.per_callback;
    }

    /// Whether so many bytes may still be handed to the host in this callback.
    pub(crate) fn hand(&mut self, bytes: usize) -> bool {
        take(&mut self.handed, bytes.saturating_add(KEPT_BYTES))
    }
}

/// Takes so much of what is left; nothing where there is not enough.
fn take(left: &mut usize, wanted: usize) -> bool {
    let rest = left.checked_sub(wanted);
    *left = rest.unwrap_or(*left);
    rest.is_some()
}

impl ResourceLimiter for Bounds {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(take(&mut self.memory, desired.saturating_sub(current)))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(take(&mut self.elements, desired.saturating_sub(current)))
    }
}

impl Default for Limits {
    /// Fuel for some seconds in each callback, and Envoy's 1 GiB of memory.
    fn default() -> Self {
        Self {
            fuel: Some(FUEL),
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
    /// Requests that come later go past the plugin (`FAIL_OPEN`). One that the module knows is answered with 503 at its
    /// next callback, and at once where it is the one that took the module down.
    Open,
    /// Requests are answered with 503 until it is time for a new machine; the next one then gets it (`FAIL_RELOAD`).
    /// See [`crate::HostBuilder::reload_after`].
    Reload,
}
