//! What a selection carries beyond its route.

use serde_json::json;

use crate::authorizer::{PolicyContext, ProviderFacts, Target};
use crate::compile::routes::Routes;
use crate::request::Understood;
use crate::scopes::catalogue::Catalogue;
use crate::section::{AuthorizationSection, CorsPreflight, MethodOverride};

fn routes(readings: &serde_json::Value, has_expression: bool) -> Routes {
    let access = match has_expression {
        true => json!({"authenticated": true, "when": "true"}),
        false => json!("authenticated"),
    };
    let section: AuthorizationSection = serde_json::from_value(json!({
        "path_readings": readings,
        "routes": [{"id": "r", "match": {"path": "/projects/{project}/files/{file}"}, "access": access}],
    }))
    .expect("a section");
    let provider = ProviderFacts {
        name: "corp".to_owned(),
        carries_scopes: true,
    };
    let mut faults = Vec::new();
    let providers = [provider];
    let context = PolicyContext::from(&providers);
    let routes = Routes::compile(&section, &context, &Catalogue::default(), &mut faults);
    assert_eq!(faults, []);
    routes
}

fn parameters(routes: &Routes, path: &str) -> Option<Vec<(String, String)>> {
    let target = Target {
        method: b"GET",
        path: path.as_bytes(),
        authority: Some(b"a.example"),
        headers: &[],
    };
    let request = Understood::read(&target, MethodOverride::default()).ok()?;
    let selection = routes.select(request, CorsPreflight::default()).ok()??;
    let named = selection.gathered.parameters.into_iter();
    Some(named.map(|(name, value)| (name.to_owned(), value)).collect())
}

#[test]
fn parameters_are_given_by_name_where_the_guard_reads_them() {
    let pair = |project: &str, file: &str| {
        Some(vec![
            ("project".to_owned(), project.to_owned()),
            ("file".to_owned(), file.to_owned()),
        ])
    };
    let strict = routes(&json!("strict"), true);
    assert_eq!(parameters(&strict, "/projects/7/files/a.txt"), pair("7", "a.txt"));
    assert_eq!(parameters(&strict, "/projects/7/files/a%20b/"), pair("7", "a b"));
    assert_eq!(
        parameters(&strict, "/projects/caf%C3%A9/files/100%25"),
        pair("caf\u{e9}", "100%")
    );
    assert_eq!(parameters(&strict, "/projects/a%2Fb/files/c"), None);
    assert_eq!(parameters(&strict, "/projects/7/files"), None);
    let kept = routes(&json!({"encoded_slashes": "kept"}), true);
    assert_eq!(
        parameters(&kept, "/projects/a%2Fb/files/c%2f..%2Fd"),
        pair("a/b", "c/../d")
    );
    let unread = routes(&json!("strict"), false);
    assert_eq!(parameters(&unread, "/projects/7/files/a.txt"), Some(vec![]));
}

#[test]
fn a_path_is_given_where_it_can_be_read_in_one_way_only() {
    let path = |readings: &serde_json::Value, path: &str| {
        let routes = routes(readings, true);
        let target = Target {
            method: b"GET",
            path: path.as_bytes(),
            authority: Some(b"A.example.:8443"),
            headers: &[],
        };
        let request = Understood::read(&target, MethodOverride::default()).ok()?;
        let selection = routes.select(request, CorsPreflight::default()).ok()??;
        assert_eq!(selection.gathered.host.as_deref(), Some("a.example"));
        assert_eq!(selection.gathered.method, "GET");
        selection.gathered.path
    };
    let strict = json!("strict");
    let some = |path: &str| Some(path.to_owned());
    assert_eq!(
        path(&strict, "/projects/7/files/a?b=/x"),
        some("/projects/7/files/a")
    );
    assert_eq!(
        path(&strict, "/pr%6Fjects/7/files/caf%C3%A9"),
        some("/projects/7/files/caf\u{e9}")
    );
    assert_eq!(path(&strict, "/projects/7/files/a/"), some("/projects/7/files/a"));
    assert_eq!(
        path(&strict, "/projects/7/files/%61/"),
        some("/projects/7/files/a")
    );
    assert_eq!(path(&strict, "/projects//7/files/a"), None);
    assert_eq!(path(&strict, "/projects/7/files/a/."), None);
    let kept = json!({"encoded_slashes": "kept"});
    // Not to be taken for `/projects/a/b/files/c`.
    assert_eq!(path(&kept, "/projects/a%2Fb/files/c"), None);
    assert_eq!(path(&json!("case_insensitive"), "/projects/7/files/A"), None);
}
