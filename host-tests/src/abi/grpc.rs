//! Host functions for gRPC callouts. All of them work on the root context, whoever calls them.

use super::{Function, Status};
use crate::grpc::{GrpcCallout, GrpcKind};
use crate::grpc_callouts::{Opened, Target};
use crate::memory::{Answer, Args, Call, Fail};
use crate::pairs;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("proxy_grpc_call", 12, call),
    Function::new("proxy_grpc_stream", 9, stream),
    Function::new("proxy_grpc_send", 4, send),
    Function::new("proxy_grpc_cancel", 1, cancel),
    Function::new("proxy_grpc_close", 1, close),
];

fn call(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let message = call.bytes(args.at(8), args.at(9))?;
    let callout = GrpcCallout {
        messages: vec![message],
        ended: true,
        timeout_ms: args.at(10),
        ..callout(call, args, GrpcKind::Call)?
    };
    open(call, args, callout, args.at(11))
}

fn stream(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let callout = callout(call, args, GrpcKind::Stream)?;
    open(call, args, callout, args.at(8))
}

fn callout(call: &mut Call<'_>, args: &Args<'_>, kind: GrpcKind) -> Result<GrpcCallout, Fail> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let service = call.bytes(args.at(2), args.at(3))?;
    let method = call.bytes(args.at(4), args.at(5))?;
    let metadata = call.bytes(args.at(6), args.at(7))?;
    Ok(GrpcCallout {
        token: 0,
        kind,
        upstream: String::new(),
        service: text(service),
        method: text(method),
        metadata: pairs::decode(&metadata),
        messages: Vec::new(),
        ended: false,
        timeout_ms: 0,
    })
}

/// The number is written where the callout is open already: a bad place for it does not end the callout.
fn open(call: &mut Call<'_>, args: &Args<'_>, callout: GrpcCallout, token_out: u32) -> Answer {
    let service = call.bytes(args.at(0), args.at(1))?;
    call.note(&service);
    let state = call.state();
    let (root, now) = (state.root_id(), state.world.clock.virtual_nanos());
    match state.world.grpc.open(root, Target::of(&service), callout, now) {
        Opened::Token(token) => call.write_u32(token_out, token),
        Opened::Failed(status) => Err(status.into()),
        Opened::Crash => Err(Fail::Trap(wasmtime::Error::msg(
            "the proxy crashed: the gRPC service is a message that names no target",
        ))),
    }
}

fn send(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let token = args.at(0);
    let message = call.bytes(args.at(1), args.at(2))?;
    let state = call.state();
    if GrpcKind::of(token) != Some(GrpcKind::Stream) {
        return Err(Status::BadArgument.into());
    }
    let (root, now) = (state.root_id(), state.world.clock.virtual_nanos());
    let open = state.world.grpc.named(token, root).ok_or(Status::NotFound)?;
    if !open.remote_closed {
        open.callout.messages.push(message);
        open.callout.ended |= args.at(3) != 0;
        state.world.grpc.ask(token, now);
    }
    Ok(())
}

fn cancel(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let token = find(call, args)?;
    call.state().world.grpc.open.remove(&token);
    Ok(())
}

/// A call is cancelled; of a stream only the module's side is closed.
fn close(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let token = find(call, args)?;
    let state = call.state();
    let now = state.world.clock.virtual_nanos();
    let grpc = &mut state.world.grpc;
    match grpc.open.get_mut(&token) {
        Some(open) if open.callout.kind == GrpcKind::Stream && !open.remote_closed => {
            open.local_closed = true;
            open.callout.ended = true;
            grpc.ask(token, now);
        }
        Some(_) | None => drop(grpc.open.remove(&token)),
    }
    Ok(())
}

fn find(call: &mut Call<'_>, args: &Args<'_>) -> Result<u32, Fail> {
    let token = args.at(0);
    GrpcKind::of(token).ok_or(Status::BadArgument)?;
    let state = call.state();
    let root = state.root_id();
    state.world.grpc.named(token, root).ok_or(Status::NotFound)?;
    Ok(token)
}
