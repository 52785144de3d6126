//! On whose behalf a callback runs: what it reads, asks for and logs is of its own context, whoever else is there.

use std::collections::BTreeMap;
use std::time::Duration;

use scopegate_host_tests::{
    Chain, CloseType, GrpcAnswer, Headers, Host, LogLine, Module, Plugin, Request, StreamId, TcpStep,
};

use crate::guest::Arg::{Num, Out, OutNumber, OutSecond, Pairs};
use crate::guest::{Code, Guest, lines, text};

const HEADERS: &str = "proxy_on_request_headers";
const CREATE: &str = "proxy_on_context_create";
const QUEUE_READY: &str = "proxy_on_queue_ready";
const FOREIGN: &str = "proxy_on_foreign_function";
const INITIAL: &str = "proxy_on_grpc_receive_initial_metadata";
const TRAILING: &str = "proxy_on_grpc_receive_trailing_metadata";
const BAD_POINTER: u32 = u32::MAX;

/// Says the callback, and the value of a property: empty where there is none.
fn say_property(code: &mut Code<'_>, callback: &str, property: &str) {
    code.say(callback.trim_start_matches("proxy_on_"));
    code.add("(i64.store (i32.const 1000) (i64.const 0)) (i64.store (i32.const 1008) (i64.const 0))\n");
    code.call("proxy_get_property", &[text(property), Out]).show();
}

/// A module that says in each of these callbacks who its stream is.
fn asking_who(callbacks: &[&str]) -> Guest {
    callbacks.iter().fold(Guest::new(), |guest, name| {
        guest.on(name, |code| say_property(code, name, "who"))
    })
}

fn who(name: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
    BTreeMap::from([(b"who".to_vec(), name.as_bytes().to_vec())])
}

/// What was logged, a line for each callback: the context, and what it said.
fn told(host: &mut Host) -> Vec<String> {
    let logged = host.logs();
    let line = |lines: &[LogLine]| {
        let context = lines[0].context;
        assert!(lines.iter().all(|line| line.context == context), "{lines:?}");
        let said: Vec<_> = lines.iter().map(|line| line.message.as_str()).collect();
        format!("{context} {}", said.join(" "))
    };
    logged.chunks(3).map(line).collect()
}

#[test]
fn the_first_and_the_last_callbacks_of_a_request_are_its_own() {
    let mut host = asking_who(&[CREATE, "proxy_on_log", "proxy_on_done", "proxy_on_delete"]).host();
    assert_eq!(
        told(&mut host),
        ["1 context_create 1 "],
        "a root is nobody's stream"
    );
    let (anna, ben) = (host.open_stream(who("anna")), host.open_stream(who("ben")));
    host.request_headers(anna, Headers::new(), true);
    host.request_headers(ben, Headers::new(), true);
    host.finish(anna);
    host.finish(ben);
    let expected = [
        "2 context_create 0 anna",
        "3 context_create 0 ben",
        "2 log 0 anna",
        "2 done 0 anna",
        "2 delete 0 anna",
        "3 log 0 ben",
        "3 done 0 ben",
        "3 delete 0 ben",
    ];
    assert_eq!(told(&mut host), expected);
}

#[test]
fn the_first_and_the_last_callbacks_of_a_connection_are_its_own() {
    let callbacks = [
        CREATE,
        "proxy_on_upstream_connection_close",
        "proxy_on_downstream_connection_close",
        "proxy_on_done",
    ];
    let mut host = asking_who(&callbacks).host();
    told(&mut host);
    let open = |host: &mut Host, name: &str| -> StreamId {
        let (id, step) = host.open_connection(who(name));
        assert_eq!(step, TcpStep::Continue);
        id
    };
    let (anna, ben) = (open(&mut host, "anna"), open(&mut host, "ben"));
    host.close_upstream(ben, CloseType::Remote);
    host.close_upstream(anna, CloseType::Remote);
    host.close_downstream(anna, CloseType::Remote);
    host.close_downstream(ben, CloseType::Remote);
    let expected = [
        "2 context_create 0 anna",
        "3 context_create 0 ben",
        "3 upstream_connection_close 0 ben",
        "2 upstream_connection_close 0 anna",
        "2 downstream_connection_close 0 anna",
        "2 done 0 anna",
        "3 downstream_connection_close 0 ben",
        "3 done 0 ben",
    ];
    assert_eq!(told(&mut host), expected);
}

fn grpc_stream(code: &mut Code<'_>) {
    let args = [
        text("echo"),
        text("test.Echo"),
        text("Chat"),
        Pairs(&[]),
        OutNumber,
    ];
    code.call("proxy_grpc_stream", &args);
}

fn grpc_call(code: &mut Code<'_>) {
    let args = [
        text("echo"),
        text("test.Echo"),
        text("Say"),
        Pairs(&[]),
        text("ping"),
        Num(0),
        OutNumber,
    ];
    code.call("proxy_grpc_call", &args);
}

/// What only a root is given: a tick. What it is not shown: the headers of a request that waits.
fn act_as_root(code: &mut Code<'_>, callback: &str, tick_ms: u32) {
    code.say(callback.trim_start_matches("proxy_on_"));
    code.call("proxy_get_header_map_value", &[Num(0), text(":path"), Out]);
    code.call("proxy_set_tick_period_milliseconds", &[Num(tick_ms)]);
}

#[test]
fn what_the_root_is_told_it_is_told_as_the_root_while_a_request_waits() {
    let act = |tick_ms, callback| move |code: &mut Code<'_>| act_as_root(code, callback, tick_ms);
    let guest = Guest::new()
        .on(CREATE, act(1, CREATE))
        .on("proxy_on_configure", |code| {
            code.call("proxy_register_shared_queue", &[text("q"), OutNumber]);
        })
        .on(HEADERS, |code| {
            code.call("proxy_enqueue_shared_queue", &[Num(1), text("x")]);
            grpc_stream(code);
            code.returns(1);
        })
        .on(QUEUE_READY, act(2, QUEUE_READY))
        .on(FOREIGN, act(3, FOREIGN))
        .on(INITIAL, act(4, INITIAL))
        .on(TRAILING, act(5, TRAILING));
    let mut host = Host::builder(&guest.module())
        .grpc_upstream("echo", |_| GrpcAnswer::new())
        .build()
        .unwrap();
    assert_eq!(host.tick_period(), Some(Duration::from_millis(1)));
    assert_eq!(lines(&mut host), ["context_create", "2", "0", "0"]);

    host.request(Request::get("a.test", "/"));
    let seen: Vec<_> = host
        .logs()
        .into_iter()
        .map(|line| (line.context, line.message))
        .collect();
    let of_root = |name: &str| [name, "2", "0"].map(|message| (1, message.to_owned()));
    assert_eq!(
        seen[seen.len() - 3..],
        of_root("queue_ready"),
        "told once of one item"
    );
    let news = seen.iter().filter(|(_, message)| message == "queue_ready");
    assert_eq!(news.count(), 1);
    assert_eq!(host.tick_period(), Some(Duration::from_millis(2)));

    let of_root = |host: &mut Host, name: &str, tick_ms| {
        let seen: Vec<_> = host
            .logs()
            .into_iter()
            .map(|line| (line.context, line.message))
            .collect();
        assert_eq!(seen, of_root(name));
        assert_eq!(host.tick_period(), Some(Duration::from_millis(tick_ms)), "{name}");
    };
    host.call_foreign(7, "").unwrap();
    of_root(&mut host, "foreign_function", 3);
    let token = host.grpc_callouts()[0].token;
    host.answer_grpc(token, GrpcAnswer::new().headers([("a", "b")]))
        .unwrap();
    of_root(&mut host, "grpc_receive_initial_metadata", 4);
    host.answer_grpc(token, GrpcAnswer::status(0, "")).unwrap();
    of_root(&mut host, "grpc_receive_trailing_metadata", 5);
}

/// Two plugins with a machine in common, in the order `a`, `b`.
fn sharing(module: &Module) -> Chain {
    let plugin = |name: &str| Plugin::new(name, module).root_id(&format!("root of {name}"));
    let mut chain = Chain::builder()
        .plugin(plugin("a"))
        .plugin(plugin("b"))
        .machines(|host| host.grpc_upstream("echo", |_| GrpcAnswer::new().message("").end(0, "")))
        .build()
        .unwrap();
    assert_eq!(chain.machines(), 1);
    chain.request(Request::get("a.test", "/"));
    chain
}

#[test]
fn of_two_plugins_in_a_machine_the_one_is_told_that_asked() {
    let told = [CREATE, QUEUE_READY, INITIAL, TRAILING, "proxy_on_done"];
    let guest = told.iter().fold(Guest::new(), |guest, name| {
        guest.on(name, |code| say_property(code, name, "plugin_root_id"))
    });
    let module = guest
        .on("proxy_on_configure", |code| {
            code.call("proxy_register_shared_queue", &[text("q"), OutNumber]);
            code.call("proxy_enqueue_shared_queue", &[Num(1), text("x")]);
            grpc_stream(code);
        })
        .module();
    let logged = sharing(&module).logs();
    for name in told {
        let name = name.trim_start_matches("proxy_on_");
        let mut by = BTreeMap::new();
        for said in logged
            .windows(3)
            .filter(|said| said[0].message == name && said[2].message.starts_with("root of"))
        {
            assert_eq!(
                said[2].message,
                format!("root of {}", said[0].plugin),
                "{name}: {said:?}"
            );
            *by.entry(said[0].plugin.clone()).or_insert(0) += 1;
        }
        // A context is created for the root and for the stream.
        let times = if name == "context_create" { 2 } else { 1 };
        let expected = BTreeMap::from(["a", "b"].map(|plugin| (plugin.to_owned(), times)));
        assert_eq!(by, expected, "{name}: {logged:#?}");
    }
}

#[test]
fn a_function_leaves_the_stream_at_hand_as_it_was() {
    let asks: [fn(&mut Code<'_>); 4] = [
        |code| {
            code.call("proxy_get_log_level", &[OutNumber]);
        },
        |code| {
            code.call("proxy_get_current_time_nanoseconds", &[OutNumber]);
        },
        grpc_call,
        grpc_stream,
    ];
    let guest = Guest::new().on(HEADERS, |code| {
        for ask in asks {
            ask(code);
            code.call("proxy_get_header_map_value", &[Num(0), text(":path"), Out])
                .show();
        }
    });
    let mut host = Host::builder(&guest.module())
        .grpc_upstream("echo", |_| GrpcAnswer::new())
        .build()
        .unwrap();
    host.request(Request::get("a.test", "/p"));
    assert_eq!(lines(&mut host).join(" "), ["0 0 /p"; 4].join(" "));
}

#[test]
fn a_status_for_which_there_is_no_room_is_refused() {
    let guest = Guest::new().on(HEADERS, |code| {
        code.call("proxy_get_status", &[OutSecond, Out]);
        code.call("proxy_get_status", &[Num(BAD_POINTER), Out]);
        code.call("proxy_get_status", &[OutSecond, Num(BAD_POINTER), OutNumber]);
        code.call("proxy_get_status", &[OutSecond, OutNumber, Num(BAD_POINTER)]);
    });
    let mut host = guest.host();
    host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host), ["0", "6", "6", "6"]);
}
