//! DPoP proofs that were used, in the data that all workers share (RFC 9449 section 11.1). Hosts cannot delete what is
//! shared, so proofs lie in a fixed number of buckets, and the dead of a bucket leave when the next one comes.

use scopegate_authn::{Claim, Claimed};
use scopegate_document::UnixTime;

use crate::shared::{self, Shared};

/// The number of buckets. Two requests collide on one only if they come at the same moment and share it.
const BUCKETS: u16 = 1024;

/// How many live proofs a bucket holds. With [`BUCKETS`] a process remembers half a million; a proof lives for little
/// more than a minute by default. Who has more requests is told so, and refused: nothing is forgotten early.
const MOST: usize = 512;

/// How often a worker tries again when another one wrote to the bucket in between.
const TRIES: usize = 8;

/// Bytes of one entry: 16 of the proof's digest, 8 of the time.
const ENTRY: usize = 24;

/// Remembers a proof, and says whether it was there before.
pub(crate) fn claim(claim: &Claim, now: UnixTime) -> Claimed {
    let Some((id, bucket)) = place(claim.key()) else {
        return Claimed::Unknown;
    };
    let key = format!("scopegate proofs {bucket}");
    for _ in 0..TRIES {
        let Ok(read) = shared::get(&key) else {
            return Claimed::Unknown;
        };
        let bytes = read
            .as_ref()
            .map(|shared| shared.value.as_slice())
            .unwrap_or_default();
        match added(bytes, (&id, claim.until()), now) {
            Added::Before => return Claimed::Before,
            Added::Full => return Claimed::Unknown,
            Added::First(bytes) => match write(&key, read.as_ref(), &bytes) {
                Some(true) => return Claimed::First,
                Some(false) => {}
                None => return Claimed::Unknown,
            },
        }
    }
    Claimed::Unknown
}

fn write(key: &str, read: Option<&Shared>, bytes: &[u8]) -> Option<bool> {
    shared::replace(key, read, bytes).ok()
}

/// The id of a proof in its bucket, and the bucket.
fn place(key: &[u8; 32]) -> Option<([u8; 16], u16)> {
    let (id, rest) = key.split_first_chunk::<16>()?;
    let bucket = u16::from_le_bytes(*rest.first_chunk::<2>()?);
    Some((*id, bucket.checked_rem(BUCKETS)?))
}

/// What adding a proof to a bucket came to.
#[derive(Debug, PartialEq, Eq)]
enum Added {
    /// It was not there; the bucket with it.
    First(Vec<u8>),
    /// It was there.
    Before,
    /// There is no room for it.
    Full,
}

fn added(bytes: &[u8], (id, until): (&[u8; 16], UnixTime), now: UnixTime) -> Added {
    let mut kept = Vec::with_capacity(bytes.len().saturating_add(ENTRY));
    for entry in bytes.chunks_exact(ENTRY) {
        let Some((found, time)) = entry.split_first_chunk::<16>() else {
            continue;
        };
        if found == id {
            return Added::Before;
        }
        let time = time.try_into().map(i64::from_le_bytes).unwrap_or(i64::MAX);
        if UnixTime(time) >= now {
            kept.extend(entry);
        }
    }
    if kept.len() >= MOST.saturating_mul(ENTRY) {
        return Added::Full;
    }
    kept.extend(id);
    kept.extend(until.0.to_le_bytes());
    Added::First(kept)
}

#[cfg(test)]
mod tests {
    use scopegate_document::UnixTime;

    use super::{Added, ENTRY, MOST, added, place};

    const NOW: UnixTime = UnixTime(1_795_338_000);

    fn with(bytes: &[u8], id: u16, until: UnixTime, now: UnixTime) -> Added {
        let mut whole = [0; 16];
        whole[..2].copy_from_slice(&id.to_le_bytes());
        added(bytes, (&whole, until), now)
    }

    fn first(added: Added) -> Vec<u8> {
        match added {
            Added::First(bytes) => bytes,
            other @ (Added::Before | Added::Full) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_proof_is_new_once_while_it_lives() {
        let bucket = first(with(&[], 1, NOW.plus(60), NOW));
        assert_eq!(with(&bucket, 1, NOW.plus(60), NOW.plus(60)), Added::Before);
        let both = first(with(&bucket, 2, NOW.plus(60), NOW));
        assert_eq!(with(&both, 1, NOW.plus(60), NOW), Added::Before);
        assert_eq!(with(&both, 2, NOW.plus(60), NOW), Added::Before);
    }

    #[test]
    fn the_dead_make_room_and_the_living_do_not() {
        let mut bucket = Vec::new();
        for id in 0..u16::try_from(MOST).unwrap() {
            bucket = first(with(&bucket, id, NOW.plus(60), NOW));
        }
        assert_eq!(bucket.len(), MOST * ENTRY);
        assert_eq!(with(&bucket, 60_000, NOW.plus(60), NOW), Added::Full);
        assert_eq!(with(&bucket, 60_000, NOW.plus(60), NOW.plus(60)), Added::Full);
        let after = first(with(&bucket, 60_000, NOW.plus(120), NOW.plus(61)));
        assert_eq!(after.len(), ENTRY);
    }

    #[test]
    fn a_clock_that_steps_back_forgets_nothing() {
        let bucket = first(with(&[], 1, NOW.plus(60), NOW));
        assert_eq!(with(&bucket, 1, NOW.plus(60), NOW.minus(3_600)), Added::Before);
    }

    #[test]
    fn every_proof_has_a_place() {
        assert_eq!(place(&[0xff; 32]), Some(([0xff; 16], 1023)));
        assert_eq!(place(&[0; 32]), Some(([0; 16], 0)));
    }
}
