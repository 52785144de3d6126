//! The conformance module in a real Envoy: what it prints there is what the transcripts of `conformance/` say.
//!
//! With `SCOPEGATE_UPDATE_TRANSCRIPTS` set the transcripts are written anew; what a host of ours answers is held
//! against them in its own tests.

use std::env;
use std::path::PathBuf;

use scopegate_conformance::cases::{self, Proxy};
use scopegate_conformance::recorded::Recorded;
use scopegate_e2e::conformance::envoy::Running;

use crate::common::{envoy, root};

/// The module that prints what a host answers.
fn module() -> PathBuf {
    let named = env::var_os("SCOPEGATE_CONFORMANCE_WASM").map(PathBuf::from);
    let module =
        named.unwrap_or_else(|| root().join("target/wasm32-wasip1/release/scopegate_conformance.wasm"));
    assert!(
        module.is_file(),
        "`{}` is absent: run `cargo xtask conformance`",
        module.display()
    );
    module
}

#[test]
fn the_transcripts_are_those_of_a_real_envoy() {
    let Some(program) = envoy("the_transcripts_are_those_of_a_real_envoy") else {
        return;
    };
    let cases = cases::of(Proxy::Envoy).unwrap();
    let running = Running::start(&program, &module(), &cases).unwrap();
    let mut recorded = Recorded::of(Proxy::Envoy);
    for case in &cases {
        recorded.compare(case, &running.transcript(case).unwrap());
    }
    recorded.assert_same();
}
