//! Which proxy the host behaves like. Every difference between hosts is a question asked here.

use crate::abi::{BufferType, MapType};
use crate::headers::{HeaderMap, Headers};
use crate::nginx;
use crate::slots::Kind;

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

    /// Whether pseudo-headers count among the headers that the module is told of. Where they do not, neither does the
    /// bound on what it sees.
    pub(crate) fn counts_pseudo_headers(self) -> bool {
        self != Self::Nginx
    }

    /// Whether `:path` is what was decoded and `:authority` the server's own name; the request as it came is found under
    /// `request.path` and `host`.
    pub(crate) fn rewrites_target(self) -> bool {
        self == Self::Nginx
    }

    /// Whether a reply or going on needs a stream, or an answer to look at; where there is none, the worker crashes.
    pub(crate) fn needs_stream(self) -> bool {
        self == Self::Nginx
    }

    /// Whether a reply has one header of each name, the last that was given.
    pub(crate) fn merges_reply_headers(self) -> bool {
        self == Self::Nginx
    }

    /// Whether a reply without a body loses its content type.
    pub(crate) fn drops_type_of_nothing(self) -> bool {
        self != Self::Nginx
    }

    /// Whether a reply with a body that is given in the answer to a callout that failed never reaches the client: the
    /// connection is closed instead.
    pub(crate) fn loses_replies_after_failures(self) -> bool {
        self == Self::Nginx
    }

    /// Whether a second reply fails the module; else it is ignored.
    pub(crate) fn has_one_reply(self) -> bool {
        self == Self::Nginx
    }

    /// How long the name of a metric may be, with that of the plugin; a longer one fails the module.
    pub(crate) fn metric_name_bytes(self) -> usize {
        if self == Self::Nginx { 252 } else { usize::MAX }
    }

    /// Whether the end of the machine lets every stream go on that waits for a callout.
    pub(crate) fn failure_frees_others(self) -> bool {
        self == Self::Nginx
    }

    /// Whether a stream that is held hears at once that its machine failed; else it waits until it is idle for too long.
    pub(crate) fn failure_ends_held_streams(self) -> bool {
        self == Self::Nginx
    }

    /// Whether responses pass the plugins from the last to the first; else from the first to the last.
    pub(crate) fn turns_chains_around(self) -> bool {
        self != Self::Nginx
    }

    /// Whether a stream that ends is logged before the module is asked whether it is done; else after.
    pub(crate) fn logs_before_done(self) -> bool {
        self != Self::Nginx
    }

    /// Whether a response goes on when the module fails under it.
    pub(crate) fn failure_lets_responses_pass(self) -> bool {
        self == Self::Nginx
    }

    /// Whether the stream after a failure gets a new machine at once, whatever the policy, and one that is not told of its
    /// start.
    pub(crate) fn renews_machines(self) -> bool {
        self == Self::Nginx
    }

    /// Whether parts of the path of a property may be separated by dots as well.
    pub(crate) fn dots_separate(self) -> bool {
        self == Self::Nginx
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

    /// Whether TCP connections are shown to the module.
    pub(crate) fn has_connections(self) -> bool {
        self != Self::Nginx
    }

    /// Whether some headers are kept in slots, which repeated ones share.
    pub(crate) fn has_slots(self) -> bool {
        self != Self::Nginx
    }

    /// Whether an answer without trailers has an empty map of them; else it has no such map.
    pub(crate) fn keeps_empty_trailers(self) -> bool {
        self == Self::Nginx
    }

    /// Whether the host has Envoy's own foreign functions.
    pub(crate) fn has_envoys_foreign_functions(self) -> bool {
        self != Self::Nginx
    }

    /// Whether a foreign function that nobody knows fails the module; else the call is answered NOT_FOUND.
    pub(crate) fn unknown_foreign_functions_trap(self) -> bool {
        self == Self::Nginx
    }

    /// Whether the host itself answers a callout in place of an upstream that did not; else there are no headers.
    pub(crate) fn replies_for_upstreams(self) -> bool {
        self == Self::Envoy
    }

    /// Why a buffer must not be read in this callback, where that fails the module.
    pub(crate) fn reading_traps(self, callback: &str, buffer: BufferType) -> Option<&'static str> {
        match self {
            Self::Nginx => nginx::reading_traps(callback, buffer),
            Self::Envoy | Self::Spec => None,
        }
    }

    /// Why a buffer must not be changed in this callback, where that fails the module.
    pub(crate) fn editing_traps(self, callback: &str, buffer: BufferType) -> Option<&'static str> {
        match self {
            Self::Nginx => nginx::editing_traps(callback, buffer),
            Self::Envoy | Self::Spec => None,
        }
    }

    /// Why headers must not be changed in this callback, where that fails the module.
    pub(crate) fn headers_trap(self, callback: &str, map: MapType) -> Option<&'static str> {
        match self {
            Self::Nginx => nginx::headers_trap(callback, map),
            Self::Envoy | Self::Spec => None,
        }
    }

    /// Whether a body of no bytes is no body; else it is an empty one.
    pub(crate) fn has_no_empty_bodies(self) -> bool {
        self == Self::Nginx
    }

    /// Whether what is read of a buffer begins at its beginning, whatever is asked for.
    pub(crate) fn ignores_offsets(self) -> bool {
        self == Self::Nginx
    }

    /// Whether the configuration of the plugin can be read at any time; else only while it is being configured.
    pub(crate) fn always_shows_configuration(self) -> bool {
        self == Self::Nginx
    }

    /// Whether a gauge can be set only; to increment one fails the module.
    pub(crate) fn gauges_are_set_only(self) -> bool {
        self == Self::Nginx
    }

    /// Whether numbers in properties are 8 bytes little-endian; else they are decimal text.
    pub(crate) fn binary_properties(self) -> bool {
        self != Self::Nginx
    }

    /// Whether `source.address` carries the port.
    pub(crate) fn port_in_addresses(self) -> bool {
        self != Self::Nginx
    }

    /// What the host adds to the body of a local reply.
    pub(crate) fn local_reply_suffix(self) -> &'static [u8] {
        if self == Self::Nginx { b"\n" } else { b"" }
    }

    /// Whether the host turns a local reply to a gRPC request into a gRPC answer.
    pub(crate) fn shapes_grpc_replies(self) -> bool {
        self != Self::Nginx
    }

    /// Whether a module may call out from this callback; where not, it fails.
    pub(crate) fn may_call_out(self, callback: &str) -> bool {
        const NGINX: [&str; 5] = [
            "proxy_on_request_headers",
            "proxy_on_request_body",
            "proxy_on_tick",
            "proxy_on_http_call_response",
            "proxy_on_foreign_function",
        ];
        self != Self::Nginx || NGINX.contains(&callback)
    }

    /// The headers of a callout as they go out: Envoy joins what has a slot, and counts the body.
    pub(crate) fn callout_request(self, headers: Headers, body_bytes: usize) -> Headers {
        if self == Self::Nginx {
            return headers;
        }
        let mut map = HeaderMap::new(Kind::Request, headers, self);
        if body_bytes > 0 {
            map.replace(b"content-length", body_bytes.to_string().as_bytes());
        }
        map.forwarded()
    }

    /// The headers that a callout must have.
    pub(crate) fn callout_headers(self) -> &'static [&'static str] {
        match self {
            Self::Nginx => &[":method", ":path"],
            Self::Envoy | Self::Spec => &[":method", ":path", ":authority"],
        }
    }

    /// Whether a callout that is wrong fails the module; else the call is answered BAD_ARGUMENT.
    pub(crate) fn bad_callouts_trap(self) -> bool {
        self == Self::Nginx
    }

    /// Whether a callout to an unknown upstream goes out and fails; else the call is answered BAD_ARGUMENT.
    pub(crate) fn unknown_upstreams_fail_later(self) -> bool {
        self == Self::Nginx
    }

    /// The names under which an upstream is looked for. Where hosts are named, the port may be left out.
    pub(crate) fn upstream_names(self, name: &str, scheme: Option<&[u8]>) -> Vec<String> {
        let mut names = vec![name.to_owned()];
        if self == Self::Nginx && !name.contains(':') {
            let port = if scheme == Some(b"https") { 443 } else { 80 };
            names.push(format!("{name}:{port}"));
        }
        names
    }

    /// Whether an answer whose body ends early is handed on with its headers and no body; else it is a failure.
    pub(crate) fn truncated_answers_have_headers(self) -> bool {
        self == Self::Nginx
    }

    /// Whether the header `:dispatch_status` of an answer says how the callout went.
    pub(crate) fn tells_dispatch_status(self) -> bool {
        self == Self::Nginx
    }

    /// Whether a stream goes on by itself once the last of its callouts has ended, whatever the module did.
    pub(crate) fn resumes_after_callouts(self) -> bool {
        self == Self::Nginx
    }

    /// Whether a stream that called out must be held: going on instead takes the worker down.
    pub(crate) fn callouts_must_pause(self) -> bool {
        self == Self::Nginx
    }

    /// Whether `proxy_set_effective_context` has an effect. Where it has none, nothing can be done to a stream
    /// but in its own callbacks and in the answers to its own callouts.
    pub(crate) fn has_effective_contexts(self) -> bool {
        self != Self::Nginx
    }

    /// Whether the answer to a stream's callout arrives in the context of that stream; else in its root's.
    pub(crate) fn answers_arrive_in_stream(self) -> bool {
        self == Self::Nginx
    }

    /// Whether a tick can be asked for only once, and only by the root; where it is asked for otherwise, the
    /// module fails.
    pub(crate) fn has_one_tick(self) -> bool {
        self == Self::Nginx
    }

    /// Whether shared data is known by a hash of its key alone, in one space for all machines.
    pub(crate) fn hashes_shared_keys(self) -> bool {
        self == Self::Nginx
    }

    /// Whether a write must name the version that is there, 0 for none; else 0 is any version, and a key that is
    /// not there has every version.
    pub(crate) fn versions_are_exact(self) -> bool {
        self == Self::Nginx
    }

    /// Whether a value without a pointer removes the key; else it is an empty value.
    pub(crate) fn null_removes_shared_data(self) -> bool {
        self == Self::Nginx
    }

    /// Whether properties are maps that can be walked, as those of CEL, and some of them are no values.
    pub(crate) fn has_maps_of_properties(self) -> bool {
        self != Self::Nginx
    }

    /// Whether a callback that goes on and then stops has gone on with what was held before it alone.
    pub(crate) fn stops_after_going_on(self) -> bool {
        self != Self::Nginx
    }

    /// Host functions that fail the module when called.
    pub(crate) fn traps_on(self, function: &str) -> bool {
        // The last three it does not even link: a module that imports them does not load there.
        const NGINX: [&str; 14] = [
            "proxy_done",
            "proxy_get_status",
            "proxy_continue_response",
            "proxy_close_stream",
            "proxy_grpc_call",
            "proxy_grpc_stream",
            "proxy_grpc_send",
            "proxy_grpc_cancel",
            "proxy_grpc_close",
            "proxy_resolve_shared_queue",
            "proxy_clear_route_cache",
            "proxy_get_log_level",
            "proxy_get_buffer_status",
            "proxy_get_header_map_size",
        ];
        self == Self::Nginx && NGINX.contains(&function)
    }
}
