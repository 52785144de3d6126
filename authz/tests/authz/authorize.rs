//! What a caller may do: providers, actors, tenants, scopes, and where each scope came from.

use std::collections::BTreeSet;

use proptest::prelude::*;
use scopegate_authn::Verified;
use scopegate_authz::{
    Action, Authorizer, Circumstances, Denial, GuardedAction, Permit, ProviderFacts, Target,
};
use scopegate_document::UnixTime;
use serde_json::{Value, json};

use crate::common::{authorizer, section};
use crate::tokens::{NOW, caller};

pub(crate) fn ask<'a>(
    authorizer: &'a Authorizer,
    path: &str,
    provider: &str,
    claims: &Value,
    now: UnixTime,
) -> Result<Permit<'a>, Denial> {
    let target = Target {
        method: b"GET",
        path: path.as_bytes(),
        authority: Some(b"api.example.com"),
        headers: &[],
    };
    match authorizer.select(target) {
        Ok(Action::Guarded(action)) => {
            let asked = Circumstances {
                now,
                target,
                source: None,
            };
            permit(action, caller(provider, claims), &asked)
        }
        other => panic!("{path} is not guarded: {other:?}"),
    }
}

/// A permit speaks of its caller: both live as long as the test.
pub(crate) fn permit<'a>(
    action: GuardedAction<'a>,
    caller: Verified,
    asked: &Circumstances<'_>,
) -> Result<Permit<'a>, Denial> {
    let (action, caller): (&GuardedAction<'a>, &Verified) =
        (Box::leak(Box::new(action)), Box::leak(Box::new(caller)));
    action.authorize(caller, asked)
}

/// `allow`, or the code of the denial.
pub(crate) fn outcome(answer: &Result<Permit<'_>, Denial>) -> &'static str {
    answer.as_ref().map_or_else(Denial::code, |_| "allow")
}

pub(crate) fn granted_by(permit: &Permit<'_>) -> Vec<String> {
    permit
        .granted_by()
        .iter()
        .map(|(scope, source)| format!("{scope}={source}"))
        .collect()
}

fn orders() -> Value {
    json!({
        "scopes": {
            "orders:read": "r", "orders:write": "w", "orders:admin": {"implies": ["orders:read", "orders:write"]},
            "orders:read:own": "o", "ledger:post": "p",
        },
        "roles": {"viewer": ["orders:read"], "boss": ["orders:admin"]},
        "ceilings": [
            {"provider": "corp", "scopes": ["orders:*"]},
            {"provider": "corp", "client": "kiosk", "scopes": ["orders:read", "ledger:post"]},
        ],
        "grants": [
            {"caller": {"provider": "corp", "subject": "ops"}, "scopes": ["orders:admin"], "until": "2026-11-22T09:00:00Z", "reason": "INC-4711"},
            {"caller": {"provider": "corp", "subject": "batch"}, "scopes": ["ledger:post"]},
            {"caller": {"provider": "corp", "subject": "batch", "tenant": "acme"}, "scopes": ["orders:write"], "reason": "night run"},
        ],
        "routes": [
            {"id": "read", "match": {"path": "/read"}, "access": {"scopes": {"all": ["orders:read"]}}},
            {"id": "write", "match": {"path": "/write"}, "access": {"scopes": {"all": ["orders:write"]}}},
            {"id": "own", "match": {"path": "/own"}, "access": {"scopes": {"all": ["orders:read:own"]}}},
            {"id": "post", "match": {"path": "/post"}, "access": {"scopes": {"all": ["ledger:post"]}}},
            {"id": "not-admin", "match": {"path": "/not-admin"}, "access": {"scopes": {"all": ["orders:read"], "none": ["orders:admin"]}}},
            {"id": "either", "match": {"path": "/either"}, "access": {"scopes": {"any": [
                {"all": ["orders:read", "orders:write", "ledger:post"]}, {"all": ["ledger:post", "orders:read"]}, {"all": ["orders:write", "ledger:post"]},
            ]}}},
            {"id": "known", "match": {"path": "/known"}, "access": {"authenticated": true}},
            {"id": "tenant", "match": {"path": "/t/{tenant}/x/{id}"}, "access": {"authenticated": true, "tenant": "{tenant}"}},
        ],
    })
}

#[test]
fn scopes_are_what_token_roles_ceilings_and_grants_make_of_them() {
    let policy = authorizer(&orders());
    let rows = [
        (
            "/read",
            json!({"scope": "orders:read"}),
            "allow",
            "orders:read=token",
        ),
        ("/read", json!({"scope": "orders:write"}), "scope_missing", ""),
        ("/read", json!({"scope": "orders"}), "scope_missing", ""),
        ("/read", json!({"scope": "orders:*"}), "scope_missing", ""),
        ("/read", json!({"scope": "Orders:read"}), "scope_missing", ""),
        ("/read", json!({}), "scope_missing", ""),
        (
            "/read",
            json!({"scope": "orders:admin"}),
            "allow",
            "orders:read=token",
        ),
        (
            "/read",
            json!({"roles": ["viewer", "unknown"]}),
            "allow",
            "orders:read=role:viewer",
        ),
        (
            "/read",
            json!({"roles": ["boss", "viewer"]}),
            "allow",
            "orders:read=role:boss",
        ),
        (
            "/read",
            json!({"roles": ["viewer"], "scope": "orders:read"}),
            "allow",
            "orders:read=token",
        ),
        ("/own", json!({"scope": "orders:read:own"}), "scope_missing", ""),
        ("/post", json!({"scope": "ledger:post"}), "scope_missing", ""),
        (
            "/write",
            json!({"scope": "orders:write", "client_id": "kiosk"}),
            "scope_missing",
            "",
        ),
        (
            "/write",
            json!({"scope": "orders:admin", "client_id": "kiosk"}),
            "scope_missing",
            "",
        ),
        (
            "/read",
            json!({"scope": "orders:admin", "client_id": "kiosk"}),
            "allow",
            "orders:read=token",
        ),
        (
            "/post",
            json!({"scope": "ledger:post", "client_id": "kiosk"}),
            "scope_missing",
            "",
        ),
        ("/post", json!({"sub": "batch"}), "allow", "ledger:post=grant"),
        (
            "/post",
            json!({"sub": "batch", "scope": "ledger:post"}),
            "allow",
            "ledger:post=grant",
        ),
        ("/write", json!({"sub": "batch"}), "scope_missing", ""),
        (
            "/write",
            json!({"sub": "batch", "tid": "acme"}),
            "allow",
            "orders:write=grant:night run",
        ),
        (
            "/not-admin",
            json!({"scope": "orders:read"}),
            "allow",
            "orders:read=token",
        ),
        (
            "/not-admin",
            json!({"scope": "orders:admin"}),
            "scope_forbidden",
            "",
        ),
        (
            "/not-admin",
            json!({"scope": "orders:admin", "client_id": "kiosk"}),
            "scope_forbidden",
            "",
        ),
        ("/not-admin", json!({"roles": ["boss"]}), "scope_forbidden", ""),
        ("/known", json!({}), "allow", ""),
    ];
    for (path, claims, expected, sources) in rows {
        let answer = ask(&policy, path, "corp", &claims, NOW);
        assert_eq!(outcome(&answer), expected, "{path} {claims}");
        let seen = answer
            .map(|permit| granted_by(&permit).join(" "))
            .unwrap_or_default();
        assert_eq!(seen, sources, "{path} {claims}");
    }
}

#[test]
fn a_grant_ends_to_the_second() {
    let policy = authorizer(&orders());
    let of_ops = |now| ask(&policy, "/write", "corp", &json!({"sub": "ops"}), now);
    let permit = of_ops(NOW.minus(1)).expect("a live grant");
    assert_eq!(granted_by(&permit), ["orders:write=grant:INC-4711"]);
    assert!(
        permit
            .effective()
            .eq(["orders:admin", "orders:read", "orders:write"])
    );
    assert_eq!(outcome(&of_ops(NOW)), "scope_missing");
    assert_eq!(outcome(&of_ops(NOW.plus(1))), "scope_missing");
    let none = ask(
        &policy,
        "/not-admin",
        "corp",
        &json!({"sub": "ops", "scope": "orders:read"}),
        NOW.minus(1),
    );
    assert_eq!(
        outcome(&none),
        "scope_forbidden",
        "a granted scope is carried too"
    );
}

#[test]
fn a_denial_for_scopes_names_the_branch_that_lacks_fewest() {
    let policy = authorizer(&orders());
    let rows = [
        (
            json!({}),
            vec!["ledger:post", "orders:read"],
            vec!["ledger:post", "orders:read"],
        ),
        (
            json!({"scope": "orders:read"}),
            vec!["ledger:post", "orders:read"],
            vec!["ledger:post"],
        ),
        (
            json!({"scope": "orders:write"}),
            vec!["orders:write", "ledger:post"],
            vec!["ledger:post"],
        ),
        (
            json!({"scope": "orders:admin"}),
            vec!["orders:read", "orders:write", "ledger:post"],
            vec!["ledger:post"],
        ),
    ];
    for (claims, required, missing) in rows {
        let denial = ask(&policy, "/either", "corp", &claims, NOW).expect_err("a scope is missing");
        let scopegate_authz::Deny::ScopeMissing { required: seen, .. } = &denial.deny else {
            panic!("{denial:?}")
        };
        assert_eq!(
            (seen.as_slice(), denial.missing()),
            (to_strings(&required).as_slice(), to_strings(&missing).as_slice()),
            "{claims}"
        );
    }
}

fn to_strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_denial_carries_what_the_record_says_of_the_caller() {
    let policy = authorizer(&orders());
    let denial = ask(
        &policy,
        "/post",
        "corp",
        &json!({"scope": "orders:admin unknown ledger:post"}),
        NOW,
    )
    .expect_err("a denial");
    assert_eq!(denial.effective, ["orders:admin", "orders:read", "orders:write"]);
    assert_eq!(
        (denial.code(), denial.status(), denial.missing()),
        ("scope_missing", 403, ["ledger:post".to_owned()].as_slice())
    );
}

#[test]
fn the_tenant_of_the_path_is_the_callers() {
    let policy = authorizer(&orders());
    let rows = [
        ("/t/acme/x/1", json!({"tid": "acme"}), "allow"),
        ("/t/%61cme/x/1", json!({"tid": "acme"}), "allow"),
        ("/t/caf%C3%A9/x/1", json!({"tid": "caf\u{e9}"}), "allow"),
        ("/t/other/x/1", json!({"tid": "acme"}), "tenant_mismatch"),
        ("/t/Acme/x/1", json!({"tid": "acme"}), "tenant_mismatch"),
        ("/t/acme/x/1", json!({}), "tenant_mismatch"),
        ("/t/other/x/acme", json!({"tid": "acme"}), "tenant_mismatch"),
    ];
    for (path, claims, expected) in rows {
        assert_eq!(
            outcome(&ask(&policy, path, "corp", &claims, NOW)),
            expected,
            "{path} {claims}"
        );
    }
}

#[test]
fn checks_come_in_the_order_of_the_language() {
    let providers = ["corp", "other"].map(|name| ProviderFacts {
        name: name.to_owned(),
        carries_scopes: true,
    });
    let policy = json!({
        "scopes": {"a": "x"},
        "ceilings": [{"provider": "corp", "scopes": ["*"]}, {"provider": "other", "scopes": ["*"]}],
        "routes": [{"id": "r", "match": {"path": "/{t}"}, "access": {"providers": ["corp"], "tenant": "{t}", "scopes": {"all": ["a"]}}}],
    });
    let policy = Authorizer::compile(&section(&policy), &providers).expect("a policy");
    let act = json!({"sub": "gateway"});
    let rows = [
        ("other", json!({"act": act}), "provider_not_allowed"),
        ("corp", json!({"act": act}), "actor_not_allowed"),
        (
            "corp",
            json!({"act": act, "tid": "t", "scope": "a"}),
            "actor_not_allowed",
        ),
        ("corp", json!({}), "tenant_mismatch"),
        ("corp", json!({"tid": "t"}), "scope_missing"),
        ("corp", json!({"tid": "t", "scope": "a"}), "allow"),
        ("other", json!({"tid": "t", "scope": "a"}), "provider_not_allowed"),
    ];
    for (provider, claims, expected) in rows {
        assert_eq!(
            outcome(&ask(&policy, "/t", provider, &claims, NOW)),
            expected,
            "{provider} {claims}"
        );
    }
}

#[test]
fn a_route_shows_what_records_say_of_it() {
    let policy = authorizer(&orders());
    let target = Target {
        method: b"GET",
        path: b"/t/acme/x/7?secret=1",
        authority: Some(b"a"),
        headers: &[],
    };
    let action = policy.select(target).expect("a route");
    let view = action.route();
    assert_eq!(
        (view.id, view.pattern, view.providers),
        ("tenant", "/t/{tenant}/x/{id}", ["corp".to_owned()].as_slice())
    );
    assert_eq!(view.requirement, None);
    let action = policy
        .select(Target {
            path: b"/not-admin",
            ..target
        })
        .expect("a route");
    assert_eq!(
        action.route().requirement,
        Some(&json!({"all": ["orders:read"], "none": ["orders:admin"]}))
    );
}

/// A requirement on the scopes `s0` to `s5`, nested.
fn a_requirement() -> impl Strategy<Value = Value> {
    let leaf = (0..6_usize).prop_map(|scope| json!(format!("s{scope}")));
    let nested = leaf.prop_recursive(3, 12, 3, |item| {
        let list = prop::collection::vec(item, 1..3);
        (prop::sample::select(vec!["all", "any", "none"]), list).prop_map(|(name, list)| json!({name: list}))
    });
    prop::collection::vec(nested, 1..3).prop_map(|list| json!({"all": list}))
}

/// Whether a requirement holds, by its words: what is asked for is looked for in `effective`, what is forbidden
/// in `carried`.
fn holds(
    requirement: &Value,
    effective: &BTreeSet<String>,
    carried: &BTreeSet<String>,
    wanted: bool,
) -> bool {
    if let Some(scope) = requirement.as_str() {
        return if wanted {
            effective.contains(scope)
        } else {
            !carried.contains(scope)
        };
    }
    let lists = requirement.as_object().expect("a mapping").iter();
    let mut parts = lists.map(|(name, list)| {
        let wanted = wanted ^ (name == "none");
        let mut items = list
            .as_array()
            .expect("a list")
            .iter()
            .map(|item| holds(item, effective, carried, wanted));
        // Under a `none` each item must fail; a list that must fail fails when one of `all`, or all of `any`, do.
        match (name.as_str(), wanted) {
            ("all", true) | ("any", false) | ("none", false) => items.all(|held| held),
            _ => items.any(|held| held),
        }
    });
    if wanted {
        parts.all(|held| held)
    } else {
        parts.any(|held| held)
    }
}

type Scopes = BTreeSet<String>;

fn close(scopes: &Scopes, implies: &[Vec<usize>]) -> Scopes {
    let mut closed = scopes.clone();
    loop {
        let implied = |scope: &String| implies[scope[1..].parse::<usize>().expect("an index")].clone();
        let more: Scopes = closed
            .iter()
            .flat_map(implied)
            .map(|scope| format!("s{scope}"))
            .collect();
        let before = closed.len();
        closed.extend(more);
        if closed.len() == before {
            return closed;
        }
    }
}

fn some_scopes() -> impl Strategy<Value = Scopes> {
    prop::collection::btree_set((0..6_usize).prop_map(|scope| format!("s{scope}")), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn scopes_and_requirements_are_what_plain_sets_say(
        implies in prop::collection::vec(prop::collection::btree_set(0..6_usize, 0..3), 6),
        token in some_scopes(),
        role in some_scopes(),
        ceiling in prop::option::of(some_scopes()),
        grants in prop::collection::vec((some_scopes(), -1..2_i64), 0..3),
        requirement in a_requirement(),
    ) {
        // A scope implies only later ones, so that nothing leads back.
        let implies: Vec<Vec<usize>> =
            implies.iter().enumerate().map(|(scope, to)| to.iter().copied().filter(|to| *to > scope).collect()).collect();
        let entry = |to: &Vec<usize>| match to.is_empty() {
            true => json!("x"),
            false => json!({"implies": to.iter().map(|to| format!("s{to}")).collect::<Vec<_>>()}),
        };
        let catalogue: serde_json::Map<String, Value> =
            implies.iter().enumerate().map(|(scope, to)| (format!("s{scope}"), entry(to))).collect();
        let ceiling = ceiling.filter(|ceiling| !ceiling.is_empty());
        let grants: Vec<_> = grants.into_iter().filter(|(scopes, _)| !scopes.is_empty()).collect();
        let mut roles = serde_json::Map::new();
        if !role.is_empty() {
            roles.insert("r".to_owned(), json!(role));
        }
        let policy = authorizer(&json!({
            "scopes": catalogue,
            "roles": roles,
            "ceilings": ceiling.iter().map(|scopes| json!({"provider": "corp", "scopes": scopes})).collect::<Vec<_>>(),
            "grants": grants.iter().map(|(scopes, ends)| json!({
                "caller": {"provider": "corp"}, "scopes": scopes, "until": NOW.plus(*ends).to_string(), "reason": "drawn",
            })).collect::<Vec<_>>(),
            "routes": [{"id": "r", "match": {"path": "/"}, "access": {"scopes": requirement}}],
        }));
        let scope = token.iter().cloned().collect::<Vec<_>>().join(" ");
        let answer = ask(&policy, "/", "corp", &json!({"scope": scope, "roles": ["r"]}), NOW);

        let mut carried = close(&token.union(&role).cloned().collect(), &implies);
        let mut effective: Scopes = match &ceiling {
            Some(ceiling) => carried.intersection(ceiling).cloned().collect(),
            None => carried.clone(),
        };
        for (scopes, _) in grants.iter().filter(|(_, ends)| *ends > 0) {
            effective.extend(close(scopes, &implies));
            carried.extend(close(scopes, &implies));
        }
        let expected: Vec<String> = effective.iter().cloned().collect();
        prop_assert_eq!(answer.is_ok(), holds(&requirement, &effective, &carried, true), "{}", requirement);
        match &answer {
            Ok(permit) => {
                prop_assert!(permit.effective().eq(expected.iter().map(String::as_str)));
                prop_assert!(permit.granted_by().keys().all(|scope| effective.contains(scope)));
            }
            Err(denial) => {
                prop_assert_eq!(&denial.effective, &expected);
                // The fewest scopes that would be enough, looked for among all sets of scopes.
                let with = |extra: u32| -> Scopes {
                    let added = (0..6).filter(|scope| extra & (1 << scope) != 0).map(|scope| format!("s{scope}"));
                    effective.iter().cloned().chain(added).collect()
                };
                let enough = (0..64_u32).map(with).filter(|scopes| holds(&requirement, scopes, &carried, true));
                let fewest = enough.map(|scopes| scopes.len() - effective.len()).min();
                prop_assert_eq!(fewest, (denial.code() == "scope_missing").then_some(denial.missing().len()), "{}", requirement);
            }
        }
    }
}
