//! The `match` of a route, compiled: hosts, methods, a pattern. What it says of headers, query parameters and content
//! types is compiled in `matchers`.

use scopegate_document::PolicyError;

use super::empty_list;
use super::matchers::compile_matchers;
use crate::authorizer::PolicyContext;
use crate::host::HostPattern;
use crate::matchers::Matchers;
use crate::pattern::{Fault, Pattern};
use crate::request::is_token;
use crate::section::RouteMatch;

/// What a route matches, compiled.
pub(crate) struct CompiledMatch {
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) methods: Vec<String>,
    pub(crate) pattern: Pattern,
    pub(crate) matchers: Matchers,
    pub(crate) shown: String,
}

/// Compiles the match at `path`; `None` where it has faults.
pub(crate) fn compile_match(
    matches: &RouteMatch,
    context: &PolicyContext<'_>,
    path: &str,
    faults: &mut Vec<PolicyError>,
) -> Option<CompiledMatch> {
    let RouteMatch {
        hosts,
        methods,
        path: pattern,
        grpc,
        headers: _,
        query: _,
        content_type: _,
    } = matches;
    let faults_before = faults.len();
    let matchers = compile_matchers(matches, context, path, faults);
    let hosts = compile_hosts(hosts.as_deref(), path, faults);
    check_methods(methods.as_deref(), path, faults);
    let target = Target::of(pattern.as_deref(), grpc.as_deref(), methods.as_deref(), path);
    let target = target.map_err(|fault| faults.push(fault)).ok()?;
    let pattern = target.parse(path).map_err(|fault| faults.push(fault)).ok()?;
    // A host that was dropped for a fault would leave a wider match, and conflicts that are none.
    let sound = faults.len() == faults_before;
    let Target { methods, shown, .. } = target;
    sound.then_some(CompiledMatch {
        hosts,
        methods,
        pattern,
        matchers,
        shown,
    })
}

/// The path and methods of a match, however they are written.
struct Target {
    shown: String,
    methods: Vec<String>,
    is_grpc: bool,
}

impl Target {
    fn of(
        pattern: Option<&str>,
        grpc: Option<&str>,
        methods: Option<&[String]>,
        path: &str,
    ) -> Result<Self, PolicyError> {
        match (pattern, grpc) {
            (Some(pattern), None) => {
                let methods = methods.unwrap_or_default().to_vec();
                Ok(Self {
                    shown: pattern.to_owned(),
                    methods,
                    is_grpc: false,
                })
            }
            (None, Some(grpc)) if methods.is_none() => Ok(Self {
                shown: format!("/{grpc}"),
                methods: vec!["POST".to_owned()],
                is_grpc: true,
            }),
            (None, Some(_)) => Err(PolicyError::new(
                "invalid_match",
                format!("{path}.methods"),
                "a match with `grpc` has methods",
                "leave `methods` out: gRPC is always POST",
            )),
            (Some(_), Some(_)) => Err(PolicyError::new(
                "invalid_match",
                format!("{path}.grpc"),
                "the match has both `path` and `grpc`",
                "write one of them: `grpc: package.Service/Method` is POST of `/package.Service/Method`",
            )),
            (None, None) => Err(PolicyError::new(
                "missing_path",
                path,
                "the match has neither `path` nor `grpc`",
                "write a pattern, as in `/orders/{id}`; `/**` matches every path",
            )),
        }
    }

    fn parse(&self, path: &str) -> Result<Pattern, PolicyError> {
        let (parsed, field) = match self.is_grpc {
            true => (parse_grpc(&self.shown), "grpc"),
            false => (Pattern::parse(&self.shown), "path"),
        };
        parsed.map_err(|Fault { message, help }| {
            PolicyError::new("invalid_pattern", format!("{path}.{field}"), message, help)
        })
    }
}

/// The path of a gRPC method: two literal segments.
fn parse_grpc(path: &str) -> Result<Pattern, Fault> {
    let is_method = |pattern: &Pattern| {
        !pattern.rest && pattern.segments.len() == 2 && pattern.parameters().next().is_none()
    };
    Pattern::parse(path).ok().filter(is_method).ok_or_else(|| {
        let method = path.strip_prefix('/').unwrap_or(path).escape_debug();
        Fault::new(
            format!("`{method}` is no gRPC method"),
            "write `package.Service/Method`",
        )
    })
}

fn compile_hosts(hosts: Option<&[String]>, path: &str, faults: &mut Vec<PolicyError>) -> Vec<HostPattern> {
    if hosts.is_some_and(<[String]>::is_empty) {
        faults.push(empty_list(&format!("{path}.hosts")));
    }
    let mut compiled = Vec::new();
    for (index, host) in hosts.unwrap_or_default().iter().enumerate() {
        match HostPattern::parse(host) {
            Ok(host) => compiled.push(host),
            Err(Fault { message, help }) => {
                faults.push(PolicyError::new(
                    "invalid_host",
                    format!("{path}.hosts[{index}]"),
                    message,
                    help,
                ));
            }
        }
    }
    compiled
}

fn check_methods(methods: Option<&[String]>, path: &str, faults: &mut Vec<PolicyError>) {
    if methods.is_some_and(<[String]>::is_empty) {
        faults.push(empty_list(&format!("{path}.methods")));
    }
    for (index, method) in methods.unwrap_or_default().iter().enumerate() {
        let shown = method.escape_debug();
        let upper = method.to_ascii_uppercase();
        let fault = if !is_token(method) {
            Some((
                format!("`{shown}` is no method"),
                "write a token, as in `GET`".to_owned(),
            ))
        } else if matches!(upper.as_str(), "CONNECT" | "TRACE") {
            Some((
                format!("no request with the method `{shown}` is ever let through"),
                "remove it".to_owned(),
            ))
        } else if upper != *method && is_registered(&upper) {
            Some((
                format!("`{shown}` is not `{upper}`: methods are case-sensitive"),
                format!("write `{upper}`"),
            ))
        } else {
            None
        };
        let at = |(message, help)| {
            PolicyError::new(
                "invalid_method",
                format!("{path}.methods[{index}]"),
                message,
                help,
            )
        };
        faults.extend(fault.map(at));
    }
}

/// The methods of RFC 9110 section 9.3 and RFC 5789 that a route can be about.
fn is_registered(method: &str) -> bool {
    matches!(
        method,
        "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "PATCH"
    )
}
