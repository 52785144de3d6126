//! Shared data, shared queues and metrics.

use std::collections::BTreeMap;

use scopegate_host_tests::{Host, Metric, Request, SharedData};

use crate::guest::Arg::{Num, Out, OutNumber, Wide};
use crate::guest::{Guest, lines, text};

const HEADERS: &str = "proxy_on_request_headers";

#[test]
fn shared_data_is_written_under_a_version() {
    let guest = Guest::new().on(HEADERS, |code| {
        let get = |code: &mut crate::guest::Code<'_>| {
            code.call("proxy_get_shared_data", &[text("k"), Out, Num(1016)]);
        };
        get(code);
        code.call("proxy_set_shared_data", &[text("k"), text("one"), Num(77)]);
        get(code);
        code.show()
            .add("(call $print (i64.extend_i32_u (i32.load (i32.const 1016))))\n");
        code.call("proxy_set_shared_data", &[text("k"), text("two"), Num(1)]);
        code.call("proxy_set_shared_data", &[text("k"), text("late"), Num(1)]);
        code.call("proxy_set_shared_data", &[text("k"), text("three"), Num(0)]);
        get(code);
        code.show()
            .add("(call $print (i64.extend_i32_u (i32.load (i32.const 1016))))\n");
        code.call("proxy_set_shared_data", &[text("empty"), text(""), Num(0)]);
        code.call("proxy_get_shared_data", &[text("empty"), Out, Num(1016)])
            .show();
    });
    let mut host = guest.host();
    host.request(Request::get("a.test", "/"));
    let expected = [
        "1", "0", "0", "one", "1", "0", "8", "0", "0", "three", "3", "0", "0", "",
    ];
    assert_eq!(lines(&mut host), expected);
}

#[test]
fn hosts_share_data_only_where_the_test_says_and_the_machine_id_is_the_same() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call("proxy_get_shared_data", &[text("k"), Out, Num(1016)]);
        code.call("proxy_set_shared_data", &[text("k"), text("v"), Num(0)]);
    });
    let module = guest.module();
    let shared = SharedData::default();
    let host = |shared: &SharedData, vm_id: &str| {
        Host::builder(&module)
            .names("p", "r", vm_id)
            .shared_data(shared.clone())
            .build()
            .unwrap()
    };
    let ask = |mut host: Host| {
        host.request(Request::get("a.test", "/"));
        lines(&mut host)
    };
    assert_eq!(ask(host(&shared, "one")), ["1", "0"]);
    assert_eq!(ask(host(&shared, "one")), ["0", "0"]);
    assert_eq!(ask(host(&shared, "two")), ["1", "0"]);
    assert_eq!(ask(host(&SharedData::default(), "one")), ["1", "0"]);
    assert_eq!(shared.get("one", b"k").unwrap().0, b"v");
    shared.set("three", b"k", b"given");
    assert_eq!(ask(host(&shared, "three")), ["0", "0"]);
}

/// Claims a key: a version that no key can have is written only where there is no key.
fn claim(code: &mut crate::guest::Code<'_>) {
    code.call(
        "proxy_set_shared_data",
        &[text("claim"), text("taken"), Num(u32::MAX)],
    );
}

#[test]
fn of_several_machines_one_alone_claims_a_key() {
    let guest = Guest::new().on(HEADERS, claim);
    let module = guest.module();
    let shared = SharedData::default();
    let claims: Vec<String> = std::thread::scope(|scope| {
        let ask = || {
            let builder = Host::builder(&module).shared_data(shared.clone());
            let mut host = builder.build().unwrap();
            host.request(Request::get("a.test", "/"));
            lines(&mut host).remove(0)
        };
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(
        claims.iter().filter(|status| *status == "0").count(),
        1,
        "{claims:?}"
    );
    assert_eq!(claims.iter().filter(|status| *status == "8").count(), 3);
    assert_eq!(shared.len(), 1);
}

#[test]
fn queues_keep_order_and_tell_their_root() {
    let guest = Guest::new()
        .on(HEADERS, |code| {
            code.call("proxy_resolve_shared_queue", &[text(""), text("q"), OutNumber]);
            code.call("proxy_register_shared_queue", &[text("q"), OutNumber])
                .number();
            code.call("proxy_register_shared_queue", &[text("q"), OutNumber])
                .number();
            code.call("proxy_resolve_shared_queue", &[text(""), text("q"), OutNumber])
                .number();
            code.call("proxy_dequeue_shared_queue", &[Num(1), Out]);
            code.call("proxy_enqueue_shared_queue", &[Num(1), text("first")]);
            code.call("proxy_enqueue_shared_queue", &[Num(1), text("second")]);
            code.call("proxy_enqueue_shared_queue", &[Num(9), text("x")]);
            code.call("proxy_dequeue_shared_queue", &[Num(0), Out]);
        })
        .on("proxy_on_queue_ready", |code| {
            code.param(0)
                .param(1)
                .call("proxy_dequeue_shared_queue", &[Num(1), Out])
                .show();
        });
    let mut host = guest.host();
    host.request(Request::get("a.test", "/"));
    let asked = ["1", "0", "1", "0", "1", "0", "1", "7", "0", "0", "1", "1"];
    let told = ["1", "1", "0", "first", "1", "1", "0", "second"];
    assert_eq!(lines(&mut host), [&asked[..], &told[..]].concat());
}

#[test]
fn metrics_have_a_type_in_their_number() {
    let guest = Guest::new().on(HEADERS, |code| {
        for kind in [0, 1, 2, 3] {
            code.call(
                "proxy_define_metric",
                &[Num(kind), text(&format!("m{kind}")), OutNumber],
            );
        }
        code.call("proxy_define_metric", &[Num(0), text("m0"), OutNumber])
            .number();
        let (counter, again, gauge, histogram) = (4, 8, 5, 6);
        let increment = |code: &mut crate::guest::Code<'_>, id, offset| {
            code.call("proxy_increment_metric", &[Num(id), Wide(offset)]);
        };
        for (id, offset) in [
            (counter, 2),
            (again, 3),
            (counter, 0),
            (counter, -1),
            (gauge, 5),
            (gauge, -2),
        ] {
            increment(code, id, offset);
        }
        for id in [histogram, 400, 401, 7] {
            increment(code, id, 1);
        }
        for (id, value) in [
            (counter, 10),
            (gauge, 7),
            (histogram, 1),
            (histogram, 2),
            (400, 1),
            (7, 1),
        ] {
            code.call("proxy_record_metric", &[Num(id), Wide(value)]);
        }
        for id in [counter, gauge] {
            code.call("proxy_get_metric", &[Num(id), OutNumber]).wide();
        }
        for id in [histogram, 400, 7] {
            code.call("proxy_get_metric", &[Num(id), OutNumber]);
        }
    });
    let mut host = guest.host();
    host.request(Request::get("a.test", "/"));
    let defined = ["0", "0", "0", "2", "0", "8"];
    let incremented = ["0", "0", "2", "2", "0", "0", "2", "1", "1", "2"];
    let recorded = ["0", "0", "0", "0", "1", "1"];
    let read = ["0", "15", "0", "7", "2", "1", "2"];
    assert_eq!(
        lines(&mut host),
        [&defined[..], &incremented, &recorded, &read].concat()
    );
    let expected = BTreeMap::from([
        ("m0".to_owned(), Metric::Counter(15)),
        ("m1".to_owned(), Metric::Gauge(7)),
        ("m2".to_owned(), Metric::Histogram(vec![1, 2])),
    ]);
    assert_eq!(host.metrics(), expected);
}
