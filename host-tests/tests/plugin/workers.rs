//! Several workers of one process: they share what one of them fetched, none waits for a dead one, and where nothing
//! can be shared each looks after itself.

use scopegate_host_tests::{Answer, Clock, Faults, Host, HostBuilder, Profile, SharedData, Status};

use crate::common::{FAILURES, NOW, refused};
use crate::issuer::{Pair, Server, counted, decided, fetching, keys, pass, passed, started, step, worker};
use crate::nginx::{is_let_through, keeping, under_nginx};

fn pair() -> Pair {
    Pair::new("k1", "first")
}

fn rotated() -> Pair {
    Pair::new("k2", "second")
}

/// A process: a clock and shared data for all its workers.
struct Process {
    server: Server,
    clock: Clock,
    shared: SharedData,
}

impl Process {
    fn new(server: Server) -> Self {
        Self {
            server,
            clock: Clock::virtual_at(NOW),
            shared: SharedData::default(),
        }
    }

    fn builder(&self) -> HostBuilder {
        worker(&self.server)
            .clock(self.clock.clone())
            .shared_data(self.shared.clone())
    }

    fn worker(&self) -> Host {
        started(self.builder())
    }

    /// The keys of shared data that a worker writes, with what stands under them.
    fn written(&self) -> Vec<(String, Vec<u8>)> {
        let mut host = started(self.builder().trace());
        host.tick().unwrap();
        let calls = host.trace().into_iter();
        let mut names: Vec<String> = calls
            .filter(|call| {
                call.function == "proxy_get_shared_data" || call.function == "proxy_set_shared_data"
            })
            .map(|call| call.about)
            .collect();
        names.sort_unstable();
        names.dedup();
        let value = |name: String| Some((name.clone(), self.shared.get("", name.as_bytes())?.0));
        let written: Vec<_> = names.into_iter().filter_map(value).collect();
        assert_eq!(written.len(), 2, "the times and the document");
        written
    }
}

fn begun(host: &Host) -> u64 {
    counted(host, "scopegate.fetch.keys.corp.begun")
}

#[test]
fn one_fetch_serves_the_process() {
    for profile in [Profile::Envoy, Profile::Nginx] {
        let process = Process::new(Server::of(&[&pair()]));
        let builder = || match profile {
            Profile::Nginx => under_nginx(process.builder()).configuration(keeping(fetching()).to_string()),
            Profile::Envoy | Profile::Spec => process.builder(),
        };
        let mut workers: Vec<Host> = (0..4).map(|_| started(builder())).collect();
        for _ in 0..3 {
            step(&mut workers.iter_mut().collect::<Vec<_>>());
        }
        assert_eq!(process.server.count(), 1, "{profile:?}");
        assert_eq!(workers.iter().map(begun).sum::<u64>(), 1, "{profile:?}");
        for host in &mut workers {
            let exchange = host.request(pair().request());
            match profile {
                Profile::Nginx => assert!(is_let_through(&exchange), "in every worker"),
                Profile::Envoy | Profile::Spec => passed(&exchange, "in every worker"),
            }
        }
        pass(&mut workers.iter_mut().collect::<Vec<_>>(), 1_200);
        assert!(
            (2..=3).contains(&process.server.count()),
            "{profile:?}: as one worker alone"
        );
    }
}

#[test]
fn a_worker_that_starts_later_finds_the_keys() {
    let process = Process::new(Server::of(&[&pair()]));
    process.worker().tick().unwrap();
    let mut late = process.worker();
    passed(&late.request(pair().request()), "before its first tick");
    assert_eq!(process.server.count(), 1);
}

#[test]
fn a_rotation_that_one_worker_finds_reaches_the_others_within_a_second() {
    let process = Process::new(Server::of(&[&pair()]));
    let (mut first, mut second) = (process.worker(), process.worker());
    pass(&mut [&mut first, &mut second], 61);
    for host in [&mut first, &mut second] {
        passed(&host.request(pair().request()), "proved, and kept");
    }
    process.server.asked();
    process.server.publish(&[&rotated()]);
    passed(
        &decided(&mut first, rotated().request()),
        "in the worker that asked",
    );
    pass(&mut [&mut first, &mut second], 1);
    passed(&second.request(rotated().request()), "in the other");
    for host in [&mut first, &mut second] {
        let exchange = host.request(pair().request());
        assert_eq!(refused(&exchange), (401, "key_not_found".to_owned()));
    }
    assert_eq!(process.server.count(), 1);
}

#[test]
fn a_flood_in_every_worker_is_one_fetch_a_minute_too() {
    let process = Process::new(Server::of(&[&pair()]));
    let mut workers: Vec<Host> = (0..3).map(|_| process.worker()).collect();
    let mut fetches = 0;
    for second in 0..300 {
        for host in &mut workers {
            let exchange = host.request(Pair::new(&second.to_string(), "first").request());
            assert!(exchange.forwarded().is_none());
        }
        pass(&mut workers.iter_mut().collect::<Vec<_>>(), 1);
        fetches += process.server.count();
    }
    assert!((5..=6).contains(&fetches), "{fetches} fetches in five minutes");
}

#[test]
fn a_worker_that_dies_while_it_fetches_keeps_the_others_waiting_no_longer_than_its_time() {
    let process = Process::new(Server::silent());
    let mut dying = process.worker();
    let mut other = process.worker();
    step(&mut [&mut dying, &mut other]);
    assert_eq!((begun(&dying), begun(&other)), (1, 0));
    drop(dying);
    process.server.publish(&[&pair()]);
    process.server.asked();
    for tenth in 1..=62 {
        step(&mut [&mut other]);
        if process.server.count() == 1 {
            assert!(tenth >= 59, "after {tenth} tenths of a second");
            passed(&other.request(pair().request()), "fetched by the other");
            return;
        }
    }
    panic!("nobody fetched for 6.2 s");
}

#[test]
fn without_shared_data_each_worker_fetches_for_itself() {
    for status in FAILURES {
        for functions in [
            &["proxy_get_shared_data", "proxy_set_shared_data"][..],
            &["proxy_get_shared_data"],
            &["proxy_set_shared_data"],
        ] {
            let why = format!("{functions:?} answer {status:?}");
            let process = Process::new(Server::of(&[&pair()]));
            let faults = || {
                functions
                    .iter()
                    .fold(Faults::none(), |faults, name| faults.function(*name, status))
            };
            let (mut first, mut second) = (
                started(process.builder().faults(faults())),
                started(process.builder().faults(faults())),
            );
            pass(&mut [&mut first, &mut second], 7);
            for host in [&mut first, &mut second] {
                assert_eq!(host.failure(), None, "{why}");
                passed(&decided(host, pair().request()), &why);
                let stranger = decided(host, Pair::new("k1", "stranger").request());
                assert_eq!(refused(&stranger), (401, "signature_invalid".to_owned()), "{why}");
            }
            let asked = process.server.count();
            assert!((1..=4).contains(&asked), "{why}: {asked} fetches in 7 s");
        }
    }
}

/// Hosts that know keys by a hash alone give one key's value for another.
#[test]
fn what_stands_under_a_name_for_another_key_is_nothing() {
    let strangers = Process::new(Server::of(&[&Pair::new("k1", "stranger")]));
    let written = strangers.written();
    let foreign = |value: &[u8]| {
        let mut value = value.to_vec();
        value[4] ^= 1;
        value
    };
    type Spoil<'a> = (&'a str, Box<dyn Fn(&[u8]) -> Vec<u8> + 'a>);
    let spoils: [Spoil<'_>; 5] = [
        ("another key's", Box::new(foreign)),
        ("empty", Box::new(|_| Vec::new())),
        ("cut off", Box::new(|value| value[..value.len() - 1].to_vec())),
        ("too long", Box::new(|value| [value, b"x"].concat())),
        ("noise", Box::new(|_| vec![0xff; 200])),
    ];
    for (why, spoil) in spoils {
        let process = Process::new(Server::of(&[&pair()]));
        for (name, value) in &written {
            process.shared.set("", name.as_bytes(), &spoil(value));
        }
        let (mut first, mut second) = (process.worker(), process.worker());
        let early = first.request(Pair::new("k1", "stranger").request());
        assert!(early.forwarded().is_none(), "{why}: {:?}", early.outcome);
        pass(&mut [&mut first, &mut second], 2);
        for host in [&mut first, &mut second] {
            passed(&host.request(pair().request()), why);
            let stranger = host.request(Pair::new("k1", "stranger").request());
            assert_eq!(refused(&stranger), (401, "signature_invalid".to_owned()), "{why}");
        }
        assert_eq!(process.server.count(), 1, "{why}: one fetch");
    }
}

/// Hosts that bound shared data throw out what was not looked at for long: the document before its times.
#[test]
fn a_document_that_was_thrown_out_is_fetched_by_who_needs_it() {
    let process = Process::new(Server::of(&[&pair()]));
    let written = process.written();
    let (document, _) = written.iter().max_by_key(|(_, value)| value.len()).unwrap();
    process.shared.set("", document.as_bytes(), b"");
    let mut late = process.worker();
    passed(&decided(&mut late, pair().request()), "the worker that came late");
    let mut later = process.worker();
    passed(&later.request(pair().request()), "the next finds it again");
}

#[test]
fn times_that_were_thrown_out_are_written_again() {
    let process = Process::new(Server::of(&[&pair()]));
    let written = process.written();
    let (times, _) = written.iter().min_by_key(|(_, value)| value.len()).unwrap();
    let mut first = process.worker();
    first.tick().unwrap();
    process.shared.set("", times.as_bytes(), b"");
    let mut second = process.worker();
    pass(&mut [&mut first, &mut second], 2);
    for host in [&mut first, &mut second] {
        passed(&host.request(pair().request()), "afterwards");
    }
    assert!(process.server.count() <= 2);
}

/// Two workers that could share nothing for a while may have fetched different documents.
#[test]
fn workers_that_could_not_share_agree_once_they_can() {
    let process = Process::new(Server::of(&[&pair()]));
    let mut first = started(process.builder().faults(shared_data_fails()));
    first.tick().unwrap();
    passed(&first.request(pair().request()), "alone, with the old key");
    process.server.publish(&[&rotated()]);
    let mut second = process.worker();
    second.tick().unwrap();
    passed(&second.request(rotated().request()), "with the new key");
    first.inject(Faults::none());
    pass(&mut [&mut first, &mut second], 2);
    passed(&first.request(rotated().request()), "with the new key, too");
    let exchange = first.request(pair().request());
    assert_eq!(refused(&exchange), (401, "key_not_found".to_owned()));
}

fn shared_data_fails() -> Faults {
    Faults::none()
        .function("proxy_get_shared_data", Status::InternalFailure)
        .function("proxy_set_shared_data", Status::InternalFailure)
}

/// A proxy that forgets to time a callout out may bring its answer when a newer one is there.
#[test]
fn an_answer_that_was_given_up_does_not_replace_a_newer_one() {
    let process = Process::new(Server::silent());
    let mut host = process.worker();
    host.tick().unwrap();
    let given_up = host.callouts()[0].token;
    process.server.publish(&[&rotated()]);
    process.clock.advance(6);
    host.tick().unwrap();
    passed(&host.request(rotated().request()), "with the newer answer");
    host.answer(given_up, Answer::Response(keys(&[&pair()]))).unwrap();
    passed(&host.request(rotated().request()), "still");
    let exchange = host.request(pair().request());
    assert_eq!(refused(&exchange), (401, "key_not_found".to_owned()));
}
