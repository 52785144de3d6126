//! The memory of a bundle is what it was when the bundle was made, or the bundle does not start. What a policy means stands
//! in that memory alone, so nothing else may come to run before it was looked at.
//!
//! This is a checksum, and no secret is in it: it finds damage and careless changes. Whoever computes it anew is found by the
//! digest or the signature of the whole file only.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::FixedState;

use crate::host::Level;
use crate::log::say;

/// The checksum of all other memory; left out of it.
static SEAL: AtomicU64 = AtomicU64::new(0);

/// Bytes that are looked at together: where all are zero they are passed over, wherever memory ends.
const BLOCK: usize = 4096;

const WORD: usize = size_of::<u64>();

/// Notes what is in memory. Nothing may run in this module from here until its memory is written down.
pub(crate) fn close() {
    SEAL.store(memory(), Ordering::Relaxed);
}

/// Ends the module where its memory is another one. Nothing is allocated before that is known.
pub(crate) fn check() {
    if SEAL.load(Ordering::Relaxed) != memory() {
        say(
            Level::Error,
            "this bundle was damaged or changed after it was made: it does not start",
        );
        std::process::abort();
    }
}

/// The checksum of the data and the heap. The stack lies below both (`--stack-first`), and is another one at each call.
fn memory() -> u64 {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    let end = core::arch::wasm32::memory_size(0).saturating_mul(64 * 1024);
    let start = base().next_multiple_of(WORD);
    for block in (start..end).step_by(BLOCK) {
        let words = || {
            (block..block.saturating_add(BLOCK).min(end))
                .step_by(WORD)
                .map(word)
        };
        if words().fold(0, |any, word| any | word) != 0 {
            hasher.write_usize(block);
            words().for_each(|word| hasher.write_u64(word));
        }
    }
    hasher.finish()
}

/// Where the data begins: the linker says so.
fn base() -> usize {
    #[expect(
        unsafe_code,
        reason = "the linker's symbols are foreign; only the address is taken"
    )]
    unsafe extern "C" {
        safe static __global_base: u8;
    }
    (&raw const __global_base).addr()
}

/// The eight bytes at an address, which is one of this memory; zero in the place of the checksum itself.
fn word(address: usize) -> u64 {
    if address == SEAL.as_ptr().addr() {
        return 0;
    }
    let place = core::ptr::with_exposed_provenance::<u64>(address);
    #[expect(
        unsafe_code,
        reason = "the whole memory of a module can be read, and no other thread writes to it"
    )]
    unsafe {
        place.read_volatile()
    }
}
