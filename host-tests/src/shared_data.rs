//! What the workers of one proxy share: data of the virtual machines of one id, key to value and version; queues.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::abi::Status;
use crate::profile::Profile;
use crate::queue::Queues;

/// A space of shared data and shared queues. Hosts that are given clones of it share it, as the workers of one proxy do.
/// Who registered a queue last is told of what another puts into it when it is next entered, or with
/// [`crate::Host::catch_up`].
#[derive(Clone, Default)]
pub struct SharedData(Arc<Mutex<Space>>);

#[derive(Default)]
struct Space {
    entries: BTreeMap<(String, Vec<u8>), (Vec<u8>, u32)>,
    last_cas: u32,
    queues: Queues,
    workers: u64,
}

impl std::fmt::Debug for SharedData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SharedData({} keys)", self.lock().entries.len())
    }
}

impl SharedData {
    /// The value and version under a key, as a module of this `vm_id` would read it in Envoy.
    #[must_use]
    pub fn get(&self, vm_id: &str, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        self.read(vm_id, key, Profile::Envoy)
    }

    /// Writes a value whatever its version, as a module of this `vm_id` would in Envoy.
    pub fn set(&self, vm_id: &str, key: &[u8], value: &[u8]) {
        self.lock()
            .write(place(vm_id, key, Profile::Envoy), value, Profile::Envoy);
    }

    /// How many keys there are, of all machines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn read(&self, vm_id: &str, key: &[u8], host: Profile) -> Option<(Vec<u8>, u32)> {
        self.lock().entries.get(&place(vm_id, key, host)).cloned()
    }

    /// What a module's write does; no value removes the key.
    ///
    /// Envoy: `cas` 0 is unconditional, and a missing key takes any version, so that a version which no key can
    /// have writes only where there is none. NGINX: the version must be that of the key, 0 for a missing one.
    pub(crate) fn write(
        &self,
        vm_id: &str,
        key: &[u8],
        value: Option<&[u8]>,
        cas: u32,
        host: Profile,
    ) -> Result<(), Status> {
        let mut space = self.lock();
        let key = place(vm_id, key, host);
        let version = space.entries.get(&key).map(|(_, version)| *version);
        let stale = match version {
            _ if host.versions_are_exact() => cas != version.unwrap_or(0),
            Some(version) => cas != 0 && cas != version,
            None => false,
        };
        match value {
            _ if stale => return Err(Status::CasMismatch),
            Some(value) => space.write(key, value, host),
            None if space.entries.remove(&key).is_none() => return Err(Status::CasMismatch),
            None => {}
        }
        Ok(())
    }

    /// A number for one more worker.
    pub(crate) fn join(&self) -> u64 {
        let mut space = self.lock();
        space.workers = space.workers.saturating_add(1);
        space.workers
    }

    /// Does something with the queues.
    pub(crate) fn with_queues<T>(&self, work: impl FnOnce(&mut Queues) -> T) -> T {
        work(&mut self.lock().queues)
    }

    fn lock(&self) -> MutexGuard<'_, Space> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Space {
    /// Envoy counts the versions of all keys together, NGINX those of each.
    fn write(&mut self, key: (String, Vec<u8>), value: &[u8], host: Profile) {
        let before = match host.versions_are_exact() {
            true => self.entries.get(&key).map_or(0, |(_, version)| *version),
            false => self.last_cas,
        };
        let version = before.checked_add(1).unwrap_or(1);
        self.last_cas = self.last_cas.max(version);
        if !host.versions_are_exact() {
            self.last_cas = version;
        }
        self.entries.insert(key, (value.to_vec(), version));
    }
}

/// Where a key is kept: by the machine and its name, or by its hash and nothing else.
fn place(vm_id: &str, key: &[u8], host: Profile) -> (String, Vec<u8>) {
    match host.hashes_shared_keys() {
        true => (String::new(), crc32(key).to_be_bytes().to_vec()),
        false => (vm_id.to_owned(), key.to_vec()),
    }
}

/// The CRC of ngx_crc32_long (ISO 3309, reflected). Different keys may well have the same.
fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let each = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(u32::MAX, each)
}
