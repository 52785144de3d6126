//! Properties: what a path stands for. The parts of a path are separated by a NUL; the value is bytes.

use std::collections::BTreeSet;

use crate::abi::{MapType, Status};
use crate::headers::HeaderMap;
use crate::local_reply::grpc_status_of;
use crate::nginx;
use crate::pairs;
use crate::profile::Profile;
use crate::state::{Half, State, Stream};

/// The value of a property for the context at hand; `None` where there is none.
pub(crate) fn get(state: &mut State, path: &[u8]) -> Result<Vec<u8>, Status> {
    let path = &*parted(state.world.profile, path);
    check_scope(state, path)?;
    let path = match state.world.profile.has_maps_of_properties() {
        true => walked(state, path)?,
        false => path,
    };
    find(state, path).ok_or(Status::NotFound)
}

/// Envoy walks along the parts: a NUL at the end begins no further one, and what it then stands at must be a value.
fn walked<'p>(state: &mut State, path: &'p [u8]) -> Result<&'p [u8], Status> {
    let end = match path {
        [.., before, 0] if *before != 0 => path.strip_suffix(&[0]).unwrap_or(path),
        path => path,
    };
    let is_map = MAPS.contains(&end) && state.stream().is_some();
    match end.is_empty() || is_map {
        true => Err(Status::SerializationFailure),
        false => Ok(end),
    }
}

/// What has fields and is no value itself.
const MAPS: [&[u8]; 6] = [
    b"request",
    b"response",
    b"connection",
    b"upstream",
    b"source",
    b"destination",
];

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
        (b"connection", Some(b"requested_server_name")) => Some(Vec::new()),
        (b"upstream", Some(field)) => peer(UPSTREAM, field, profile).filter(|_| stream.is_of_upstream()),
        // What a module sets is found under the first part of the path only: the whole path is one key.
        (key, None) => stream.set.get(key).cloned(),
        _ => None,
    }
}

const SOURCE: (&str, u64) = ("127.0.0.1", 40_000);
const DESTINATION: (&str, u64) = ("127.0.0.1", 8_080);
const UPSTREAM: (&str, u64) = ("127.0.0.1", 8_081);

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
        // How long it took is known when it is over.
        b"duration" if profile.has_maps_of_properties() && !stream.log_phase => return None,
        b"duration" => return Some(integer(now?.saturating_sub(stream.started_nanos?), profile)),
        b"size" => return Some(integer(size(&stream.request), profile)),
        b"total_size" => return Some(integer(total_size(&stream.request), profile)),
        b"protocol" => return Some(b"HTTP/1.1".to_vec()),
        _ => {}
    }
    let headers = stream.readable(MapType::HttpRequestHeaders);
    if let Some(found) = in_map(headers, field, b"headers", profile) {
        return Some(found);
    }
    let headers = headers?;
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
        _ => None,
    }
}

fn response(stream: &Stream, field: &[u8], profile: Profile) -> Option<Vec<u8>> {
    let headers = stream.readable(MapType::HttpResponseHeaders);
    match field {
        b"code" => {
            let status = std::str::from_utf8(headers?.get(b":status")?).ok()?;
            Some(integer(status.parse().ok()?, profile))
        }
        b"code_details" => match &stream.details {
            Some(details) => Some(details.clone().into_bytes()),
            None => stream.is_of_upstream().then(|| b"via_upstream".to_vec()),
        },
        b"size" => Some(integer(size(&stream.response), profile)),
        b"total_size" => Some(integer(total_size(&stream.response), profile)),
        b"flags" => Some(integer(0, profile)),
        b"grpc_status" => Some(integer(u64::from(grpc_status(stream)?), profile)),
        field => in_map(headers, field, b"headers", profile).or_else(|| {
            let trailers = stream.readable(MapType::HttpResponseTrailers);
            in_map(trailers, field, b"trailers", profile)
        }),
    }
}

/// What is said by a field of the trailers or the headers, else what the HTTP status stands for.
fn grpc_status(stream: &Stream) -> Option<u32> {
    let number = |value: &[u8]| std::str::from_utf8(value).ok()?.parse().ok();
    let stated = |map: &HeaderMap| map.get(b"grpc-status").and_then(number);
    let status = || stream.response.headers.get(b":status").and_then(number);
    stated(&stream.response.trailers)
        .or_else(|| stated(&stream.response.headers))
        .or_else(|| status().map(grpc_status_of))
}

/// The bytes of a body so far.
fn size(half: &Half) -> u64 {
    count(&half.passed) + count(&half.held) + count(&half.body)
}

fn total_size(half: &Half) -> u64 {
    let headers = u64::try_from(half.headers.byte_size()).unwrap_or(u64::MAX);
    size(half).saturating_add(headers)
}

impl Stream {
    /// Whether there is a response that came from the upstream.
    fn is_of_upstream(&self) -> bool {
        self.details.is_none() && !self.response.headers.is_empty()
    }
}

/// A whole map as pairs, or all values of one name joined by commas. In Envoy a map that is absent is an empty one, and
/// has each name once.
fn in_map(headers: Option<&HeaderMap>, field: &[u8], name: &[u8], profile: Profile) -> Option<Vec<u8>> {
    match split(field) {
        (map, None) if map == name && profile.has_maps_of_properties() => {
            let all = headers.into_iter().flat_map(HeaderMap::visible);
            let names: BTreeSet<&[u8]> = all.map(|(name, _)| name.as_slice()).collect();
            let joined = |name: &&[u8]| Some((name.to_vec(), joined(headers?, name)?));
            let all: Vec<_> = names.iter().filter_map(joined).collect();
            Some(pairs::encode(all.iter()))
        }
        (map, None) if map == name => Some(pairs::encode(headers?.visible())),
        // `host` is another name of the authority here too.
        (map, Some(key)) if map == name && profile.has_maps_of_properties() => {
            let headers = headers?;
            joined(headers, &headers.key(key))
        }
        (map, Some(key)) if map == name => joined(headers?, key),
        _ => None,
    }
}

fn joined(headers: &HeaderMap, name: &[u8]) -> Option<Vec<u8>> {
    let named = headers
        .visible()
        .filter(|(header, _)| header.eq_ignore_ascii_case(name));
    let values: Vec<_> = named.map(|(_, value)| value.as_slice()).collect();
    (!values.is_empty()).then(|| values.join(&b','))
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
