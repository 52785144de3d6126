//! Upstreams on loan: answers by upstream and path, changed while the host runs, and an account of what was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::callout::{Answer, Callout, Script};

/// Upstreams that answer by a script. Clones share everything, so that a test changes and reads what hosts use.
///
/// ```
/// use scopegate_host_tests::{Answer, LocalUpstreams};
///
/// let upstreams = LocalUpstreams::default();
/// upstreams.on("idp", "/jwks", Answer::json(200, r#"{"keys":[]}"#));
/// assert_eq!(upstreams.count("idp", "/jwks"), 0);
/// ```
#[derive(Clone, Default)]
pub struct LocalUpstreams(Arc<Mutex<Scripts>>);

#[derive(Default)]
struct Scripts {
    names: BTreeSet<String>,
    answers: BTreeMap<(String, String), Script>,
    down: BTreeSet<String>,
    asked: Vec<Callout>,
}

/// What a path that has no answer is answered with.
const NO_SUCH_PATH: u16 = 404;

impl std::fmt::Debug for LocalUpstreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scripts = self.lock();
        f.debug_struct("LocalUpstreams")
            .field("names", &scripts.names)
            .field("asked", &scripts.asked.len())
            .finish_non_exhaustive()
    }
}

impl LocalUpstreams {
    /// From now on this upstream answers so at this path, whatever the method and the query. Other paths are 404.
    pub fn on(&self, upstream: &str, path: &str, answer: Answer) {
        self.script(upstream, path, move |_| answer.clone());
    }

    /// The same with an answer that looks at the question. It must not ask these upstreams itself.
    pub fn script(
        &self,
        upstream: &str,
        path: &str,
        script: impl FnMut(&Callout) -> Answer + Send + 'static,
    ) {
        let mut scripts = self.lock();
        scripts.names.insert(upstream.to_owned());
        scripts
            .answers
            .insert((upstream.to_owned(), path.to_owned()), Box::new(script));
    }

    /// A document with an entity tag: who asks with that tag is answered 304 (RFC 9110 section 13.1.2).
    pub fn document(&self, upstream: &str, path: &str, body: impl AsRef<[u8]>, etag: &str) {
        let (body, etag) = (body.as_ref().to_vec(), format!("\"{etag}\""));
        self.script(upstream, path, move |callout| {
            let unchanged = callout.header("if-none-match") == Some(etag.as_bytes());
            let answer = match unchanged {
                true => Answer::status(304),
                false => Answer::json(200, &body),
            };
            match answer {
                Answer::Response(response) => Answer::Response(response.header("etag", &etag)),
                other @ (Answer::Truncated(_) | Answer::Failure | Answer::Later | Answer::After(..)) => other,
            }
        });
    }

    /// From now on every connection to this upstream breaks, or none does.
    pub fn set_down(&self, upstream: &str, down: bool) {
        let mut scripts = self.lock();
        scripts.names.insert(upstream.to_owned());
        match down {
            true => scripts.down.insert(upstream.to_owned()),
            false => scripts.down.remove(upstream),
        };
    }

    /// Everything that was asked, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Callout> {
        self.lock().asked.clone()
    }

    /// What was asked of this upstream at this path, in order.
    #[must_use]
    pub fn asked_at(&self, upstream: &str, path: &str) -> Vec<Callout> {
        let mut asked = self.asked();
        asked.retain(|callout| callout.upstream == upstream && callout.path() == path);
        asked
    }

    /// How often this upstream was asked at this path.
    #[must_use]
    pub fn count(&self, upstream: &str, path: &str) -> usize {
        self.asked_at(upstream, path).len()
    }

    /// The answer of the upstream `name`; `None` where there is none of that name.
    pub(crate) fn answer(&self, name: &str, callout: &Callout) -> Option<Answer> {
        let mut scripts = self.lock();
        if !scripts.names.contains(name) {
            return None;
        }
        scripts.asked.push(callout.clone());
        if scripts.down.contains(name) {
            return Some(Answer::Failure);
        }
        let script = scripts.answers.get_mut(&(name.to_owned(), callout.path()));
        Some(script.map_or_else(|| Answer::status(NO_SUCH_PATH), |script| script(callout)))
    }

    fn lock(&self) -> MutexGuard<'_, Scripts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
