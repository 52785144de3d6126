//! Modes: whether a route is enforced, or only watched for a while.
//!
//! A dry run never widens who a caller is taken for: what it lets pass is forwarded without an identity.

use scopegate_document::{PolicyError, UnixTime};

use crate::section::{self, Shadow, ShadowLayer, Watched};

/// The mode of a route, compiled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mode {
    shadow: Option<DryRun>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DryRun {
    until: UnixTime,
    with_authentication: bool,
}

impl Mode {
    /// Compiles the mode at `path`; `other` where none is written.
    pub(crate) fn compile(
        mode: Option<&section::Mode>,
        other: Self,
        path: &str,
        faults: &mut Vec<PolicyError>,
    ) -> Self {
        let Watched { shadow } = match mode {
            None => return other,
            Some(section::Mode::Named(section::ModeName::Enforce)) => return Self::default(),
            Some(section::Mode::Watched(watched)) => watched,
        };
        let Shadow { until, layers } = shadow;
        let layers = layers.as_deref();
        faults.extend(layers.and_then(|layers| check_layers(layers, &format!("{path}.shadow.layers"))));
        let with_authentication = layers.is_some_and(|layers| layers.contains(&ShadowLayer::Authentication));
        Self {
            shadow: Some(DryRun {
                until: until.0,
                with_authentication,
            }),
        }
    }

    /// Whether a denial at `now` is only recorded.
    #[must_use]
    pub fn watches_authorization(self, now: UnixTime) -> bool {
        self.shadow.is_some_and(|shadow| now < shadow.until)
    }

    /// Whether a credential that is refused at `now` with 401 is only recorded.
    #[must_use]
    pub fn watches_authentication(self, now: UnixTime) -> bool {
        self.shadow
            .is_some_and(|shadow| shadow.with_authentication && now < shadow.until)
    }
}

/// Authorization is always part of a dry run: nobody can be authorized for real who was not authenticated.
fn check_layers(layers: &[ShadowLayer], path: &str) -> Option<PolicyError> {
    let has_authorization = layers.contains(&ShadowLayer::Authorization);
    (!has_authorization).then(|| {
        PolicyError::new(
            "invalid_value",
            path,
            "a dry run covers authorization, alone or with authentication",
            "write `[authorization]`, or `[authentication, authorization]`",
        )
    })
}
