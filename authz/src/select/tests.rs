//! What a selection carries beyond its route.

use serde_json::json;

use crate::authorizer::{ProviderFacts, Target};
use crate::compile::routes::Routes;
use crate::request::Understood;
use crate::scopes::catalogue::Catalogue;
use crate::section::{AuthorizationSection, CorsPreflight, MethodOverride};

fn routes(readings: &serde_json::Value, reads_parameters: bool) -> Routes {
    let section: AuthorizationSection = serde_json::from_value(json!({
        "path_readings": readings,
        "routes": [{"id": "r", "match": {"path": "/projects/{project}/files/{file}"}, "access": "authenticated"}],
    }))
    .expect("a section");
    let provider = ProviderFacts {
        name: "corp".to_owned(),
        carries_scopes: true,
    };
    let mut faults = Vec::new();
    let mut routes = Routes::compile(&section, &[provider], &Catalogue::default(), &mut faults);
    assert_eq!(faults, []);
    for guard in routes.routes.iter_mut().filter_map(|route| route.guard.as_mut()) {
        guard.reads_parameters = reads_parameters;
    }
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
    let named = selection.parameters.into_iter();
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
