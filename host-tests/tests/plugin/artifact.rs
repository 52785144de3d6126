//! The file itself: what it imports, what it exports, how large it is.

use scopegate_host_tests::AbiVersion;

use crate::common::{module, path};

/// What every host has under every version of the ABI since 0.2.0, which 0.2.1 enlarged by `proxy_get_log_level`.
const ABI: [&str; 38] = [
    "proxy_log",
    "proxy_get_current_time_nanoseconds",
    "proxy_set_tick_period_milliseconds",
    "proxy_set_effective_context",
    "proxy_done",
    "proxy_get_status",
    "proxy_call_foreign_function",
    "proxy_get_buffer_bytes",
    "proxy_get_buffer_status",
    "proxy_set_buffer_bytes",
    "proxy_get_header_map_size",
    "proxy_get_header_map_pairs",
    "proxy_set_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_add_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_continue_stream",
    "proxy_close_stream",
    "proxy_send_local_response",
    "proxy_http_call",
    "proxy_get_shared_data",
    "proxy_set_shared_data",
    "proxy_register_shared_queue",
    "proxy_enqueue_shared_queue",
    "proxy_dequeue_shared_queue",
    "proxy_define_metric",
    "proxy_increment_metric",
    "proxy_record_metric",
    "proxy_get_metric",
    "proxy_get_property",
    "proxy_set_property",
    "proxy_resolve_shared_queue",
    "proxy_grpc_call",
    "proxy_grpc_stream",
    "proxy_grpc_send",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
];

/// The WASI functions that Envoy and ngx_wasm_module both have.
const WASI: [&str; 8] = [
    "fd_write",
    "clock_time_get",
    "random_get",
    "environ_get",
    "environ_sizes_get",
    "args_get",
    "args_sizes_get",
    "proc_exit",
];

const BUDGET: u64 = 1_750_000;

#[test]
fn only_what_every_host_has_is_imported() {
    for import in module().imports() {
        let known: &[&str] = match import.module.as_str() {
            "env" => &ABI,
            "wasi_snapshot_preview1" => &WASI,
            other => panic!("imports `{}` from `{other}`", import.name),
        };
        assert!(known.contains(&import.name.as_str()), "imports `{}`", import.name);
        assert_ne!(
            import.name, "proxy_get_log_level",
            "ngx_wasm_module does not load it"
        );
    }
}

#[test]
fn the_callbacks_that_guard_a_request_are_exported() {
    assert_eq!(module().abi(), AbiVersion::V0_2_1);
    let exports = module().exports();
    for name in [
        "memory",
        "_initialize",
        "proxy_on_context_create",
        "proxy_on_configure",
        "proxy_on_request_headers",
        "proxy_on_request_body",
        "proxy_on_request_trailers",
        "proxy_on_delete",
    ] {
        assert!(
            exports.iter().any(|export| export.name == name),
            "no export `{name}`"
        );
    }
}

#[test]
fn the_module_keeps_to_its_size() {
    let size = std::fs::metadata(path()).unwrap().len();
    println!("the module has {size} bytes of {BUDGET}");
    assert!(size <= BUDGET, "the module has {size} bytes, more than {BUDGET}");
}
