//! Paths: whatever an upstream makes of a path that was let through, it is the route that was selected.

use crate::common::{answer, authorizer, get, public, select};
use crate::upstream;
use proptest::prelude::*;
use scopegate_authz::{Authorizer, Target};
use serde_json::json;

/// Routes that tell readings apart: most paths that can be misread lead to another route when they are.
fn table() -> Authorizer {
    public(&[
        "/",
        "/**",
        "/a",
        "/a/**",
        "/a/b",
        "/b",
        "/b/{x}",
        "/b/{x}/c",
        "/admin",
        "/admin/**",
        "/public/**",
        "/caf\u{e9}",
        "/tenants/{tenant}/orders",
        "/tenants/{tenant}/orders/{id}",
    ])
}

#[test]
fn a_path_with_one_reading_selects_its_route() {
    let table = table();
    let rows = [
        ("/", "/"),
        ("/?x=1", "/"),
        ("/a", "/a"),
        ("/a/", "/a"),
        ("/a?b=/../admin", "/a"),
        ("/a?b=%00%zz", "/a"),
        ("/a/x/y", "/a/**"),
        ("/b/1", "/b/{x}"),
        ("/b/a%20b", "/b/{x}"),
        ("/%61dmin", "/admin"),
        ("/%41dmin", "/**"),
        ("/caf%C3%A9", "/caf\u{e9}"),
        ("/caf\u{e9}", "/caf\u{e9}"),
        ("/caf%c3%a9", "/caf\u{e9}"),
        ("/cafe%CC%81", "/**"),
        ("/b/100%25", "/b/{x}"),
        ("/b/...", "/b/{x}"),
        ("/b/a:b@c,d=e+f", "/b/{x}"),
        ("/b/%E2%82%AC", "/b/{x}"),
        ("/tenants/acme/orders", "/tenants/{tenant}/orders"),
        ("/tenants/acme/orders/7/", "/tenants/{tenant}/orders/{id}"),
        ("/zzz/y", "/**"),
    ];
    for (path, route) in rows {
        assert_eq!(get(&table, path), route, "{path}");
    }
}

#[test]
fn a_path_whose_readings_differ_is_ambiguous() {
    let table = table();
    let rows = [
        "/a/../admin",
        "/a/%2e%2e/admin",
        "/a/%2E./admin",
        "/a/.%2e/admin",
        "/public;x/../admin",
        "/public/..;/admin",
        "/public/..%3B/admin",
        "/public/..%3bx=y/admin",
        "/admin%2fx",
        "/public%2f..%2fadmin",
        "/public%5c..%5cadmin",
        "/public\\..\\admin",
        "/public/..\\admin",
        "/public//../admin",
        "/public/x/..//../admin",
        "/.//admin",
        "/a//b",
        "/a/b//",
        "/a/b/.",
        "/a/b/..",
        "/./a",
        "/admin;x",
        "/admin%3Bx",
        "/admin%3Fx",
        "/admin%23x",
        "/admin/%2e%2e/%2e%2e/a",
        "/b/x;y",
        "/b/x%3By",
        "/b/x%3Fy",
        "/b/x%23y",
        "/b/x%2Fy",
        "/b/x%5Cy",
        "/b/x\\y",
        "/b//c",
        "/b/;/c",
        "/b/%2e%2e/c",
        "/tenants/acme/../other/orders",
        "/tenants/acme%2Fx/orders",
        "/tenants/acme;v=1/orders",
        "/\\host/admin",
        "/%5c%5chost/admin",
        "/%2F/host/admin",
        "/;/admin",
        "/a/..%2Fadmin",
        "/a/..%5Cadmin",
        "/a%2F%2E%2E%2Fadmin",
        "/x/..;/..;/admin",
        "/a/%3b/../../admin",
        "/..",
        "/../admin",
        "/a%2F",
    ];
    for path in rows {
        assert_eq!(get(&table, path), "ambiguous_path", "{path}");
    }
}

#[test]
fn readings_that_agree_are_let_through() {
    let wide = public(&["/files/**", "/orders/{id}/items", "/x"]);
    let rows = [
        ("/files/a%2Fb", "/files/**"),
        ("/files/a//b", "/files/**"),
        ("/files/a/../b", "/files/**"),
        ("/files/a;v=1", "/files/**"),
        ("/files/a%3Fb%23c", "/files/**"),
        ("/files//", "/files/**"),
        ("/files/%5Cx", "/files/**"),
        ("/unknown/../path", "no_route"),
        ("/x/..", "no_route"),
        ("/files/../x", "ambiguous_path"),
        ("/orders/7;v=1/items", "ambiguous_path"),
        ("/orders//items", "no_route"),
    ];
    for (path, route) in rows {
        assert_eq!(get(&wide, path), route, "{path}");
    }
    let all = public(&["/**"]);
    for path in [
        "/a/../b",
        "/a%2Fb;c\\d//e/%2e%2e/f%3Fg%23h",
        "/%5C%2F",
        "/..",
        "/a;",
    ] {
        assert_eq!(get(&all, path), "/**", "{path}");
    }
}

#[test]
fn a_malformed_path_is_refused_whatever_the_route() {
    let all = public(&["/**"]);
    let rows: &[&[u8]] = &[
        b"",
        b"a",
        b"*",
        b"//",
        b"//host/a",
        b"/%",
        b"/%g0",
        b"/%u002e",
        b"/a#b",
        b"/a?b#c",
        b"/#",
        b"/a b",
        b"/a\tb",
        b"/a\x00",
        b"/a%00",
        b"/a%0d%0a",
        b"/a%7f",
        b"/\xff",
        b"/%ff",
        b"/%c0%ae%c0%ae/admin",
        b"/admin%252fx",
        b"/%252e%252e/admin",
        b"/%2541",
        b"/a%25%32%66",
        b"ftp://h/a",
        b"http:/a",
        b"http://",
        b"http:///a",
        b"http://u@h/a",
        b"http://h//a",
        b"https://h/a#b",
        b"?",
        b"\\a",
        b"/a?b c",
        b"*?x",
    ];
    for path in rows {
        assert_eq!(
            get(&all, path),
            "malformed_request",
            "{}",
            String::from_utf8_lossy(path)
        );
    }
    assert_eq!(
        get(&all, format!("/{}", "a".repeat(64 * 1024))),
        "malformed_request"
    );
    assert_eq!(get(&all, format!("/{}", "a".repeat(64 * 1024 - 1))), "/**");
}

#[test]
fn an_absolute_form_brings_its_own_authority() {
    let hosts = authorizer(&json!({"routes": [
        {"id": "a", "match": {"hosts": ["a.example"], "path": "/**"}, "access": "public"},
        {"id": "b", "match": {"hosts": ["b.example"], "path": "/**"}, "access": "public"},
    ]}));
    assert_eq!(select(&hosts, "GET", "http://b.example/x", "a.example", &[]), "b");
    assert_eq!(
        select(&hosts, "GET", "HTTPS://B.example:443?x", "a.example", &[]),
        "b"
    );
    assert_eq!(
        select(&hosts, "GET", "/x?u=http://b.example/x", "a.example", &[]),
        "a"
    );
    assert_eq!(
        select(&hosts, "GET", "http://c.example/x", "a.example", &[]),
        "no_route"
    );
}

#[test]
fn folded_readings_must_agree_where_the_upstream_folds() {
    let routes = json!([
        {"id": "admin", "match": {"path": "/Admin/**"}, "access": "public"},
        {"id": "tenant", "match": {"path": "/t/{tenant}"}, "access": "public"},
        {"id": "rest", "match": {"path": "/**"}, "access": "public"},
    ]);
    let strict = authorizer(&json!({"routes": routes}));
    let folding = authorizer(&json!({"routes": routes, "path_readings": "case_insensitive"}));
    for (path, of_strict, of_folding) in [
        ("/Admin/x", "admin", "admin"),
        ("/admin/x", "rest", "ambiguous_path"),
        ("/ADMIN", "rest", "ambiguous_path"),
        ("/x/Y", "rest", "rest"),
        ("/t/Acme", "tenant", "tenant"),
        ("/T/Acme", "rest", "ambiguous_path"),
        ("/%61dmin/x", "rest", "ambiguous_path"),
    ] {
        assert_eq!(get(&strict, path), of_strict, "{path}");
        assert_eq!(get(&folding, path), of_folding, "{path}");
    }
}

#[test]
fn a_tenant_that_an_upstream_would_fold_is_ambiguous_where_it_folds() {
    let routes = json!([{
        "id": "t",
        "match": {"methods": ["GET"], "path": "/t/{tenant}"},
        "access": {"authenticated": true, "tenant": "{tenant}"},
    }]);
    let strict = authorizer(&json!({"routes": routes}));
    let folding = authorizer(&json!({"routes": routes, "path_readings": "case_insensitive"}));
    assert_eq!(
        (get(&strict, "/t/Acme"), get(&folding, "/t/acme")),
        ("t".to_owned(), "t".to_owned())
    );
    assert_eq!(get(&folding, "/t/Acme"), "ambiguous_path");
}

#[test]
fn a_parameter_that_an_expression_reads_is_ambiguous_where_the_upstream_folds_it() {
    let access = |when: &str| json!({"authenticated": true, "when": when});
    let routes = json!([
        {"id": "file", "match": {"path": "/files/{name}"}, "access": access("request.params.name != 'secret'")},
        {"id": "other", "match": {"path": "/others/{name}"}, "access": access("request.method == 'GET'")},
    ]);
    let folding = authorizer(&json!({"routes": routes, "path_readings": "case_insensitive"}));
    let strict = authorizer(&json!({"routes": routes}));
    assert_eq!(get(&strict, "/files/Secret"), "file");
    assert_eq!(get(&folding, "/files/Secret"), "ambiguous_path");
    assert_eq!(get(&folding, "/files/secret"), "file");
    assert_eq!(get(&folding, "/others/Secret"), "other");
}

#[test]
fn what_follows_a_semicolon_may_be_cut() {
    let authorizer = public(&["/**", "/tenants/{tenant}/orders"]);
    for path in [
        "/tenants/acme/orders;/x",
        "/tenants/acme/orders;a/x",
        "/tenants/acme/orders%3b/x",
    ] {
        assert_eq!(get(&authorizer, path), "ambiguous_path", "{path}");
    }
}

#[test]
fn a_path_made_to_have_many_readings_costs_little_and_is_refused_or_let_through_whole() {
    let all = public(&["/**"]);
    let hostile = "/%2F..;%5C\\%3B/.%2e//a%3F%23;x/".repeat(2_000);
    assert_eq!(get(&all, &hostile), "ambiguous_path");
    assert_eq!(get(&all, format!("/{}", "%2F".repeat(20_000))), "ambiguous_path");
    assert_eq!(get(&all, format!("/{}", "a/".repeat(30_000))), "/**");
    assert_eq!(get(&all, format!("/{}", "../".repeat(10_000))), "/**");
}

/// The route for a path that was decoded: by a matcher of its own, over the patterns of `table`.
fn reference_route(path: &str) -> String {
    let path = path
        .strip_suffix('/')
        .filter(|rest| !rest.is_empty())
        .unwrap_or(path);
    let segments: Vec<&str> = if path == "/" {
        Vec::new()
    } else {
        path.split('/').skip(1).collect()
    };
    let filled = |segment: &&str| !segment.is_empty();
    match segments.as_slice() {
        [] => "/".to_owned(),
        ["a"] => "/a".to_owned(),
        ["a", "b"] => "/a/b".to_owned(),
        ["a", ..] => "/a/**".to_owned(),
        ["b"] => "/b".to_owned(),
        ["b", x] if filled(x) => format!("/b/{{x}} {x}"),
        ["b", x, "c"] if filled(x) => format!("/b/{{x}}/c {x}"),
        ["admin"] => "/admin".to_owned(),
        ["admin", ..] => "/admin/**".to_owned(),
        ["public", ..] => "/public/**".to_owned(),
        ["caf\u{e9}"] => "/caf\u{e9}".to_owned(),
        ["tenants", tenant, "orders"] if filled(tenant) => format!("/tenants/{{tenant}}/orders {tenant}"),
        ["tenants", tenant, "orders", id] if filled(tenant) && filled(id) => {
            format!("/tenants/{{tenant}}/orders/{{id}} {tenant} {id}")
        }
        _ => "/**".to_owned(),
    }
}

/// Pieces that make hostile paths likely.
fn hostile_path() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/",
        "/",
        "/",
        "/",
        "//",
        "a",
        "b",
        "c",
        "x",
        "admin",
        "public",
        "tenants",
        "orders",
        "acme",
        "..",
        ".",
        "%2e",
        "%2E%2e",
        ";",
        ";v=1",
        "%3B",
        "%2F",
        "%2f",
        "%5C",
        "\\",
        "%3F",
        "%23",
        "%61",
        "%25",
        "caf\u{e9}",
        "caf%C3%A9",
        "%20",
        "...",
        "%2e.",
        ";/",
        "/..;/",
        "/../",
        "/./",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The promise: no path that is let through leads anywhere else.
    #[test]
    fn no_upstream_reads_an_allowed_path_as_another_route(path in hostile_path()) {
        let table = table();
        let selected = get(&table, &path);
        if selected == "malformed_request" || selected == "ambiguous_path" {
            return Ok(());
        }
        let readings = upstream::all(&path);
        let routes: Vec<_> =
            readings.iter().filter_map(|(name, read)| read.as_ref().map(|read| (*name, read, reference_route(read)))).collect();
        for (name, read, route) in &routes {
            prop_assert_eq!(route.split(' ').next(), Some(selected.as_str()), "{} reads {} as {}", name, path, read);
            prop_assert_eq!(route, &routes[0].2, "{} reads other parameters in {}", name, path);
        }
    }

    /// The same for upstreams nobody has heard of: any steps, in any order, decoding once somewhere.
    #[test]
    fn no_order_of_steps_leads_an_allowed_path_to_another_route(
        path in hostile_path(),
        before in prop::collection::vec(prop::sample::select(upstream::STEPS), 0..5),
        after in prop::collection::vec(prop::sample::select(upstream::STEPS), 0..5),
    ) {
        let selected = get(&table(), &path);
        if selected == "malformed_request" || selected == "ambiguous_path" {
            return Ok(());
        }
        // A cut before decoding would be at the query, which the path no longer has.
        let encoded = before.iter().fold(path.clone(), |path, (_, step)| step(&path));
        let decoded = upstream::decode(&encoded).expect("a path that is let through decodes");
        let read = after.iter().fold(decoded, |path, (_, step)| step(&path));
        let route = reference_route(&read);
        let names = |steps: &[upstream::Step]| steps.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        prop_assert_eq!(
            route.split(' ').next(), Some(selected.as_str()),
            "{} is {} by {:?}, decoding, {:?}", path, read, names(&before), names(&after)
        );
    }

    /// And the other promise: where no upstream could differ, the path is let through.
    #[test]
    fn a_path_of_ordinary_segments_is_let_through(segments in prop::collection::vec("[a-zA-Z0-9._~:@!$&'()*+,= \u{e9}\u{20ac}-]{1,8}", 0..6)) {
        prop_assume!(segments.iter().all(|segment| segment != "." && segment != ".."));
        let path = format!("/{}", segments.join("/"));
        let mut encoded = String::new();
        for byte in path.bytes() {
            match byte {
                b'/' | b'a'..=b'z' | b'0'..=b'9' | b'.' => encoded.push(char::from(byte)),
                other => encoded.push_str(&format!("%{other:02X}")),
            }
        }
        let expected = reference_route(&path);
        let expected = expected.split(' ').next().unwrap_or_default();
        prop_assert_eq!(expected, get(&table(), &encoded), "{}", encoded);
        if !path.contains(' ') {
            prop_assert_eq!(expected, get(&table(), &path), "{}", path);
        }
    }

    /// No bytes at all make it panic, or take long.
    #[test]
    fn no_request_is_too_odd_to_be_answered(
        method in prop::collection::vec(any::<u8>(), 0..8),
        path in prop::collection::vec(any::<u8>(), 0..64),
        authority in prop::option::of(prop::collection::vec(any::<u8>(), 0..32)),
        name in prop::collection::vec(any::<u8>(), 0..16),
        value in prop::collection::vec(any::<u8>(), 0..16),
    ) {
        let headers: &[(&[u8], &[u8])] = &[(&name, &value)];
        let target = Target { method: &method, path: &path, authority: authority.as_deref(), headers };
        prop_assert!(!answer(table().select(target)).is_empty());
    }
}
