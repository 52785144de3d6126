//! Host functions on metrics.

use super::Function;
use crate::memory::{Answer, Args, Call, Fail};
use crate::profile::Profile;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("proxy_define_metric", 4, define),
    Function::new("proxy_increment_metric", 2, increment).wide(&[1]),
    Function::new("proxy_record_metric", 2, record).wide(&[1]),
    Function::new("proxy_get_metric", 2, get),
];

fn define(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let name = call.bytes(args.at(1), args.at(2))?;
    call.note(&name);
    let state = call.state();
    let bytes = name.len().saturating_add(state.plugin().name.len());
    if bytes > state.world.profile.metric_name_bytes() {
        return Err(Fail::Trap(wasmtime::Error::msg(
            "could not define metric: name too long",
        )));
    }
    let id = call.state().world.metrics.define(args.at(0), &name)?;
    call.write_u32(args.at(3), id)
}

fn increment(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    known(call, args.at(0))?;
    const KIND: u32 = 0b11;
    const GAUGE: u32 = 1;
    if args.at(0) & KIND == GAUGE && call.state().world.profile.gauges_are_set_only() {
        return Err(Fail::Trap(wasmtime::Error::msg(
            "could not increment metric: it is a gauge",
        )));
    }
    Ok(call.state().world.metrics.increment(args.at(0), args.wide(1))?)
}

fn record(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    known(call, args.at(0))?;
    Ok(call
        .state()
        .world
        .metrics
        .record(args.at(0), args.wide(1).cast_unsigned())?)
}

fn get(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    known(call, args.at(0))?;
    let value = call.state().world.metrics.get(args.at(0))?;
    call.write_u64(args.at(1), value)
}

/// ngx_wasm_module fails the module that names an unknown metric.
fn known(call: &mut Call<'_>, id: u32) -> Answer {
    let world = &call.state().world;
    if world.profile == Profile::Nginx && !world.metrics.is_known(id) {
        return Err(Fail::Trap(wasmtime::Error::msg("no such metric")));
    }
    Ok(())
}
