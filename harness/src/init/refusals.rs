//! What each rule of a route must refuse: the request that passes, with one thing changed.

use serde_json::{Map, Value, json};

use super::asked::{self, ELSEWHERE};
use super::credential::{self, Credential};
use super::document::{self, list, members, providers, text};
use super::draft::{Draft, Sketch};
use super::scopes::forbidden;
use super::who::{Who, candidates};

/// A case that must be refused with one of these codes.
pub(super) struct Refusal {
    pub(super) sketch: Sketch,
    pub(super) codes: &'static [&'static str],
}

/// A request that passes, and who sends it.
pub(super) struct Passing<'a> {
    pub(super) policy: &'a Value,
    pub(super) route: &'a Value,
    pub(super) provider: &'a Value,
    pub(super) who: Who,
    pub(super) sketch: Sketch,
    /// What stands where anything may follow.
    pub(super) below: &'static str,
    /// The method, where the route names none.
    pub(super) method: &'static str,
}

impl Passing<'_> {
    /// Everything that is to be refused, in the order of the layers.
    pub(super) fn refusals(&self, draft: &mut Draft<'_>) -> Vec<Refusal> {
        let mut refusals = self.unproven(draft);
        refusals.extend(self.others(draft));
        refusals.extend(self.not_permitted(draft));
        refusals.extend(self.elsewhere());
        refusals
    }

    fn id(&self) -> &str {
        text(self.route, "/id").unwrap_or_default()
    }

    fn access(&self) -> &Value {
        self.route.pointer("/access").unwrap_or(&Value::Null)
    }

    fn request(&self, tenant: &str) -> Value {
        asked::request(self.route, self.method, tenant, self.below)
    }

    pub(super) fn refusal(
        &self,
        words: &str,
        codes: &'static [&'static str],
        change: impl FnOnce(&mut Sketch),
    ) -> Refusal {
        let mut sketch = Sketch {
            name: format!("{}, {words}", self.id()),
            advance: 0,
            asks_for_nonce: false,
            ..self.sketch.clone()
        };
        change(&mut sketch);
        Refusal { sketch, codes }
    }

    /// A caller whom another provider vouches for.
    fn others(&self, draft: &mut Draft<'_>) -> Option<Refusal> {
        let named = document::texts(self.access(), "/providers");
        let is_other = |provider: &&Value| {
            !named.is_empty() && text(provider, "/name").is_some_and(|name| !named.contains(&name))
        };
        let other = providers(self.policy).iter().find(is_other)?;
        let mut who = candidates(self.policy, other, &Value::Null, &[])
            .into_iter()
            .next()?;
        let name = text(other, "/name").unwrap_or_default();
        who.name = format!("of_{}", credential::plain(name));
        let credential = draft.credential(other, &who);
        let words = format!("no caller of {name}");
        Some(self.refusal(&words, &["provider_not_allowed"], |sketch| {
            sketch.credential = credential
        }))
    }

    /// Layer two: what this caller may do.
    fn not_permitted(&self, draft: &mut Draft<'_>) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let mut with = |draft: &mut Draft<'_>, words: &str, codes, who: Who| {
            let credential = draft.credential(self.provider, &who);
            let request = self.request(who.tenant.as_deref().unwrap_or("acme"));
            refusals.push(self.refusal(words, codes, |sketch| {
                sketch.credential = credential;
                sketch.request = request;
            }));
        };
        let (access, name) = (self.access(), self.who.name.clone());
        let requirement = access.pointer("/scopes").unwrap_or(&Value::Null);
        if !list(requirement, "/all").is_empty() || !list(requirement, "/any").is_empty() {
            for (words, who) in self.without_scopes() {
                with(draft, &words, &["scope_missing"], who);
            }
        }
        if let Some(scope) = forbidden(self.policy, requirement) {
            let mut who = Who {
                name: format!("{name}_and_{scope}"),
                ..self.who.clone()
            };
            who.scopes.push(scope.clone());
            with(
                draft,
                &format!("no caller with {scope}"),
                &["scope_forbidden"],
                who,
            );
        }
        if text(access, "/acr").is_some() || access.get("acr").is_some() || access.get("amr").is_some() {
            let who = Who {
                name: format!("{name}_by_password"),
                acr: None,
                amr: Vec::new(),
                ..self.who.clone()
            };
            with(
                draft,
                "no caller without the stronger authentication",
                &["step_up_required"],
                who,
            );
        }
        if access.get("max_auth_age").is_some() {
            let who = Who {
                name: format!("{name}_of_yesterday"),
                authenticated_in: Some("-1d".to_owned()),
                ..self.who.clone()
            };
            with(
                draft,
                "no caller whose authentication is old",
                &["step_up_required"],
                who,
            );
        }
        if access.get("clients").is_some() {
            let who = Who {
                name: format!("{name}_elsewhere"),
                client: Some("another-client".to_owned()),
                ..self.who.clone()
            };
            with(
                draft,
                "nobody through another client",
                &["client_not_allowed"],
                who,
            );
        }
        if access.get("actors").is_some() {
            let who = Who {
                name: format!("{name}_by_proxy"),
                actor: Some("somebody-else".to_owned()),
                ..self.who.clone()
            };
            with(
                draft,
                "nobody for whom somebody else acts",
                &["actor_not_allowed"],
                who,
            );
        }
        refusals
    }

    /// The same caller, without what gives the scopes.
    fn without_scopes(&self) -> Vec<(String, Who)> {
        let words = "no caller without its scopes".to_owned();
        match text(self.provider, "/type") {
            Some("api_key") => {
                let others = candidates(self.policy, self.provider, self.access(), &[]).into_iter();
                let others = others.filter(|who| who.api_key != self.who.api_key);
                others.map(|who| (format!("not {}", who.words), who)).collect()
            }
            Some("mtls") => {
                let mut who = self.who.clone();
                who.subject = who
                    .subject
                    .and_then(|it| Some(format!("{}/somebody", it.rsplit_once('/')?.0)));
                vec![(words, who)]
            }
            _ => {
                let name = "without_scopes".to_owned();
                let mut who = Who {
                    name,
                    scopes: Vec::new(),
                    roles: Vec::new(),
                    ..self.who.clone()
                };
                // By a grant the scopes are its subject's, its client's or its tenant's.
                let stranger = match text(self.provider, "/profile") {
                    Some("kubernetes") => Some(neighbour(&self.who)),
                    Some("spiffe") => who
                        .subject
                        .and_then(|it| Some(format!("{}/stranger", it.rsplit_once('/')?.0))),
                    _ => who.subject.map(|_| "stranger".to_owned()),
                };
                who.subject = stranger;
                let clients = !list(self.access(), "/clients").is_empty();
                who.client = who.client.filter(|_| clients);
                vec![(words, who)]
            }
        }
    }

    /// The same caller, asking otherwise.
    fn elsewhere(&self) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let access = self.access();
        if access.get("tenant").is_some() {
            let other = self.request("another-tenant");
            let words = "nobody of another tenant";
            refusals.push(self.refusal(words, &["tenant_mismatch"], |sketch| sketch.request = other));
        }
        if access.get("sources").is_some() {
            refusals.push(
                self.refusal("nobody from another network", &["source_not_allowed"], |sketch| {
                    insert(&mut sketch.request, "peer", json!({"address": ELSEWHERE}));
                }),
            );
        }
        for (name, _) in members(access, "/headers") {
            let words = format!("no request without the header {name}");
            refusals.push(self.refusal(&words, &["condition_false"], |sketch| {
                if let Some(headers) = sketch
                    .request
                    .pointer_mut("/headers")
                    .and_then(Value::as_object_mut)
                {
                    headers.remove(name);
                }
            }));
        }
        if access.get("query").is_some() {
            refusals.push(self.refusal(
                "no request without its parameters",
                &["condition_false"],
                |sketch| {
                    let path = text(&sketch.request, "/path").unwrap_or_default();
                    let path = path.split('?').next().unwrap_or_default().to_owned();
                    insert(&mut sketch.request, "path", json!(path));
                },
            ));
        }
        refusals
    }
}

/// Another service account of the same namespace.
fn neighbour(who: &Who) -> String {
    let subject = who
        .subject
        .as_deref()
        .and_then(|it| it.strip_prefix("system:serviceaccount:"));
    let namespace = subject
        .and_then(|it| Some(it.split_once(':')?.0))
        .or(who.tenant.as_deref());
    format!(
        "system:serviceaccount:{}:stranger",
        namespace.unwrap_or("default")
    )
}

fn insert(request: &mut Value, name: &str, value: Value) {
    if let Some(request) = request.as_object_mut() {
        request.insert(name.to_owned(), value);
    }
}

/// A request that no route is about, however broad some are.
pub(super) fn unrouted() -> Vec<Sketch> {
    let plain = [
        ("GET", "/no-such-path"),
        ("POST", "/no-such-path"),
        ("PATCH", "/no-such-path"),
        ("PURGE", "/no-such-path"),
    ];
    let sketch = |(method, path): (&str, &str)| Sketch {
        name: "what no route is about is refused".to_owned(),
        request: Value::Object(Map::from_iter([
            ("method".to_owned(), json!(method)),
            ("path".to_owned(), json!(path)),
        ])),
        credential: Credential::default(),
        advance: 0,
        asks_for_nonce: false,
    };
    plain.into_iter().map(sketch).collect()
}
