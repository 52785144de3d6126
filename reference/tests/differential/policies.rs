//! Random policies. What a field may hold is drawn from few values, so that rules meet.

use fastrand::Rng;
use scopegate_reference::condition::Expression;
use serde_json::{Map, Value, json};

use crate::access::{access, mode};
use crate::conditions;
use crate::draw::{once_in, one, shuffled, some, word};

/// 2026-11-22T09:00:00Z, a Sunday: the middle of all times here.
pub(crate) const NOW: i64 = 1_795_338_000;

pub(crate) const PROVIDERS: [&str; 2] = ["corp", "partners"];
pub(crate) const SUBJECTS: [&str; 3] = ["anna", "bert", "a"];
pub(crate) const CLIENTS: [&str; 3] = ["web", "kiosk", "anna"];
/// Some of them are segments of paths too.
pub(crate) const TENANTS: [&str; 4] = ["a", "b", "A", "acme"];
pub(crate) const SCOPES: [&str; 8] = ["a:r", "a:w", "a:x", "a:r:s", "b:r", "b:w", "b", "a"];
pub(crate) const ROLES: [&str; 3] = ["viewer", "clerk", "chief"];
pub(crate) const ACTORS: [&str; 3] = ["gateway", "batch", "anna"];
pub(crate) const CONTEXTS: [&str; 3] = ["mfa", "pwd", "MFA"];
pub(crate) const AUTHENTICATION_METHODS: [&str; 3] = ["pwd", "otp", "hwk"];
pub(crate) const HOSTS: [&str; 9] = [
    "a.test",
    "b.a.test",
    "c.b.a.test",
    "*.test",
    "*.a.test",
    "*.b.a.test",
    "a.test:8443",
    "*.a.test:8443",
    "b.test",
];
pub(crate) const METHODS: [&str; 5] = ["GET", "POST", "HEAD", "OPTIONS", "DELETE"];
pub(crate) const SEGMENTS: [&str; 5] = ["a", "b", "A", "café", "a.b"];

/// The trees of conditions, by their text.
pub(crate) type Conditions = Vec<(String, Expression)>;

/// A policy and the trees of its conditions.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) document: Value,
    pub(crate) conditions: Conditions,
    /// Whether most requests come as far as a decision: nothing but the path selects a route, and paths are plain.
    pub(crate) is_calm: bool,
}

/// A policy, valid but for routes that conflict.
pub(crate) fn policy(rng: &mut Rng) -> Policy {
    let providers = &PROVIDERS[..if once_in(rng, 4) { 2 } else { 1 }];
    let scopes = some(rng, &SCOPES, 3, SCOPES.len());
    let mut conditions = Vec::new();
    let mut routes: Vec<Value> = Vec::new();
    for number in 0..rng.usize(2..=9) {
        let route = route(rng, number, providers, &scopes, &routes, &mut conditions);
        routes.push(route);
    }
    let is_calm = once_in(rng, 3);
    if is_calm {
        for route in &mut routes {
            calm(rng, route);
        }
    }
    let ids: Vec<String> = routes
        .iter()
        .map(|route| route["id"].as_str().unwrap_or_default().to_owned())
        .collect();
    let mut authorization = json!({
        "conditions": {"headers": [conditions::HEADER]},
        "scopes": catalogue(rng, &scopes),
        "roles": roles(rng, &scopes),
        "ceilings": ceilings(rng, providers, &scopes),
        "grants": grants(rng, providers, &scopes, &ids),
        "routes": routes,
    });
    if once_in(rng, 3) {
        authorization["cors_preflight"] = json!(word(rng, &["pass", "deny"]));
    }
    if once_in(rng, 6) {
        authorization["method_override"] = json!("ignore");
    }
    if once_in(rng, 5) {
        authorization["path_readings"] = readings(rng);
    }
    if once_in(rng, 8) {
        authorization["mode"] = mode(rng);
    }
    let document = json!({
        "scopegate": "v1",
        "metadata": {"name": "random", "version": "1.0.0"},
        "authentication": {
            "providers": providers.iter().map(|name| provider(name)).collect::<Vec<Value>>(),
            "identity_headers": {"scopes": "x-auth-scopes"},
        },
        "authorization": authorization,
        "audit": {"authentication": "none", "authorization": "none"},
    });
    Policy {
        document,
        conditions,
        is_calm,
    }
}

/// A route that only its path selects, and that asks for less.
fn calm(rng: &mut Rng, route: &mut Value) {
    route["match"] = json!({"path": route["match"]["path"]});
    let Some(access) = route["access"].as_object_mut() else {
        return;
    };
    for field in [
        "scopes",
        "tenant",
        "clients",
        "actors",
        "acr",
        "amr",
        "max_auth_age",
    ] {
        if once_in(rng, 2) {
            access.remove(field);
        }
    }
    if !access.contains_key("scopes") {
        access.insert("authenticated".to_owned(), json!(true));
    }
}

/// What is said of the upstream: a word, or some statements.
fn readings(rng: &mut Rng) -> Value {
    if once_in(rng, 3) {
        return json!(word(rng, &["case_insensitive", "strict"]));
    }
    let statements: [(&str, &[&str]); 6] = [
        ("case", &["sensitive", "insensitive"]),
        ("encoded_slashes", &["any", "kept", "decoded"]),
        ("backslashes", &["any", "kept"]),
        ("semicolons", &["any", "kept"]),
        ("double_slashes", &["any", "kept", "merged"]),
        ("dot_segments", &["any", "resolved"]),
    ];
    let mut readings = json!({});
    for (field, words) in some(rng, &statements, 1, 4) {
        readings[field] = json!(word(rng, words));
    }
    readings
}

/// The policy without a route. A grant that named it, and others, names the others; one that named it alone goes to
/// nobody.
pub(crate) fn without_route(policy: &Value, id: &Value) -> Value {
    let mut policy = policy.clone();
    let section = &mut policy["authorization"];
    section["routes"]
        .as_array_mut()
        .expect("routes")
        .retain(|route| route["id"] != *id);
    for grant in section["grants"].as_array_mut().expect("grants") {
        let Some(routes) = grant.get_mut("routes").and_then(Value::as_array_mut) else {
            continue;
        };
        routes.retain(|route| route != id);
        if routes.is_empty() {
            *grant = json!({"caller": {"provider": "corp", "subject": "nobody"}, "scopes": grant["scopes"]});
        }
    }
    policy
}

/// The issuer of a provider's tokens.
pub(crate) fn issuer(provider: &str) -> String {
    format!("https://{provider}.example.com")
}

fn provider(name: &str) -> Value {
    json!({
        "name": name, "type": "jwt", "issuer": issuer(name), "audiences": ["api"], "algorithms": ["HS256"],
        "max_lifetime": "unlimited",
        "keys": [{"kid": name, "alg": "HS256", "secret": {"env": "SIGNING_SECRET"}}],
        "claims": {"scopes": ["scope"], "subject": "sub", "client": "client_id", "tenant": "tid", "roles": ["roles"]},
    })
}

/// Scopes that imply only what comes later: a circle is an error.
fn catalogue(rng: &mut Rng, scopes: &[&str]) -> Value {
    let mut catalogue = Map::new();
    for (place, scope) in scopes.iter().enumerate() {
        let later = &scopes[place + 1..];
        let entry = if later.is_empty() || !once_in(rng, 3) {
            json!("a scope")
        } else {
            json!({"description": "a scope", "implies": some(rng, later, 1, 2)})
        };
        catalogue.insert((*scope).to_owned(), entry);
    }
    Value::Object(catalogue)
}

fn roles(rng: &mut Rng, scopes: &[&str]) -> Value {
    let mut roles = Map::new();
    for role in some(rng, &ROLES, 0, ROLES.len()) {
        roles.insert(role.to_owned(), json!(some(rng, scopes, 1, 3)));
    }
    Value::Object(roles)
}

/// Each of several providers needs a ceiling.
fn ceilings(rng: &mut Rng, providers: &[&str], scopes: &[&str]) -> Vec<Value> {
    let mut ceilings = Vec::new();
    for provider in providers {
        let base = providers.len() > 1 || once_in(rng, 2);
        if base {
            ceilings.push(json!({"provider": provider, "scopes": let_through(rng, scopes)}));
        }
        for _ in 0..rng.usize(..3) {
            let mut ceiling = selector(rng, &[provider]);
            ceiling["scopes"] = json!(let_through(rng, scopes));
            ceilings.push(ceiling);
        }
    }
    rng.shuffle(&mut ceilings);
    ceilings
}

fn let_through(rng: &mut Rng, scopes: &[&str]) -> Vec<String> {
    if once_in(rng, 4) {
        return vec!["*".to_owned()];
    }
    names(rng, scopes, 1, 4)
}

/// Names of scopes, with a wildcard here and there that stands for something.
pub(crate) fn names(rng: &mut Rng, scopes: &[&str], least: usize, most: usize) -> Vec<String> {
    let mut names: Vec<String> = shuffled(rng, scopes, least, most)
        .into_iter()
        .map(str::to_owned)
        .collect();
    for name in &mut names {
        let prefix = name.rsplit_once(':').map(|(prefix, _)| prefix.to_owned());
        if let Some(prefix) = prefix.filter(|_| once_in(rng, 4)) {
            *name = format!("{prefix}:*");
        }
    }
    names.dedup();
    names
}

fn selector(rng: &mut Rng, providers: &[&str]) -> Value {
    let mut selector = json!({"provider": word(rng, providers)});
    let fields: [(&str, &[&str]); 3] = [("subject", &SUBJECTS), ("client", &CLIENTS), ("tenant", &TENANTS)];
    let most = if once_in(rng, 3) { 2 } else { 1 };
    for (name, values) in some(rng, &fields, 1, most) {
        selector[name] = json!(word(rng, values));
    }
    selector
}

fn grants(rng: &mut Rng, providers: &[&str], scopes: &[&str], routes: &[String]) -> Vec<Value> {
    let mut grants = Vec::new();
    for _ in 0..rng.usize(..6) {
        let mut grant = json!({"caller": selector(rng, providers), "scopes": names(rng, scopes, 1, 5)});
        if once_in(rng, 2) {
            grant["until"] = json!(instant(rng));
            grant["reason"] = json!("INC-1");
        }
        if once_in(rng, 6) {
            grant["windows"] = conditions::windows(rng);
        }
        if once_in(rng, 4) {
            grant["routes"] = json!(some(rng, routes, 1, 2));
        }
        grants.push(grant);
    }
    grants
}

/// An instant that some requests come just before, and some at.
pub(crate) fn instant(rng: &mut Rng) -> &'static str {
    word(
        rng,
        &[
            "2026-11-22T09:00:00Z",
            "2026-11-22T09:00:01Z",
            "2026-11-22T10:00:00+01:00",
            "2026-12-01T00:00:00Z",
            "2026-01-01T00:00:00Z",
        ],
    )
}

fn route(
    rng: &mut Rng,
    number: usize,
    providers: &[&str],
    scopes: &[&str],
    others: &[Value],
    known: &mut Conditions,
) -> Value {
    let mut matches = json!({"path": pattern(rng)});
    if once_in(rng, 4) {
        matches["hosts"] = json!(shuffled(rng, &HOSTS, 1, 2));
    }
    if !others.is_empty() && once_in(rng, 3) {
        matches = one(rng, others)["match"].clone();
    }
    if !once_in(rng, 3) {
        matches["methods"] = json!(shuffled(rng, &METHODS, 1, 3));
    }
    values(rng, &mut matches);
    let path = matches["path"].clone();
    let names = parameters(&path);
    let access = access(rng, (providers, scopes), &names, known);
    let mut route = json!({"id": format!("r{number}"), "match": matches, "access": access});
    if once_in(rng, 5) && access != "public" {
        route["mode"] = mode(rng);
    }
    route
}

/// What a route matches beside its host, method and path.
fn values(rng: &mut Rng, matches: &mut Value) {
    let form = |rng: &mut Rng, values: &[&str]| match rng.u32(..4) {
        0 => json!({"present": rng.bool()}),
        1 => json!({"any": some(rng, values, 1, 2)}),
        _ => json!(word(rng, values)),
    };
    if once_in(rng, 5) {
        for name in some(rng, &["x-v", "X-B"], 1, 2) {
            matches["headers"][name] = form(rng, &["1", "2", "a"]);
        }
    }
    if once_in(rng, 5) {
        for name in some(rng, &["f", "g"], 1, 2) {
            matches["query"][name] = form(rng, &["csv", "json", "1", "é"]);
        }
    }
    if once_in(rng, 6) {
        matches["content_type"] = json!(some(
            rng,
            &["application/json", "application/*", "text/plain"],
            1,
            2
        ));
    }
}

fn pattern(rng: &mut Rng) -> String {
    let mut path = String::new();
    for place in 0..rng.usize(..4) {
        path.push('/');
        match rng.u32(..3) {
            0 => path.push_str(&format!("{{{}}}", ["p", "q", "r"][place])),
            _ => path.push_str(word(rng, &SEGMENTS)),
        }
    }
    if once_in(rng, 3) {
        path.push_str("/**");
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

/// The names of the parameters of a pattern.
fn parameters(pattern: &Value) -> Vec<&str> {
    let parts = pattern.as_str().unwrap_or_default().split('/');
    parts
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .collect()
}
