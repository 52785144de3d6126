//! The tests of one route: who passes, and what is refused. Each is tried before it is written.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::draft::{Draft, Seen, Sketch};
use super::refusals::Passing;
use super::search::{Found, HOURS, Route, ways};
use super::{Entry, InitError};

impl Route<'_> {
    /// The tests of this route.
    pub(super) fn entries(
        &self,
        policy: &Value,
        draft: &mut Draft<'_>,
        base: &Path,
    ) -> Result<Vec<Entry>, InitError> {
        let Some(found) = &self.passing else {
            return self.without_passing(policy, draft, base);
        };
        let name = match &found.who {
            None => format!("{}, anybody passes", self.id),
            Some((_, who)) => format!("{}, {} passes", self.id, who.words),
        };
        let sketch = found.sketch(draft, self.route, name);
        let mut entries = vec![Entry::Test(Box::new(sketch.clone()), json!({"allow": self.id}))];
        let Some((provider, who)) = found.who.clone() else {
            return Ok(entries);
        };
        let now = Found {
            advance: 0,
            ..found.clone()
        };
        let passing = Passing {
            policy,
            route: self.route,
            provider,
            who,
            sketch: now.sketch(draft, self.route, String::new()),
            below: found.below,
            method: found.method,
        };
        entries.extend(refused(&passing, found.asks_for_nonce, draft, base)?);
        if self.route.pointer("/access/windows").is_some() {
            entries.push(self.shut(found, draft, base)?);
        }
        Ok(entries)
    }

    /// Nobody was found who passes: what strangers are told, and what is missing.
    fn without_passing(
        &self,
        policy: &Value,
        draft: &mut Draft<'_>,
        base: &Path,
    ) -> Result<Vec<Entry>, InitError> {
        let became = match &self.first {
            Some(seen) => match (seen.refusal(), &seen.route) {
                (Some(code), _) => format!("the likeliest caller is refused with `{code}`"),
                (None, Some(other)) => format!("the likeliest request is one of `{other}`"),
                (None, None) => "the likeliest request passes".to_owned(),
            },
            None => "there is no caller to try".to_owned(),
        };
        let id = self.id;
        let gap =
            format!("{id}: nobody was found who passes: {became}. Write a request, and expect `allow: {id}`");
        let mut entries = vec![Entry::Gap(gap)];
        if let Some((provider, who)) = ways(policy, self.route).into_iter().find_map(|way| way.who) {
            let way = Found {
                who: Some((provider, who.clone())),
                method: "GET",
                ..Found::default()
            };
            let sketch = way.sketch(draft, self.route, String::new());
            let passing = Passing {
                policy,
                route: self.route,
                provider,
                who,
                sketch,
                below: "",
                method: "GET",
            };
            let refused = refused(&passing, false, draft, base)?;
            entries.extend(
                refused
                    .into_iter()
                    .filter(|entry| matches!(entry, Entry::Test(..))),
            );
        }
        Ok(entries)
    }

    /// The same request in the first hour in which the route is shut.
    fn shut(&self, found: &Found<'_>, draft: &mut Draft<'_>, base: &Path) -> Result<Entry, InitError> {
        let name = format!("{}, nobody at another hour", self.id);
        let mut scratch = draft.clone();
        let hours: Vec<u64> = (0..=HOURS).collect();
        let at = |advance: &u64| Found {
            advance: *advance,
            ..found.clone()
        };
        let sketches: Vec<Sketch> = hours
            .iter()
            .map(|hour| at(hour).sketch(&mut scratch, self.route, name.clone()))
            .collect();
        let seen = scratch.seen(&sketches, base)?;
        let shut = hours
            .iter()
            .zip(&seen)
            .find(|(_, seen)| seen.refusal() == Some("outside_window"));
        Ok(match shut {
            Some((hour, seen)) => Entry::Test(
                Box::new(at(hour).sketch(draft, self.route, name)),
                seen.expectation(),
            ),
            None => Entry::Gap(format!(
                "{}: in the week from now there is no hour at which it is shut",
                self.id
            )),
        })
    }
}

/// What is refused as it should be. A rule may be found by several callers; the first is written.
fn refused(
    passing: &Passing<'_>,
    asks_for_nonce: bool,
    draft: &mut Draft<'_>,
    base: &Path,
) -> Result<Vec<Entry>, InitError> {
    let refusals = passing.refusals(draft);
    let plain: Vec<Sketch> = refusals.iter().map(|it| it.sketch.clone()).collect();
    let with_nonce = |sketch: &Sketch| Sketch {
        asks_for_nonce: sketch.credential.proof.is_some(),
        ..sketch.clone()
    };
    let patient: Vec<Sketch> = match asks_for_nonce {
        true => plain.iter().map(with_nonce).collect(),
        false => Vec::new(),
    };
    let seen = draft.seen(&plain, base)?;
    let seen_patient = draft.seen(&patient, base)?;
    let mut entries = Vec::new();
    let mut written: BTreeMap<&[&str], bool> = BTreeMap::new();
    for (at, refusal) in refusals.iter().enumerate() {
        let ways = [
            (plain.get(at), seen.get(at)),
            (patient.get(at), seen_patient.get(at)),
        ];
        let fits = |seen: &Seen| seen.refusal().is_some_and(|code| refusal.codes.contains(&code));
        let way = ways
            .into_iter()
            .find_map(|(sketch, seen)| Some((sketch?, seen.filter(|seen| fits(seen))?)));
        let is_written = written.entry(refusal.codes).or_default();
        // Several keys may lack a scope; one is enough. Other rules are tried once.
        let is_one_of_many = refusal.codes == ["scope_missing"] && passing.who.api_key.is_some();
        match way {
            Some(_) if is_one_of_many && *is_written => {}
            Some((sketch, seen)) => {
                *is_written = true;
                entries.push(Entry::Test(Box::new(sketch.clone()), seen.expectation()));
            }
            None if is_one_of_many => {}
            None => {
                let seen = seen.get(at).and_then(Seen::refusal).unwrap_or("nothing at all");
                let gap = format!(
                    "{}: refused with {seen} where that was tried; look into it",
                    refusal.sketch.name
                );
                entries.push(Entry::Gap(gap));
            }
        }
    }
    Ok(entries)
}
