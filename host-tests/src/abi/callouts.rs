//! The host function for HTTP callouts.

use super::{Function, Status};
use crate::callout::{Asker, Callout, Sent};
use crate::memory::{Answer, Args, Call, Fail};
use crate::pairs;

pub(super) const FUNCTIONS: &[Function] = &[Function::new("proxy_http_call", 10, http_call)];

fn http_call(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let state = call.state();
    if !state.world.profile.may_call_out(state.callback) {
        return Err(trap("HTTP callouts are not possible in this callback"));
    }
    let upstream = call.bytes(args.at(0), args.at(1))?;
    let headers = call.bytes(args.at(2), args.at(3))?;
    let body = call.bytes(args.at(4), args.at(5))?;
    let trailers = call.bytes(args.at(6), args.at(7))?;
    let timeout_ms = args.at(8);
    call.note(&upstream);
    call.write_u32(args.at(9), 0)?;
    if timeout_ms > i32::MAX.unsigned_abs() {
        return Err(Status::BadArgument.into());
    }
    let callout = Callout {
        token: 0,
        upstream: String::from_utf8_lossy(&upstream).into_owned(),
        headers: pairs::decode(&headers),
        body,
        trailers: pairs::decode(&trailers),
        timeout_ms,
    };
    let state = call.state();
    let context = state.context();
    let asker = Asker {
        root: state.root_id(),
        stream: state.streams.contains_key(&context).then_some(context),
        now: state.world.clock.virtual_nanos(),
    };
    let profile = state.world.profile;
    match state.world.callouts.send(asker, callout, profile) {
        Sent::Token(token) => call.write_u32(args.at(9), token),
        Sent::BadArgument => Err(Status::BadArgument.into()),
        Sent::Trap(why) => Err(trap(why)),
    }
}

fn trap(why: &str) -> Fail {
    Fail::Trap(wasmtime::Error::msg(why.to_owned()))
}
