//! JSON that is written into room made for it. What stands in it is the affair of whoever writes.

use std::io;

use serde::Serialize;

/// A value as JSON, of which most take no more than `room` bytes.
pub(crate) fn json(value: &impl Serialize, room: usize) -> Vec<u8> {
    let mut text = Text(Vec::with_capacity(room));
    match serde_json::to_writer(&mut text, value) {
        Ok(()) => text.0,
        // INVARIANT: texts and values in memory are always written.
        Err(_) => Vec::new(),
    }
}

/// Text that grows. Most of what is written at a time is one byte, a quote or a comma: where a copy is a call out of the
/// machine, as in V8, a byte that is stored costs a tenth of one that is copied.
struct Text(Vec<u8>);

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match bytes {
            [byte] => self.0.push(*byte),
            bytes => self.0.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
