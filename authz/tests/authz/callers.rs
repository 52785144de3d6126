//! What a route asks of a caller beside scopes: clients, actors, step-up.

use scopegate_authz::{Authorizer, Deny, ProviderFacts};
use serde_json::{Value, json};

use crate::authorize::{ask, outcome};
use crate::common::{authorizer, section};
use crate::tokens::NOW;

/// A policy with one guarded route at `/x`, whose access is `access` and no scopes.
fn route(mut access: Value) -> Authorizer {
    access["authenticated"] = json!(true);
    authorizer(&json!({"routes": [{"id": "x", "match": {"path": "/x"}, "access": access}]}))
}

fn decide(policy: &Authorizer, claims: &Value) -> &'static str {
    outcome(&ask(policy, "/x", "corp", claims, NOW))
}

#[test]
fn a_route_takes_callers_through_its_clients_only() {
    let policy = route(json!({"clients": ["orders-web", "orders-batch"]}));
    let rows = [
        (json!({"client_id": "orders-web"}), "allow"),
        (json!({"client_id": "orders-batch"}), "allow"),
        (json!({"client_id": "orders"}), "client_not_allowed"),
        (json!({"client_id": "Orders-web"}), "client_not_allowed"),
        (json!({"client_id": "orders-web "}), "client_not_allowed"),
        (json!({}), "client_not_allowed"),
        (json!({"sub": "orders-web"}), "client_not_allowed"),
    ];
    for (claims, expected) in rows {
        assert_eq!(decide(&policy, &claims), expected, "{claims}");
    }
}

#[test]
fn a_client_is_of_the_provider_that_vouches_for_it() {
    let clients = json!([{"provider": "corp", "client": "web"}, {"provider": "lab", "client": "probe"}]);
    let policy = |clients: &Value| {
        let access = json!({"authenticated": true, "providers": ["corp", "lab"], "clients": clients});
        let policy = json!({"routes": [{"id": "x", "match": {"path": "/x"}, "access": access}]});
        let providers = ["corp", "lab"].map(|name| ProviderFacts {
            name: name.to_owned(),
            carries_scopes: false,
        });
        Authorizer::compile(&section(&policy), &providers)
    };
    let compiled = policy(&clients).expect("a policy");
    let rows = [
        ("corp", "web", "allow"),
        ("lab", "probe", "allow"),
        ("lab", "web", "client_not_allowed"),
        ("corp", "probe", "client_not_allowed"),
    ];
    for (provider, client, expected) in rows {
        let answer = ask(&compiled, "/x", provider, &json!({"client_id": client}), NOW);
        assert_eq!(outcome(&answer), expected, "{client} of {provider}");
    }
    let codes = |clients: &Value| -> Vec<&str> {
        let faults = policy(clients).expect_err("faults");
        faults.iter().map(|fault| fault.code).collect()
    };
    assert_eq!(codes(&json!(["web"])), ["provider_required"]);
    assert_eq!(
        codes(&json!([{"provider": "corp", "client": "web"}])),
        ["client_missing"]
    );
}

#[test]
fn only_the_outermost_actor_decides_and_its_chain_is_bounded() {
    let gateway = json!({"sub": "gateway"});
    let plain = json!({"allow": ["gateway", "mobile-gateway"]});
    let deep = json!({"allow": ["gateway"], "max_depth": 2});
    let required = json!({"allow": ["gateway"], "required": true});
    let rows = [
        // No actor: nobody acts for anybody.
        (&plain, json!({}), "allow"),
        (&required, json!({}), "actor_not_allowed"),
        (&required, json!({"act": gateway}), "allow"),
        (&plain, json!({"act": gateway}), "allow"),
        (&plain, json!({"act": {"sub": "mobile-gateway"}}), "allow"),
        (&plain, json!({"act": {"sub": "Gateway"}}), "actor_not_allowed"),
        (&plain, json!({"act": {"sub": "stranger"}}), "actor_not_allowed"),
        // Those within are history: they neither open nor, within the depth, close.
        (
            &plain,
            json!({"act": {"sub": "stranger", "act": gateway}}),
            "actor_not_allowed",
        ),
        (
            &deep,
            json!({"act": {"sub": "gateway", "act": {"sub": "stranger"}}}),
            "allow",
        ),
        (
            &deep,
            json!({"act": {"sub": "stranger", "act": gateway}}),
            "actor_not_allowed",
        ),
        (
            &plain,
            json!({"act": {"sub": "gateway", "act": {"sub": "web"}}}),
            "actor_not_allowed",
        ),
        (
            &deep,
            json!({"act": {"sub": "gateway", "act": {"sub": "web", "act": {"sub": "tv"}}}}),
            "actor_not_allowed",
        ),
        // Another issuer's subject of the same name is somebody else.
        (
            &plain,
            json!({"act": {"sub": "gateway", "iss": "https://corp.example"}}),
            "allow",
        ),
        (
            &plain,
            json!({"act": {"sub": "gateway", "iss": "https://evil.example"}}),
            "actor_not_allowed",
        ),
        (
            &plain,
            json!({"act": {"sub": "gateway", "iss": null}}),
            "actor_not_allowed",
        ),
        // What is no chain of actors is nobody's.
        (&plain, json!({"act": "gateway"}), "actor_not_allowed"),
        (&plain, json!({"act": {}}), "actor_not_allowed"),
        (&plain, json!({"act": {"sub": ["gateway"]}}), "actor_not_allowed"),
        (&plain, json!({"act": [gateway]}), "actor_not_allowed"),
        (&plain, json!({"act": null}), "actor_not_allowed"),
        (
            &deep,
            json!({"act": {"sub": "gateway", "act": "web"}}),
            "actor_not_allowed",
        ),
        // `may_act` says who may ask for such a token. It grants nothing.
        (&plain, json!({"may_act": {"sub": "stranger"}}), "allow"),
        (&required, json!({"may_act": gateway}), "actor_not_allowed"),
        (
            &plain,
            json!({"act": {"sub": "stranger"}, "may_act": {"sub": "stranger"}}),
            "actor_not_allowed",
        ),
    ];
    for (actors, claims, expected) in rows {
        let policy = route(json!({"actors": actors}));
        assert_eq!(decide(&policy, &claims), expected, "{actors} {claims}");
    }
}

#[test]
fn a_route_that_names_no_actors_takes_no_delegation() {
    let policy = route(json!({}));
    assert_eq!(decide(&policy, &json!({})), "allow");
    assert_eq!(
        decide(&policy, &json!({"act": {"sub": "gateway"}})),
        "actor_not_allowed"
    );
    assert_eq!(decide(&policy, &json!({"act": null})), "actor_not_allowed");
    assert_eq!(decide(&policy, &json!({"may_act": {"sub": "gateway"}})), "allow");
}

#[test]
fn a_caller_must_have_authenticated_strongly_and_lately_enough() {
    let at = |seconds: i64| json!(NOW.0 + seconds);
    let rows = [
        (json!({"acr": ["mfa", "phr"]}), json!({"acr": "phr"}), "allow"),
        (json!({"acr": ["mfa"]}), json!({"acr": "pwd"}), "step_up_required"),
        (json!({"acr": ["mfa"]}), json!({"acr": "MFA"}), "step_up_required"),
        (
            json!({"acr": ["mfa"]}),
            json!({"acr": ["mfa"]}),
            "step_up_required",
        ),
        (json!({"acr": ["mfa"]}), json!({}), "step_up_required"),
        (
            json!({"amr": {"all": ["pwd", "otp"]}}),
            json!({"amr": ["otp", "hwk", "pwd"]}),
            "allow",
        ),
        (
            json!({"amr": {"all": ["pwd", "otp"]}}),
            json!({"amr": ["pwd"]}),
            "step_up_required",
        ),
        (
            json!({"amr": {"any": ["hwk", "otp"]}}),
            json!({"amr": ["pwd", "otp"]}),
            "allow",
        ),
        (
            json!({"amr": {"any": ["hwk", "otp"]}}),
            json!({"amr": ["pwd"]}),
            "step_up_required",
        ),
        (
            json!({"amr": {"any": ["otp"]}}),
            json!({"amr": "otp"}),
            "step_up_required",
        ),
        (json!({"amr": {"any": ["otp"]}}), json!({}), "step_up_required"),
        (
            json!({"amr": {"all": ["pwd"], "any": ["otp"]}}),
            json!({"amr": ["pwd"]}),
            "step_up_required",
        ),
        (
            json!({"max_auth_age": "10m"}),
            json!({"auth_time": at(-600)}),
            "allow",
        ),
        (
            json!({"max_auth_age": "10m"}),
            json!({"auth_time": at(-601)}),
            "step_up_required",
        ),
        (
            json!({"max_auth_age": "10m"}),
            json!({"auth_time": at(30)}),
            "allow",
        ),
        (
            json!({"max_auth_age": "10m"}),
            json!({"auth_time": at(31)}),
            "step_up_required",
        ),
        (
            json!({"max_auth_age": "10m"}),
            json!({"auth_time": 1_795_337_999.5}),
            "allow",
        ),
        (
            json!({"max_auth_age": "10m"}),
            json!({"auth_time": "1795337999"}),
            "step_up_required",
        ),
        (
            json!({"max_auth_age": "10m"}),
            json!({"auth_time": 1e300}),
            "step_up_required",
        ),
        (
            json!({"max_auth_age": "10m"}),
            json!({"auth_time": i64::MIN}),
            "step_up_required",
        ),
        (json!({"max_auth_age": "10m"}), json!({}), "step_up_required"),
        // The time of issue is not the time of the authentication.
        (
            json!({"max_auth_age": "10m"}),
            json!({"iat": at(-1)}),
            "step_up_required",
        ),
        (
            json!({"acr": ["mfa"], "max_auth_age": "10m"}),
            json!({"acr": "mfa", "auth_time": at(-1)}),
            "allow",
        ),
        (
            json!({"acr": ["mfa"], "max_auth_age": "10m"}),
            json!({"acr": "mfa"}),
            "step_up_required",
        ),
    ];
    for (access, claims, expected) in rows {
        assert_eq!(
            decide(&route(access.clone()), &claims),
            expected,
            "{access} {claims}"
        );
    }
}

#[test]
fn a_step_up_says_what_is_asked_for() {
    let policy = route(json!({"acr": ["mfa", "phr"], "max_auth_age": "10m"}));
    let denial = ask(&policy, "/x", "corp", &json!({}), NOW).expect_err("a denial");
    let asked = Deny::StepUpRequired {
        acr_values: vec!["mfa".to_owned(), "phr".to_owned()],
        max_age: Some(600),
    };
    assert_eq!(denial.deny, asked);
}

#[test]
fn the_first_check_that_fails_names_the_reason() {
    let policy = authorizer(&json!({
        "scopes": {"a": "a", "b": "b"},
        "routes": [{"id": "x", "match": {"path": "/t/{tenant}"}, "access": {
            "clients": ["web"], "actors": {"allow": ["gateway"]}, "tenant": "{tenant}",
            "scopes": {"all": ["a"], "none": ["b"]}, "acr": ["mfa"],
        }}],
    }));
    let mut claims = json!({"act": {"sub": "stranger"}, "scope": "b"});
    let mended = [
        ("client_not_allowed", "client_id", json!("web")),
        ("actor_not_allowed", "act", json!({"sub": "gateway"})),
        ("tenant_mismatch", "tid", json!("acme")),
        ("scope_forbidden", "scope", json!("")),
        ("scope_missing", "scope", json!("a")),
        ("step_up_required", "acr", json!("mfa")),
        ("allow", "acr", json!("mfa")),
    ];
    for (expected, name, mend) in mended {
        let answer = ask(&policy, "/t/acme", "corp", &claims, NOW);
        assert_eq!(outcome(&answer), expected, "{claims}");
        claims[name] = mend;
    }
}
