//! Hosts that know, and hosts that do not.

use std::cell::RefCell;
use std::rc::Rc;

use base64_simd::URL_SAFE_NO_PAD;
use der::asn1::AnyRef;
use der::{Decode, Reader, SliceReader};
use serde_json::{Value, json};

use super::known_answers::{self, MESSAGE};
use super::{HostAnswer, HostCryptography, HostSignatures, SignatureQuestion, encoding};
use crate::Algorithm;
use crate::jwk::Key;
use crate::signature;

/// A host by the name of a behaviour, and what it was asked.
#[derive(Clone, Default)]
struct Host {
    says: Option<Says>,
    asked: Rc<RefCell<Vec<String>>>,
}

type Says = fn(&SignatureQuestion<'_>) -> HostAnswer;

impl HostCryptography for Host {
    fn check(&self, question: &SignatureQuestion<'_>) -> HostAnswer {
        self.asked.borrow_mut().push(question.hash.to_owned());
        self.says.map_or_else(|| knows(question), |says| says(question))
    }
}

/// What a host says that can compute: of what is known, the truth; of everything else, no.
fn knows(question: &SignatureQuestion<'_>) -> HostAnswer {
    let holds = known_answers::ALL.iter().any(|known| {
        (known.key, known.signature, known.hash) == (question.public_key, question.signature, question.hash)
    });
    match holds && question.message == MESSAGE {
        true => HostAnswer::Holds,
        false => HostAnswer::Fails(b"no".to_vec()),
    }
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

fn parts(der: &[u8]) -> Vec<Vec<u8>> {
    let sequence = AnyRef::from_der(der).unwrap();
    let mut reader = SliceReader::new(sequence.value()).unwrap();
    let mut parts = Vec::new();
    while !reader.is_finished() {
        parts.push(reader.decode::<AnyRef<'_>>().unwrap().value().to_vec());
    }
    parts
}

/// The known key as a JWK.
fn jwk(known: &known_answers::Known) -> Value {
    let bits = parts(known.key).remove(1);
    let key = &bits[1..];
    if known.algorithm.name().starts_with("RS") {
        let numbers = parts(key);
        return json!({"kty": "RSA", "n": encoded(&numbers[0][1..]), "e": encoded(&numbers[1])});
    }
    let (x, y) = key[1..].split_at(key.len() / 2);
    let curve = match x.len() {
        32 => "P-256",
        48 => "P-384",
        _ => "P-521",
    };
    json!({"kty": "EC", "crv": curve, "x": encoded(x), "y": encoded(y)})
}

fn key(known: &known_answers::Known) -> Key {
    Key::from_jwk(&jwk(known)).unwrap().0
}

/// The known signature as it would stand in a JWS.
fn jws_signature(known: &known_answers::Known) -> Vec<u8> {
    if known.algorithm.name().starts_with("RS") {
        return known.signature.to_vec();
    }
    let half = match known.hash {
        "sha256" => 32,
        "sha384" => 48,
        _ => 66,
    };
    let fixed = |number: Vec<u8>| {
        let digits: Vec<u8> = number.into_iter().skip_while(|byte| *byte == 0).collect();
        [vec![0; half - digits.len()], digits].concat()
    };
    parts(known.signature).into_iter().flat_map(fixed).collect()
}

#[test]
fn keys_and_signatures_are_encoded_as_openssl_does() {
    for known in known_answers::ALL {
        let key = key(known);
        assert_eq!(key.public_key.as_deref(), Some(known.key), "{}", known.algorithm);
        let signature = jws_signature(known);
        assert_eq!(
            encoding::signature(known.algorithm, &signature).as_deref(),
            Some(known.signature),
            "{}",
            known.algorithm
        );
        assert!(
            signature::holds(known.algorithm, &key, MESSAGE, &signature, None),
            "what is known of {} is true",
            known.algorithm
        );
    }
}

#[test]
fn a_host_that_knows_is_believed_either_way() {
    for known in known_answers::ALL {
        let host = HostSignatures::new(Box::new(Host::default()));
        let (key, signature) = (key(known), jws_signature(known));
        let holds = |message: &[u8]| host.holds(known.algorithm, &key, message, &signature);
        assert_eq!(holds(MESSAGE), Some(true), "{}", known.algorithm);
        assert_eq!(holds(b"another"), Some(false), "{}", known.algorithm);
        assert_eq!(host.tried(), [(known.algorithm, true)]);
    }
}

#[test]
fn a_host_that_does_not_know_is_never_believed() {
    let hosts: &[(&str, Says)] = &[
        ("it says yes to everything", |_| HostAnswer::Holds),
        ("it says no to everything", |_| HostAnswer::Fails(b"no".to_vec())),
        ("it has no such function", |_| HostAnswer::Odd),
        ("it reads no message", |question| {
            match known_answers::ALL
                .iter()
                .any(|known| known.signature == question.signature)
            {
                true => HostAnswer::Holds,
                false => HostAnswer::Fails(b"no".to_vec()),
            }
        }),
        ("it reads no signature", |question| {
            match question.message == MESSAGE {
                true => HostAnswer::Holds,
                false => HostAnswer::Fails(b"no".to_vec()),
            }
        }),
        ("it fails in other words each time", |question| {
            match knows(question) {
                HostAnswer::Fails(_) => HostAnswer::Fails(question.message.to_vec()),
                answer @ (HostAnswer::Holds | HostAnswer::Odd) => answer,
            }
        }),
        (
            "it knows no answer to a message that is not known",
            |question| match question.message == MESSAGE {
                true => knows(question),
                false => HostAnswer::Odd,
            },
        ),
    ];
    for (name, says) in hosts {
        for known in known_answers::ALL {
            let host = HostSignatures::new(Box::new(Host {
                says: Some(*says),
                ..Host::default()
            }));
            let (key, signature) = (key(known), jws_signature(known));
            assert_eq!(
                host.holds(known.algorithm, &key, MESSAGE, &signature),
                None,
                "{name}: {}",
                known.algorithm
            );
            assert_eq!(host.tried(), [(known.algorithm, false)], "{name}");
            // What is computed here counts.
            let mut forged = signature.clone();
            forged[7] ^= 1;
            let holds =
                |signature: &[u8]| signature::holds(known.algorithm, &key, MESSAGE, signature, Some(&host));
            assert!(holds(&signature), "{name}");
            assert!(!holds(&forged), "{name}");
        }
    }
}

#[test]
fn a_host_that_proves_itself_once_is_tried_no_more_and_one_that_answers_oddly_is_not_asked_again() {
    for odd in [
        HostAnswer::Odd,
        HostAnswer::Fails(b"I could not read the key".to_vec()),
    ] {
        thread_local! {
            static ODD: RefCell<HostAnswer> = const { RefCell::new(HostAnswer::Odd) };
        }
        ODD.set(odd.clone());
        let host = Host {
            says: Some(|question| match question.message == b"odd" {
                true => ODD.with_borrow(Clone::clone),
                false => knows(question),
            }),
            ..Host::default()
        };
        let asked = Rc::clone(&host.asked);
        let host = HostSignatures::new(Box::new(host));
        let known = &known_answers::ALL[3];
        let (key, signature) = (key(known), jws_signature(known));
        let holds = |message: &[u8]| host.holds(Algorithm::Es256, &key, message, &signature);
        assert_eq!(holds(MESSAGE), Some(true));
        assert_eq!(asked.borrow().len(), 4, "three to try it, and the question");
        assert_eq!(holds(MESSAGE), Some(true));
        assert_eq!(asked.borrow().len(), 5, "tried once");
        assert_eq!(holds(b"odd"), None, "{odd:?}");
        assert_eq!(holds(MESSAGE), None, "{odd:?}");
        assert_eq!(asked.borrow().len(), 6, "not asked again");
        assert_eq!(host.tried(), [(Algorithm::Es256, false)]);
        let other = &known_answers::ALL[0];
        let answer = host.holds(other.algorithm, &self::key(other), MESSAGE, &jws_signature(other));
        assert_eq!(answer, Some(true), "another algorithm is another matter");
    }
}

#[test]
fn a_signature_of_another_length_is_no_question_for_a_host() {
    let host = Host::default();
    let asked = Rc::clone(&host.asked);
    let host = HostSignatures::new(Box::new(host));
    let known = &known_answers::ALL[3];
    let (key, signature) = (key(known), jws_signature(known));
    for signature in [
        &[][..],
        &signature[..63],
        &[&signature[..], &[0]].concat(),
        known.signature,
    ] {
        assert!(!signature::holds(
            Algorithm::Es256,
            &key,
            MESSAGE,
            signature,
            Some(&host)
        ));
    }
    assert_eq!(asked.borrow().len(), 3, "only what is known");
}

#[test]
fn no_host_is_asked_about_a_key_of_another_kind_or_about_what_hosts_do_not_offer() {
    let host = Host::default();
    let asked = Rc::clone(&host.asked);
    let host = HostSignatures::new(Box::new(host));
    let known = &known_answers::ALL[3];
    let (key, signature) = (key(known), jws_signature(known));
    for algorithm in [
        Algorithm::Rs256,
        Algorithm::Es384,
        Algorithm::Ps256,
        Algorithm::Hs256,
        Algorithm::EdDsa,
    ] {
        assert!(!signature::holds(
            algorithm,
            &key,
            MESSAGE,
            &signature,
            Some(&host)
        ));
    }
    assert!(asked.borrow().is_empty());
}
