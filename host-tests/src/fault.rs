//! Faults that a test injects into host calls. They are counted from the moment they are set.

use std::collections::BTreeMap;

use crate::abi::{BufferType, MapType, Status};

/// Which host calls fail, and how. With no fault set every call does what the host does.
///
/// Calls are counted from 0, from the moment the faults are given to the host.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    nth: BTreeMap<usize, Status>,
    functions: Vec<Fault>,
    missing: Vec<MapType>,
    absent: Vec<BufferType>,

    allocation: Option<usize>,
    calls: usize,
    allocations: usize,
}

#[derive(Debug, Clone)]
struct Fault {
    function: String,
    skip: usize,
    times: usize,
    status: Status,
}

impl Faults {
    /// No fault.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The host call with this number, whatever it is, returns this status and does nothing. WASI calls count
    /// too, and return error number 29 (`EIO`).
    #[must_use]
    pub fn call(mut self, number: usize, status: Status) -> Self {
        self.nth.insert(number, status);
        self
    }

    /// Every call of this function returns this status and does nothing.
    #[must_use]
    pub fn function(self, name: impl Into<String>, status: Status) -> Self {
        self.push(name.into(), 0, usize::MAX, status)
    }

    /// The call of this function with this number, counted from 0, returns this status and does nothing.
    #[must_use]
    pub fn function_call(self, name: impl Into<String>, number: usize, status: Status) -> Self {
        self.push(name.into(), number, 1, status)
    }

    /// A header map that the host does not have.
    #[must_use]
    pub fn missing_map(mut self, map: MapType) -> Self {
        self.missing.push(map);
        self
    }

    /// A buffer that the host does not have.
    #[must_use]
    pub fn missing_buffer(mut self, buffer: BufferType) -> Self {
        self.absent.push(buffer);
        self
    }

    /// The allocation in the module's memory with this number, counted from 0, and all after it find no memory.
    #[must_use]
    pub fn allocation(mut self, number: usize) -> Self {
        self.allocation = Some(number);
        self
    }

    fn push(mut self, function: String, skip: usize, times: usize, status: Status) -> Self {
        self.functions.push(Fault {
            function,
            skip,
            times,
            status,
        });
        self
    }

    /// The status that a call must return in place of being made.
    pub(crate) fn on_call(&mut self, name: &str) -> Option<Status> {
        let by_number = self.nth.get(&self.calls).copied();
        self.calls += 1;
        let by_name = self
            .functions
            .iter_mut()
            .filter(|fault| fault.function == name)
            .find_map(Fault::strike);
        by_number.or(by_name)
    }

    pub(crate) fn on_allocation(&mut self) -> bool {
        let number = self.allocations;
        self.allocations += 1;
        self.allocation.is_some_and(|first| number >= first)
    }

    pub(crate) fn hides_buffer(&self, buffer: BufferType) -> bool {
        self.absent.contains(&buffer)
    }

    pub(crate) fn hides(&self, map: MapType) -> bool {
        self.missing.contains(&map)
    }
}

impl Fault {
    fn strike(&mut self) -> Option<Status> {
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times = self.times.checked_sub(1)?;
        Some(self.status)
    }
}
