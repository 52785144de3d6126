//! Host functions on header and trailer maps.

use super::{Function, MapType, Status};
use crate::memory::{Answer, Args, Call, Fail};
use crate::module::AbiVersion;
use crate::pairs;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("proxy_get_header_map_size", 2, size),
    Function::new("proxy_get_header_map_pairs", 3, get_pairs),
    Function::new("proxy_set_header_map_pairs", 3, set_pairs),
    Function::new("proxy_get_header_map_value", 5, get_value),
    Function::new("proxy_add_header_map_value", 5, add_value),
    Function::new("proxy_replace_header_map_value", 5, replace_value),
    Function::new("proxy_remove_header_map_value", 3, remove_value),
];

fn size(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let map = MapType::from_abi(args.at(0))?;
    // Unlike the others this one asks for a map that could be changed, so in the log phase there is none.
    let bytes = call.state().map_mut(map)?.byte_size();
    call.write_len(args.at(1), bytes)
}

/// An absent map is an empty one here, and only here.
fn get_pairs(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let map = MapType::from_abi(args.at(0))?;
    let encoded = match call.state().map(map) {
        Ok(found) if !found.is_empty() => pairs::encode(found.visible()),
        Ok(_) | Err(_) => Vec::new(),
    };
    call.give(&encoded, args.at(1), args.at(2))
}

fn set_pairs(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let map = MapType::from_abi(args.at(0))?;
    check(call, map)?;
    let given = pairs::decode(&call.bytes(args.at(1), args.at(2))?);
    call.state().map_mut(map)?.replace_all(given);
    Ok(())
}

fn get_value(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let map = MapType::from_abi(args.at(0))?;
    let name = call.bytes(args.at(1), args.at(2))?;
    call.note(&name);
    // ABI 0.1.0 knows no missing value, only an empty one.
    let lenient = call.state().abi == AbiVersion::V0_1_0;
    let found = call
        .state()
        .map(map)
        .and_then(|map| map.get(&name).map(<[u8]>::to_vec).ok_or(Status::NotFound));
    let value = match found {
        Err(Status::NotFound) if lenient => Vec::new(),
        found => found?,
    };
    call.give(&value, args.at(3), args.at(4))
}

fn add_value(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let (map, name, value) = named_value(call, args)?;
    call.state().map_mut(map)?.add(&name, &value);
    Ok(())
}

fn replace_value(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let (map, name, value) = named_value(call, args)?;
    call.state().map_mut(map)?.replace(&name, &value);
    Ok(())
}

fn remove_value(call: &mut Call<'_>, args: &Args<'_>) -> Answer {
    let map = MapType::from_abi(args.at(0))?;
    check(call, map)?;
    let name = call.bytes(args.at(1), args.at(2))?;
    call.note(&name);
    call.state().map_mut(map)?.remove(&name);
    Ok(())
}

type NamedValue = (MapType, Vec<u8>, Vec<u8>);

fn named_value(call: &mut Call<'_>, args: &Args<'_>) -> Result<NamedValue, crate::memory::Fail> {
    let map = MapType::from_abi(args.at(0))?;
    check(call, map)?;
    let name = call.bytes(args.at(1), args.at(2))?;
    call.note(&name);
    let value = call.bytes(args.at(3), args.at(4))?;
    Ok((map, name, value))
}

/// Some hosts end a module that changes headers too late.
fn check(call: &mut Call<'_>, map: MapType) -> Answer {
    let state = call.state();
    match state.world.profile.headers_trap(state.callback, map) {
        Some(why) => Err(Fail::Trap(wasmtime::Error::msg(why))),
        None => Ok(()),
    }
}
