//! Keys that are fetched, in a real Envoy with two workers: how often they are asked for, who waits for them, what
//! becomes of them while their server fails, and how a rotation reaches everybody. One Envoy has a listener, a
//! provider and a path on the key server for each of these, so that they run side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::thread;
use std::time::Duration;

use scopegate_e2e::client::Answer;
use scopegate_e2e::envoy::Envoy;
use scopegate_e2e::envoy::bootstrap::{Clusters, Listener, bootstrap_with, plugin};
use scopegate_e2e::key_server::{Document, KeyServer, Mode};
use scopegate_e2e::mint::Mint;
use scopegate_e2e::upstream::Upstream;
use scopegate_e2e::wait;
use scopegate_harness::keys::{Algorithm, Key};
use serde_json::{Value, json};

use crate::common::{bearer, send};
use crate::workers::{Said, WORKERS, everywhere, passes, refuses, said, stat};

/// The least `refresh` that a policy may name, so that these tests are soon over.
const SOON: &str = "5s";
const LATE: &str = "10m";

/// Between two fetches that unknown key ids provoke.
const MINUTE: Duration = Duration::from_secs(60);

const PATH: &str = "/things";
const CALLERS: usize = 6;

/// Every way in which a server answers with no keys, under the name of its listener.
fn faults(elsewhere: &str) -> [(&'static str, Mode); 10] {
    [
        ("error", Mode::Status(500)),
        ("garbage", Mode::Garbage),
        ("html", Mode::WrongContentType),
        ("truncated", Mode::Truncated),
        ("half", Mode::HalfJson),
        ("empty", Mode::Empty),
        ("redirect", Mode::Redirect(elsewhere.to_owned())),
        ("huge", Mode::Oversize),
        ("reset", Mode::Reset),
        ("silent", Mode::Hang),
    ]
}

#[test]
fn fetched_keys_arrive_once_outlast_their_server_and_follow_it() {
    let Some(world) = World::start("fetched_keys_arrive_once_outlast_their_server_and_follow_it") else {
        return;
    };
    let world = &world;
    // What depends on there being no keys yet comes first.
    requests_before_the_first_keys_are_held_and_then_pass(world);
    thread::scope(|scope| {
        let run = |name: &str, part: fn(&World)| {
            let named = thread::Builder::new().name(name.to_owned());
            named.spawn_scoped(scope, move || part(world)).unwrap();
        };
        run("never", requests_are_told_of_an_outage_where_keys_never_come);
        run(
            "steady",
            unknown_key_ids_cost_one_fetch_a_minute_and_find_new_keys,
        );
        run("rotating", a_rotation_reaches_every_worker);
        run("down", keys_in_hand_outlast_a_server_that_is_down);
        run("faults", keys_in_hand_outlast_every_wrong_answer);
    });
}

fn requests_before_the_first_keys_are_held_and_then_pass(world: &World) {
    let token = world.provider("early").token("early-1");
    world.keys.wait_for("/early", 1).unwrap();
    let answers: Vec<Said> = thread::scope(|scope| {
        let ask = || scope.spawn(|| said(&world.ask("early", &token)));
        let callers: Vec<_> = (0..CALLERS).map(|_| ask()).collect();
        let held = || {
            let active = stat(&world.envoy, "http.early.downstream_rq_active");
            (active == CALLERS as u64).then_some(())
        };
        wait::until("requests that are held", held).unwrap();
        world.keys.set_mode("/early", Mode::Up);
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    assert_eq!(BTreeSet::from_iter(answers), passes());
    assert_eq!(world.keys.count("/early"), 1);
}

fn requests_are_told_of_an_outage_where_keys_never_come(world: &World) {
    let token = world.provider("never").token("never-1");
    let answer = world.ask("never", &token);
    assert_eq!(said(&answer), (503, "keys_unavailable".to_owned()));
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    let foreign = world.provider("steady").token("steady-1");
    assert_eq!(
        world.ask("never", &foreign).status,
        401,
        "the token of another issuer"
    );
}

fn unknown_key_ids_cost_one_fetch_a_minute_and_find_new_keys(world: &World) {
    let provider = world.provider("steady");
    let token = provider.token("steady-1");
    assert_eq!(world.everywhere("steady", &token), passes());
    assert_eq!(world.keys.count("/steady"), 1, "one fetch for the whole process");

    let flood = |rounds: usize| {
        for round in 0..rounds {
            let unknown = provider.forged(&format!("unknown-{round}"));
            let refused = refuses(401, "key_not_found");
            assert_eq!(world.everywhere("steady", &unknown), refused, "{round}");
            assert_eq!(world.everywhere("steady", &token), passes(), "{round}");
        }
    };
    flood(5);
    let began = world.keys.wait_for("/steady", 1).unwrap()[0].at;
    if wait::now().duration_since(began) < MINUTE {
        assert_eq!(world.keys.count("/steady"), 1, "within the first minute");
    }

    world.serve(&world.keys, "steady", &["steady-1", "steady-2"]);
    let over = || (wait::now().duration_since(began) > MINUTE).then_some(());
    let minute = (0..3).any(|_| wait::until("the end of the minute", over).is_ok());
    assert!(minute);
    let new = provider.token("steady-2");
    wait::until("the new key", || {
        (world.ask("steady", &new).status == 200).then_some(())
    })
    .unwrap();
    assert_eq!(world.everywhere("steady", &new), passes());
    flood(5);
    assert_eq!(world.keys.count("/steady"), 2, "one more fetch, and no other");
}

fn a_rotation_reaches_every_worker(world: &World) {
    let provider = world.provider("rotating");
    let (old, new) = (provider.token("rotating-1"), provider.token("rotating-2"));
    let unknown = refuses(401, "key_not_found");
    assert_eq!(world.everywhere("rotating", &old), passes());
    assert_eq!(world.everywhere("rotating", &new), unknown);
    for (kid, token, other) in [("rotating-2", &new, &old), ("rotating-1", &old, &new)] {
        world.serve(&world.keys, "rotating", &[kid]);
        world.until("rotating", token, &passes());
        world.until("rotating", other, &unknown);
        assert_eq!(world.everywhere("rotating", token), passes(), "{kid}");
    }
}

fn keys_in_hand_outlast_a_server_that_is_down(world: &World) {
    let provider = world.provider("down");
    let (old, new) = (provider.token("down-1"), provider.token("down-2"));
    assert_eq!(world.everywhere("down", &old), passes());
    world.other.refuse().unwrap();
    world.refused("down", 2);
    assert_eq!(world.everywhere("down", &old), passes());
    world.serve(&world.other, "down", &["down-2"]);
    world.other.listen().unwrap();
    world.until("down", &new, &passes());
    world.until("down", &old, &refuses(401, "key_not_found"));
}

fn keys_in_hand_outlast_every_wrong_answer(world: &World) {
    let faults = faults("/elsewhere");
    let token = |name: &str, number: u32| world.provider(name).token(&format!("{name}-{number}"));
    for (name, mode) in &faults {
        assert_eq!(world.everywhere(name, &token(name, 1)), passes(), "{name}");
        // From now on there is another key, which nobody is told properly.
        world.serve(&world.keys, name, &[&format!("{name}-2")]);
        world.keys.set_mode(&format!("/{name}"), mode.clone());
    }
    for (name, _) in &faults {
        world.refused(name, 1);
        assert_eq!(world.everywhere(name, &token(name, 1)), passes(), "{name}");
        assert_eq!(
            world.everywhere(name, &token(name, 2)),
            refuses(401, "key_not_found"),
            "{name}"
        );
    }
    assert_eq!(world.keys.count("/elsewhere"), 0, "no redirect is followed");
    for (name, _) in &faults {
        world.keys.set_mode(&format!("/{name}"), Mode::Up);
    }
    for (name, _) in &faults {
        world.until(name, &token(name, 2), &passes());
        world.until(name, &token(name, 1), &refuses(401, "key_not_found"));
    }
}

/// An Envoy with a listener for each provider, and the servers of their keys.
struct World {
    envoy: Envoy,
    keys: KeyServer,
    /// One that is taken down.
    other: KeyServer,
    providers: BTreeMap<&'static str, Provider>,
    _upstream: Upstream,
}

impl World {
    fn start(test: &str) -> Option<Self> {
        let program = crate::common::envoy(test)?;
        let (keys, other) = (KeyServer::start().unwrap(), KeyServer::start().unwrap());
        let upstream = Upstream::start().unwrap();
        let near = ["early", "never", "rotating", "down"].map(|name| (name, SOON));
        let faulty = faults("").map(|(name, _)| (name, SOON));
        let named = near.into_iter().chain(faulty).chain([("steady", LATE)]);
        let providers: BTreeMap<_, _> = named
            .map(|(name, refresh)| (name, Provider::new(name, refresh)))
            .collect();
        let listener = |(name, provider): (&&str, &Provider)| {
            let policy = provider.policy.to_string();
            let module = crate::common::module();
            Listener::new(name, vec![plugin(&module, &policy, &BTreeMap::new())])
        };
        let listeners: Vec<_> = providers.iter().map(listener).collect();
        let clusters = [
            ("idp".to_owned(), keys.address()),
            ("idp-of-down".to_owned(), other.address()),
        ];
        keys.set_mode("/early", Mode::Withheld);
        keys.set_mode("/never", Mode::Hang);
        let bootstrap = bootstrap_with(&listeners, upstream.address(), &Clusters::from(clusters));
        for (name, provider) in &providers {
            let server = if *name == "down" { &other } else { &keys };
            server.serve(&format!("/{name}"), provider.document(&[&format!("{name}-1")]));
        }
        let envoy = Envoy::start_with_workers(&program, &bootstrap, Path::new("."), &[], WORKERS).unwrap();
        Some(Self {
            envoy,
            keys,
            other,
            providers,
            _upstream: upstream,
        })
    }

    fn provider(&self, name: &str) -> &Provider {
        &self.providers[name]
    }

    /// Serves these keys of the provider in place of those before.
    fn serve(&self, server: &KeyServer, name: &str, kids: &[&str]) {
        server.serve(&format!("/{name}"), self.provider(name).document(kids));
    }

    fn ask(&self, listener: &str, token: &str) -> Answer {
        let address = self.envoy.listener(listener).unwrap();
        send(address, "GET", PATH, &[bearer(token)])
    }

    fn everywhere(&self, listener: &str, token: &str) -> BTreeSet<Said> {
        everywhere(&self.envoy, listener, |address| {
            send(address, "GET", PATH, &[bearer(token)])
        })
    }

    /// Waits until every worker says this of the token.
    fn until(&self, listener: &str, token: &str, expected: &BTreeSet<Said>) {
        let what = format!("{expected:?} at `{listener}`");
        let told = || (self.everywhere(listener, token) == *expected).then_some(());
        wait::until(&what, told).unwrap();
    }

    /// Waits until that many answers to fetches of the provider's keys were refused.
    fn refused(&self, name: &str, count: u64) {
        let counter = format!("wasmcustom.scopegate.fetch.keys.{name}.refused");
        let what = format!("{count} refused answers for `{name}`");
        let refused = || (stat(&self.envoy, &counter) >= count).then_some(());
        wait::until(&what, refused).unwrap();
    }
}

/// A provider of its own policy, with two keys.
struct Provider {
    name: &'static str,
    policy: Value,
    keys: [Key; 2],
}

impl Provider {
    fn new(name: &'static str, refresh: &str) -> Self {
        let upstream = if name == "down" { "idp-of-down" } else { "idp" };
        let key = |number: u32| Key::generate(Algorithm::ES256, format!("{name}-{number}")).unwrap();
        let policy = json!({
            "scopegate": "v1",
            "metadata": {"name": name, "version": "1.0.0", "owner": "team-test"},
            "authentication": {"realm": name, "providers": [{
                "name": name, "type": "jwt",
                "issuer": format!("https://idp.example.com/{name}"),
                "audiences": ["https://api.example.com"],
                "algorithms": ["ES256"],
                "keys": {
                    "jwks_uri": format!("https://idp.example.com/{name}"),
                    "upstream": upstream, "refresh": refresh,
                },
            }]},
            "authorization": {
                "scopes": {"things:read": "Read"},
                "routes": [{
                    "id": "things", "match": {"methods": ["GET"], "path": PATH},
                    "access": {"scopes": {"all": ["things:read"]}},
                }],
            },
        });
        Self {
            name,
            policy,
            keys: [key(1), key(2)],
        }
    }

    fn document(&self, kids: &[&str]) -> Document {
        let keys = kids.iter().map(|kid| self.key(kid).jwk("sig"));
        Document::jwks(&keys.collect::<Vec<_>>())
    }

    fn key(&self, kid: &str) -> &Key {
        self.keys.iter().find(|key| key.kid == kid).unwrap()
    }

    fn token(&self, kid: &str) -> String {
        self.signed(self.key(kid).clone())
    }

    /// A token signed with a key that nobody knows, under this name.
    fn forged(&self, kid: &str) -> String {
        self.signed(Key::generate(Algorithm::ES256, kid).unwrap())
    }

    fn signed(&self, key: Key) -> String {
        let mint = Mint::with_key(&self.policy, self.name, key).unwrap();
        let claims = json!({"sub": "anna", "scope": "things:read"});
        mint.token(Algorithm::ES256, &claims).unwrap()
    }
}
