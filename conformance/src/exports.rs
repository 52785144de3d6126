//! What the host calls. Every callback prints its name and arguments, and then does what the script says.

#![expect(unsafe_code, reason = "the host finds callbacks by their names")]

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::host;
use crate::script::{Call, Line, Script};
use crate::text;

/// The configuration of the virtual machine (`proxy_buffer_type_t`).
const VM_CONFIGURATION: u32 = 6;

/// Room for any script.
const MAX_SCRIPT: u32 = 1024 * 1024;

/// What is known between callbacks.
#[derive(Default)]
struct Known {
    script: Option<Script>,
    times: BTreeMap<&'static str, u32>,
    kept: BTreeMap<String, u32>,
}

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// Prints the callback and runs its section; what the section returns, or `default`.
fn run(callback: &'static str, context: u32, arguments: &[u32], default: u32) -> u32 {
    let lines = KNOWN.with_borrow_mut(|known| {
        let script = known.script.get_or_insert_with(|| {
            Script::parse(&String::from_utf8_lossy(&host::buffer(
                VM_CONFIGURATION,
                MAX_SCRIPT,
            )))
        });
        let time = known.times.entry(callback).or_default();
        *time += 1;
        script.lines(callback, *time)
    });
    let shown: Vec<String> = arguments
        .iter()
        .map(|argument| shown(callback, *argument))
        .collect();
    host::log(&format!("{context} {callback}({})", shown.join(", ")));
    let mut returned = default;
    for line in lines {
        match line {
            Line::Call(call) => make(&call),
            Line::Return(value) => returned = value,
            Line::Print(text) => println!("{text}"),
            Line::Trap => std::process::abort(),
            Line::Wrong(line) => host::log(&format!("  wrong: {line}")),
        }
    }
    returned
}

/// The number of a queue is not the same in every run.
fn shown(callback: &str, argument: u32) -> String {
    let named = KNOWN.with_borrow(|known| {
        let mut all = known.kept.iter();
        all.find(|(_, value)| **value == argument)
            .map(|(name, _)| name.clone())
    });
    match named {
        Some(name) if callback == "queue_ready" => format!("={name}"),
        _ => argument.to_string(),
    }
}

fn make(call: &Call) {
    let kept = |name: &str| KNOWN.with_borrow(|known| known.kept.get(name).copied());
    let head = format!("  {}({})", call.function, call.written);
    let line = match host::call(call, kept) {
        Err(why) => format!("{head} wrong: {why}"),
        Ok(answered) => {
            if let (Some(name), Some(number)) = (&call.keep, answered.number) {
                KNOWN.with_borrow_mut(|known| known.kept.insert(name.clone(), number));
            }
            let mut words = vec![head, text::status(answered.status)];
            words.extend(answered.written);
            words.join(" ")
        }
    };
    host::log(&line);
}

/// A callback with its context, any further arguments, and what it returns where the script says nothing.
macro_rules! callbacks {
    ($($export:ident = $name:literal($($argument:ident),*) $(-> $default:literal)?;)*) => {
        $(callbacks!(@one $export, $name, [$($argument)*], $($default)?);)*
    };
    (@one $export:ident, $name:literal, [$($argument:ident)*],) => {
        /// A callback of the ABI.
        #[unsafe(no_mangle)]
        pub extern "C" fn $export(context: u32, $($argument: u32),*) {
            run($name, context, &[$($argument),*], 0);
        }
    };
    (@one $export:ident, $name:literal, [$($argument:ident)*], $default:literal) => {
        /// A callback of the ABI.
        #[unsafe(no_mangle)]
        pub extern "C" fn $export(context: u32, $($argument: u32),*) -> u32 {
            run($name, context, &[$($argument),*], $default)
        }
    };
}

callbacks! {
    proxy_on_context_create = "context_create"(parent);
    proxy_on_vm_start = "vm_start"(size) -> 1;
    proxy_on_configure = "configure"(size) -> 1;
    proxy_on_tick = "tick"();
    proxy_on_queue_ready = "queue_ready"(queue);
    proxy_on_done = "done"() -> 1;
    proxy_on_log = "log"();
    proxy_on_delete = "delete"();
    proxy_on_foreign_function = "foreign_function"(function, size);
    proxy_on_new_connection = "new_connection"() -> 0;
    proxy_on_downstream_data = "downstream_data"(size, end) -> 0;
    proxy_on_upstream_data = "upstream_data"(size, end) -> 0;
    proxy_on_downstream_connection_close = "downstream_connection_close"(peer);
    proxy_on_upstream_connection_close = "upstream_connection_close"(peer);
    proxy_on_request_headers = "request_headers"(count, end) -> 0;
    proxy_on_request_body = "request_body"(size, end) -> 0;
    proxy_on_request_trailers = "request_trailers"(count) -> 0;
    proxy_on_response_headers = "response_headers"(count, end) -> 0;
    proxy_on_response_body = "response_body"(size, end) -> 0;
    proxy_on_response_trailers = "response_trailers"(count) -> 0;
    proxy_on_http_call_response = "http_call_response"(callout, headers, body, trailers);
    proxy_on_grpc_receive_initial_metadata = "grpc_receive_initial_metadata"(callout, headers);
    proxy_on_grpc_receive = "grpc_receive"(callout, size);
    proxy_on_grpc_receive_trailing_metadata = "grpc_receive_trailing_metadata"(callout, trailers);
    proxy_on_grpc_close = "grpc_close"(callout, status);
}

/// The version of the ABI.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_abi_version_0_2_1() {}

/// Memory for what the host hands over. It is never given back: a case is short.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    Vec::leak(vec![0_u8; size.max(1)]).as_mut_ptr()
}

#[cfg(target_os = "wasi")]
unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// What the host calls first. Here it may call next to nothing; in NGINX, where a line for the log ends the worker, nothing.
#[unsafe(no_mangle)]
pub extern "C" fn _initialize() {
    #[cfg(target_os = "wasi")]
    unsafe {
        __wasm_call_ctors();
    }
    #[cfg(not(feature = "nginx"))]
    host::log("initialize");
}
