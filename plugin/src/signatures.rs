//! Envoy's own cryptography, as far as it checks signatures: the foreign function `verify_signature`.
//!
//! Here is how it is asked. What its answer is worth is decided in `scopegate-authn`.

use scopegate_authn::{HostAnswer, HostCryptography, SignatureQuestion};

use crate::host;

/// Asks Envoy.
#[derive(Debug)]
pub(crate) struct Envoy;

impl HostCryptography for Envoy {
    fn check(&self, question: &SignatureQuestion<'_>) -> HostAnswer {
        host::call_foreign_function("verify_signature", &argument(question))
            .map_or(HostAnswer::Odd, |result| answer(&result))
    }
}

/// The wire type of a field that says how long it is (Protocol Buffers Encoding, "Message Structure").
const LENGTH_DELIMITED: u8 = 2;

/// The message `VerifySignatureArguments`: the hash, the key, the signature and the text, all length-delimited.
fn argument(question: &SignatureQuestion<'_>) -> Vec<u8> {
    let SignatureQuestion {
        hash,
        public_key,
        signature,
        message,
    } = *question;
    let fields = [hash.as_bytes(), public_key, signature, message];
    // A tag and a length take six bytes at most.
    let size = fields.iter().map(|field| field.len().saturating_add(6)).sum();
    let mut bytes = Vec::with_capacity(size);
    for (number, field) in (1_u8..).zip(fields) {
        bytes.push(number << 3 | LENGTH_DELIMITED);
        put_length(&mut bytes, field.len());
        bytes.extend_from_slice(field);
    }
    bytes
}

/// A number in groups of seven bits, the least significant first, each but the last marked.
fn put_length(bytes: &mut Vec<u8>, mut length: usize) {
    while let (low, rest @ 1..) = (length & 0x7f, length >> 7) {
        bytes.push(u8::try_from(low).unwrap_or_default() | 0x80);
        length = rest;
    }
    bytes.push(u8::try_from(length).unwrap_or_default());
}

/// Reads the message `VerifySignatureResult`: whether the signature holds, and what is wrong otherwise. Everything else
/// than these two forms is odd, also what a lenient reader would take.
fn answer(result: &[u8]) -> HostAnswer {
    match result {
        [0x08, 1] => HostAnswer::Holds,
        [0x12, length @ 1..=0x7f, words @ ..] if words.len() == usize::from(*length) => {
            HostAnswer::Fails(words.to_vec())
        }
        _ => HostAnswer::Odd,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_the_message_that_envoy_reads() {
        let message = [b'm'; 300];
        let question = SignatureQuestion {
            hash: "sha256",
            public_key: b"key",
            signature: &[],
            message: &message,
        };
        let expected = [
            b"\x0a\x06sha256\x12\x03key\x1a\x00\x22\xac\x02".as_slice(),
            &message,
        ]
        .concat();
        assert_eq!(argument(&question), expected);
    }

    #[test]
    fn only_the_two_answers_that_envoy_gives_are_answers() {
        assert_eq!(answer(&[8, 1]), HostAnswer::Holds);
        assert_eq!(answer(b"\x12\x02no"), HostAnswer::Fails(b"no".to_vec()));
        for odd in [
            &[][..],
            &[8],
            &[8, 0],
            &[8, 2],
            &[8, 1, 8, 1],
            &[8, 0, 0x12, 2, b'n', b'o'],
            &[8, 1, 0x12, 2, b'n', b'o'],
            &[0x12, 0],
            &[0x12, 3, b'n', b'o'],
            &[0x12, 1, b'n', b'o'],
        ] {
            assert_eq!(answer(odd), HostAnswer::Odd, "{odd:?}");
        }
    }
}
