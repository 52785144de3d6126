//! Small modules in the text format, written call by call. A module logs what it is answered: the status of
//! each call as a number, and then what the test asks to be shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use scopegate_host_tests::{Host, LoadError, Module};

/// Where host calls write a pointer or a number, and where they write a length.
const OUT: u32 = 1_000;
const OUT_LEN: u32 = 1_008;
/// Where texts are placed.
const TEXTS: usize = 8_192;
const PAGES: usize = 40;

/// An argument of a host call.
#[derive(Clone, Copy)]
pub(crate) enum Arg<'t> {
    /// A number of 32 bits.
    Num(u32),
    /// A number of 64 bits.
    Wide(i64),
    /// Bytes: a pointer and a length.
    Text(&'t [u8]),
    /// Pairs in their wire form: a pointer and a length.
    Pairs(&'t [(&'t str, &'t str)]),
    /// A parameter of the callback.
    Param(usize),
    /// Where a pointer and a length are to be written.
    Out,
    /// Where one number is to be written.
    OutNumber,
    /// Where a second number is to be written.
    OutSecond,
}

use Arg::*;

pub(crate) fn text(text: &str) -> Arg<'_> {
    Text(text.as_bytes())
}

/// A module in the making.
pub(crate) struct Guest {
    abi: &'static str,
    imports: BTreeMap<String, String>,
    callbacks: Vec<(String, String)>,
    texts: Vec<u8>,
    extra: String,
}

/// The body of a callback in the making.
pub(crate) struct Code<'g> {
    guest: &'g mut Guest,
    body: String,
    returns: Option<u32>,
}

impl Guest {
    pub(crate) fn new() -> Self {
        Self::of("proxy_abi_version_0_2_1")
    }

    pub(crate) fn of(abi: &'static str) -> Self {
        let mut imports = BTreeMap::new();
        imports.insert(
            "env proxy_log".to_owned(),
            "(param i32 i32 i32) (result i32)".to_owned(),
        );
        Self {
            abi,
            imports,
            callbacks: Vec::new(),
            texts: Vec::new(),
            extra: String::new(),
        }
    }

    /// Exports a callback.
    pub(crate) fn on(mut self, callback: &str, code: impl FnOnce(&mut Code<'_>)) -> Self {
        let mut body = Code {
            guest: &mut self,
            body: String::new(),
            returns: None,
        };
        code(&mut body);
        let (text, returns) = (body.body, body.returns);
        let (params, result) = signature(callback, self.abi);
        let params = "i32 ".repeat(params);
        let (result, value) = match (result, returns) {
            (None, _) => (String::new(), String::new()),
            (Some(default), given) => (
                "(result i32)".to_owned(),
                format!("(i32.const {})", given.unwrap_or(default).cast_signed()),
            ),
        };
        let name = callback.to_owned();
        let function = format!(
            "(func (export \"{callback}\") (param {params}) {result} (local $at i32)\n{text} {value})"
        );
        self.callbacks.push((name, function));
        self
    }

    /// Adds text to the module as it is.
    pub(crate) fn raw(mut self, text: &str) -> Self {
        self.extra.push_str(text);
        self
    }

    pub(crate) fn text(&self) -> String {
        let mut out = String::from("(module\n");
        for (name, signature) in &self.imports {
            let (space, name) = name.split_once(' ').unwrap();
            writeln!(out, "(import \"{space}\" \"{name}\" (func ${name} {signature}))").unwrap();
        }
        writeln!(out, "(memory (export \"memory\") {PAGES})").unwrap();
        writeln!(out, "(func (export \"{}\"))", self.abi).unwrap();
        out.push_str(ALLOCATOR);
        out.push_str(PRINTER);
        for (_, function) in &self.callbacks {
            out.push_str(function);
        }
        let texts: String = self.texts.iter().map(|byte| format!("\\{byte:02x}")).collect();
        writeln!(out, "(data (i32.const {TEXTS}) \"{texts}\")\n{})", self.extra).unwrap();
        out
    }

    pub(crate) fn load(&self) -> Result<Module, LoadError> {
        Module::from_bytes(
            &wat::parse_str(self.text()).unwrap_or_else(|error| panic!("{error}\n{}", self.text())),
        )
    }

    pub(crate) fn module(&self) -> Module {
        self.load().unwrap()
    }

    pub(crate) fn host(&self) -> Host {
        Host::builder(&self.module()).build().unwrap()
    }

    fn place(&mut self, bytes: &[u8]) -> (usize, usize) {
        let at = TEXTS + self.texts.len();
        self.texts.extend_from_slice(bytes);
        (at, bytes.len())
    }
}

/// A callback's number of parameters, and what it returns unless told otherwise.
fn signature(callback: &str, abi: &str) -> (usize, Option<u32>) {
    let first = abi.ends_with("0_1_0");
    match callback {
        "_initialize" | "_start" => (0, None),
        "proxy_on_vm_start" | "proxy_on_configure" => (2, Some(1)),
        "proxy_on_done" => (1, Some(1)),
        "proxy_on_request_headers" | "proxy_on_response_headers" if first => (2, Some(0)),
        "proxy_on_request_headers" | "proxy_on_response_headers" => (3, Some(0)),
        "proxy_on_request_body" | "proxy_on_response_body" => (3, Some(0)),
        "proxy_on_request_trailers" | "proxy_on_response_trailers" => (2, Some(0)),
        "proxy_on_context_create" | "proxy_on_queue_ready" => (2, None),
        "proxy_on_new_connection" => (1, Some(0)),
        "proxy_on_downstream_data" | "proxy_on_upstream_data" => (3, Some(0)),
        "proxy_on_downstream_connection_close" | "proxy_on_upstream_connection_close" => (2, None),
        "proxy_on_foreign_function" | "proxy_on_grpc_receive" | "proxy_on_grpc_close" => (3, None),
        "proxy_on_grpc_receive_initial_metadata" | "proxy_on_grpc_receive_trailing_metadata" => (3, None),
        "proxy_on_tick" | "proxy_on_log" | "proxy_on_delete" => (1, None),
        "proxy_on_http_call_response" => (5, None),
        other => panic!("no signature for {other}"),
    }
}

impl Code<'_> {
    /// Calls a host function and logs the status it returns.
    pub(crate) fn call(&mut self, name: &str, args: &[Arg<'_>]) -> &mut Self {
        self.call_in("env", name, args, true)
    }

    /// Calls out to the upstream `idp`.
    pub(crate) fn call_out(&mut self, path: &str, timeout: u32) {
        let headers = [(":method", "GET"), (":path", path), (":authority", "idp.test")];
        let args = [
            text("idp"),
            Pairs(&headers),
            text(""),
            Pairs(&[]),
            Num(timeout),
            OutNumber,
        ];
        self.call("proxy_http_call", &args);
    }

    /// Calls a foreign function with what the last call gave, and logs the status.
    pub(crate) fn foreign_again(&mut self, name: &str) -> &mut Self {
        let (at, len) = self.guest.place(name.as_bytes());
        self.add(&format!(
            "(call $print (i64.extend_i32_s (call $proxy_call_foreign_function (i32.const {at}) (i32.const {len})
             (i32.load (i32.const {OUT})) (i32.load (i32.const {OUT_LEN})) (i32.const {OUT}) (i32.const {OUT_LEN}))))\n"
        ))
    }

    /// Calls a WASI function and logs the error number it returns.
    pub(crate) fn wasi(&mut self, name: &str, args: &[Arg<'_>]) -> &mut Self {
        self.call_in("wasi_snapshot_preview1", name, args, true)
    }

    /// Calls a WASI function that returns nothing.
    pub(crate) fn wasi_void(&mut self, name: &str, args: &[Arg<'_>]) -> &mut Self {
        self.call_in("wasi_snapshot_preview1", name, args, false)
    }

    fn call_in(&mut self, space: &str, name: &str, args: &[Arg<'_>], returns: bool) -> &mut Self {
        let (mut types, mut values) = (String::new(), String::new());
        for arg in args {
            let (kind, value) = self.argument(*arg);
            types.push_str(kind);
            values.push_str(&value);
        }
        let params = if types.is_empty() {
            String::new()
        } else {
            format!("(param {types})")
        };
        let result = if returns { "(result i32)" } else { "" };
        self.guest
            .imports
            .insert(format!("{space} {name}"), format!("{params} {result}"));
        let call = format!("(call ${name} {values})");
        let line = if returns {
            format!("(call $print (i64.extend_i32_s {call}))\n")
        } else {
            format!("{call}\n")
        };
        self.body.push_str(&line);
        self
    }

    fn argument(&mut self, arg: Arg<'_>) -> (&'static str, String) {
        let pair = |(at, len): (usize, usize)| ("i32 i32 ", format!("(i32.const {at}) (i32.const {len}) "));
        match arg {
            Num(number) => ("i32 ", format!("(i32.const {}) ", number.cast_signed())),
            Param(position) => ("i32 ", format!("(local.get {position}) ")),
            Wide(number) => ("i64 ", format!("(i64.const {number}) ")),
            Text(bytes) => pair(self.guest.place(bytes)),
            Pairs(pairs) => pair(self.guest.place(&wire(pairs))),
            Out => ("i32 i32 ", format!("(i32.const {OUT}) (i32.const {OUT_LEN}) ")),
            OutNumber => ("i32 ", format!("(i32.const {OUT}) ")),
            OutSecond => ("i32 ", format!("(i32.const {OUT_LEN}) ")),
        }
    }

    /// Logs the bytes that the last call gave.
    pub(crate) fn show(&mut self) -> &mut Self {
        let line = format!(
            "(drop (call $proxy_log (i32.const 2) (i32.load (i32.const {OUT})) (i32.load (i32.const {OUT_LEN}))))\n"
        );
        self.add(&line)
    }

    /// Logs the number that the last call wrote.
    pub(crate) fn number(&mut self) -> &mut Self {
        self.add(&format!(
            "(call $print (i64.extend_i32_u (i32.load (i32.const {OUT}))))\n"
        ))
    }

    /// Logs the second number that the last call wrote.
    pub(crate) fn second(&mut self) -> &mut Self {
        self.add(&format!(
            "(call $print (i64.extend_i32_u (i32.load (i32.const {OUT_LEN}))))\n"
        ))
    }

    /// Logs the number of 64 bits that the last call wrote.
    pub(crate) fn wide(&mut self) -> &mut Self {
        self.add(&format!("(call $print (i64.load (i32.const {OUT})))\n"))
    }

    /// Logs a parameter of the callback.
    pub(crate) fn param(&mut self, position: usize) -> &mut Self {
        self.add(&format!(
            "(call $print (i64.extend_i32_s (local.get {position})))\n"
        ))
    }

    /// Logs a line.
    pub(crate) fn say(&mut self, line: &str) -> &mut Self {
        let (at, len) = self.guest.place(line.as_bytes());
        self.add(&format!(
            "(drop (call $proxy_log (i32.const 2) (i32.const {at}) (i32.const {len})))\n"
        ))
    }

    pub(crate) fn trap(&mut self) -> &mut Self {
        self.add("unreachable\n")
    }

    /// Adds instructions as they are.
    pub(crate) fn add(&mut self, text: &str) -> &mut Self {
        self.body.push_str(text);
        self
    }

    /// What the callback returns.
    pub(crate) fn returns(&mut self, value: u32) -> &mut Self {
        self.returns = Some(value);
        self
    }
}

pub(crate) fn wire(pairs: &[(&str, &str)]) -> Vec<u8> {
    let number = |len: usize| u32::try_from(len).unwrap().to_le_bytes();
    let mut out = number(pairs.len()).to_vec();
    for (name, value) in pairs {
        out.extend(number(name.len()));
        out.extend(number(value.len()));
    }
    for (name, value) in pairs {
        out.extend([name.as_bytes(), &[0], value.as_bytes(), &[0]].concat());
    }
    out
}

/// Takes the lines that the module logged.
pub(crate) fn lines(host: &mut Host) -> Vec<String> {
    host.logs().into_iter().map(|line| line.message).collect()
}

/// Gives out memory from the second page on, and never takes it back.
const ALLOCATOR: &str = r#"
(global $free (mut i32) (i32.const 1048576))
(func (export "proxy_on_memory_allocate") (param i32) (result i32)
  (global.get $free)
  (global.set $free (i32.add (global.get $free) (local.get 0))))
"#;

/// Logs a number in decimal.
const PRINTER: &str = r#"
(func $print (param $n i64) (local $at i32) (local $negative i32)
  (if (i64.lt_s (local.get $n) (i64.const 0))
    (then (local.set $negative (i32.const 1)) (local.set $n (i64.sub (i64.const 0) (local.get $n)))))
  (local.set $at (i32.const 2048))
  (loop $digits
    (local.set $at (i32.sub (local.get $at) (i32.const 1)))
    (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $n) (i64.const 10)))))
    (local.set $n (i64.div_u (local.get $n) (i64.const 10)))
    (br_if $digits (i64.ne (local.get $n) (i64.const 0))))
  (if (local.get $negative)
    (then (local.set $at (i32.sub (local.get $at) (i32.const 1))) (i32.store8 (local.get $at) (i32.const 45))))
  (drop (call $proxy_log (i32.const 2) (local.get $at) (i32.sub (i32.const 2048) (local.get $at)))))
"#;
