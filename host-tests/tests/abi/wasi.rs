//! WASI as a proxy offers it.

use scopegate_host_tests::{Clock, Host, LogLevel, Outcome, Request};

use crate::guest::Arg::{Num, OutNumber, OutSecond, Wide};
use crate::guest::{Code, Guest, lines};

fn run(code: impl FnOnce(&mut Code<'_>)) -> Vec<String> {
    let guest = Guest::new().on("proxy_on_request_headers", code);
    let mut host = Host::builder(&guest.module())
        .clock(Clock::virtual_at(7))
        .environment([("KEY", "value"), ("B", "")])
        .build()
        .unwrap();
    host.request(Request::get("a.test", "/"));
    lines(&mut host)
}

/// Two vectors at 100: `ab` at 200 and `c`, a line feed, at 300.
const VECTORS: &str = "(i32.store (i32.const 100) (i32.const 200)) (i32.store (i32.const 104) (i32.const 2))
    (i32.store (i32.const 108) (i32.const 300)) (i32.store (i32.const 112) (i32.const 2))
    (i32.store16 (i32.const 200) (i32.const 0x6261)) (i32.store16 (i32.const 300) (i32.const 0x0a63))\n";

#[test]
fn output_goes_to_the_log_without_its_line_feed() {
    let guest = Guest::new().on("proxy_on_request_headers", |code| {
        code.add(VECTORS);
        code.wasi("fd_write", &[Num(1), Num(100), Num(2), OutNumber])
            .number();
        code.wasi("fd_write", &[Num(2), Num(100), Num(1), OutNumber])
            .number();
        code.wasi("fd_write", &[Num(1), Num(100), Num(0), OutNumber])
            .number();
        code.wasi("fd_write", &[Num(3), Num(100), Num(1), OutNumber]);
        code.wasi("fd_write", &[Num(1), Num(u32::MAX), Num(1), OutNumber]);
        code.wasi("fd_write", &[Num(1), Num(100), Num(1), Num(u32::MAX)]);
        code.wasi("fd_pwrite", &[Num(1), Num(100), Num(1), Wide(9), OutNumber]);
    });
    let mut host = guest.host();
    host.request(Request::get("a.test", "/"));
    let logged = host.logs();
    let written: Vec<_> = logged.iter().map(|line| line.message.as_str()).collect();
    let expected = [
        "abc", "0", "4", "ab", "0", "2", "0", "0", "8", "21", "ab", "21", "ab", "0",
    ];
    assert_eq!(written, expected);
    assert_eq!(
        (logged[0].level, logged[3].level),
        (LogLevel::Info, LogLevel::Error)
    );
}

#[test]
fn time_is_the_hosts_clock() {
    let told = run(|code| {
        for clock in [0, 1] {
            code.wasi("clock_time_get", &[Num(clock), Wide(1), OutNumber])
                .wide();
        }
        code.wasi("clock_time_get", &[Num(2), Wide(1), OutNumber]);
        code.wasi("clock_res_get", &[Num(0), OutNumber])
            .wide()
            .wasi("clock_res_get", &[Num(2), OutNumber]);
    });
    assert_eq!(told, ["0", "7000000000", "0", "7000000000", "58", "0", "1", "58"]);
}

#[test]
fn a_clock_that_fails_fails_wasi_too() {
    let guest = Guest::new().on("proxy_on_request_headers", |code| {
        code.wasi("clock_time_get", &[Num(0), Wide(1), OutNumber]);
    });
    let clock = Clock::virtual_at(7);
    let mut host = Host::builder(&guest.module())
        .clock(clock.clone())
        .build()
        .unwrap();
    clock.fail();
    host.request(Request::get("a.test", "/"));
    assert_eq!(lines(&mut host), ["29"]);
}

#[test]
fn random_numbers_follow_the_seed() {
    let guest = Guest::new().on("proxy_on_request_headers", |code| {
        code.wasi("random_get", &[OutNumber, Num(8)]).wide();
        code.wasi("random_get", &[OutNumber, Num(0)])
            .wasi("random_get", &[OutNumber, Num(65_537)]);
        code.wasi("random_get", &[Num(u32::MAX), Num(8)]);
    });
    let module = guest.module();
    let told = |seed| {
        let mut host = Host::builder(&module).seed(seed).build().unwrap();
        host.request(Request::get("a.test", "/"));
        lines(&mut host)
    };
    assert_eq!(told(1), told(1));
    assert_ne!(told(1)[1], told(2)[1]);
    assert_eq!(told(1)[2..], ["0", "28", "21"]);
}

#[test]
fn the_environment_is_the_tests_and_never_the_machines() {
    let told = run(|code| {
        code.wasi("environ_sizes_get", &[OutNumber, OutSecond])
            .number()
            .second();
        code.wasi("environ_get", &[Num(600), Num(700)]);
        code.add("(drop (call $proxy_log (i32.const 2) (i32.load (i32.const 600)) (i32.const 9)))\n");
        code.add("(drop (call $proxy_log (i32.const 2) (i32.load (i32.const 604)) (i32.const 2)))\n");
        code.wasi("environ_get", &[Num(u32::MAX), Num(700)]);
        code.wasi("args_sizes_get", &[OutNumber, OutSecond])
            .number()
            .second();
        code.wasi("args_get", &[OutNumber, OutSecond]);
    });
    assert_eq!(
        told,
        ["0", "2", "13", "0", "KEY=value", "B=", "21", "0", "0", "0", "0"]
    );
}

#[test]
fn there_are_no_files_and_no_sockets() {
    let zeros = |count: usize| vec![Num(500); count];
    let told = run(|code| {
        for (name, fd, rest) in [
            ("fd_read", 0, 3),
            ("fd_close", 1, 0),
            ("fd_prestat_get", 3, 1),
            ("fd_prestat_dir_name", 3, 2),
            ("fd_filestat_get", 3, 1),
            ("fd_fdstat_set_flags", 1, 1),
            ("fd_datasync", 1, 0),
            ("fd_sync", 3, 0),
            ("fd_fdstat_get", 1, 1),
            ("fd_fdstat_get", 3, 1),
            ("fd_renumber", 1, 1),
            ("fd_tell", 1, 1),
            ("fd_tell", 3, 1),
            ("path_create_directory", 3, 2),
            ("path_remove_directory", 3, 2),
            ("path_unlink_file", 3, 2),
            ("path_filestat_get", 3, 4),
            ("path_readlink", 3, 5),
            ("path_rename", 3, 5),
            ("path_symlink", 3, 4),
            ("path_link", 3, 6),
            ("sock_accept", 3, 2),
            ("sock_recv", 3, 5),
            ("sock_send", 3, 4),
            ("sock_shutdown", 3, 1),
            ("poll_oneoff", 0, 3),
        ] {
            code.wasi(name, &[&[Num(fd)][..], &zeros(rest)].concat());
        }
        code.wasi("sched_yield", &[]);
        code.wasi("fd_seek", &[Num(1), Wide(0), Num(0), OutNumber]);
        code.wasi("fd_advise", &[Num(1), Wide(0), Wide(0), Num(0)]);
        code.wasi("fd_allocate", &[Num(3), Wide(0), Wide(0)]);
        code.wasi("fd_readdir", &[Num(3), Num(0), Num(0), Wide(0), OutNumber]);
        code.wasi(
            "path_open",
            &[&zeros(5)[..], &[Wide(0), Wide(0), Num(0), OutNumber]].concat(),
        );
    });
    let expected = "52 0 8 52 8 52 0 8 0 8 8 0 8 58 58 58 58 58 58 58 58 58 58 58 58 0 0 0 0 8 20 44";
    assert_eq!(told.join(" "), expected);
}

#[test]
fn a_module_that_ends_itself_has_failed() {
    let guest = Guest::new().on("proxy_on_request_headers", |code| {
        code.wasi_void("proc_exit", &[Num(3)]);
    });
    let outcome = guest.host().request(Request::get("a.test", "/")).outcome;
    assert!(
        matches!(&outcome, Outcome::Failed { reason, .. } if reason.contains("exit status 3")),
        "{outcome:?}"
    );
}

#[test]
fn the_older_name_of_wasi_serves_too() {
    let import = "(func (export \"use_unstable\") (result i32) (i32.const 0))";
    let guest = Guest::new().raw(import);
    let text = guest.text().replacen(
        "(memory",
        "(import \"wasi_unstable\" \"random_get\" (func (param i32 i32) (result i32)))
         (import \"wasi_unstable\" \"random_get\" (func (param i32 i32) (result i32)))
         (import \"env\" \"emscripten_notify_memory_growth\" (func (param i32)))
         (import \"env\" \"pthread_equal\" (func (param i32 i32) (result i32)))
         (memory",
        1,
    );
    let module = scopegate_host_tests::Module::from_bytes(&wat::parse_str(text).unwrap()).unwrap();
    assert!(
        Host::builder(&module).build().is_ok(),
        "a function imported twice, and Emscripten's own"
    );
}
