//! The two audit records: one for each layer, one request id, never a credential.
//!
//! Identity fields come from a verified caller only. Values are bounded in length and free of control
//! characters, so that a record is one line whatever a client sends.

use std::sync::Arc;

use serde_json::{Value, json};

use scopegate_authn::Verified;
use scopegate_authz::{Denial, Deny, GrantedBy, Mode, Permit, RouteView};
use scopegate_document::UnixTime;

use crate::document::{Audit, AuthenticationAudit, AuthorizationAudit};
use crate::{Counted, Record, Request};

/// How many characters of a value a record shows.
const MAX_VALUE_LENGTH: usize = 256;

/// What happened in the authentication layer.
pub(crate) enum Authentication<'a> {
    /// The route is public, or the request never came so far.
    Skipped,
    /// The caller is proved.
    Success(&'a Verified),
    /// The credential was refused.
    Failure(Failure<'a>),
    /// The credential would have been refused, were the route not in a dry run.
    WouldDeny(Failure<'a>),
}

/// Why a credential was refused, and which.
pub(crate) struct Failure<'a> {
    pub(crate) provider: Option<&'a str>,
    pub(crate) reason: &'static str,
    /// Of the credential, where there is exactly one; never looked at but for the record.
    pub(crate) fingerprint: Option<String>,
}

/// What happened in the authorization layer.
pub(crate) enum Authorization<'a> {
    /// Permission was given.
    Allow(&'a Permit<'a>),
    /// Permission was refused to a proved caller.
    Deny(&'a Denial),
    /// Permission would have been refused, were the route not in a dry run.
    WouldDeny(&'a Denial),
    /// No route was selected, or the request could not be understood.
    Unrouted(&'static str),
    /// The caller was not proved: nothing was decided here.
    NotEvaluated,
    /// The metadata of this API was asked for: everybody may have it.
    Metadata,
}

/// The facts that both records share.
pub(crate) struct Context<'a> {
    pub(crate) request: &'a Request<'a>,
    pub(crate) now: Option<UnixTime>,
    pub(crate) route: Option<RouteView<'a>>,
    /// What records say of the policy; nothing where there is none.
    pub(crate) policy: Option<&'a Arc<Value>>,
}

impl Authentication<'_> {
    pub(crate) fn counted(&self) -> Counted {
        match self {
            Self::Skipped => Counted {
                name: None,
                outcome: "skipped",
                reason: None,
            },
            Self::Success(caller) => Counted {
                name: Some(Arc::clone(caller.shared_provider())),
                outcome: "success",
                reason: None,
            },
            Self::Failure(failure) => failure.counted("failure"),
            Self::WouldDeny(failure) => failure.counted("would_deny"),
        }
    }

    const fn outcome(&self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Success(_) => "success",
            Self::Failure(_) => "failure",
            Self::WouldDeny(_) => "would_deny",
        }
    }

    pub(crate) const fn is_recorded(&self, audit: &Audit) -> bool {
        match audit.authentication {
            AuthenticationAudit::All => true,
            AuthenticationAudit::Failures => self.is_failure(),
            AuthenticationAudit::None => false,
        }
    }

    /// Whether the credential was refused, or would have been.
    pub(crate) const fn is_failure(&self) -> bool {
        matches!(self, Self::Failure(_) | Self::WouldDeny(_))
    }

    pub(crate) fn record(&self, context: &Context<'_>) -> Record {
        let mut record = head("authentication", context);
        record.push("outcome", self.outcome());
        match self {
            Self::Skipped => {}
            Self::Success(caller) => identity(&mut record, caller),
            Self::Failure(failure) | Self::WouldDeny(failure) => failure.describe(&mut record),
        }
        record
    }
}

impl Failure<'_> {
    fn counted(&self, outcome: &'static str) -> Counted {
        Counted {
            name: self.provider.map(Arc::from),
            outcome,
            reason: Some(self.reason),
        }
    }

    fn describe(&self, record: &mut Record) {
        if let Some(provider) = self.provider {
            record.push("provider", shown(provider));
        }
        if let Some(fingerprint) = &self.fingerprint {
            record.push("credential", json!({"fingerprint": fingerprint}));
        }
        record.push("reason", self.reason);
    }
}

impl Context<'_> {
    /// Whether the route is in a dry run, as `of` tells for a time.
    pub(crate) fn watches(&self, of: fn(Mode, UnixTime) -> bool) -> bool {
        let mode = self.route.map(|route| route.mode);
        mode.zip(self.now).is_some_and(|(mode, now)| of(mode, now))
    }
}

impl Authorization<'_> {
    /// Whether permission was refused, or would have been.
    pub(crate) const fn is_denial(&self) -> bool {
        matches!(self, Self::Deny(_) | Self::WouldDeny(_) | Self::Unrouted(_))
    }

    pub(crate) fn counted(&self, route: Option<&RouteView<'_>>) -> Counted {
        let name = route.map(|route| Arc::clone(route.shared_id));
        let (outcome, reason) = match self {
            Self::Allow(_) => ("allow", None),
            Self::Deny(denial) => ("deny", Some(denial.deny.code())),
            Self::WouldDeny(denial) => ("would_deny", Some(denial.deny.code())),
            Self::Unrouted(code) => ("deny", Some(*code)),
            Self::NotEvaluated => ("not_evaluated", None),
            Self::Metadata => ("allow", None),
        };
        Counted {
            name,
            outcome,
            reason,
        }
    }

    pub(crate) const fn is_recorded(&self, audit: &Audit) -> bool {
        match audit.authorization {
            AuthorizationAudit::All => true,
            AuthorizationAudit::Denials => self.is_denial(),
            AuthorizationAudit::None => false,
        }
    }

    pub(crate) fn record(&self, context: &Context<'_>) -> Record {
        let mut record = head("authorization", context);
        let counted = self.counted(context.route.as_ref());
        record.push("outcome", counted.outcome);
        action(&mut record, context);
        match self {
            Self::Allow(permit) => permission(&mut record, permit),
            Self::Deny(denial) | Self::WouldDeny(denial) => missing(&mut record, denial),
            Self::Unrouted(_) | Self::NotEvaluated | Self::Metadata => {}
        }
        if let Some(reason) = counted.reason {
            record.push("reason", reason);
        }
        match context.policy {
            Some(policy) => record.push("policy", policy),
            None => record.push("policy", Value::Null),
        }
        record
    }
}

fn head(event: &'static str, context: &Context<'_>) -> Record {
    let mut record = Record::with_room();
    record.push("event", event);
    record.push("request_id", context.request.id.to_owned());
    match context.now {
        Some(now) => record.push("time", now.to_string()),
        None => record.push("time", Value::Null),
    }
    record
}

fn identity(record: &mut Record, caller: &Verified) {
    let evidence = caller.evidence();
    let mut credential = Record::default();
    credential.push("kind", evidence.kind);
    credential.push("fingerprint", evidence.fingerprint.clone());
    let known = [
        ("alg", evidence.algorithm.map(Value::from)),
        ("kid", evidence.key_id.as_deref().map(shown).map(Value::from)),
        ("issued_at", evidence.issued_at.map(|time| time.0.into())),
        ("expires_at", evidence.expires_at.map(|time| time.0.into())),
    ];
    for (name, value) in known.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        credential.push(name, value);
    }
    record.push("provider", shown(caller.provider()));
    record.push("credential", json!(credential));
    let fields = [
        ("subject", caller.subject()),
        ("client", caller.client()),
        ("tenant", caller.tenant()),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            record.push(name, shown(value));
        }
    }
}

fn action(record: &mut Record, context: &Context<'_>) {
    let request = context.request;
    record.push("method", shown_bytes(request.method));
    if let Some(authority) = request.authority {
        record.push("host", shown_bytes(without_user(authority)));
    }
    match &context.route {
        Some(route) => {
            record.push("route", route.id.to_owned());
            record.push("path", shown(route.pattern));
            if let Some(requirement) = route.requirement {
                record.push("required", requirement.clone());
            }
        }
        None => record.push("path", shown_bytes(&loggable(request.path))),
    }
}

/// The path of a request target, for the log: no query, and nobody's password.
fn loggable(target: &[u8]) -> Vec<u8> {
    let path = target
        .split(|byte| matches!(byte, b'?' | b'#'))
        .next()
        .unwrap_or_default();
    let Some(at) = path.windows(3).position(|window| window == b"://") else {
        return path.to_vec();
    };
    let (scheme, rest) = path.split_at(at.saturating_add(3));
    let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    [scheme, without_user(authority), rest].concat()
}

/// An authority without user information (RFC 3986 section 3.2.1): it may hold a password.
fn without_user(authority: &[u8]) -> &[u8] {
    authority.rsplit(|byte| *byte == b'@').next().unwrap_or_default()
}

fn permission(record: &mut Record, permit: &Permit<'_>) {
    record.push("effective", permit.effective().collect::<Value>());
    let origins = permit
        .granted_by()
        .into_iter()
        .map(|(scope, origin)| (scope, granted_by(&origin)));
    record.push("granted_by", Value::Object(origins.collect()));
}

fn granted_by(origin: &GrantedBy) -> Value {
    match origin {
        GrantedBy::Token => "token".into(),
        GrantedBy::Role(role) => format!("role:{}", clean(role)).into(),
        GrantedBy::Grant(None) => "grant".into(),
        GrantedBy::Grant(Some(reason)) => format!("grant:{}", clean(reason)).into(),
    }
}

fn missing(record: &mut Record, denial: &Denial) {
    record.push("effective", Value::from(denial.effective.as_slice()));
    if !denial.missing().is_empty() {
        record.push("missing", Value::from(denial.missing()));
    }
    if let Deny::ConditionError { detail } = &denial.deny {
        record.push("condition", shown(detail));
    }
}

fn shown(value: &str) -> String {
    clean(value)
}

fn shown_bytes(value: &[u8]) -> String {
    shown(&String::from_utf8_lossy(
        value.get(..MAX_VALUE_LENGTH.saturating_mul(4)).unwrap_or(value),
    ))
}

/// At most [`MAX_VALUE_LENGTH`] characters, control characters written as escapes.
fn clean(value: &str) -> String {
    if value.len() <= MAX_VALUE_LENGTH && value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return value.to_owned();
    }
    let mut text = String::new();
    for character in value.chars().take(MAX_VALUE_LENGTH) {
        match character.is_control() || is_invisible(character) {
            true => text.extend(character.escape_unicode()),
            false => text.push(character),
        }
    }
    text
}

/// Line ends and marks of direction, by which a line would read as another (Unicode UAX #9).
const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{MAX_VALUE_LENGTH, clean, loggable, shown_bytes, without_user};

    #[test]
    fn a_logged_value_is_one_bounded_line() {
        assert_eq!(clean("a\nb\u{7f}\u{85}"), r"a\u{a}b\u{7f}\u{85}");
        assert_eq!(clean(&"x".repeat(1_000)).len(), MAX_VALUE_LENGTH);
        assert_eq!(shown_bytes(b"/\xff\x00"), "/\u{fffd}\\u{0}");
    }

    #[test]
    fn neither_a_query_nor_a_password_is_logged() {
        assert_eq!(loggable(b"/a?token=x"), b"/a");
        assert_eq!(loggable(b"http://user:pw@host/x?secret"), b"http://host/x");
        assert_eq!(loggable(b"http://user:p@w@host"), b"http://host");
        assert_eq!(without_user(b"user:pw@host:80"), b"host:80");
        assert_eq!(clean("a\u{202e}b"), r"a\u{202e}b");
    }
}
