use super::super::Certificate;
use super::certificate;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";

fn seen(value: &[u8], own: Option<[u8; 32]>) -> Option<Certificate> {
    certificate(&[(b"X-Forwarded-Client-Cert", value)], own).ok()
}

fn certificate_of(digest: u8, uri_sans: &[&str], dns_sans: &[&str]) -> Certificate {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Certificate {
        uri_sans: owned(uri_sans),
        dns_sans: owned(dns_sans),
        sha256: Some([digest; 32]),
    }
}

#[test]
fn the_last_element_says_what_the_hop_saw() {
    let cases = [
        (format!("Hash={A}"), certificate_of(0xaa, &[], &[])),
        (
            format!("By=spiffe://p/in;Hash={A};URI=spiffe://p/a"),
            certificate_of(0xaa, &["spiffe://p/a"], &[]),
        ),
        (
            format!("by=spiffe://p/in;HASH={B};uri=spiffe://p/a"),
            certificate_of(0xbb, &["spiffe://p/a"], &[]),
        ),
        (
            format!("By=spiffe://p/in;By=spiffe://p/2;Hash={A};URI=x;URI=y;DNS=a.b;DNS=c.d"),
            certificate_of(0xaa, &["x", "y"], &["a.b", "c.d"]),
        ),
        (
            format!("Hash={A};URI=spiffe://p/a,Hash={B};URI=spiffe://p/b"),
            certificate_of(0xbb, &["spiffe://p/b"], &[]),
        ),
        (
            format!(" Hash={A} ; URI=a , Hash={B} ;\tURI= b "),
            certificate_of(0xbb, &["b"], &[]),
        ),
        // What stands in quotes ends nothing.
        (
            format!("Hash={A};Subject=\"CN=a,O=b;URI=spiffe://p/evil\";URI=spiffe://p/a"),
            certificate_of(0xaa, &["spiffe://p/a"], &[]),
        ),
        (
            format!("Hash={A};Subject=\"CN=\\\",Hash={B};URI=spiffe://p/evil\";URI=spiffe://p/a"),
            certificate_of(0xaa, &["spiffe://p/a"], &[]),
        ),
        (
            format!("Hash={A};Subject=\"CN=a\\\\\";URI=\"spiffe://p/a\" "),
            certificate_of(0xaa, &["spiffe://p/a"], &[]),
        ),
        (
            format!("Hash=\"{A}\";URI=\"a,\\\"b;\\\\c\""),
            certificate_of(0xaa, &["a,\"b;\\c"], &[]),
        ),
        (
            format!("Hash={A};Cert=\"-----BEGIN%20CERTIFICATE-----%0A\";Chain=\"\";Subject=\"\";URI=;DNS="),
            certificate_of(0xaa, &[], &[]),
        ),
        (
            format!("Hash={A};Later=x;URI=a=b"),
            certificate_of(0xaa, &["a=b"], &[]),
        ),
    ];
    for (value, expected) in cases {
        assert_eq!(seen(value.as_bytes(), None), Some(expected), "{value}");
    }
}

#[test]
fn an_element_about_the_hop_itself_was_added_in_front_of_us() {
    let own = Some([0xbb; 32]);
    let cases = [
        (format!("Hash={A};URI=a,Hash={B};URI=hop"), Some("a")),
        (
            format!("Hash={B};URI=x,Hash={A};URI=a,Hash={B};URI=hop"),
            Some("a"),
        ),
        (format!("Hash={B};URI=x,Hash={A};URI=a"), Some("a")),
        (format!("Hash={B};URI=hop"), None),
        (format!("URI=a,Hash={B};URI=hop"), None),
    ];
    for (value, expected) in cases {
        let found = seen(value.as_bytes(), own).map(|certificate| certificate.uri_sans.concat());
        assert_eq!(found.as_deref(), expected, "{value}");
    }
}

#[test]
fn a_field_with_a_fault_is_not_read() {
    let long = format!("Hash={A};Chain=\"{}\"", "x".repeat(16 * 1024));
    let texts = [
        "".to_owned(),
        " ".to_owned(),
        ",".to_owned(),
        ";".to_owned(),
        "Hash".to_owned(),
        "URI=spiffe://p/a".to_owned(),
        A.to_owned(),
        format!("={A}"),
        format!("Hash={A},"),
        format!(",Hash={A}"),
        format!("Hash={A};"),
        format!("Hash={A};;URI=a"),
        format!("Hash={A},,Hash={B}"),
        format!("Hash={A};URI"),
        format!("Hash={A};=a"),
        format!("Hash={A};U RI=a"),
        format!("Hash={A};Hash={A}"),
        format!("Hash={A};Hash={B}"),
        format!("Hash={A}0"),
        format!("Hash={}", "a".repeat(63)),
        "Hash=".to_owned(),
        format!("Hash={}g", "a".repeat(63)),
        format!("Hash={A};Subject=\"CN=a"),
        format!("Hash={A};Subject=\"CN=a\\\""),
        format!("Hash={A};Subject=\"CN=a\"x"),
        format!("Hash={A};Subject=\"CN=a\"\"b\""),
        format!("Hash={A};URI=a\"b"),
        format!("broken,Hash={A};URI=a"),
        long,
    ];
    for text in texts {
        assert_eq!(seen(text.as_bytes(), None), None, "{text}");
    }
    let unreadable = seen(&[format!("Hash={A};URI=").as_bytes(), b"\xff"].concat(), None);
    assert!(unreadable.is_some_and(|certificate| !certificate.is_readable()));
}

#[test]
fn the_field_is_there_once_and_under_its_own_name() {
    let value = format!("Hash={A}");
    let value = value.as_bytes();
    let name = b"x-forwarded-client-cert";
    let is_seen = |headers: &[(&[u8], &[u8])]| certificate(headers, None).is_ok();
    assert!(is_seen(&[(name, value)]));
    assert!(is_seen(&[
        (b"X-FORWARDED-Client-Cert", value),
        (b"x_forwarded_client_cert", value)
    ]));
    assert!(!is_seen(&[]));
    assert!(!is_seen(&[(name, value), (name, value)]));
    assert!(!is_seen(&[(name, value), (b"X-Forwarded-Client-Cert", b"")]));
    assert!(!is_seen(&[(b"x_forwarded_client_cert", value)]));
    assert!(!is_seen(&[(b"forwarded-client-cert", value)]));
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;

    use super::{A, B, seen};

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let words = [
            "Hash=",
            A,
            B,
            "URI=",
            "DNS=",
            "By=",
            "Subject=",
            "\"",
            "\\",
            "\\\"",
            ",",
            ";",
            "=",
            " ",
            "spiffe://p/a",
            "x",
        ];
        prop_oneof![
            9 => prop::sample::select(words.map(|word| word.as_bytes().to_vec()).to_vec()),
            1 => any::<Vec<u8>>(),
        ]
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_no_name_comes_from_nowhere(pieces in prop::collection::vec(piece(), 0..24)) {
            let value = pieces.concat();
            if let Some(certificate) = seen(&value, Some([0xaa; 32])) {
                prop_assert!(certificate.sha256.is_some());
                let names: usize = certificate.uri_sans.iter().chain(&certificate.dns_sans).map(String::len).sum();
                // U+FFFD is three bytes where there was one.
                prop_assert!(names <= 3 * value.len());
            }
        }

        #[test]
        fn what_is_quoted_comes_back_whole(subject in "[ -~]{0,40}", uri in "[ -~]{1,40}") {
            let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let value = format!("Hash={A};Subject=\"{}\";URI=\"{}\"", quoted(&subject), quoted(&uri));
            let found = seen(value.as_bytes(), None).map(|certificate| certificate.uri_sans);
            prop_assert_eq!(found, Some(vec![uri]));
        }
    }
}
