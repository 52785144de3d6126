//! Every reading that an upstream could make of one path.
//!
//! An upstream decodes, merges, strips and removes in an order of its own, and perhaps not everything. So the
//! readings are a closure: from the path as it came, each single step is taken wherever it changes something,
//! and again from there, until nothing new appears. The work is bounded; a path that needs more is ambiguous. What
//! the policy says of its upstream (`path_readings`) takes steps or readings away.

use std::collections::BTreeSet;

use crate::RequestError;
use crate::path::mark;
use crate::section::{Backslashes, DotSegments, DoubleSlashes, EncodedSlashes, Semicolons};

/// The most readings of one path. A path with three kinds of oddities has a few dozen, one with all of them at
/// once some 150; only a path that was made for it has more.
const MAX_READINGS: usize = 256;

/// The most bytes of readings of one path, all together, beyond [`WORK_PER_BYTE`] of its own: room for every reading of
/// a path of 128 bytes. A byte costs some 200 instructions, and whoever sends it has proved nothing yet.
const MAX_WORK: usize = 32 * 1024;

/// How often each byte of a path may be read again, however long it is: as it came, and with one thing changed.
const WORK_PER_BYTE: usize = 2;

/// What a path has as a whole, beside its bytes. No path holds these bytes: they are control characters that are no
/// marks.
mod shape {
    /// Two slashes in a row.
    pub(super) const DOUBLE_SLASH: u8 = 16;
    /// Two slashes at the start.
    pub(super) const AUTHORITY: u8 = 17;
    /// A slash at the end, of more than the root.
    pub(super) const TRAILING_SLASH: u8 = 18;
    /// `.` or `..` as a segment.
    pub(super) const DOT_SEGMENT: u8 = 19;
}

/// What the upstream is known to do with a path (`path_readings`). Known or not, what a path could mean beyond it is
/// looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Readings {
    /// Whether letters may be folded.
    pub(crate) folds: bool,
    pub(crate) encoded_slashes: EncodedSlashes,
    pub(crate) backslashes: Backslashes,
    pub(crate) semicolons: Semicolons,
    pub(crate) double_slashes: DoubleSlashes,
    pub(crate) dot_segments: DotSegments,
}

/// One thing that an upstream may do to a path.
struct Step {
    /// It changes a path that holds this byte, or has this shape, and no other.
    touches: u8,
    apply: fn(&[u8]) -> Vec<u8>,
    /// Whether an upstream of which this much is known may do it.
    taken: fn(&Readings) -> bool,
}

const ALWAYS: fn(&Readings) -> bool = |_| true;
const BACKSLASHES: fn(&Readings) -> bool = |readings| readings.backslashes == Backslashes::Any;
const SEMICOLONS: fn(&Readings) -> bool = |readings| readings.semicolons == Semicolons::Any;

const STEPS: &[Step] = &[
    Step {
        touches: mark::DOT,
        apply: |path| replace(path, mark::DOT, b'.'),
        taken: ALWAYS,
    },
    Step {
        touches: mark::SLASH,
        apply: |path| replace(path, mark::SLASH, b'/'),
        taken: |readings| readings.encoded_slashes != EncodedSlashes::Kept,
    },
    Step {
        touches: mark::BACKSLASH,
        apply: |path| replace(path, mark::BACKSLASH, b'\\'),
        taken: BACKSLASHES,
    },
    Step {
        touches: mark::SEMICOLON,
        apply: |path| replace(path, mark::SEMICOLON, b';'),
        taken: SEMICOLONS,
    },
    Step {
        touches: mark::QUESTION,
        apply: |path| cut(path, mark::QUESTION),
        taken: ALWAYS,
    },
    Step {
        touches: mark::HASH,
        apply: |path| cut(path, mark::HASH),
        taken: ALWAYS,
    },
    Step {
        touches: b'\\',
        apply: |path| replace(path, b'\\', b'/'),
        taken: BACKSLASHES,
    },
    Step {
        touches: b';',
        apply: strip_parameters,
        taken: SEMICOLONS,
    },
    Step {
        touches: b';',
        apply: |path| cut(path, b';'),
        taken: SEMICOLONS,
    },
    Step {
        touches: shape::DOUBLE_SLASH,
        apply: merge_slashes,
        taken: |readings| readings.double_slashes != DoubleSlashes::Kept,
    },
    Step {
        touches: shape::AUTHORITY,
        apply: drop_authority,
        taken: ALWAYS,
    },
    Step {
        touches: shape::TRAILING_SLASH,
        apply: drop_trailing_slash,
        taken: ALWAYS,
    },
    Step {
        touches: shape::DOT_SEGMENT,
        apply: remove_dot_segments,
        taken: ALWAYS,
    },
];

impl Readings {
    /// Reads `path`, which is decoded with marks, in every way, and gives what `read` makes of all of them.
    ///
    /// # Errors
    /// Whatever `read` fails with; `ambiguous_path` where two readings differ or there are too many.
    pub(crate) fn agree<T: PartialEq>(
        &self,
        path: Vec<u8>,
        mut read: impl FnMut(&[u8]) -> Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        let budget = path.len().saturating_mul(WORK_PER_BYTE).saturating_add(MAX_WORK);
        let mut seen = BTreeSet::new();
        let mut pending = vec![path];
        let mut work = 0_usize;
        let mut agreed = None;
        while let Some(reading) = pending.pop() {
            if seen.contains(&reading) {
                continue;
            }
            work = work.saturating_add(reading.len());
            if work > budget || seen.len() >= MAX_READINGS {
                return Err(RequestError::AmbiguousPath);
            }
            let present = contents(&reading);
            if self.is_served(present) {
                let answer = read(&reading)?;
                match &agreed {
                    Some(first) if *first != answer => return Err(RequestError::AmbiguousPath),
                    Some(_) => {}
                    None => agreed = Some(answer),
                }
            }
            let steps = STEPS
                .iter()
                .filter(|step| present & bit(step.touches) != 0 && (step.taken)(self));
            pending.extend(
                steps
                    .map(|step| (step.apply)(&reading))
                    .filter(|next| *next != reading),
            );
            seen.insert(reading);
        }
        agreed.ok_or(RequestError::AmbiguousPath)
    }

    /// Whether an upstream could serve a path so, without a further step. Unreserved characters always decode, so a
    /// path that still has an encoded dot is no reading: the one without is, and it follows by the first step.
    fn is_served(&self, present: u128) -> bool {
        let mut unfinished = bit(mark::DOT);
        if self.encoded_slashes == EncodedSlashes::Decoded {
            unfinished |= bit(mark::SLASH);
        }
        if self.double_slashes == DoubleSlashes::Merged {
            unfinished |= bit(shape::DOUBLE_SLASH);
        }
        if self.dot_segments == DotSegments::Resolved {
            unfinished |= bit(shape::DOT_SEGMENT);
        }
        present & unfinished == 0
    }

    /// The value of a parameter, decoded once. A slash or backslash in it makes the path ambiguous, whatever other
    /// readings say, unless the upstream is known to keep it there.
    pub(crate) fn parameter(&self, value: &[u8]) -> Result<Vec<u8>, RequestError> {
        let decoded: Vec<u8> = value.iter().map(|byte| mark::meaning(*byte)).collect();
        let slash = self.encoded_slashes != EncodedSlashes::Kept && decoded.contains(&b'/');
        let backslash = self.backslashes != Backslashes::Kept && decoded.contains(&b'\\');
        match slash || backslash {
            true => Err(RequestError::AmbiguousPath),
            false => Ok(decoded),
        }
    }
}

/// The ASCII bytes of `path` and its shape, as bits.
fn contents(path: &[u8]) -> u128 {
    let mut contents = 0;
    let mut dots = 0_usize;
    let mut length = usize::MAX;
    for byte in path {
        contents |= bit(*byte);
        match byte {
            b'/' => {
                contents |= bit_if(length == 0, shape::DOUBLE_SLASH) | of_segment(dots, length);
                (dots, length) = (0, 0);
            }
            _ => {
                dots = dots.saturating_add(usize::from(*byte == b'.'));
                length = length.saturating_add(1);
            }
        }
    }
    contents
        | of_segment(dots, length)
        | bit_if(path.starts_with(b"//"), shape::AUTHORITY)
        | bit_if(path.len() > 1 && path.ends_with(b"/"), shape::TRAILING_SLASH)
}

fn of_segment(dots: usize, length: usize) -> u128 {
    bit_if(dots == length && matches!(length, 1 | 2), shape::DOT_SEGMENT)
}

const fn bit_if(has: bool, byte: u8) -> u128 {
    if has { bit(byte) } else { 0 }
}

const fn bit(byte: u8) -> u128 {
    if byte.is_ascii() { 1 << byte } else { 0 }
}

fn replace(path: &[u8], from: u8, to: u8) -> Vec<u8> {
    path.iter()
        .map(|byte| if *byte == from { to } else { *byte })
        .collect()
}

fn cut(path: &[u8], at: u8) -> Vec<u8> {
    path.iter().copied().take_while(|byte| *byte != at).collect()
}

/// `/a;x/b;y` is `/a/b` (RFC 3986 section 3.3 leaves `;` to the scheme; servlet containers strip).
fn strip_parameters(path: &[u8]) -> Vec<u8> {
    let mut inside = false;
    let keep = |byte: &u8| {
        inside = match byte {
            b'/' => false,
            b';' => true,
            _ => inside,
        };
        !inside
    };
    path.iter().copied().filter(keep).collect()
}

fn merge_slashes(path: &[u8]) -> Vec<u8> {
    let mut previous = 0;
    let mut merged = Vec::with_capacity(path.len());
    for byte in path {
        if !(*byte == b'/' && previous == b'/') {
            merged.push(*byte);
        }
        previous = *byte;
    }
    merged
}

/// `//host/a` is `/a` to whoever takes the path for a reference and resolves it (RFC 3986 section 4.2).
fn drop_authority(path: &[u8]) -> Vec<u8> {
    if !path.starts_with(b"//") {
        return path.to_vec();
    }
    let rest = path
        .iter()
        .skip_while(|byte| **byte == b'/')
        .skip_while(|byte| **byte != b'/');
    let rest: Vec<u8> = rest.copied().collect();
    if rest.is_empty() { b"/".to_vec() } else { rest }
}

fn drop_trailing_slash(path: &[u8]) -> Vec<u8> {
    match path.strip_suffix(b"/") {
        Some(rest) if !rest.is_empty() => rest.to_vec(),
        _ => path.to_vec(),
    }
}

/// RFC 3986 section 5.2.4. `..` of the root is the root.
fn remove_dot_segments(path: &[u8]) -> Vec<u8> {
    let segments = path
        .strip_prefix(b"/")
        .unwrap_or(path)
        .split(|byte| *byte == b'/');
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut ends_in_slash = false;
    for segment in segments {
        ends_in_slash = matches!(segment, b"." | b"..");
        match segment {
            b"." => {}
            b".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    let mut removed = Vec::with_capacity(path.len());
    for segment in kept {
        removed.push(b'/');
        removed.extend_from_slice(segment);
    }
    if ends_in_slash || removed.is_empty() {
        removed.push(b'/');
    }
    removed
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Readings;
    use crate::RequestError;
    use crate::path::Path;

    /// All readings of a path that is not plain.
    fn readings(path: &str) -> BTreeSet<String> {
        let Ok(Path::Decoded(decoded)) = Path::read(path.as_bytes()) else {
            panic!("{path} has one reading")
        };
        let mut seen = BTreeSet::new();
        let all = Readings::default().agree(decoded, |reading| {
            seen.insert(String::from_utf8_lossy(reading).into_owned());
            Ok(())
        });
        assert_eq!(all, Ok(()), "{path}");
        seen
    }

    #[test]
    fn each_step_is_taken_and_in_any_order() {
        let rows: &[(&str, &[&str])] = &[
            ("/caf%C3%A9", &["/caf\u{e9}"]),
            ("/a//b", &["/a//b", "/a/b"]),
            ("/a/./b/../c", &["/a/./b/../c", "/a/c"]),
            ("/a/%2e%2E/b", &["/a/../b", "/b"]),
            ("/a/../b/%2e%2e/c", &["/a/../b/../c", "/b/../c", "/c"]),
            ("/a//../b", &["/a//../b", "/a/../b", "/a/b", "/b"]),
            ("/a;x/b", &["/a;x/b", "/a/b", "/a"]),
            ("/a%3Bx/b", &["/a\u{3}x/b", "/a;x/b", "/a/b", "/a"]),
            ("/a%2Fb", &["/a\u{1}b", "/a/b"]),
            ("/a\\b", &["/a\\b", "/a/b"]),
            ("/a%5Cb", &["/a\u{2}b", "/a\\b", "/a/b"]),
            ("/a%3Fb/c", &["/a\u{4}b/c", "/a"]),
            ("/a%23b/c", &["/a\u{5}b/c", "/a"]),
            ("/\\h/a", &["/\\h/a", "//h/a", "/h/a", "/a"]),
            ("/a/b;/", &["/a/b;/", "/a/b;", "/a/b/", "/a/b"]),
        ];
        for (path, expected) in rows {
            let expected: BTreeSet<String> = expected.iter().map(|reading| (*reading).to_owned()).collect();
            assert_eq!(readings(path), expected, "{path}");
        }
    }

    #[test]
    fn readings_that_differ_are_ambiguous_and_failures_are_passed_on() {
        let agree = |path: &[u8], read: fn(&[u8]) -> Result<usize, RequestError>| {
            Readings::default().agree(path.to_vec(), read)
        };
        let read = |reading: &[u8]| Ok(reading.len());
        assert_eq!(agree(b"/a//b", read), Err(RequestError::AmbiguousPath));
        assert_eq!(agree(b"/a", read), Ok(2));
        let fail = |_: &[u8]| Err(RequestError::MalformedRequest);
        assert_eq!(agree(b"/a", fail), Err(RequestError::MalformedRequest));
    }

    #[test]
    fn a_step_changes_what_it_touches_and_nothing_else() {
        const PIECES: [&str; 16] = [
            "/", "//", ".", "..", "a", ";", "\\", "\u{1}", "\u{2}", "\u{3}", "\u{4}", "\u{5}", "\u{6}",
            "/./", "/a.", "...",
        ];
        let pairs = PIECES
            .iter()
            .flat_map(|one| PIECES.map(|two| format!("/{one}{two}")));
        let paths = pairs.flat_map(|start| PIECES.map(|end| format!("{start}{end}")));
        for path in paths {
            let present = super::contents(path.as_bytes());
            for (index, step) in super::STEPS.iter().enumerate() {
                let changes = (step.apply)(path.as_bytes()) != path.as_bytes();
                let touched = present & super::bit(step.touches) != 0;
                assert!(touched || !changes, "step {index} would change {path:?}");
            }
        }
    }

    #[test]
    fn work_is_bounded() {
        let mut count = 0_usize;
        let mut bytes = 0_usize;
        let mut path = b"/".to_vec();
        path.extend(b"\x01..;\x02\x03/./x//\\;y/".repeat(50));
        let length = path.len();
        let all = Readings::default().agree(path, |reading| {
            count += 1;
            bytes += reading.len();
            Ok(())
        });
        assert!(all.is_ok() || all == Err(RequestError::AmbiguousPath));
        assert!(
            count <= super::MAX_READINGS && bytes <= super::MAX_WORK + super::WORK_PER_BYTE * length,
            "{count} readings, {bytes} bytes"
        );
    }
}
