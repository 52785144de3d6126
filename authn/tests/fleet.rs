//! What a fleet of proxies does to a key server: a simulation with the schedule that the plugin keeps, second by second
//! of a virtual clock. Its figures are those of `docs/fleet.md`; `SCOPEGATE_BLESS=1` writes them there anew.
#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use scopegate_authn::remote::Schedule;
use scopegate_document::UnixTime;

const PROXIES: u64 = 10_000;
const START: UnixTime = UnixTime(1_795_338_000);
const HOUR: i64 = 3_600;
/// What an answer weighs: a key set of four keys with its headers, and `304 Not Modified`.
const WHOLE_BYTES: u64 = 2_600;
const UNCHANGED_BYTES: u64 = 300;

/// What happens to the fleet. Times are seconds after its start.
#[derive(Clone, Copy)]
struct Scenario {
    name: &'static str,
    refresh: i64,
    /// The proxies start within so many seconds.
    spread: i64,
    /// The key server is silent from here to there.
    outage: Option<(i64, i64)>,
    /// From here on callers show a key id that nobody knows, and each proxy sees it within so many seconds.
    rotation: Option<(i64, i64)>,
    /// Whether what they show goes on being unknown, whatever is fetched.
    is_flood: bool,
    /// The part of the time that is counted.
    counted: (i64, i64),
}

const CALM: Scenario = Scenario {
    name: "steady, `refresh: 5m`",
    refresh: 300,
    spread: 60,
    outage: None,
    rotation: None,
    is_flood: false,
    counted: (HOUR, 3 * HOUR),
};

const SCENARIOS: [Scenario; 9] = [
    CALM,
    Scenario {
        name: "steady, `refresh: 1h`",
        refresh: HOUR,
        counted: (12 * HOUR, 24 * HOUR),
        ..CALM
    },
    Scenario {
        name: "all start in one second",
        spread: 1,
        counted: (0, 60),
        ..CALM
    },
    Scenario {
        name: "the same, three hours later",
        spread: 1,
        counted: (3 * HOUR, 4 * HOUR),
        ..CALM
    },
    Scenario {
        name: "an hour without the key server, keys in hand",
        outage: Some((HOUR, 2 * HOUR)),
        counted: (HOUR + 300, 2 * HOUR),
        ..CALM
    },
    Scenario {
        name: "its return",
        outage: Some((HOUR, 2 * HOUR)),
        counted: (2 * HOUR, 2 * HOUR + 300),
        ..CALM
    },
    Scenario {
        name: "a start without the key server",
        outage: Some((0, HOUR)),
        counted: (0, HOUR),
        ..CALM
    },
    Scenario {
        name: "a new key at once everywhere, unannounced",
        rotation: Some((2 * HOUR, 10)),
        counted: (2 * HOUR, 2 * HOUR + 70),
        ..CALM
    },
    Scenario {
        name: "a flood of unknown key ids at every proxy",
        rotation: Some((2 * HOUR, 10)),
        is_flood: true,
        counted: (2 * HOUR + 120, 2 * HOUR + 720),
        ..CALM
    },
];

/// A number that differs from proxy to proxy and from time to time, and is the same in every run.
fn chance(proxy: u64, at: i64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (proxy, at).hash(&mut hasher);
    hasher.finish()
}

/// A number below `bound`, by chance.
fn within(bound: i64, proxy: u64, salt: i64) -> i64 {
    i64::try_from(chance(proxy, salt) % u64::try_from(bound.max(1)).unwrap()).unwrap()
}

/// How many requests reached the server in each second, and what it sent.
fn simulate(scenario: &Scenario) -> (BTreeMap<i64, u64>, u64) {
    let mut queue = BinaryHeap::new();
    for proxy in 0..PROXIES {
        queue.push(Reverse((within(scenario.spread, proxy, -1), proxy, false)));
        if let Some((at, seen_within)) = scenario.rotation {
            queue.push(Reverse((at + within(seen_within, proxy, -2), proxy, true)));
        }
    }
    let mut schedules = vec![Schedule::default(); usize::try_from(PROXIES).unwrap()];
    let (mut seconds, mut bytes) = (BTreeMap::new(), 0);
    while let Some(Reverse((second, proxy, is_wanted))) = queue.pop() {
        if second >= scenario.counted.1 {
            break;
        }
        let now = START.plus(second);
        let schedule = schedules.get_mut(usize::try_from(proxy).unwrap()).unwrap();
        let begins = schedule.should_begin(is_wanted, now);
        if is_wanted && (!begins || scenario.is_flood) {
            queue.push(Reverse((second + 1, proxy, true)));
        }
        if !begins {
            continue;
        }
        let is_out = scenario
            .outage
            .is_some_and(|(from, to)| (from..to).contains(&second));
        let is_first = schedule.version == 0;
        let luck = chance(proxy, second);
        *schedule = match is_out {
            true => schedule.begun(now).failed(scenario.refresh, luck, now),
            false => schedule.begun(now).succeeded(1, scenario.refresh, luck, now),
        };
        queue.push(Reverse((
            schedule.due_at.since(START).max(second + 1),
            proxy,
            false,
        )));
        if second >= scenario.counted.0 {
            *seconds.entry(second).or_default() += 1;
            let is_changed = is_first || (is_wanted && !scenario.is_flood);
            bytes += match (is_out, is_changed) {
                (true, _) => 0,
                (false, true) => WHOLE_BYTES,
                (false, false) => UNCHANGED_BYTES,
            };
        }
    }
    (seconds, bytes)
}

/// The table of `docs/fleet.md`.
fn table() -> String {
    let mut text = String::from(
        "| what happens | requests a second, mean | in the busiest second | KB a second, mean |\n|---|--:|--:|--:|\n",
    );
    for scenario in &SCENARIOS {
        let (seconds, bytes) = simulate(scenario);
        let length = scenario.counted.1 - scenario.counted.0;
        let total: u64 = seconds.values().sum();
        let busiest = seconds.values().max().copied().unwrap_or_default();
        let mean = |value: u64| value as f64 / length as f64;
        writeln!(
            text,
            "| {} | {:.0} | {busiest} | {:.1} |",
            scenario.name,
            mean(total),
            mean(bytes) / 1_000.0
        )
        .unwrap();
    }
    text
}

#[test]
fn the_figures_of_the_page_are_those_of_the_simulation() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/fleet.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once("<!-- simulated -->\n").unwrap();
    let (old, after) = rest.split_once("<!-- end -->\n").unwrap();
    let new = table();
    if std::env::var_os("SCOPEGATE_BLESS").is_some() {
        fs::write(
            &page,
            format!("{before}<!-- simulated -->\n{new}<!-- end -->\n{after}"),
        )
        .unwrap();
        return;
    }
    assert_eq!(old, new, "`SCOPEGATE_BLESS=1` writes the table anew");
}

#[test]
fn a_fleet_that_started_together_drifts_apart() {
    let together = Scenario {
        spread: 1,
        ..SCENARIOS[0]
    };
    let busiest = |counted| {
        let (seconds, _) = simulate(&Scenario { counted, ..together });
        seconds.values().max().copied().unwrap_or_default()
    };
    assert_eq!(busiest((0, 1)), PROXIES);
    assert!(busiest((0, HOUR)) > 5 * busiest((3 * HOUR, 4 * HOUR)));
}
