//! Which proxy the host behaves like. Every difference between hosts is a question asked here.

/// The proxy whose behaviour is modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Profile {
    /// Envoy, with proxy-wasm-cpp-host.
    #[default]
    Envoy,
    /// NGINX with ngx_wasm_module.
    Nginx,
    /// The text of the Proxy-Wasm specification where it says something, else Envoy.
    Spec,
}

impl Profile {
    /// Envoy keeps header names in lower case; ngx_wasm_module shows them as sent.
    pub(crate) fn header_name(self, name: &[u8]) -> Vec<u8> {
        if self == Self::Nginx {
            name.to_vec()
        } else {
            name.to_ascii_lowercase()
        }
    }

    /// How many headers the module sees.
    pub(crate) fn visible_headers(self) -> usize {
        if self == Self::Nginx { 100 } else { usize::MAX }
    }

    /// Whether a header that the module removes is gone for the upstream too.
    pub(crate) fn removal_reaches_upstream(self) -> bool {
        self != Self::Nginx
    }

    /// Whether the end of the stream is told with the headers.
    pub(crate) fn end_of_stream_in_headers(self) -> bool {
        self != Self::Nginx
    }

    /// Whether trailers are shown to the module.
    pub(crate) fn has_trailers(self) -> bool {
        self != Self::Nginx
    }

    /// Whether numbers in properties are 8 bytes little-endian; else they are decimal text.
    pub(crate) fn binary_properties(self) -> bool {
        self != Self::Nginx
    }

    /// Whether `source.address` carries the port.
    pub(crate) fn port_in_addresses(self) -> bool {
        self != Self::Nginx
    }

    /// Whether the module may set the property.
    pub(crate) fn may_set_property(self, path: &[u8]) -> bool {
        self != Self::Nginx || path.starts_with(b"wasmx\0") || path.starts_with(b"ngx\0")
    }

    /// What the host adds to the body of a local reply.
    pub(crate) fn local_reply_suffix(self) -> &'static [u8] {
        if self == Self::Nginx { b"\n" } else { b"" }
    }

    /// Whether the host turns a local reply to a gRPC request into a gRPC answer.
    pub(crate) fn shapes_grpc_replies(self) -> bool {
        self != Self::Nginx
    }

    /// Whether a write with no expected version fails where the key exists.
    pub(crate) fn unconditional_write_needs_absence(self) -> bool {
        self == Self::Nginx
    }

    /// Host functions that fail the module when called.
    pub(crate) fn traps_on(self, function: &str) -> bool {
        const NGINX: [&str; 10] = [
            "proxy_done",
            "proxy_continue_response",
            "proxy_close_stream",
            "proxy_grpc_call",
            "proxy_grpc_stream",
            "proxy_grpc_send",
            "proxy_grpc_cancel",
            "proxy_grpc_close",
            "proxy_resolve_shared_queue",
            "proxy_clear_route_cache",
        ];
        self == Self::Nginx && NGINX.contains(&function)
    }
}
