//! One route for one request: every reading of its path must select it, with the same parameters.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::compile::routes::{CompiledRoute, Routes, fold};
use crate::decision::RequestError;
use crate::group::{Group, Shown};
use crate::host::Authority;
use crate::path::{Path, mark};
use crate::query::Unclear;
use crate::request::Understood;
use crate::router::{RouteIndex, Router, body};
use crate::section::CorsPreflight;

/// A selected route.
#[derive(Debug)]
pub(crate) struct Selection<'a> {
    pub(crate) route: &'a CompiledRoute,
    /// The segment of the path that the route binds to the caller's tenant.
    pub(crate) tenant: Option<String>,
    /// What the expression of the route may read; nothing unless it has one.
    pub(crate) gathered: Gathered<'a>,
    /// Whether the request is a preflight, about this route.
    pub(crate) is_preflight: bool,
}

/// What an expression may read of a request that was understood.
#[derive(Debug, Default)]
pub(crate) struct Gathered<'a> {
    pub(crate) method: String,
    /// Without its port, in lower case.
    pub(crate) host: Option<String>,
    /// Decoded once; nothing where it can be read in several ways.
    pub(crate) path: Option<String>,
    /// The parameters of the path, decoded once, in their order.
    pub(crate) parameters: Vec<(&'a str, String)>,
}

/// What one reading of a path selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// A route; and whether the request is a preflight about it.
    Route { route: RouteIndex, is_preflight: bool },
    /// None can be chosen: an upstream could read otherwise what the routes match on.
    Unclear,
}

/// The parameters of a path, decoded once: the index of the segment, and its value.
type Parameters = Vec<(usize, Vec<u8>)>;

/// What selects a route, but for the path.
struct Question<'q> {
    authority: Option<&'q Authority<'q>>,
    shown: Shown<'q>,
    /// The method a preflight asks about, where preflights pass.
    preflight: Option<&'q str>,
}

/// What groups of routes have answered to one question. Readings of a path mostly lead to one group; it is asked
/// once, however many there are.
#[derive(Default)]
struct Asked<'a>(SmallVec<[(&'a Group, Option<Choice>); 1]>);

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
            headers,
            query,
        } = request;
        let question = Question {
            authority: authority.as_ref(),
            shown: Shown {
                method,
                headers,
                query,
            },
            preflight: preflight.filter(|_| cors_preflight == CorsPreflight::Pass),
        };
        let mut asked = Asked::default();
        match path {
            // No pattern is about the server as a whole.
            None => Ok(None),
            Some(Path::Plain(path)) => {
                let choice = self.choose(&question, &mut asked, path)?;
                let only = || Some(text(without_slash(path)));
                self.selection(
                    choice,
                    &question,
                    (|position| segment(path, position).map(text), only),
                )
            }
            Some(Path::Decoded(path)) => {
                let read = |reading: &[u8]| self.choose_with_parameters(&question, &mut asked, reading);
                let whole = self.reads_paths.then(|| path.clone());
                let (choice, parameters) = self.readings.agree(path, read)?;
                let value = |position| {
                    let value = parameters.iter().find(|(at, _)| *at == position);
                    value.map(|(_, value)| text(value))
                };
                let only = || {
                    let texts = self.readings.agree(whole?, |reading| Ok(meaning(reading)));
                    texts.ok().flatten()
                };
                self.selection(choice, &question, (value, only))
            }
        }
    }

    fn selection(
        &self,
        choice: Option<Choice>,
        question: &Question<'_>,
        (value, path): (impl Fn(usize) -> Option<String>, impl FnOnce() -> Option<String>),
    ) -> Result<Option<Selection<'_>>, RequestError> {
        let (route, is_preflight) = match choice {
            None => return Ok(None),
            Some(Choice::Unclear) => return Err(RequestError::MalformedRequest),
            Some(Choice::Route { route, is_preflight }) => (self.routes.get(route), is_preflight),
        };
        let Some(route) = route else { return Ok(None) };
        let guard = route.guard.as_ref().filter(|_| !is_preflight);
        let tenant = guard.and_then(|guard| guard.tenant).and_then(&value);
        // An upstream that folds serves another tenant than the one that is written here.
        let folds = |value: &String| self.readings.folds && fold(value) != *value;
        if tenant.as_ref().is_some_and(folds) {
            return Err(RequestError::AmbiguousPath);
        }
        let gathered = match guard.is_some_and(|guard| guard.when.is_some()) {
            true => Gathered {
                method: question.shown.method.to_owned(),
                host: question
                    .authority
                    .map(|authority| authority.host.clone().into_owned()),
                path: path().filter(|path| !self.readings.folds || fold(path) == *path),
                parameters: route
                    .pattern
                    .positions()
                    .filter_map(|(position, name)| Some((name, value(position)?)))
                    .collect(),
            },
            false => Gathered::default(),
        };
        // And it serves another parameter than the one that an expression would be asked about.
        let when = guard.and_then(|guard| guard.when.as_ref());
        let reads_parameters = when.is_some_and(|when| when.reads().parameters);
        if reads_parameters && gathered.parameters.iter().any(|(_, value)| folds(value)) {
            return Err(RequestError::AmbiguousPath);
        }
        Ok(Some(Selection {
            route,
            tenant,
            gathered,
            is_preflight,
        }))
    }

    /// The route for one reading of the path, and for its folded reading where the upstream may fold.
    fn choose<'a>(
        &'a self,
        question: &Question<'_>,
        asked: &mut Asked<'a>,
        path: &[u8],
    ) -> Result<Option<Choice>, RequestError> {
        let choice = question.ask(&self.router, asked, path);
        let Some(folded) = &self.folded else {
            return Ok(choice);
        };
        let path = fold(&String::from_utf8_lossy(path));
        match question.ask(folded, asked, path.as_bytes()) == choice {
            true => Ok(choice),
            false => Err(RequestError::AmbiguousPath),
        }
    }

    /// The route for one reading of the path, and the parameters of it by position.
    fn choose_with_parameters<'a>(
        &'a self,
        question: &Question<'_>,
        asked: &mut Asked<'a>,
        reading: &[u8],
    ) -> Result<(Option<Choice>, Parameters), RequestError> {
        let choice = self.choose(question, asked, reading)?;
        let Some(Choice::Route { route, .. }) = choice else {
            return Ok((choice, Parameters::new()));
        };
        let positions = self.routes.get(route).map(|route| route.pattern.positions());
        let values = positions.into_iter().flatten().map(|(position, _)| {
            let value = segment(reading, position).unwrap_or_default();
            self.readings.parameter(value).map(|value| (position, value))
        });
        Ok((choice, values.collect::<Result<_, _>>()?))
    }
}

impl Question<'_> {
    fn ask<'a>(&self, router: &'a Router, asked: &mut Asked<'a>, path: &[u8]) -> Option<Choice> {
        let group = router.find(self.authority, path)?;
        let Asked(answers) = asked;
        let answered = answers.iter().find(|(other, _)| std::ptr::eq(*other, group));
        if let Some((_, choice)) = answered {
            return *choice;
        }
        let choice = self.ask_group(group).unwrap_or(Some(Choice::Unclear));
        answers.push((group, choice));
        choice
    }

    fn ask_group(&self, group: &Group) -> Result<Option<Choice>, Unclear> {
        if let Some(route) = group.select(self.shown)? {
            let is_preflight = false;
            return Ok(Some(Choice::Route { route, is_preflight }));
        }
        let Some(method) = self.preflight else {
            return Ok(None);
        };
        let route = group.select_preflight(Shown { method, ..self.shown })?;
        let is_preflight = true;
        Ok(route.map(|route| Choice::Route { route, is_preflight }))
    }
}

fn segment(path: &[u8], position: usize) -> Option<&[u8]> {
    body(path)?.split(|byte| *byte == b'/').nth(position)
}

/// A reading as text, with what its marks stand for; nothing where an escaped slash would then read as another
/// path's.
fn meaning(reading: &[u8]) -> Option<String> {
    let is_slash = |byte: &u8| matches!(*byte, mark::SLASH | mark::BACKSLASH);
    let bytes: Vec<u8> = reading.iter().map(|byte| mark::meaning(*byte)).collect();
    (!reading.iter().any(is_slash)).then(|| text(without_slash(&bytes)))
}

/// A path without the one slash at its end that is ignored when routes are matched.
fn without_slash(path: &[u8]) -> &[u8] {
    match path.strip_suffix(b"/") {
        Some(rest) if !rest.is_empty() => rest,
        Some(_) | None => path,
    }
}

fn text(value: &[u8]) -> String {
    match String::from_utf8_lossy(value) {
        Cow::Borrowed(text) => text.to_owned(),
        Cow::Owned(text) => text,
    }
}

#[cfg(test)]
mod tests;
