//! Foreign functions: what a proxy offers beside the ABI. Those of the test come before the proxy's own.

use std::collections::BTreeMap;

use crate::abi::Status;
use crate::host::{Host, length};
use crate::module::AbiVersion;
use crate::protobuf;
use crate::state::State;
use crate::vm::Trap;

/// A scripted foreign function: from its argument to its result.
pub(crate) type Foreign = Box<dyn Fn(&[u8]) -> Result<Vec<u8>, Status> + Send + Sync>;

/// The foreign functions of a host, by name.
#[derive(Default)]
pub(crate) struct ForeignFunctions(pub(crate) BTreeMap<Vec<u8>, Foreign>);

/// A foreign function that the proxy has of its own.
type BuiltIn = fn(&mut State, &[u8]) -> Result<Vec<u8>, Status>;

/// Those of Envoy (`source/extensions/common/wasm/foreign.cc`), but for its expressions and its signatures.
const ENVOY: [(&[u8], BuiltIn); 5] = [
    (b"compress", compress),
    (b"uncompress", uncompress),
    (b"clear_route_cache", clear_route_cache),
    (b"declare_property", declare_property),
    (b"set_envoy_filter_state", set_filter_state),
];

/// Calls a foreign function: the test's, else the proxy's own. `None` where there is none of that name.
pub(crate) fn call(state: &mut State, name: &[u8], argument: &[u8]) -> Option<Result<Vec<u8>, Status>> {
    if let Some(scripted) = state.world.foreign.0.get(name) {
        return Some(scripted(argument));
    }
    let has_own = state.world.profile.has_envoys_foreign_functions();
    let (_, own) = ENVOY.iter().find(|(known, _)| has_own && *known == name)?;
    Some(own(state, argument))
}

/// Bytes in the format of zlib (RFC 1950); another compressor than Envoy's, so not the same bytes.
fn compress(_: &mut State, argument: &[u8]) -> Result<Vec<u8>, Status> {
    const LEVEL: u8 = 6;
    Ok(miniz_oxide::deflate::compress_to_vec_zlib(argument, LEVEL))
}

fn uncompress(_: &mut State, argument: &[u8]) -> Result<Vec<u8>, Status> {
    /// What a module has room for.
    const MAX_BYTES: usize = 1024 * 1024 * 1024;
    miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(argument, MAX_BYTES)
        .map_err(|_| Status::SerializationFailure)
}

/// There is no route cache here: that it was cleared is counted.
fn clear_route_cache(state: &mut State, _: &[u8]) -> Result<Vec<u8>, Status> {
    state.clear_route_cache();
    Ok(Vec::new())
}

/// A message `DeclarePropertyArguments`. It holds for the context that runs, so that only a root's has an effect.
fn declare_property(state: &mut State, argument: &[u8]) -> Result<Vec<u8>, Status> {
    const NAME: u64 = 1;
    const READ_ONLY: u64 = 2;
    let fields = protobuf::fields(argument).ok_or(Status::BadArgument)?;
    let key = (state.current, protobuf::bytes(&fields, NAME).to_vec());
    if state.declared.contains_key(&key) {
        return Err(Status::BadArgument);
    }
    let is_read_only = protobuf::number(&fields, READ_ONLY) != 0;
    state.declared.insert(key, is_read_only);
    Ok(Vec::new())
}

/// The keys of filter state that Envoy can make of bytes.
const FILTER_STATE: [&[u8]; 12] = [
    b"envoy.network.application_protocols",
    b"envoy.network.transport_socket.original_dst_address",
    b"envoy.network.upstream_bind_override.network_namespace",
    b"envoy.network.upstream_server_name",
    b"envoy.network.upstream_subject_alt_names",
    b"envoy.ratelimit.hits_addend",
    b"envoy.tcp_proxy.cluster",
    b"envoy.tcp_proxy.disable_tunneling",
    b"envoy.tcp_proxy.per_connection_idle_timeout_ms",
    b"envoy.tcp_proxy.receive_before_connect",
    b"envoy.upstream.dynamic_host",
    b"envoy.upstream.dynamic_port",
];

/// A message `SetEnvoyFilterStateArguments`. What is set is found as the property `filter_state` of that key.
fn set_filter_state(state: &mut State, argument: &[u8]) -> Result<Vec<u8>, Status> {
    const PATH: u64 = 1;
    const VALUE: u64 = 2;
    let fields = protobuf::fields(argument).ok_or(Status::BadArgument)?;
    let path = protobuf::bytes(&fields, PATH);
    if !FILTER_STATE.contains(&path) {
        return Err(Status::NotFound);
    }
    let current = state.current;
    let stream = state.streams.get_mut(&current).ok_or(Status::NotFound)?;
    let value = protobuf::bytes(&fields, VALUE).to_vec();
    stream.set.insert([&b"filter_state\0"[..], path].concat(), value);
    Ok(Vec::new())
}

impl Host {
    /// How often the module has cleared the cache of the route, so that it is chosen anew.
    #[must_use]
    pub fn route_cache_clears(&self) -> usize {
        self.world().route_cache_clears
    }

    /// Calls back into the root context, as an extension of a proxy may: `proxy_on_foreign_function`, with an argument
    /// that the module reads from the buffer `CallData`. ABI 0.1.0 knows no such callback.
    ///
    /// # Errors
    /// The module failed.
    pub fn call_foreign(&mut self, function: u32, argument: impl AsRef<[u8]>) -> Result<(), Trap> {
        let root = self.root;
        let state = self.vm.state_mut();
        if state.abi != AbiVersion::V0_1_0 {
            state.call_data = argument.as_ref().to_vec();
            let args = [root, function, length(state.call_data.len())];
            self.vm.call(root, "proxy_on_foreign_function", &args);
            self.deliver();
        }
        self.alive()
    }
}
