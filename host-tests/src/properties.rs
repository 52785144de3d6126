//! Properties: what a path stands for. The parts of a path are separated by a NUL; the value is bytes.

use crate::abi::{MapType, Status};
use crate::headers::HeaderMap;
use crate::nginx;
use crate::pairs;
use crate::profile::Profile;
use crate::state::{State, Stream};

/// The value of a property for the context at hand; `None` where there is none.
pub(crate) fn get(state: &mut State, path: &[u8]) -> Result<Vec<u8>, Status> {
    let path = &*parted(state.world.profile, path);
    check_scope(state, path)?;
    find(state, path).ok_or(Status::NotFound)
}

/// Sets a property for the context at hand.
pub(crate) fn set(state: &mut State, path: &[u8], value: Vec<u8>) -> Result<(), Status> {
    let path = parted(state.world.profile, path);
    check_scope(state, &path)?;
    let is_taken = match (state.world.profile.dots_separate(), split(&path)) {
        (false, _) | (true, (b"wasmx", Some(_))) => true,
        (true, (b"ngx", Some(name))) => state.world.variables.iter().any(|known| known.as_bytes() == name),
        (true, _) => false,
    };
    let declared = state.declared.get(&(state.root_id(), path.clone()));
    let is_read_only = declared.is_some_and(|is_read_only| *is_read_only);
    let stream = state.stream().filter(|_| is_taken).ok_or(Status::NotFound)?;
    if is_read_only && stream.set.contains_key(&path) {
        return Err(Status::BadArgument);
    }
    stream.set.insert(path, value);
    Ok(())
}

/// The path with its parts separated as they are here.
fn parted(profile: Profile, path: &[u8]) -> Vec<u8> {
    let mut path = path.to_vec();
    if profile.dots_separate() {
        path.iter_mut()
            .filter(|byte| **byte == b'.')
            .for_each(|byte| *byte = 0);
    }
    path
}

/// Outside of a request there is nothing but what has one part only.
fn check_scope(state: &mut State, path: &[u8]) -> Result<(), Status> {
    let is_outside = state.world.profile.dots_separate() && state.stream().is_none();
    match is_outside && path.contains(&0) {
        true => Err(Status::InternalFailure),
        false => Ok(()),
    }
}

fn find(state: &mut State, path: &[u8]) -> Option<Vec<u8>> {
    let now = state.world.clock.now_nanos();
    let profile = state.world.profile;
    let (first, rest) = split(path);
    match (first, rest) {
        (b"plugin_root_id", None) => return Some(state.plugin().root_id.clone().into_bytes()),
        (b"plugin_name", None) => return Some(state.plugin().name.clone().into_bytes()),
        (b"plugin_vm_id", None) => return Some(state.world.vm_id.clone().into_bytes()),
        _ => {}
    }
    let id = state.context();
    let stream = state.stream()?;
    if let Some(given) = stream.given.get(path) {
        return Some(given.clone());
    }
    if profile.dots_separate() {
        match (first, rest) {
            (b"wasmx", Some(_)) => return stream.set.get(path).cloned(),
            (b"ngx", Some(name)) => {
                let set = stream.set.get(path).cloned();
                return set.or_else(|| nginx::variable(&stream.request.headers, name));
            }
            (b"request", Some(field)) if let Some(name) = nginx::variable_of(field) => {
                return nginx::variable(&stream.request.headers, name);
            }
            _ => {}
        }
    }
    match (first, rest) {
        (b"request", Some(field)) => request(stream, field, profile, now),
        (b"response", Some(field)) => response(stream, field, profile),
        (b"source", Some(field)) => peer(SOURCE, field, profile),
        (b"destination", Some(field)) => peer(DESTINATION, field, profile),
        (b"connection", Some(b"id")) | (b"connection_id", None) => Some(integer(u64::from(id), profile)),
        // What a module sets has a prefix among the rest of the filter state.
        (b"filter_state", Some(key)) if let Some(set) = key.strip_prefix(b"wasm.") => {
            stream.set.get(set).cloned()
        }
        (b"filter_state", Some(_)) => stream.set.get(path).cloned(),
        (b"connection", Some(b"mtls")) => Some(boolean(false, profile)),
        // What a module sets is found under the first part of the path only: the whole path is one key.
        (key, None) => stream.set.get(key).cloned(),
        _ => None,
    }
}

const SOURCE: (&str, u64) = ("127.0.0.1", 40_000);
const DESTINATION: (&str, u64) = ("127.0.0.1", 8_080);

fn split(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = path.splitn(2, |byte| *byte == 0);
    (parts.next().unwrap_or_default(), parts.next())
}

fn peer((ip, port): (&str, u64), field: &[u8], profile: Profile) -> Option<Vec<u8>> {
    match field {
        b"address" if profile.port_in_addresses() => Some(format!("{ip}:{port}").into_bytes()),
        b"address" => Some(ip.as_bytes().to_vec()),
        b"port" => Some(integer(port, profile)),
        _ => None,
    }
}

fn request(stream: &Stream, field: &[u8], profile: Profile, now: Option<u64>) -> Option<Vec<u8>> {
    match field {
        b"time" => return Some(integer(stream.started_nanos?, profile)),
        b"duration" => return Some(integer(now?.saturating_sub(stream.started_nanos?), profile)),
        b"size" => return Some(integer(count(&stream.request.body), profile)),
        b"protocol" => return Some(b"HTTP/1.1".to_vec()),
        _ => {}
    }
    let headers = stream.readable(MapType::HttpRequestHeaders)?;
    let value = |name: &[u8]| headers.get(name).map(<[u8]>::to_vec);
    match field {
        b"path" => value(b":path"),
        b"url_path" => value(b":path").map(|path| cut_query(&path).0.to_vec()),
        b"query" => value(b":path").map(|path| cut_query(&path).1.to_vec()),
        b"host" => value(b":authority"),
        b"scheme" => value(b":scheme"),
        b"method" => value(b":method"),
        b"referer" => value(b"referer"),
        b"useragent" => value(b"user-agent"),
        b"id" => value(b"x-request-id"),
        _ => in_map(headers, field, b"headers"),
    }
}

fn response(stream: &Stream, field: &[u8], profile: Profile) -> Option<Vec<u8>> {
    let headers = stream.readable(MapType::HttpResponseHeaders);
    match field {
        b"code" => {
            let status = std::str::from_utf8(headers?.get(b":status")?).ok()?;
            Some(integer(status.parse().ok()?, profile))
        }
        b"code_details" => stream.details.clone().map(String::into_bytes),
        b"size" => Some(integer(count(&stream.response.body), profile)),
        _ => in_map(headers?, field, b"headers"),
    }
}

/// A whole map as pairs, or all values of one name joined by commas.
fn in_map(headers: &HeaderMap, field: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    match split(field) {
        (map, None) if map == name => Some(pairs::encode(headers.visible())),
        (map, Some(key)) if map == name => {
            let named = headers
                .visible()
                .filter(|(header, _)| header.eq_ignore_ascii_case(key));
            let values: Vec<_> = named.map(|(_, value)| value.as_slice()).collect();
            (!values.is_empty()).then(|| values.join(&b','))
        }
        _ => None,
    }
}

fn cut_query(path: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = path.splitn(2, |byte| *byte == b'?');
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

fn count(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn integer(number: u64, profile: Profile) -> Vec<u8> {
    if profile.binary_properties() {
        number.to_le_bytes().to_vec()
    } else {
        number.to_string().into_bytes()
    }
}

fn boolean(flag: bool, profile: Profile) -> Vec<u8> {
    if profile.binary_properties() {
        vec![u8::from(flag)]
    } else {
        flag.to_string().into_bytes()
    }
}
