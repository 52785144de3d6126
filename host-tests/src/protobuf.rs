//! The wire format of protocol buffers, as far as arguments of host calls are messages: fields in, no schema.

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'m> {
    Number(u64),
    Bytes(&'m [u8]),
    /// Four or eight bytes, or a group: nothing that a message here has.
    Other,
}

/// Groups within groups; the bound of the official parsers.
const MAX_DEPTH: usize = 100;

/// The fields of a message, in order; `None` where the bytes are no message.
pub(crate) fn fields(mut rest: &[u8]) -> Option<Vec<(u64, Value<'_>)>> {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let (number, value, after) = field(rest, 0)?;
        fields.push((number, value?));
        rest = after;
    }
    Some(fields)
}

/// One field. Where a group ends there is no value.
fn field(bytes: &[u8], depth: usize) -> Option<(u64, Option<Value<'_>>, &[u8])> {
    let (tag, rest) = varint(bytes)?;
    let number = tag >> 3;
    if number == 0 || tag > u64::from(u32::MAX) {
        return None;
    }
    let (value, rest) = match tag & 0b111 {
        0 => varint(rest).map(|(number, rest)| (Value::Number(number), rest))?,
        1 => (Value::Other, rest.get(8..)?),
        2 => {
            let (len, rest) = varint(rest)?;
            let (bytes, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
            (Value::Bytes(bytes), rest)
        }
        3 => (Value::Other, group(number, rest, depth)?),
        4 => return Some((number, None, rest)),
        5 => (Value::Other, rest.get(4..)?),
        _ => return None,
    };
    Some((number, Some(value), rest))
}

/// What comes after a group.
fn group(number: u64, mut rest: &[u8], depth: usize) -> Option<&[u8]> {
    if depth >= MAX_DEPTH {
        return None;
    }
    loop {
        let (inner, value, after) = field(rest, depth + 1)?;
        rest = after;
        if value.is_none() {
            return (inner == number).then_some(rest);
        }
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    const MAX_BYTES: usize = 10;
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().take(MAX_BYTES).enumerate() {
        number |= u64::from(byte & 0x7f).checked_shl(u32::try_from(index).ok()? * 7)?;
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(index + 1..)?));
        }
    }
    None
}

/// The last value of a field that is bytes; empty where there is none, as in proto3.
pub(crate) fn bytes<'m>(fields: &[(u64, Value<'m>)], number: u64) -> &'m [u8] {
    let found = fields.iter().rev().find_map(|(field, value)| match value {
        Value::Bytes(bytes) if *field == number => Some(*bytes),
        Value::Bytes(_) | Value::Number(_) | Value::Other => None,
    });
    found.unwrap_or_default()
}

/// The last value of a field that is a number; 0 where there is none, as in proto3.
pub(crate) fn number(fields: &[(u64, Value<'_>)], number: u64) -> u64 {
    let found = fields.iter().rev().find_map(|(field, value)| match value {
        Value::Number(value) if *field == number => Some(*value),
        Value::Number(_) | Value::Bytes(_) | Value::Other => None,
    });
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Value, bytes, fields, number};

    #[test]
    fn fields_of_every_wire_type_are_read() {
        let message = [
            b"\x0a\x02hi".as_slice(),
            b"\x10\xac\x02",
            b"\x1d\x01\x02\x03\x04",
            b"\x21\x01\x02\x03\x04\x05\x06\x07\x08",
            b"\x2b\x08\x01\x2c",
            b"\x0a\x03you",
        ]
        .concat();
        let read = fields(&message).unwrap();
        assert_eq!(read.len(), 6);
        assert_eq!((bytes(&read, 1), number(&read, 2)), (&b"you"[..], 300));
        assert_eq!(read[4], (5, Value::Other));
        assert_eq!((bytes(&read, 9), number(&read, 1)), (&b""[..], 0));
        assert_eq!(fields(b""), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for (bytes, why) in [
            (&b"\x0a\x05hi"[..], "longer than it is"),
            (b"\x00\x01", "field 0"),
            (b"\x0f", "no such wire type"),
            (b"\x0c", "the end of no group"),
            (b"\x0b\x14", "the end of another group"),
            (b"\x0b", "a group without an end"),
            (
                b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                "eleven bytes",
            ),
            (b"\x08", "no value"),
            (b"\x1d\x01", "four bytes cut"),
            (&[0x0b; 4_096], "groups without end"),
        ] {
            assert_eq!(fields(bytes), None, "{why}");
        }
    }

    #[test]
    fn bytes_without_sense_are_read_to_their_end_and_no_further() {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33).to_le_bytes()[0]
        };
        let mut messages = 0;
        for round in 0..20_000_usize {
            // Small numbers make tags of low fields and short lengths, so that some are messages.
            let message: Vec<u8> = (0..round % 24).map(|_| next() % 32).collect();
            let Some(read) = fields(&message) else { continue };
            messages += 1;
            let bytes: usize = read
                .iter()
                .map(|(_, value)| match value {
                    Value::Bytes(bytes) => bytes.len(),
                    Value::Number(_) | Value::Other => 0,
                })
                .sum();
            assert!(
                bytes <= message.len() && read.len() <= message.len(),
                "{message:?}"
            );
        }
        assert!(messages > 1_000, "{messages}");
    }
}
