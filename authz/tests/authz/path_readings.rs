//! What the policy says of its upstream: what each statement opens, and what stays shut.

use crate::common::{authorizer, corp, get, section};
use crate::tokens;
use scopegate_authz::{Action, Authorizer, Target};
use serde_json::{Value, json};

fn table(readings: Value) -> Authorizer {
    let route = |pattern: &str| json!({"id": pattern, "match": {"path": pattern}, "access": "public"});
    let patterns = ["/**", "/admin/**", "/items/{id}", "/items/{id}/part", "/a/b"];
    authorizer(&json!({"path_readings": readings, "routes": patterns.map(route)}))
}

/// A statement, and for each path the answer without it and with it.
type Rows = &'static [(&'static str, &'static str, &'static str)];

#[test]
fn each_statement_opens_what_it_is_about_and_nothing_else() {
    let ambiguous = "ambiguous_path";
    let statements: &[(Value, Rows)] = &[
        (
            json!({"encoded_slashes": "kept"}),
            &[
                ("/items/a%2Fb", "ambiguous_path", "/items/{id}"),
                ("/items/a%2Fpart", "ambiguous_path", "/items/{id}"),
                ("/items/a%2Fb/part", "ambiguous_path", "/items/{id}/part"),
                ("/items/..%2F..%2Fadmin", "ambiguous_path", "/items/{id}"),
                ("/x%2F..%2Fadmin", "ambiguous_path", "/**"),
                ("/admin%2Fx", "ambiguous_path", "/**"),
                ("/items/a%5Cb", "ambiguous_path", "ambiguous_path"),
                ("/items/a\\b", "ambiguous_path", "ambiguous_path"),
                ("/x/../admin", "ambiguous_path", "ambiguous_path"),
                ("/x/%2e%2e/admin", "ambiguous_path", "ambiguous_path"),
                ("/admin;x", "ambiguous_path", "ambiguous_path"),
                ("/admin%3Fx", "ambiguous_path", "ambiguous_path"),
                ("/items//part", "ambiguous_path", "ambiguous_path"),
                ("/items/a%252Fb", "malformed_request", "malformed_request"),
            ],
        ),
        (
            json!({"encoded_slashes": "decoded"}),
            &[
                ("/admin%2Fx", "ambiguous_path", "/admin/**"),
                ("/items/7%2Fpart", "ambiguous_path", "/items/{id}/part"),
                ("/a%2fb", "ambiguous_path", "/a/b"),
                ("/items/a%2Fb", "ambiguous_path", "/**"),
                ("/x%2F..%2Fadmin", "ambiguous_path", "ambiguous_path"),
                ("/x/..%2Fadmin", "ambiguous_path", "ambiguous_path"),
                // Whether dot segments go before it is decoded or after is still open.
                ("/a%2Fb/../c", "/**", "/**"),
                ("/items%2Fx/../part", "ambiguous_path", "ambiguous_path"),
                ("/admin%5Cx", "ambiguous_path", "ambiguous_path"),
            ],
        ),
        (
            json!({"backslashes": "kept"}),
            &[
                ("/items/a%5Cb", "ambiguous_path", "/items/{id}"),
                ("/items/a\\b", "ambiguous_path", "/items/{id}"),
                ("/x\\..\\admin", "ambiguous_path", "/**"),
                ("/admin\\x", "ambiguous_path", "/**"),
                ("/items/a%2Fb", "ambiguous_path", "ambiguous_path"),
                ("/x/../admin", "ambiguous_path", "ambiguous_path"),
            ],
        ),
        (
            json!({"semicolons": "kept"}),
            &[
                ("/items/7;v=1", "ambiguous_path", "/items/{id}"),
                ("/items/7%3Bv=1", "ambiguous_path", "/items/{id}"),
                ("/admin;x", "ambiguous_path", "/**"),
                ("/x/..;/admin", "ambiguous_path", "/**"),
                ("/items/7;/part", "ambiguous_path", "/items/{id}/part"),
                ("/x/../admin", "ambiguous_path", "ambiguous_path"),
                ("/items/7;%2F", "ambiguous_path", "ambiguous_path"),
            ],
        ),
        (
            json!({"double_slashes": "kept"}),
            &[
                ("/a//b", "ambiguous_path", "/**"),
                ("/items//part", "ambiguous_path", "/**"),
                ("/x//admin", "/**", "/**"),
                ("/admin//x", "/admin/**", "/admin/**"),
                ("/a//../b", "ambiguous_path", "ambiguous_path"),
                ("//admin", "malformed_request", "malformed_request"),
                // A path that begins with two slashes can still be taken for a host and its path.
                ("/.//admin/a/b", "ambiguous_path", "ambiguous_path"),
            ],
        ),
        (
            json!({"double_slashes": "merged"}),
            &[
                ("/a//b", "ambiguous_path", "/a/b"),
                ("/items//part", "ambiguous_path", "/items/{id}"),
                ("/items/7//part", "ambiguous_path", "/items/{id}/part"),
                ("/admin//x", "/admin/**", "/admin/**"),
                ("/x//../admin", "ambiguous_path", "ambiguous_path"),
                ("//admin", "malformed_request", "malformed_request"),
            ],
        ),
        (
            json!({"dot_segments": "resolved"}),
            &[
                ("/x/../admin", "ambiguous_path", "/admin/**"),
                ("/x/%2e%2e/admin", "ambiguous_path", "/admin/**"),
                ("/admin/..", "ambiguous_path", "/**"),
                ("/admin/../a/b", "ambiguous_path", "/a/b"),
                ("/./admin", "ambiguous_path", "/admin/**"),
                ("/items/7/.", "ambiguous_path", "/items/{id}"),
                ("/x/..%2Fadmin", "ambiguous_path", "ambiguous_path"),
                ("/x/..;/admin", "ambiguous_path", "ambiguous_path"),
                ("/x//../admin", "ambiguous_path", "ambiguous_path"),
                ("/x\\..\\admin", "ambiguous_path", "ambiguous_path"),
            ],
        ),
        (
            json!({"dot_segments": "resolved", "double_slashes": "merged", "encoded_slashes": "decoded", "backslashes": "kept", "semicolons": "kept"}),
            &[
                ("/x%2F..%2Fadmin", "ambiguous_path", "/admin/**"),
                ("/a/b;x", "ambiguous_path", "/**"),
                ("/admin%3Fx", "ambiguous_path", "ambiguous_path"),
                ("/items/a%252Fb", "malformed_request", "malformed_request"),
            ],
        ),
    ];
    let strict = table(json!("strict"));
    for (readings, rows) in statements {
        let trusting = table(readings.clone());
        for (path, without, with) in *rows {
            assert_eq!(get(&strict, path), *without, "{path} strict");
            assert_eq!(get(&trusting, path), *with, "{path} {readings}");
        }
        // Plain paths are what they are.
        for path in ["/", "/admin", "/admin/x", "/items/7", "/a/b", "/x/y"] {
            assert_eq!(get(&trusting, path), get(&strict, path), "{path} {readings}");
        }
    }
    assert_eq!(get(&table(json!({"case": "insensitive"})), "/Admin"), ambiguous);
    assert_eq!(get(&table(json!({"case": "sensitive"})), "/Admin"), "/**");
}

#[test]
fn a_tenant_that_holds_a_slash_is_that_tenant_and_no_other() {
    let value = json!({
        "path_readings": {"encoded_slashes": "kept"},
        "routes": [
            {"id": "t", "match": {"path": "/t/{tenant}/orders"}, "access": {"authenticated": true, "tenant": "{tenant}"}},
        ],
    });
    let authorizer = Authorizer::compile(&section(&value), &corp()).expect("a policy");
    let decide = |tenant: &str, path: &str| {
        let target = Target {
            method: b"GET",
            path: path.as_bytes(),
            authority: Some(b"api.example.com"),
            headers: &[],
        };
        let Ok(Action::Guarded(action)) = authorizer.select(target) else {
            panic!("{path} is guarded")
        };
        let caller = tokens::caller("corp", &json!({"sub": "anna", "tid": tenant}));
        let decided = action.authorize(&caller, &tokens::now(target));
        decided.map(|_| ()).map_err(|denial| denial.deny.code())
    };
    assert!(decide("acme", "/t/acme/orders").is_ok());
    assert!(decide("acme/eu", "/t/acme%2Feu/orders").is_ok());
    for (tenant, path) in [
        ("acme", "/t/acme%2Feu/orders"),
        ("acme/eu", "/t/acme/orders"),
        ("acme", "/t/acme%2F..%2Fother/orders"),
        ("other", "/t/acme%2F..%2Fother/orders"),
        ("other", "/t/..%2Fother/orders"),
        ("acme", "/t/acme%2F/orders"),
        ("acme", "/t/%2Facme/orders"),
    ] {
        let denied = decide(tenant, path);
        assert_eq!(denied, Err("tenant_mismatch"), "{tenant} {path}");
    }
}
