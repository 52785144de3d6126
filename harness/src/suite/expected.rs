//! What expectations name, against the policies that a test file gives: routes, codes, upstreams, metrics, headers. What
//! no policy of the file can bring about is never expected to be absent either.

use std::collections::BTreeSet;

use scopegate_authn::Algorithm;
use serde_json::Value;

use crate::defaults::codes;
use crate::faults::nearest;
use crate::format::{Allow, ExpectSpec, HeadersSpec, RequestSpec};
use crate::issuer::Issuer;
use crate::policy::{TestPolicy, named_upstreams};
use crate::suite::loader::Loader;
use crate::suite::{Case, Kind, Step};

/// What all policies of a test file have.
pub(super) struct Names {
    pub(super) upstreams: Vec<String>,
    routes: Vec<String>,
    providers: Vec<String>,
    /// Every text of the policies, in lower case: each header that one of them names is among these.
    texts: BTreeSet<String>,
}

impl Names {
    pub(super) fn of<'p>(policies: impl Iterator<Item = &'p TestPolicy>) -> Self {
        let (mut upstreams, mut texts) = (BTreeSet::new(), BTreeSet::new());
        let (mut routes, mut providers) = (Vec::new(), Vec::new());
        for policy in policies {
            upstreams.extend(named_upstreams(&policy.document));
            routes.extend(policy.routes().into_iter().map(|(id, _)| id));
            providers.extend(
                Issuer::all(&policy.document)
                    .into_iter()
                    .map(|issuer| issuer.name),
            );
            collect(&policy.document, &mut texts);
        }
        Self {
            upstreams: upstreams.into_iter().collect(),
            routes: once(routes),
            providers: once(providers),
            texts,
        }
    }

    /// Whether the plugin counts by this name.
    fn is_metric(&self, name: &str) -> bool {
        let parts = name.strip_prefix("scopegate.");
        let Some((family, rest)) = parts.and_then(|name| name.split_once('.')) else {
            return false;
        };
        match family {
            "authentication" => counts(
                rest,
                &self.providers,
                &["success", "skipped"],
                &["failure", "would_deny"],
            ),
            "authorization" => counts(
                rest,
                &self.routes,
                &["allow", "not_evaluated"],
                &["deny", "would_deny"],
            ),
            "token_cache" => ["hits", "misses", "evictions", "tokens", "bytes", "bound"].contains(&rest),
            "host_signatures" => Algorithm::ALL.iter().any(|algorithm| algorithm.name() == rest),
            // Documents are called by what they are of, and then by what names them.
            "fetch" | "age" => rest.contains('.'),
            _ => false,
        }
    }

    /// Whether a header may reach the upstream: the client sends it, the policy names it, or a credential travels in it.
    fn is_upstream_header(&self, name: &str, request: &RequestSpec) -> bool {
        let name = name.to_ascii_lowercase();
        let is_it = |other: &str| other.eq_ignore_ascii_case(&name);
        let is_sent = match &request.headers {
            HeadersSpec::Mapping(headers) => headers.keys().any(|other| is_it(other)),
            HeadersSpec::Pairs(headers) => headers.iter().any(|(other, _)| is_it(other)),
        };
        is_sent
            || request.headers_hex.iter().any(|(other, _)| is_it(other))
            || self.texts.contains(&name)
            || GUARDED.contains(&name.as_str())
    }
}

/// The headers that credentials and what proves them travel in, and those that upstreams commonly read identities from.
const GUARDED: &[&str] = &[
    "authorization",
    "cookie",
    "dpop",
    "proxy-authorization",
    "x-api-key",
    "x-auth-client",
    "x-auth-scopes",
    "x-auth-subject",
    "x-auth-tenant",
    "x-forwarded-client-cert",
];

/// The headers that a reply can have.
const REPLY: &[&str] = &[
    "cache-control",
    "content-length",
    "content-type",
    "date",
    "dpop-nonce",
    "grpc-message",
    "grpc-status",
    "location",
    "retry-after",
    "server",
    "set-cookie",
    "vary",
    "www-authenticate",
    "x-request-id",
];

/// Whether `rest` is one of `names`, or none, what became of it, and of a refusal its code.
fn counts(rest: &str, names: &[String], plain: &[&str], refusing: &[&str]) -> bool {
    let mut names = names.iter().map(String::as_str).chain(["none"]);
    names.any(|name| {
        let outcome = rest.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
        outcome.is_some_and(|outcome| match outcome.split_once('.') {
            None => plain.contains(&outcome),
            Some((outcome, code)) => refusing.contains(&outcome) && codes().any(|known| known == code),
        })
    })
}

fn once(names: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut names = names;
    names.retain(|name| seen.insert(name.clone()));
    names
}

fn collect(value: &Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => members.values().for_each(|value| collect(value, texts)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::String(text) => {
            texts.insert(text.to_ascii_lowercase());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Loader<'_> {
    /// Everything that an expectation names and nobody has.
    pub(super) fn check_expected(&mut self, cases: &[Case], names: &Names) {
        for case in cases {
            for (at, step) in case.steps.iter().enumerate() {
                let Step::Send(request, expect) = step else {
                    continue;
                };
                let place = |field: String| match &case.kind {
                    Kind::Plain | Kind::Steps => format!("{}.{field}", case.expectation(at)),
                    Kind::Cell(_) => case.expectation(at),
                };
                for (field, message, help) in routes(expect, names)
                    .into_iter()
                    .chain(refusals(expect))
                    .chain(observed(expect, names))
                    .chain(absent(expect, request, names))
                {
                    self.fault(place(field), message, &help);
                }
            }
        }
    }
}

/// A field of an expectation, what is wrong with it, and what would be right.
type Fault = (String, String, String);

/// Routes that the policy does not have.
fn routes(expect: &ExpectSpec, names: &Names) -> Vec<Fault> {
    let allowed = match &expect.allow {
        Some(Allow::Route(route)) => Some(("allow", route)),
        Some(Allow::Any(_)) | None => None,
    };
    let selected = expect.route.iter().flatten().map(|route| ("route", route));
    let named = allowed.into_iter().chain(selected);
    let unknown = named.filter(|(_, route)| !names.routes.contains(route));
    let fault = |(field, route): (&str, &String)| {
        let help = nearest(route, &names.routes, "its routes");
        (
            field.to_owned(),
            format!("the policy has no route `{route}`"),
            help,
        )
    };
    unknown.map(fault).collect()
}

/// Codes that nothing is refused with.
fn refusals(expect: &ExpectSpec) -> Vec<Fault> {
    let named = [
        ("deny", &expect.deny),
        ("reject", &expect.reject),
        ("would_deny", &expect.would_deny),
    ];
    let named = named
        .into_iter()
        .filter_map(|(field, code)| Some((field, code.as_ref()?)));
    let unknown = named.filter(|(_, code)| !codes().any(|known| known == code.as_str()));
    let fault = |(field, code): (&str, &String)| {
        let mut known: Vec<String> = codes().map(str::to_owned).collect();
        known.push("allow".to_owned());
        let help = nearest(code, &known, "the codes");
        (
            field.to_owned(),
            format!("nothing is refused with `{code}`"),
            help,
        )
    };
    unknown.map(fault).collect()
}

/// Callouts and metrics that there never are.
fn observed(expect: &ExpectSpec, names: &Names) -> Vec<Fault> {
    let callouts = expect.callouts.iter().flatten().enumerate();
    let unknown = callouts.filter(|(_, callout)| !names.upstreams.contains(&callout.upstream));
    let callout = |(at, callout): (usize, &crate::format::CalloutExpect)| {
        let name = &callout.upstream;
        let help = nearest(name, &names.upstreams, "its upstreams");
        let message = format!("the policy has no upstream `{name}`");
        (format!("callouts[{at}].upstream"), message, help)
    };
    let metrics = expect.metrics.keys().filter(|name| !names.is_metric(name));
    let metric = |name: &String| {
        let help = "as in `scopegate.authorization.ROUTE.deny.CODE`, `scopegate.authentication.PROVIDER.success`, \
                    `scopegate.token_cache.hits`";
        let message = format!("the plugin has no metric `{name}`");
        (format!("metrics.{name}"), message, help.to_owned())
    };
    unknown.map(callout).chain(metrics.map(metric)).collect()
}

/// Headers that are expected to be absent, and never would be there.
fn absent(expect: &ExpectSpec, request: &RequestSpec, names: &Names) -> Vec<Fault> {
    let is_reply = |name: &str| {
        let name = name.to_ascii_lowercase();
        REPLY.contains(&name.as_str()) || name.starts_with("access-control-") || names.texts.contains(&name)
    };
    let replies = expect.headers.iter().filter(|(_, value)| value.is_none());
    let replies = replies.filter(|(name, _)| !is_reply(name));
    let reply = |name: &String| {
        let known: Vec<String> = REPLY.iter().map(|&name| name.to_owned()).collect();
        let message = format!("no reply has a header `{name}`");
        (format!("headers.{name}"), message, nearest(name, &known, "known"))
    };
    let seen = expect.upstream.iter().filter(|(_, value)| value.is_none());
    let seen = seen.filter(|(name, _)| !names.is_upstream_header(name, request));
    let upstream = |name: &String| {
        let message = format!("no `{name}` would reach the upstream anyway");
        let help = "send it with the request, or name a header that the policy names";
        (format!("upstream.{name}"), message, help.to_owned())
    };
    let replies = replies.map(|(name, _)| reply(name));
    replies.chain(seen.map(|(name, _)| upstream(name))).collect()
}
