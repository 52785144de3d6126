//! The other profiles: in what they differ from the profile of Envoy, line by line, and why. Only profiles of this host are
//! held against each other here: NGINX itself is not asked.

use std::collections::BTreeMap;
use std::fs;

use scopegate_conformance::cases::{self, Proxy};
use scopegate_conformance::skips;
use scopegate_host_tests::Profile;

use crate::diff::diff;
use crate::driver::{module, run};

/// A case, and why it goes another way.
type Reason = (&'static str, &'static str);

/// The differences of a profile: one of them that is not named, or named and none, fails the test.
fn differences(test: &str, profile: Profile, reasons: &[Reason]) -> Option<String> {
    let module = module(test)?;
    let mut found = BTreeMap::new();
    for case in cases::of(Proxy::Envoy).unwrap() {
        let envoy = run(&module, &case, Profile::Envoy);
        let here = run(&module, &case, profile);
        if envoy != here {
            found.insert(case.name, diff(&envoy, &here));
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
    if let Some(found) = differences(test, Profile::Spec, &reasons) {
        assert_recorded("spec", &found);
    }
}

#[test]
fn the_profile_of_ngx_wasm_module_differs_from_that_of_envoy_as_recorded() {
    let test = "the_profile_of_ngx_wasm_module_differs_from_that_of_envoy_as_recorded";
    let reasons = [
        (
            "buffering",
            "bodies come in one call; pseudo-headers are not counted",
        ),
        ("buffers", "`proxy_get_buffer_status` fails the machine"),
        (
            "callout-failures",
            "a callout that failed has no headers but its `:dispatch_status`; a callout that may not be held fails the machine",
        ),
        ("callouts", "a callout from the configuration fails the machine"),
        ("connection", "there are no TCP contexts"),
        ("connection-closed", "there are no TCP contexts"),
        ("connection-held", "there are no TCP contexts"),
        ("contexts", "effective contexts have no effect"),
        ("done", "`proxy_done` fails the machine"),
        ("foreign", "an unknown foreign function fails the machine"),
        (
            "going-on-and-holding",
            "bodies come in one call, and going on always wins",
        ),
        (
            "grpc-calls",
            "there is no gRPC: each of its functions fails the machine",
        ),
        (
            "grpc-streams",
            "there is no gRPC: each of its functions fails the machine",
        ),
        ("headers", "`proxy_get_header_map_size` fails the machine"),
        ("logging", "`proxy_get_log_level` fails the machine"),
        (
            "metrics",
            "a gauge cannot be incremented, and an unknown metric fails the machine",
        ),
        (
            "pairs",
            "names are as given, and `proxy_get_header_map_size` fails the machine",
        ),
        (
            "properties",
            "values are text, names are variables, and maps are none",
        ),
        ("queue-ready", "pseudo-headers are not counted"),
        ("queues", "`proxy_resolve_shared_queue` fails the machine"),
        ("reply", "a second reply fails the machine"),
        (
            "reply-later",
            "a reply has a line end of its own, and none can be given in the response",
        ),
        (
            "root-maps",
            "a root has no request to answer or to let go: the worker crashes",
        ),
        (
            "shared-data",
            "a version must be that of the key, and no value removes it",
        ),
        ("streams", "closing a stream fails the machine"),
        ("ticks", "only the root can ask for ticks, once"),
        ("ticks-by-stream", "only the root can ask for ticks, once"),
        ("time", "pseudo-headers are not counted"),
        ("trailers", "there are no trailers"),
        ("trap", "pseudo-headers are not counted"),
    ];
    if let Some(found) = differences(test, Profile::Nginx, &reasons) {
        assert_recorded("nginx", &found);
    }
}
