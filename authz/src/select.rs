//! One route for one request: every reading of its path must select it, with the same parameters.

use std::borrow::Cow;

use crate::compile::routes::{CompiledRoute, Routes, fold};
use crate::decision::RequestError;
use crate::host::Authority;
use crate::path::{Path, mark};
use crate::pattern::Segment;
use crate::readings::agree;
use crate::request::Understood;
use crate::router::{RouteIndex, Router, body};
use crate::section::CorsPreflight;

/// A selected route.
#[derive(Debug)]
pub(crate) struct Selection<'a> {
    pub(crate) route: &'a CompiledRoute,
    /// The segment of the path that the route binds to the caller's tenant.
    pub(crate) tenant: Option<String>,
    /// Whether the request is a preflight, about this route.
    pub(crate) is_preflight: bool,
}

/// What one reading of a path selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Choice {
    route: RouteIndex,
    is_preflight: bool,
}

/// The parameters of a path, decoded once: the index of the segment, and its value.
type Parameters = Vec<(usize, Vec<u8>)>;

/// What selects a route, but for the path.
struct Question<'q> {
    method: &'q str,
    authority: Option<&'q Authority<'q>>,
    /// The method a preflight asks about, where preflights pass.
    preflight: Option<&'q str>,
}

impl Routes {
    /// Selects the route of a request; `None` where no reading of its path matches one.
    pub(crate) fn select(
        &self,
        request: Understood<'_>,
        cors_preflight: CorsPreflight,
    ) -> Result<Option<Selection<'_>>, RequestError> {
        let Understood {
            method,
            authority,
            path,
            preflight,
        } = request;
        let preflight = preflight.filter(|_| cors_preflight == CorsPreflight::Pass);
        let question = Question {
            method,
            authority: authority.as_ref(),
            preflight,
        };
        match path {
            // No pattern is about the server as a whole.
            None => Ok(None),
            Some(Path::Plain(path)) => {
                let Some(choice) = self.choose(&question, path)? else {
                    return Ok(None);
                };
                let tenant = |position| segment(path, position).map(text);
                self.selection(choice, tenant)
            }
            Some(Path::Decoded(path)) => {
                let agreed = agree(path, |reading| self.choose_with_parameters(&question, reading))?;
                let Some((choice, parameters)) = agreed else {
                    return Ok(None);
                };
                let value = |position| parameters.iter().find(|(at, _)| *at == position);
                self.selection(choice, |position| value(position).map(|(_, value)| text(value)))
            }
        }
    }

    fn selection(
        &self,
        choice: Choice,
        tenant: impl Fn(usize) -> Option<String>,
    ) -> Result<Option<Selection<'_>>, RequestError> {
        let Some(route) = self.routes.get(choice.route) else {
            return Ok(None);
        };
        let position = route.guard.as_ref().and_then(|guard| guard.tenant);
        let tenant = position.and_then(tenant);
        // An upstream that folds serves another tenant than the one that is written here.
        let folds = |tenant: &String| self.folded.is_some() && fold(tenant) != *tenant;
        match tenant.as_ref().is_some_and(folds) {
            true => Err(RequestError::AmbiguousPath),
            false => Ok(Some(Selection {
                route,
                tenant,
                is_preflight: choice.is_preflight,
            })),
        }
    }

    /// The route for one reading of the path, and for its folded reading where the upstream may fold.
    fn choose(&self, question: &Question<'_>, path: &[u8]) -> Result<Option<Choice>, RequestError> {
        let choice = question.ask(&self.router, path);
        let Some(folded) = &self.folded else {
            return Ok(choice);
        };
        let path = fold(&String::from_utf8_lossy(path));
        match question.ask(folded, path.as_bytes()) == choice {
            true => Ok(choice),
            false => Err(RequestError::AmbiguousPath),
        }
    }

    /// The route for one reading of the path, and the parameters of it by position.
    fn choose_with_parameters(
        &self,
        question: &Question<'_>,
        reading: &[u8],
    ) -> Result<Option<(Choice, Parameters)>, RequestError> {
        let Some(choice) = self.choose(question, reading)? else {
            return Ok(None);
        };
        let Some(route) = self.routes.get(choice.route) else {
            return Ok(None);
        };
        let segments = route.pattern.segments.iter().enumerate();
        let positions = segments.filter(|(_, segment)| matches!(segment, Segment::Parameter(_)));
        let values = positions.map(|(position, _)| {
            let value = segment(reading, position).unwrap_or_default();
            parameter(value).map(|value| (position, value))
        });
        Ok(Some((choice, values.collect::<Result<_, _>>()?)))
    }
}

impl Question<'_> {
    fn ask(&self, router: &Router, path: &[u8]) -> Option<Choice> {
        let group = router.find(self.authority, path)?;
        let of_request = group.select(self.method).map(|route| Choice {
            route,
            is_preflight: false,
        });
        of_request.or_else(|| {
            let route = group.select(self.preflight?)?;
            Some(Choice {
                route,
                is_preflight: true,
            })
        })
    }
}

/// The value of a parameter, decoded once. A slash or backslash in it makes the path ambiguous, whatever other
/// readings say.
fn parameter(value: &[u8]) -> Result<Vec<u8>, RequestError> {
    let decoded: Vec<u8> = value.iter().map(|byte| mark::meaning(*byte)).collect();
    match decoded.contains(&b'/') || decoded.contains(&b'\\') {
        true => Err(RequestError::AmbiguousPath),
        false => Ok(decoded),
    }
}

fn segment(path: &[u8], position: usize) -> Option<&[u8]> {
    body(path)?.split(|byte| *byte == b'/').nth(position)
}

fn text(value: &[u8]) -> String {
    match String::from_utf8_lossy(value) {
        Cow::Borrowed(text) => text.to_owned(),
        Cow::Owned(text) => text,
    }
}
