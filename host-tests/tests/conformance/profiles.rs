//! The other profiles, line by line: in what that of the specification differs from that of Envoy, and in what that of
//! NGINX differs from what a real one answered, and why.

use std::collections::BTreeMap;
use std::fs;

use scopegate_conformance::cases::{self, Case, Proxy};
use scopegate_conformance::skips;
use scopegate_host_tests::{Module, Profile};

use crate::diff::diff;
use crate::driver::{module, run};

/// A case, and why it goes another way.
type Reason = (&'static str, &'static str);

/// The differences of a profile from what is expected: one of them that is not named, or named and none, fails the test.
fn differences(
    test: &str,
    profile: Profile,
    cases: &[Case],
    reasons: &[Reason],
    expected: impl Fn(&Module, &Case) -> String,
) -> Option<String> {
    let module = module(test)?;
    let mut found = BTreeMap::new();
    for case in cases {
        let (expected, seen) = (expected(&module, case), run(&module, case, profile));
        if expected != seen {
            found.insert(case.name.clone(), diff(&expected, &seen));
        }
    }
    let named: Vec<&str> = reasons.iter().map(|(case, _)| *case).collect();
    let differing: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(
        differing, named,
        "cases that differ, and cases that are said to differ"
    );
    let each = reasons
        .iter()
        .map(|(case, why)| format!("{case}: {why}\n{}\n", found[*case]));
    Some(each.collect::<Vec<_>>().join("\n"))
}

/// What was seen before is in a file of its own; with `SCOPEGATE_UPDATE_TRANSCRIPTS` set it is written anew.
fn assert_recorded(profile: &str, found: &str) {
    let path = cases::folder().join(profile).with_extension("diff");
    if skips::updates_records() {
        fs::write(&path, found).unwrap();
    }
    let recorded = fs::read_to_string(&path).unwrap();
    assert!(
        recorded == found,
        "{}:\n{}",
        path.display(),
        diff(&recorded, found)
    );
}

#[test]
fn the_profile_of_the_specification_differs_from_that_of_envoy_as_recorded() {
    let test = "the_profile_of_the_specification_differs_from_that_of_envoy_as_recorded";
    let reasons = [("callout-failures", "a callout that failed has no headers")];
    let cases = cases::of(Proxy::Envoy).unwrap();
    let envoy = |module: &Module, case: &Case| run(module, case, Profile::Envoy);
    if let Some(found) = differences(test, Profile::Spec, &cases, &reasons, envoy) {
        assert_recorded("spec", &found);
    }
}

#[test]
fn a_module_sees_of_the_profile_of_nginx_what_it_sees_of_nginx_but_for_what_is_recorded() {
    let test = "a_module_sees_of_the_profile_of_nginx_what_it_sees_of_nginx_but_for_what_is_recorded";
    let unlinked = "the module that NGINX loads is without three functions, which fail the machine here";
    let callouts = "the host numbers callouts as Envoy does, and has one way to fail";
    let replies = "the host makes a reply of its own when the plugins have seen it, NGINX before";
    let reasons = [
        (
            "buffering",
            "NGINX shows a body again that was held, and fails the second request that holds one; the host waits",
        ),
        ("buffers", unlinked),
        ("callout-failures", callouts),
        (
            "chain",
            "NGINX makes the contexts of all plugins before the first is shown anything",
        ),
        (
            "chain-first-replies",
            "NGINX shows a reply to plugins that never saw the request, and does not log it",
        ),
        ("chain-second-replies", replies),
        ("headers", unlinked),
        ("logging", unlinked),
        (
            "metrics",
            "NGINX fails a machine that defines a metric of no type; the host answers it",
        ),
        (
            "nginx-bodies",
            "NGINX cuts the connection where a body became shorter than it said; the host does not count",
        ),
        ("nginx-callout-answered", replies),
        ("nginx-callout-failures", callouts),
        ("nginx-callout-trap", callouts),
        ("nginx-callouts", callouts),
        (
            "nginx-headers",
            "NGINX replaces a header where it stands, the host at the end; a header of a response that is removed is gone in NGINX",
        ),
        (
            "nginx-metrics",
            "NGINX counts nothing without a word, and fails a machine that reads a histogram",
        ),
        (
            "nginx-properties",
            "NGINX says of no connection whether it has a certificate",
        ),
        ("nginx-reply", replies),
        ("nginx-tick", callouts),
        (
            "pairs",
            "NGINX takes no map that is malformed, and keeps pseudo-headers as they are",
        ),
        (
            "properties",
            "NGINX has fewer properties, and a place outside of memory fails its machine",
        ),
        (
            "reply",
            "NGINX shows a reply to a new machine where the second reply failed the first",
        ),
        (
            "shared-data",
            "a place outside of memory fails the machine in NGINX; the host answers the call",
        ),
        (
            "streams",
            "NGINX shows the headers still where a stream was gone on with",
        ),
        (
            "time",
            "a place outside of memory fails the machine in NGINX; the host answers the call",
        ),
        (
            "trailers",
            "NGINX answers what concerns trailers with other statuses",
        ),
    ];
    let cases = cases::of(Proxy::Nginx).unwrap();
    let recorded = |_: &Module, case: &Case| cases::transcript(&case.name, Proxy::Nginx).unwrap();
    if let Some(found) = differences(test, Profile::Nginx, &cases, &reasons, recorded) {
        assert_recorded("nginx", &found);
    }
}
