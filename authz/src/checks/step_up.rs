//! Step-up (RFC 9470): whether the caller authenticated strongly enough, and lately enough.

use scopegate_document::{Duration, PolicyError, UnixTime};
use serde_json::{Map, Value};

use super::check_values;
use crate::Deny;
use crate::section::{AccessRules, AuthenticationMethods};

/// How far ahead of this clock the issuer's may be, in seconds, when a caller has just authenticated. A time
/// further ahead is no time of an authentication.
const CLOCK_SKEW: i64 = 30;

/// What a route asks of the way in which its callers authenticated.
#[derive(Debug)]
pub(crate) struct StepUp {
    /// Contexts, any of them; empty: any context will do.
    acr: Vec<String>,
    all_methods: Vec<String>,
    any_method: Vec<String>,
    /// Seconds.
    max_age: Option<i64>,
}

impl StepUp {
    /// Compiles what the access at `path` says of it; `None`: nothing.
    pub(crate) fn compile(rules: &AccessRules, path: &str, faults: &mut Vec<PolicyError>) -> Option<Self> {
        if rules.acr.is_none() && rules.amr.is_none() && rules.max_auth_age.is_none() {
            return None;
        }
        if let Some(acr) = &rules.acr {
            check_contexts(acr, &format!("{path}.acr"), faults);
        }
        let methods = rules.amr.clone().unwrap_or_default();
        if rules.amr.is_some() {
            check_methods(&methods, &format!("{path}.amr"), faults);
        }
        let AuthenticationMethods { all, any } = methods;
        Some(Self {
            acr: rules.acr.clone().unwrap_or_default(),
            all_methods: all.unwrap_or_default(),
            any_method: any.unwrap_or_default(),
            max_age: rules.max_auth_age.map(Duration::as_seconds),
        })
    }

    /// Whether a caller with these claims authenticated well enough for `now`.
    ///
    /// # Errors
    /// [`Deny::StepUpRequired`]: what the challenge asks for.
    pub(crate) fn check(&self, claims: &Map<String, Value>, now: UnixTime) -> Result<(), Deny> {
        match self.has_context(claims) && self.has_methods(claims) && self.is_recent(claims, now) {
            true => Ok(()),
            false => Err(Deny::StepUpRequired {
                acr_values: self.acr.clone(),
                max_age: self.max_age,
            }),
        }
    }

    fn has_context(&self, claims: &Map<String, Value>) -> bool {
        let context = claims.get("acr").and_then(Value::as_str);
        self.acr.is_empty() || self.acr.iter().any(|wanted| Some(wanted.as_str()) == context)
    }

    fn has_methods(&self, claims: &Map<String, Value>) -> bool {
        let used = claims.get("amr").and_then(Value::as_array);
        let has = |wanted: &String| {
            let mut used = used.into_iter().flatten();
            used.any(|method| method.as_str() == Some(wanted))
        };
        self.all_methods.iter().all(has) && (self.any_method.is_empty() || self.any_method.iter().any(has))
    }

    fn is_recent(&self, claims: &Map<String, Value>, now: UnixTime) -> bool {
        let Some(max_age) = self.max_age else { return true };
        let at = claims.get("auth_time").and_then(seconds);
        let age = at.and_then(|at| now.0.checked_sub(at));
        age.is_some_and(|age| (CLOCK_SKEW.saturating_neg()..=max_age).contains(&age))
    }
}

/// Whole seconds of a NumericDate (RFC 7519 section 2), the fraction cut off.
pub(crate) fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let value = value
            .as_f64()
            .filter(|value| (0.0..=MAX_SECONDS).contains(value))?;
        #[expect(clippy::cast_possible_truncation, reason = "its range was looked at")]
        let whole = value.floor() as i64;
        Some(whole)
    })
}

/// The largest whole number that a JSON number is sure to keep (RFC 8259 section 6).
const MAX_SECONDS: f64 = 9_007_199_254_740_991.0;

/// Contexts go into a challenge, which separates them by spaces (RFC 9470 section 3).
fn check_contexts(contexts: &[String], path: &str, faults: &mut Vec<PolicyError>) {
    check_values(contexts, "authentication context", path, faults);
    let barred =
        |context: &String| !context.is_empty() && !context.bytes().all(|byte| byte.is_ascii_graphic());
    let unusable = contexts.iter().enumerate().filter(|(_, context)| barred(context));
    faults.extend(unusable.map(|(index, context)| {
        PolicyError::new(
            "invalid_value",
            format!("{path}[{index}]"),
            format!("`{}` cannot stand in a challenge", context.escape_debug()),
            "write printable ASCII without spaces, as in `urn:mace:incommon:iap:silver`",
        )
    }));
}

fn check_methods(methods: &AuthenticationMethods, path: &str, faults: &mut Vec<PolicyError>) {
    let AuthenticationMethods { all, any } = methods;
    if all.is_none() && any.is_none() {
        faults.push(PolicyError::new(
            "empty_value",
            path,
            "no authentication method is named",
            "write `{all: [...]}` or `{any: [...]}`",
        ));
    }
    for (name, list) in [("all", all), ("any", any)] {
        if let Some(list) = list {
            check_values(list, "authentication method", &format!("{path}.{name}"), faults);
        }
    }
}
