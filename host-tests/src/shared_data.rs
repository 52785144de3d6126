//! Data shared by the virtual machines of one id: key to value and version.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::abi::Status;
use crate::profile::Profile;

/// A space of shared data. Hosts that are given clones of it share it, as the workers of one proxy do.
#[derive(Clone, Default)]
pub struct SharedData(Arc<Mutex<Space>>);

#[derive(Default)]
struct Space {
    entries: BTreeMap<(String, Vec<u8>), (Vec<u8>, u32)>,
    last_cas: u32,
}

impl std::fmt::Debug for SharedData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SharedData({} keys)", self.lock().entries.len())
    }
}

impl SharedData {
    /// The value and version under a key, as a module of this `vm_id` would read it.
    #[must_use]
    pub fn get(&self, vm_id: &str, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        self.lock()
            .entries
            .get(&(vm_id.to_owned(), key.to_vec()))
            .cloned()
    }

    /// Writes a value whatever its version.
    pub fn set(&self, vm_id: &str, key: &[u8], value: &[u8]) {
        self.lock().write((vm_id.to_owned(), key.to_vec()), value);
    }

    /// What a module's write does: `cas` 0 is unconditional, and a missing key takes any version.
    pub(crate) fn write(
        &self,
        vm_id: &str,
        key: &[u8],
        value: &[u8],
        cas: u32,
        host: Profile,
    ) -> Result<(), Status> {
        let mut space = self.lock();
        let key = (vm_id.to_owned(), key.to_vec());
        if let Some((_, version)) = space.entries.get(&key) {
            let stale = if cas == 0 {
                host.unconditional_write_needs_absence()
            } else {
                cas != *version
            };
            if stale {
                return Err(Status::CasMismatch);
            }
        }
        space.write(key, value);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Space> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Space {
    fn write(&mut self, key: (String, Vec<u8>), value: &[u8]) {
        self.last_cas = self.last_cas.checked_add(1).unwrap_or(1);
        self.entries.insert(key, (value.to_vec(), self.last_cas));
    }
}
