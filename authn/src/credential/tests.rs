use super::form_decode;

#[test]
fn placeholder() {
    assert_eq!(&*form_decode(b"a%20b"), b"a b");
}
