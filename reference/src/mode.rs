//! Shadow: a rule that is tried before it is enforced.

use serde_json::Value;

use crate::value::{authorization, instant, texts};
use crate::{Reference, Wrong};

/// How a route is enforced now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Enforce,
    Shadow { layers: Vec<String> },
}

impl Mode {
    /// "route `mode: enforce | {shadow: {until, layers}}`; `authorization.mode` the same for the whole policy; a
    /// route's own wins. Shadow live (now < until)".
    pub(crate) fn of(reference: &Reference<'_>, route: &Value, now: i64) -> Self {
        let written = route
            .get("mode")
            .or_else(|| authorization(reference.policy).get("mode"));
        let Some(shadow) = written.and_then(|mode| mode.get("shadow")) else {
            return Self::Enforce;
        };
        match instant(shadow, "until") {
            Some(until) if now < until => {
                let mut layers = texts(shadow, "layers").unwrap_or_default();
                if reference.wrong == Some(Wrong::ShadowCoversRejections) {
                    layers.push("authentication".to_owned());
                }
                Self::Shadow { layers }
            }
            _ => Self::Enforce,
        }
    }

    /// "`shadow` covers `Deny` only".
    pub(crate) fn covers_denials(&self) -> bool {
        *self != Self::Enforce
    }

    /// "`layers: [authentication, authorization]` includes authentication and must be written."
    pub(crate) fn covers_rejections(&self) -> bool {
        match self {
            Self::Enforce => false,
            Self::Shadow { layers } => layers.iter().any(|layer| layer == "authentication"),
        }
    }
}
