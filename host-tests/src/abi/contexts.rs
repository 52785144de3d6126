//! Host functions on contexts, time, ticks and foreign functions.

use super::{Allowed, Function, Status, Versions};
use crate::foreign;
use crate::log::LogLevel;
use crate::memory::{Answer, Args, Call, Fail};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("proxy_log", 3, log).allowed(Allowed::Always),
    Function::new("proxy_get_log_level", 1, get_log_level).only(Versions::SinceLast),
    Function::new("proxy_get_current_time_nanoseconds", 1, current_time),
    Function::new("proxy_set_tick_period_milliseconds", 1, set_tick_period),
    Function::new("proxy_set_effective_context", 1, set_effective_context),
    Function::new("proxy_done", 0, done),
    Function::new("proxy_get_status", 3, get_status),
    Function::new("proxy_call_foreign_function", 6, call_foreign_function),
];

fn log(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let level = LogLevel::from_abi(args.at(0)).ok_or(Status::BadArgument)?;
    let message = call.bytes(args.at(1), args.at(2))?;
    call.state().log(level, &message);
    Ok(())
}

fn get_log_level(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let level = call.state().world.log_level as u32;
    call.write_u32(args.at(0), level)
}

fn current_time(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let now = call
        .state()
        .world
        .clock
        .now_nanos()
        .ok_or(Status::InternalFailure)?;
    call.write_u64(args.at(0), now)
}

/// The tick belongs to the root context; 0 ends it.
fn set_tick_period(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let period = args.at(0);
    let state = call.state();
    let only_once = state.world.profile.has_one_tick();
    let by_stream = state.streams.contains_key(&state.context());
    let now = state.world.clock.virtual_nanos();
    let Some(root) = state.root() else { return Ok(()) };
    let again = period > 0 && root.tick_ms > 0;
    if only_once && (again || by_stream) {
        let why = if again {
            "tick_period already set"
        } else {
            "can only set tick_period in root context"
        };
        return Err(Fail::Trap(wasmtime::Error::msg(why)));
    }
    root.set_tick(period, now);
    Ok(())
}

fn set_effective_context(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let id = args.at(0);
    let state = call.state();
    if !state.world.profile.has_effective_contexts() {
        return Ok(());
    }
    if id == 0 {
        // The context of the machine itself stands for that of the callback.
        state.effective = None;
        return Ok(());
    }
    if !state.has_context(id) {
        return Err(Status::BadArgument.into());
    }
    state.effective = Some(id);
    Ok(())
}

/// The root is deleted when the callback has returned.
fn done(call: &mut Call<'_>, _: &Args<'_>) -> Answer {
    let state = call.state();
    let id = state.root_id();
    let root = state
        .root()
        .filter(|root| root.pending_done)
        .ok_or(Status::NotFound)?;
    root.pending_done = false;
    state.ended_roots.push_back(id);
    Ok(())
}

fn get_status(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let (code, message) = call
        .state()
        .root()
        .map(|root| root.status.clone())
        .unwrap_or_default();
    call.write_u32(args.at(0), code)?;
    call.give(&message, args.at(1), args.at(2))
}

/// A module that does not care for the result passes 0 for where it should go.
fn call_foreign_function(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let name = call.bytes(args.at(0), args.at(1))?;
    call.note(&name);
    let argument = call.bytes(args.at(2), args.at(3))?;
    let Some(answer) = foreign::call(call.state(), &name, &argument) else {
        return Err(
            match call.state().world.profile.unknown_foreign_functions_trap() {
                true => Fail::Trap(wasmtime::Error::msg("unknown foreign function")),
                false => Status::NotFound.into(),
            },
        );
    };

    let result = answer.as_deref().unwrap_or_default();
    if args.at(4) != 0 {
        let pointer = if result.is_empty() { 0 } else { call.place(result)? };
        call.write_u32(args.at(4), pointer)?;
    }
    if args.at(5) != 0 {
        call.write_len(args.at(5), result.len())?;
    }
    Ok(answer.map(drop)?)
}
