//! The profile `envoy` against the real Envoy.

use scopegate_conformance::{cases, differences};
use scopegate_host_tests::Profile;

use crate::driver::{module, run};

/// In what this host differs from Envoy, each with its reason.
const DIFFERENCES: &str = "differences.json";

#[test]
fn a_module_sees_of_this_host_what_it_sees_of_envoy() {
    let Some(module) = module("a_module_sees_of_this_host_what_it_sees_of_envoy") else {
        return;
    };
    let known = differences::read(DIFFERENCES).unwrap();
    let cases = cases::all().unwrap();
    for difference in &known {
        let is_known = cases.iter().any(|case| case.name == difference.case);
        assert!(is_known, "{DIFFERENCES}: there is no case `{}`", difference.case);
    }
    let mut differing = Vec::new();
    for case in &cases {
        let transcript = cases::transcript(&case.name).unwrap();
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

/// The lines in which two texts differ: `-` Envoy's, `+` those of this host.
fn diff(expected: &str, seen: &str) -> String {
    let (mut left, mut right): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), seen.lines().collect());
    let mut out = Vec::new();
    while let (Some(one), Some(other)) = (left.first().copied(), right.first().copied()) {
        if one == other {
            left.remove(0);
            right.remove(0);
            continue;
        }
        // The nearest line that both have ends the difference.
        let near = (0..left.len() + right.len()).find_map(|distance| {
            (0..=distance).find_map(|at| {
                let both = left.get(at).zip(right.get(distance - at));
                both.filter(|(one, other)| one == other)
                    .map(|_| (at, distance - at))
            })
        });
        let (from_left, from_right) = near.unwrap_or((left.len(), right.len()));
        out.extend(left.drain(..from_left).map(|line| format!("- {line}")));
        out.extend(right.drain(..from_right).map(|line| format!("+ {line}")));
    }
    out.extend(left.iter().map(|line| format!("- {line}")));
    out.extend(right.iter().map(|line| format!("+ {line}")));
    out.join("\n")
}
