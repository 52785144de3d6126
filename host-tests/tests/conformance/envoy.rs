//! The profile `envoy` against the real Envoy.

use scopegate_conformance::cases::{self, Proxy};
use scopegate_conformance::{CALLBACKS, differences, functions};
use scopegate_host_tests::Profile;

use crate::diff::diff;
use crate::driver::{module, run};

/// In what this host differs from Envoy, each with its reason.
const DIFFERENCES: &str = "differences.json";

#[test]
fn a_module_sees_of_this_host_what_it_sees_of_envoy() {
    let Some(module) = module("a_module_sees_of_this_host_what_it_sees_of_envoy") else {
        return;
    };
    let known = differences::read(DIFFERENCES).unwrap();
    let cases = cases::of(Proxy::Envoy).unwrap();
    for difference in &known {
        let is_known = cases.iter().any(|case| case.name == difference.case);
        assert!(is_known, "{DIFFERENCES}: there is no case `{}`", difference.case);
    }
    let mut differing = Vec::new();
    for case in &cases {
        let transcript = cases::transcript(&case.name, Proxy::Envoy).unwrap();
        let expected = differences::apply(&transcript, &case.name, &known).unwrap_or_else(|error| {
            differing.push(error);
            transcript
        });
        let seen = run(&module, case, Profile::Envoy);
        if seen != expected {
            differing.push(format!("{}:\n{}", case.name, diff(&expected, &seen)));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// Callbacks that no case can bring about in Envoy: none of its own foreign functions calls back, and memory is
/// allocated without a word.
const UNSEEN: [&str; 2] = ["foreign_function", "memory_allocate"];

#[test]
fn every_function_and_every_callback_of_the_abi_is_in_a_transcript() {
    let cases = cases::of(Proxy::Envoy).unwrap();
    let all: String = cases
        .iter()
        .map(|case| cases::transcript(&case.name, Proxy::Envoy).unwrap())
        .collect();
    let absent: Vec<&str> = functions()
        .into_iter()
        .filter(|name| !all.contains(&format!("  {name}(")))
        .chain(
            CALLBACKS
                .into_iter()
                .filter(|name| !all.contains(&format!(" {name}("))),
        )
        .collect();
    assert_eq!(absent, UNSEEN);
    assert!(!all.contains(" wrong: "), "a script has a line that is no call");
}
