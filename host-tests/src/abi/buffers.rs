//! Host functions on buffers: bodies, configurations, the bodies of callouts.

use super::{BufferType, Function, Status};
use crate::memory::{Answer, Args, Call, Fail};
use crate::state::{Half, State};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("proxy_get_buffer_bytes", 5, get),
    Function::new("proxy_get_buffer_status", 3, status),
    Function::new("proxy_set_buffer_bytes", 5, set),
    Function::new("proxy_get_configuration", 2, get_configuration).only(super::Versions::First),
];

/// A buffer for reading. A body that is not there is an empty one, as in Envoy.
fn readable(state: &mut State, buffer: BufferType) -> Option<&[u8]> {
    if state.world.faults.hides_buffer(buffer) {
        return None;
    }

    let profile = state.world.profile;
    let shows_configuration = state.configuring || profile.always_shows_configuration();
    let found: Option<&[u8]> = match buffer {
        BufferType::HttpRequestBody => Some(body(state.stream().map(|stream| &stream.request))),
        BufferType::HttpResponseBody => Some(body(state.stream().map(|stream| &stream.response))),
        BufferType::HttpCallResponseBody => state.call_response.as_ref()?.body.as_deref(),
        BufferType::VmConfiguration => Some(&state.world.vm_configuration),
        BufferType::PluginConfiguration => {
            shows_configuration.then(|| state.plugin().configuration.as_slice())
        }
        BufferType::GrpcReceiveBuffer => Some(state.grpc.message.as_deref().unwrap_or_default()),
        BufferType::NetworkDownstreamData | BufferType::NetworkUpstreamData => {
            let tcp = state.stream().and_then(|stream| stream.tcp.as_mut());
            let flow = tcp.and_then(|tcp| tcp.shown(buffer));
            Some(flow.map_or(&[], |flow| flow.as_slice()))
        }
        BufferType::CallData => Some(state.call_data.as_slice()),
    };
    let is_body = matches!(
        buffer,
        BufferType::HttpRequestBody | BufferType::HttpResponseBody | BufferType::HttpCallResponseBody
    );
    found.filter(|bytes| !(is_body && bytes.is_empty() && profile.has_no_empty_bodies()))
}

fn trap(why: &'static str) -> Fail {
    Fail::Trap(wasmtime::Error::msg(why))
}

/// What is answered where there is no such buffer. An answer without a body is a wrong argument: only
/// ngx_wasm_module hands on such a one.
fn absent(state: &State) -> Status {
    match &state.call_response {
        Some(response) if response.body.is_none() => Status::BadArgument,
        Some(_) | None => Status::NotFound,
    }
}

fn body(half: Option<&Half>) -> &[u8] {
    half.filter(|half| half.body_open)
        .map_or(&[], |half| half.body.as_slice())
}

fn get(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let buffer = BufferType::from_abi(args.at(0))?;
    let (start, len) = (args.at(1) as usize, args.at(2) as usize);
    let state = call.state();
    let profile = state.world.profile;
    if let Some(why) = profile.reading_traps(state.callback, buffer) {
        return Err(trap(why));
    }
    let start = if profile.ignores_offsets() { 0 } else { start };
    let absent = absent(call.state());
    let bytes = readable(call.state(), buffer).ok_or(absent)?;
    let end = start.saturating_add(len).min(bytes.len());
    let part = bytes.get(start..end).unwrap_or_default().to_vec();
    call.give(&part, args.at(3), args.at(4))
}

fn status(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let buffer = BufferType::from_abi(args.at(0))?;
    let len = readable(call.state(), buffer).ok_or(Status::NotFound)?.len();
    call.write_len(args.at(1), len)?;
    call.write_u32(args.at(2), 0)
}

/// The first bytes are replaced (none of them, some, all), or something is added at the end: nothing else.
fn set(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let buffer = BufferType::from_abi(args.at(0))?;
    let (start, len) = (args.at(1) as usize, args.at(2) as usize);
    let state = call.state();
    if let Some(why) = state.world.profile.editing_traps(state.callback, buffer) {
        return Err(trap(why));
    }
    // Where there are no empty bodies, one can be made none the less.
    let can_begin = state.world.profile.has_no_empty_bodies();
    if !can_begin && readable(state, buffer).is_none() {
        return Err(Status::NotFound.into());
    }
    let data = call.bytes(args.at(3), args.at(4))?;
    let body = writable(call.state(), buffer).ok_or(Status::BadArgument)?;
    match (start, len) {
        (0, len) => drop(body.splice(0..len.min(body.len()), data)),
        (start, _) if start >= body.len() => body.extend(data),
        _ => return Err(Status::BadArgument.into()),
    }
    Ok(())
}

fn writable(state: &mut State, buffer: BufferType) -> Option<&mut Vec<u8>> {
    if buffer == BufferType::GrpcReceiveBuffer {
        return state.grpc.message.as_mut();
    }
    let stream = state.stream()?;
    let half = match buffer {
        BufferType::HttpRequestBody => &mut stream.request,
        BufferType::HttpResponseBody => &mut stream.response,
        BufferType::NetworkDownstreamData | BufferType::NetworkUpstreamData => {
            return stream.tcp.as_mut()?.shown(buffer);
        }
        BufferType::HttpCallResponseBody
        | BufferType::GrpcReceiveBuffer
        | BufferType::VmConfiguration
        | BufferType::PluginConfiguration
        | BufferType::CallData => return None,
    };
    half.body_open.then_some(&mut half.body)
}

/// ABI 0.1.0: the plugin's configuration while it is being configured, else the machine's.
fn get_configuration(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let state = call.state();
    let world = &state.world;
    let found = if state.configuring {
        state.plugin().configuration.clone()
    } else {
        world.vm_configuration.clone()
    };
    call.give(&found, args.at(0), args.at(1))
}
