//! Host functions on shared data and shared queues.

use super::{Function, Status};
use crate::memory::{Answer, Args, Call};
use crate::queue::Listener;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("proxy_get_shared_data", 5, get_data),
    Function::new("proxy_set_shared_data", 5, set_data),
    Function::new("proxy_register_shared_queue", 3, register_queue),
    Function::new("proxy_resolve_shared_queue", 5, resolve_queue),
    Function::new("proxy_enqueue_shared_queue", 3, enqueue),
    Function::new("proxy_dequeue_shared_queue", 3, dequeue),
];

fn get_data(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let key = call.bytes(args.at(0), args.at(1))?;
    call.note(&key);
    let world = &call.state().world;
    let found = world.shared.read(&world.vm_id, &key, world.profile);
    let (value, cas) = found.ok_or(Status::NotFound)?;
    call.give(&value, args.at(2), args.at(3))?;
    call.write_u32(args.at(4), cas)
}

fn set_data(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let key = call.bytes(args.at(0), args.at(1))?;
    call.note(&key);
    let value = call.bytes(args.at(2), args.at(3))?;
    let world = &call.state().world;
    let removes = args.at(2) == 0 && world.profile.null_removes_shared_data();
    let value = (!removes).then_some(value.as_slice());
    Ok(world
        .shared
        .write(&world.vm_id, &key, value, args.at(4), world.profile)?)
}

fn register_queue(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let name = call.bytes(args.at(0), args.at(1))?;
    call.note(&name);
    let state = call.state();
    let root = state.root_id();
    let worker = state.world.worker;
    let listener = Listener { worker, root };
    let (shared, vm_id) = (&state.world.shared, &state.world.vm_id);
    let token = shared.with_queues(|queues| queues.register(vm_id, &name, listener));
    call.write_u32(args.at(2), token)
}

/// An empty machine id is the module's own.
fn resolve_queue(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let vm_id = call.bytes(args.at(0), args.at(1))?;
    let name = call.bytes(args.at(2), args.at(3))?;
    call.note(&name);
    let world = &call.state().world;
    let given = String::from_utf8_lossy(&vm_id);
    let vm_id = if vm_id.is_empty() {
        &world.vm_id
    } else {
        given.as_ref()
    };
    let token = world.shared.with_queues(|queues| queues.resolve(vm_id, &name));
    let token = token.ok_or(Status::NotFound)?;
    call.write_u32(args.at(4), token)
}

fn enqueue(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let token = args.at(0);
    let item = call.bytes(args.at(1), args.at(2))?;
    let state = call.state();
    let shared = &state.world.shared;
    Ok(shared.with_queues(|queues| queues.enqueue(token, &item))?)
}

fn dequeue(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let shared = &call.state().world.shared;
    let item = shared.with_queues(|queues| queues.dequeue(args.at(0)))?;
    call.give(&item, args.at(1), args.at(2))
}
