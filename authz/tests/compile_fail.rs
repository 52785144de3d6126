//! What must not compile: a decision about anybody who was not verified, a permit from anywhere else.

#[test]
fn the_door_between_the_layers_cannot_be_walked_around() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
