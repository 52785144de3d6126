//! Configuration: none, bad, large, and again.

use scopegate_host_tests::{Clock, FailurePolicy, Host, Outcome};
use serde_json::json;

use crate::common::{anonymous, builder, host, module, permitted, policy, public, refused};

/// Requires that a host that was not configured answers nothing but 503, even where the route would be public.
fn refuses_everything(host: &mut Host, why: &str) {
    assert!(!host.configured(), "{why}");
    assert_eq!(host.failure(), None, "{why}");
    for request in [permitted(), anonymous(), public()] {
        let outcome = host.request(request).outcome;
        assert!(
            matches!(
                outcome,
                Outcome::Failed {
                    reply_status: 503,
                    ..
                }
            ),
            "{why}: {outcome:?}"
        );
    }
}

#[test]
fn without_a_good_configuration_every_request_is_refused() {
    let megabyte = " ".repeat(1024 * 1024);
    let mut unknown_field = policy();
    unknown_field["authorization"]["open"] = json!(true);
    let mut without_origins = policy();
    without_origins["authentication"]["providers"][0]["binding"] = json!("dpop");
    let texts = [
        String::new(),
        "{}".to_owned(),
        "null".to_owned(),
        "not JSON".to_owned(),
        policy().to_string().replacen('{', "{\"scopegate\": \"v1\",", 1),
        policy().to_string().replace("v1", "v2"),
        unknown_field.to_string(),
        without_origins.to_string(),
        megabyte,
        "[".repeat(100_000),
    ];
    for text in texts {
        let shown: String = text.chars().take(60).collect();
        refuses_everything(&mut builder().configuration(&text).build().unwrap(), &shown);
    }
    let bytes = [policy().to_string().as_bytes(), &[0xff]].concat();
    refuses_everything(&mut builder().configuration(bytes).build().unwrap(), "not UTF-8");
}

#[test]
fn a_secret_that_is_not_there_refuses_the_policy_and_is_named_by_its_variable_alone() {
    let mut host = Host::builder(module())
        .clock(Clock::virtual_at(1))
        .configuration(policy().to_string())
        .build()
        .unwrap();
    let logged: Vec<_> = host.logs().into_iter().map(|line| line.message).collect();
    assert!(
        logged.iter().any(|line| line.contains("ORDERS_SECRET")),
        "{logged:?}"
    );
    refuses_everything(&mut host, "no secret");
}

#[test]
fn why_a_policy_is_refused_is_logged() {
    let mut bad = policy();
    bad["authorization"]["routes"][1]["access"]["scopes"]["all"] = json!(["unheard:of"]);
    let mut host = builder().configuration(bad.to_string()).build().unwrap();
    let logged: Vec<_> = host.logs().into_iter().map(|line| line.message).collect();
    assert!(
        logged.iter().any(|line| line.contains("unheard:of")),
        "{logged:?}"
    );
}

#[test]
fn a_policy_of_a_megabyte_is_taken() {
    let text = policy().to_string() + &" ".repeat(1024 * 1024);
    let mut host = builder().configuration(text).build().unwrap();
    assert!(host.configured());
    assert!(host.request(permitted()).forwarded().is_some());
    assert_eq!(
        refused(&host.request(anonymous())),
        (401, "credential_missing".to_owned())
    );
}

#[test]
fn a_bad_policy_leaves_the_one_before_it_in_force() {
    let mut host = host();
    for bad in [
        "",
        "{}",
        "not JSON",
        &policy().to_string().replace("HS256", "none"),
    ] {
        assert_eq!(host.configure(bad), Ok(false), "{bad}");
        assert!(host.request(permitted()).forwarded().is_some(), "{bad}");
        assert_eq!(
            refused(&host.request(anonymous())),
            (401, "credential_missing".to_owned()),
            "{bad}"
        );
    }
}

#[test]
fn a_good_policy_takes_the_place_of_the_one_before_it() {
    let mut host = host();
    let mut closed = policy();
    closed["authorization"]["routes"] =
        json!([{"id": "health", "match": {"methods": ["GET"], "path": "/healthz"}, "access": "public"}]);
    assert_eq!(host.configure(closed.to_string()), Ok(true));
    assert_eq!(refused(&host.request(permitted())), (403, "no_route".to_owned()));
    assert!(host.request(public()).forwarded().is_some());
}

#[test]
fn a_host_that_fails_open_is_still_refused_by_a_module_that_lives() {
    let mut host = builder().failure_policy(FailurePolicy::Open).build().unwrap();
    assert_eq!(
        refused(&host.request(anonymous())),
        (401, "credential_missing".to_owned())
    );
}

#[test]
fn a_configuration_that_comes_late_opens_the_door() {
    let mut host = builder().configuration("").build().unwrap();
    refuses_everything(&mut host, "before");
    assert_eq!(host.configure(policy().to_string()), Ok(true));
    assert!(host.request(permitted()).forwarded().is_some());
}
