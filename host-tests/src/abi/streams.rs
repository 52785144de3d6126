//! Host functions that decide what becomes of a stream, and its properties. Their effect is deferred until the
//! module returns.

use super::{Function, Status, StreamType, Versions};
use crate::local_reply::ReplyRequest;
use crate::memory::{Answer, Args, Call, Fail};
use crate::state::State;
use crate::{pairs, properties};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("proxy_continue_stream", 1, continue_stream).only(Versions::SinceSecond),
    Function::new("proxy_close_stream", 1, close_stream).only(Versions::SinceSecond),
    Function::new("proxy_continue_request", 0, continue_request).only(Versions::First),
    Function::new("proxy_continue_response", 0, continue_response).only(Versions::First),
    Function::new("proxy_clear_route_cache", 0, clear_route_cache).only(Versions::First),
    Function::new("proxy_send_local_response", 8, send_local_response),
    Function::new("proxy_get_property", 4, get_property),
    Function::new("proxy_set_property", 4, set_property),
];

/// Outside of a request and of an answer there is nothing to answer or to let go: some hosts look all the same.
fn needs_stream(call: &mut Call<'_>) -> Answer {
    let state = call.state();
    let is_outside = state.stream().is_none() && state.callback != "proxy_on_http_call_response";
    match state.world.profile.needs_stream() && is_outside {
        true => Err(trap("the worker crashed: there is no request")),
        false => Ok(()),
    }
}

fn trap(why: &'static str) -> Fail {
    Fail::Trap(wasmtime::Error::msg(why))
}

fn continue_stream(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    needs_stream(call)?;
    resume(call.state(), StreamType::from_abi(args.at(0))?)
}

fn continue_request(call: &mut Call<'_>, _: &Args<'_>) -> Answer {
    resume(call.state(), StreamType::HttpRequest)
}

fn continue_response(call: &mut Call<'_>, _: &Args<'_>) -> Answer {
    resume(call.state(), StreamType::HttpResponse)
}

fn resume(state: &mut State, direction: StreamType) -> Answer {
    match direction {
        StreamType::HttpRequest | StreamType::HttpResponse => {}
        StreamType::Downstream => {
            if let Some(tcp) = state.stream().and_then(|stream| stream.tcp.as_mut()) {
                tcp.resumed = true;
            }
            return Ok(());
        }
        StreamType::Upstream => return Err(Status::Unimplemented.into()),
    }
    if let Some(stream) = state.stream() {
        match direction {
            StreamType::HttpResponse => stream.continue_response = true,
            StreamType::HttpRequest | StreamType::Downstream | StreamType::Upstream => {
                stream.continue_request = true;
            }
        }
        // Whichever direction goes on, what was seen of the request is out of the module's hands.
        stream.request.close();
    }
    Ok(())
}

fn close_stream(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    match StreamType::from_abi(args.at(0))? {
        StreamType::HttpRequest | StreamType::HttpResponse => {
            if let Some(stream) = call.state().stream() {
                stream.reset = true;
            }
        }
        StreamType::Downstream | StreamType::Upstream => {
            if let Some(tcp) = call.state().stream().and_then(|stream| stream.tcp.as_mut()) {
                tcp.closing = true;
            }
        }
    }
    Ok(())
}

fn clear_route_cache(call: &mut Call<'_>, _: &Args<'_>) -> Answer {
    call.state().clear_route_cache();
    Ok(())
}

fn send_local_response(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let details = call.bytes(args.at(1), args.at(2))?;
    let body = call.bytes(args.at(3), args.at(4))?;
    let headers = pairs::decode(&call.bytes(args.at(5), args.at(6))?);
    call.note(&details);
    let reply = ReplyRequest {
        status: args.at(0),
        details,
        body,
        headers,
        grpc_status: args.at(7),
    };
    needs_stream(call)?;
    let state = call.state();
    let has_one = state.world.profile.has_one_reply();
    let is_lost = state.world.profile.loses_replies_after_failures() && state.call_failed;
    let is_lost = is_lost && !reply.body.is_empty();
    state.stop_iteration = true;
    match state.stream() {
        Some(stream) if has_one && stream.reply.is_some() => Err(trap("local response already stashed")),
        Some(stream) => {
            stream.reset |= is_lost;
            match &mut stream.reply {
                // The first one is sent; what the last one says of itself is what the proxy remembers.
                Some(first) => first.details = reply.details,
                none => *none = Some(reply),
            }
            Ok(())
        }
        None => Ok(()),
    }
}

fn get_property(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let path = call.bytes(args.at(0), args.at(1))?;
    call.note(&path);
    let value = properties::get(call.state(), &path)?;
    call.give(&value, args.at(2), args.at(3))
}

fn set_property(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let path = call.bytes(args.at(0), args.at(1))?;
    call.note(&path);
    let value = call.bytes(args.at(2), args.at(3))?;
    Ok(properties::set(call.state(), &path, value)?)
}
