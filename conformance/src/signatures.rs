//! The host functions and callbacks of ABI 0.2.1, and the shape of each function.

/// The host functions of ABI 0.2.1 and their parameters: `i` a number, `l` a number of 64 bits, `b` bytes as pointer
/// and length; what the host writes: `o` bytes, `u` a number, `U` a number of 64 bits.
const FUNCTIONS: [(&str, &str); 39] = [
    ("proxy_log", "ib"),
    ("proxy_get_log_level", "u"),
    ("proxy_get_current_time_nanoseconds", "U"),
    ("proxy_set_tick_period_milliseconds", "i"),
    ("proxy_set_effective_context", "i"),
    ("proxy_done", ""),
    ("proxy_get_status", "uo"),
    ("proxy_get_buffer_bytes", "iiio"),
    ("proxy_get_buffer_status", "iuu"),
    ("proxy_set_buffer_bytes", "iiib"),
    ("proxy_get_header_map_size", "iu"),
    ("proxy_get_header_map_pairs", "io"),
    ("proxy_set_header_map_pairs", "ib"),
    ("proxy_get_header_map_value", "ibo"),
    ("proxy_add_header_map_value", "ibb"),
    ("proxy_replace_header_map_value", "ibb"),
    ("proxy_remove_header_map_value", "ib"),
    ("proxy_continue_stream", "i"),
    ("proxy_close_stream", "i"),
    ("proxy_send_local_response", "ibbbi"),
    ("proxy_http_call", "bbbbiu"),
    ("proxy_grpc_call", "bbbbbiu"),
    ("proxy_grpc_stream", "bbbbu"),
    ("proxy_grpc_send", "ibi"),
    ("proxy_grpc_cancel", "i"),
    ("proxy_grpc_close", "i"),
    ("proxy_get_shared_data", "bou"),
    ("proxy_set_shared_data", "bbi"),
    ("proxy_register_shared_queue", "bu"),
    ("proxy_resolve_shared_queue", "bbu"),
    ("proxy_enqueue_shared_queue", "ib"),
    ("proxy_dequeue_shared_queue", "io"),
    ("proxy_define_metric", "ibu"),
    ("proxy_record_metric", "il"),
    ("proxy_increment_metric", "il"),
    ("proxy_get_metric", "iU"),
    ("proxy_get_property", "bo"),
    ("proxy_set_property", "bb"),
    ("proxy_call_foreign_function", "bbo"),
];

/// The callbacks of ABI 0.2.1, without `proxy_on_`.
#[cfg(not(target_family = "wasm"))]
pub const CALLBACKS: [&str; 26] = [
    "context_create",
    "vm_start",
    "configure",
    "tick",
    "queue_ready",
    "done",
    "log",
    "delete",
    "foreign_function",
    "new_connection",
    "downstream_data",
    "upstream_data",
    "downstream_connection_close",
    "upstream_connection_close",
    "request_headers",
    "request_body",
    "request_trailers",
    "response_headers",
    "response_body",
    "response_trailers",
    "http_call_response",
    "grpc_receive_initial_metadata",
    "grpc_receive",
    "grpc_receive_trailing_metadata",
    "grpc_close",
    "memory_allocate",
];

/// The names of all host functions.
#[cfg(not(target_family = "wasm"))]
#[must_use]
pub fn names() -> Vec<&'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name).collect()
}

/// The shape of a function.
#[cfg(any(test, target_family = "wasm"))]
pub(crate) fn shape(name: &str) -> Option<(&'static str, &'static str)> {
    FUNCTIONS.into_iter().find(|(known, _)| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_a_shape_and_no_two_have_one_name() {
        let mut all = names();
        assert!(all.iter().all(|name| shape(name).is_some()));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), FUNCTIONS.len());
        assert_eq!(shape("proxy_unknown"), None);
    }
}
