//! Keys that rotate while requests are under way: what is published when, who signs, and how long nobody can say yet
//! which set the proxy goes by.

use std::collections::BTreeMap;
use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use scopegate_harness::keys::{Algorithm, Key};
use serde_json::{Value, json};

use super::super::BenchError;
use super::super::policies::PROVIDER;
use super::sender::lasting;
use crate::key_server::{Document, KeyServer};
use crate::mint::{Mint, MintError};
use crate::wait;

/// Where the plugin and Envoy's own filter find the keys: each in a place of its own, so that it shows who asked.
pub(super) const PATHS: [&str; 2] = ["/jwks", "/native/jwks"];

/// The first step: there are keys of before already, one of them retired.
const FIRST: usize = 2;

/// Tokens of each generation that are sent again and again.
const POOL: usize = 256;

/// One key, and tokens that it signed.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) number: usize,
    pub(super) algorithm: Algorithm,
    pub(super) mint: Mint,
    jwk: Value,
    /// Tokens that come back, and the subject of each.
    pool: Vec<(String, String)>,
}

/// The keys of a key server, which change step by step.
///
/// At each step the keys of three generations are published: the one that signs, the one before, and the next.
#[derive(Debug)]
pub(super) struct Rotation {
    server: KeyServer,
    policy: Value,
    /// Twice the step; one more while it is not known whether the proxy goes by this step or the next.
    moment: AtomicUsize,
    generations: Mutex<BTreeMap<usize, Arc<Generation>>>,
    /// How long each change took.
    changes: Mutex<Vec<Duration>>,
}

/// The steps by which the proxy may have gone between two moments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(usize);

impl Rotation {
    /// The first keys, served.
    pub(super) fn start(server: KeyServer, policy: Value) -> Result<Self, BenchError> {
        let rotation = Self {
            server,
            policy,
            moment: AtomicUsize::new(FIRST.saturating_mul(2)),
            generations: Mutex::default(),
            changes: Mutex::default(),
        };
        for number in 0..=FIRST.saturating_add(2) {
            rotation.add(number)?;
        }
        rotation.publish(FIRST);
        Ok(rotation)
    }

    pub(super) fn now(&self) -> Moment {
        Moment(self.moment.load(Ordering::SeqCst))
    }

    /// The steps by which the proxy may have gone since `then`.
    pub(super) fn since(&self, then: Moment) -> RangeInclusive<usize> {
        let now = self.now().0;
        then.0 / 2..=now.saturating_add(1) / 2
    }

    /// Whether a key is published at a step.
    pub(super) const fn publishes(step: usize, generation: usize) -> bool {
        generation.saturating_add(1) >= step && generation <= step.saturating_add(1)
    }

    /// The generation that signs, or one so many before or after it: from 2 before to 2 after.
    pub(super) fn generation(&self, away: isize) -> Result<Arc<Generation>, MintError> {
        let step = self.now().0 / 2;
        let number = step.saturating_add_signed(away);
        let known = self.generations().get(&number).map(Arc::clone);
        known.ok_or_else(|| MintError::NoProvider(format!("{PROVIDER}, generation {number}")))
    }

    /// Goes on to the next step, and waits until the proxy has taken it over: once it asks for the second time, it has
    /// dealt with the answer to the first.
    pub(super) fn advance(&self) -> Result<(), BenchError> {
        let next = (self.now().0 / 2).saturating_add(1);
        self.add(next.saturating_add(2))?;
        let begun = wait::now();
        self.moment.fetch_add(1, Ordering::SeqCst);
        self.publish(next);
        let before = PATHS.map(|path| self.server.count(path));
        wait::until("the second fetch of the new keys", || {
            let taken = |(path, before): (&str, usize)| self.server.count(path) >= before.saturating_add(2);
            PATHS.into_iter().zip(before).all(taken).then_some(())
        })
        .map_err(io::Error::other)?;
        self.moment.fetch_add(1, Ordering::SeqCst);
        let took = wait::now().saturating_duration_since(begun);
        lock(&self.changes).push(took);
        self.generations()
            .retain(|number, _| number.saturating_add(4) > next);
        Ok(())
    }

    /// How long it took each time until the proxy had taken over the new keys.
    pub(super) fn changes(&self) -> Vec<Duration> {
        lock(&self.changes).clone()
    }

    /// How often the plugin, and Envoy's own filter, asked for the keys.
    pub(super) fn fetches(&self) -> [usize; 2] {
        PATHS.map(|path| self.server.count(path))
    }

    fn add(&self, number: usize) -> Result<(), MintError> {
        let generation = Generation::new(&self.policy, number)?;
        self.generations().insert(number, Arc::new(generation));
        Ok(())
    }

    fn publish(&self, step: usize) {
        let generations = self.generations();
        let published = generations
            .values()
            .filter(|generation| Self::publishes(step, generation.number));
        let keys: Vec<Value> = published.map(|generation| generation.jwk.clone()).collect();
        let document = Document::jwks(&keys).etag(&step.to_string());
        for path in PATHS {
            self.server.serve(path, document.clone());
        }
    }

    fn generations(&self) -> MutexGuard<'_, BTreeMap<usize, Arc<Generation>>> {
        lock(&self.generations)
    }
}

impl Generation {
    fn new(policy: &Value, number: usize) -> Result<Self, MintError> {
        let algorithm = match number % 2 {
            0 => Algorithm::ES256,
            _ => Algorithm::EdDSA,
        };
        let key = Key::generate(algorithm, format!("generation-{number}"))?;
        let jwk = key.jwk("sig");
        let mint = Mint::with_key(policy, PROVIDER, key)?;
        let one = |place: usize| {
            let subject = format!("anna-{number}-{place}");
            let token = mint.spoiled(algorithm, &claims(&subject), lasting())?;
            Ok::<_, MintError>((token, subject))
        };
        let pool = (0..POOL).map(one).collect::<Result<_, _>>()?;
        Ok(Self {
            number,
            algorithm,
            mint,
            jwk,
            pool,
        })
    }

    /// One of the tokens that come back, and its subject.
    pub(super) fn known(&self, number: usize) -> Option<&(String, String)> {
        self.pool.get(number % POOL)
    }
}

/// What a good token says.
pub(super) fn claims(subject: &str) -> Value {
    json!({
        "sub": subject, "scope": "orders:read orders:write", "tid": "acme", "client_id": "web",
        "name": "Anna Example", "email": "anna@example.com", "groups": ["staff", "orders", "warehouse"],
    })
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::Rotation;

    #[test]
    fn a_key_is_published_one_step_before_it_signs_and_one_after() {
        let published: Vec<usize> = (0..10).filter(|step| Rotation::publishes(*step, 4)).collect();
        assert_eq!(published, [3, 4, 5]);
    }
}
