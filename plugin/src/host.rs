//! The host's functions, declared here and nowhere else, as bytes in and a status out.
//!
//! The SDK's own wrappers trap on statuses and bytes that a client can provoke, and a trap takes the VM down
//! for everybody. These never do.

#![expect(
    unsafe_code,
    reason = "the Proxy-Wasm ABI is a set of imported functions that take raw pointers"
)]

use std::ptr;

/// A host function answered with another status than OK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HostError {
    /// The name of the function, for the log.
    pub(crate) function: &'static str,
    /// The status it answered with.
    pub(crate) status: u32,
}

/// Header maps of a stream (Proxy-Wasm ABI 0.2.1, `proxy_map_type_t`).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Map {
    /// The headers of the request.
    RequestHeaders = 0,
    /// The trailers of the request.
    RequestTrailers = 1,
    /// The headers of the answer to a callout.
    CalloutHeaders = 6,
}

/// Kinds of metrics (Proxy-Wasm ABI 0.2.1, `proxy_metric_type_t`).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Metric {
    /// A sum that only grows.
    Counter = 0,
    /// A number that goes up and down.
    Gauge = 1,
}

/// Streams of an HTTP context (Proxy-Wasm ABI 0.2.1, `proxy_stream_type_t`).
const HTTP_REQUEST: u32 = 0;

/// Another writer came first (Proxy-Wasm ABI 0.2.1, `proxy_status_t`).
const CAS_MISMATCH: u32 = 8;

/// What was asked makes no sense here (Proxy-Wasm ABI 0.2.1, `proxy_status_t`).
pub(crate) const BAD_ARGUMENT: u32 = 2;

/// There is no such thing (Proxy-Wasm ABI 0.2.1, `proxy_status_t`).
pub(crate) const NOT_FOUND: u32 = 1;

/// Severities of the log (Proxy-Wasm ABI 0.2.1, `proxy_log_level_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Records and news.
    Info = 2,
    /// Something an operator should look at.
    Warn = 3,
    /// Something that stops the policy.
    Error = 4,
}

const CALLOUT_BODY: u32 = 4;
const VM_CONFIGURATION: u32 = 6;
const PLUGIN_CONFIGURATION: u32 = 7;

/// Declares the host's functions. Off a host, in the unit tests of this crate, each answers UNIMPLEMENTED.
macro_rules! host_functions {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> u32;)*) => {
        #[cfg(target_family = "wasm")]
        #[link(wasm_import_module = "env")]
        unsafe extern "C" {
            $(fn $name($($argument: $type),*) -> u32;)*
        }

        $(
            #[cfg(not(target_family = "wasm"))]
            const unsafe fn $name($(_: $type),*) -> u32 {
                12
            }
        )*
    };
}

host_functions! {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        length: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_size: usize, data: *const u8, size: usize, cas: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        argument: *const u8,
        argument_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
}

const fn checked(function: &'static str, status: u32) -> Result<(), HostError> {
    match status {
        0 => Ok(()),
        status => Err(HostError { function, status }),
    }
}

/// Writes a line to the proxy's log.
pub(crate) fn log(level: Level, message: &str) -> Result<(), HostError> {
    // SAFETY: pointer and length are those of a live string, which the host only reads.
    checked("proxy_log", unsafe {
        proxy_log(level as u32, message.as_ptr(), message.len())
    })
}

/// The host's clock, in nanoseconds since 1970.
pub(crate) fn now_nanoseconds() -> Result<u64, HostError> {
    let mut time = 0;
    // SAFETY: the host writes eight bytes to a live variable of that size.
    let status = unsafe { proxy_get_current_time_nanoseconds(&raw mut time) };
    checked("proxy_get_current_time_nanoseconds", status).map(|()| time)
}

/// The configuration that the proxy gives the plugin; empty where it gives none.
pub(crate) fn configuration() -> Result<Vec<u8>, HostError> {
    buffer(PLUGIN_CONFIGURATION, usize::MAX)
}

/// The configuration of the virtual machine: where a bundle is made, the fields that it leaves open.
pub(crate) fn vm_configuration() -> Result<Vec<u8>, HostError> {
    buffer(VM_CONFIGURATION, usize::MAX)
}

/// The first `limit` bytes of the body of the answer to a callout.
pub(crate) fn callout_body(limit: usize) -> Result<Vec<u8>, HostError> {
    buffer(CALLOUT_BODY, limit)
}

/// The first `limit` bytes of a buffer.
fn buffer(buffer: u32, limit: usize) -> Result<Vec<u8>, HostError> {
    owned("proxy_get_buffer_bytes", |data, size| {
        // SAFETY: the host writes a pointer and a size to live variables.
        unsafe { proxy_get_buffer_bytes(buffer, 0, limit, data, size) }
    })
}

/// Has the root called every `milliseconds`. Called once: some hosts trap on a second period.
pub(crate) fn set_tick_period(milliseconds: u32) -> Result<(), HostError> {
    // SAFETY: plain numbers.
    let status = unsafe { proxy_set_tick_period_milliseconds(milliseconds) };
    checked("proxy_set_tick_period_milliseconds", status)
}

/// Makes the calls that follow act on another context, until the host is given back control.
pub(crate) fn set_effective_context(context: u32) -> Result<(), HostError> {
    // SAFETY: plain numbers.
    let status = unsafe { proxy_set_effective_context(context) };
    checked("proxy_set_effective_context", status)
}

/// Lets a request go on that was held.
pub(crate) fn continue_request() -> Result<(), HostError> {
    // SAFETY: plain numbers.
    checked("proxy_continue_stream", unsafe {
        proxy_continue_stream(HTTP_REQUEST)
    })
}

/// What stands under `key` in the data that all workers share, and the number by which to replace it.
pub(crate) fn shared_data(key: &str) -> Result<Option<(Vec<u8>, u32)>, HostError> {
    let mut cas = 0;
    let found = owned("proxy_get_shared_data", |data, size| {
        // SAFETY: the key is a live string, which the host only reads; it writes to live variables.
        unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas) }
    });
    match found {
        Ok(value) => Ok(Some((value, cas))),
        Err(HostError {
            status: NOT_FOUND, ..
        }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Puts `value` under `key` in the data that all workers share, if nobody did so since `cas` was read. `false`
/// where somebody did.
pub(crate) fn set_shared_data(key: &str, value: &[u8], cas: u32) -> Result<bool, HostError> {
    // SAFETY: pointers and lengths are those of live slices, which the host only reads.
    let status = unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) };
    match status {
        CAS_MISMATCH => Ok(false),
        status => checked("proxy_set_shared_data", status).map(|()| true),
    }
}

/// All pairs of a header map in the encoding of the ABI.
pub(crate) fn header_pairs(map: Map) -> Result<Vec<u8>, HostError> {
    owned("proxy_get_header_map_pairs", |data, size| {
        // SAFETY: the host writes a pointer and a size to live variables.
        unsafe { proxy_get_header_map_pairs(map as u32, data, size) }
    })
}

/// Takes over what the host wrote into memory that it got from the module's own allocator.
fn owned(
    function: &'static str,
    call: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
) -> Result<Vec<u8>, HostError> {
    let mut data: *mut u8 = ptr::null_mut();
    let mut size = 0;
    checked(function, call(&raw mut data, &raw mut size))?;
    if data.is_null() || size == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the ABI has the host allocate exactly `size` bytes by `proxy_on_memory_allocate`, which the SDK
    // implements with a `Vec<u8>` of that capacity, and hand them over.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}

/// Removes every header of that name.
pub(crate) fn remove_header(map: Map, name: &[u8]) -> Result<(), HostError> {
    // SAFETY: pointer and length are those of a live slice, which the host only reads.
    let status = unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) };
    checked("proxy_remove_header_map_value", status)
}

/// Sets a request header, in place of any of that name.
pub(crate) fn set_request_header(name: &[u8], value: &[u8]) -> Result<(), HostError> {
    // SAFETY: pointers and lengths are those of live slices, which the host only reads.
    let status = unsafe {
        proxy_replace_header_map_value(
            Map::RequestHeaders as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    };
    checked("proxy_replace_header_map_value", status)
}

/// Sets a property of the stream, for access logs and later filters.
pub(crate) fn set_property(path: &str, value: &str) -> Result<(), HostError> {
    // SAFETY: pointers and lengths are those of live strings, which the host only reads.
    let status = unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) };
    checked("proxy_set_property", status)
}

/// A property of the stream or its connection; the parts of `path` are separated by NUL. Nothing where there is none.
pub(crate) fn property(path: &str) -> Result<Option<Vec<u8>>, HostError> {
    let found = owned("proxy_get_property", |data, size| {
        // SAFETY: the path is a live string, which the host only reads; it writes to live variables.
        unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) }
    });
    match found {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(HostError {
            status: NOT_FOUND, ..
        }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A reply in place of the upstream's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalResponse<'a> {
    pub(crate) status: u16,
    pub(crate) details: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
    pub(crate) grpc_status: Option<u8>,
}

/// Answers the request here.
pub(crate) fn send_local_response(response: &LocalResponse<'_>) -> Result<(), HostError> {
    let headers = encode_pairs(response.headers);
    // SAFETY: pointers and lengths are those of live slices, which the host only reads.
    let status = unsafe {
        proxy_send_local_response(
            u32::from(response.status),
            response.details.as_ptr(),
            response.details.len(),
            response.body.as_ptr(),
            response.body.len(),
            headers.as_ptr(),
            headers.len(),
            response.grpc_status.map_or(-1, i32::from),
        )
    };
    checked("proxy_send_local_response", status)
}

/// A number of pairs, the sizes of each name and value, then each ended by a NUL.
fn encode_pairs(pairs: &[(&str, &str)]) -> Vec<u8> {
    /// What a pair takes beside its texts: two sizes, and an end for each.
    const BESIDE: usize = 10;
    let number = |length: usize| u32::try_from(length).unwrap_or_default().to_le_bytes();
    let texts = || pairs.iter().flat_map(|(name, value)| [name, value]);
    let room = texts().map(|text| text.len()).fold(4, usize::saturating_add);
    let mut bytes = Vec::with_capacity(room.saturating_add(pairs.len().saturating_mul(BESIDE)));
    bytes.extend_from_slice(&number(pairs.len()));
    for text in texts() {
        bytes.extend_from_slice(&number(text.len()));
    }
    for text in texts() {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// Defines a metric.
pub(crate) fn define_metric(kind: Metric, name: &str) -> Result<u32, HostError> {
    let mut id = 0;
    // SAFETY: the name is a live string, which the host only reads; the id is a live variable of four bytes.
    let status = unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) };
    checked("proxy_define_metric", status).map(|()| id)
}

/// Adds to a counter. Some hosts trap on a gauge here.
pub(crate) fn increment(id: u32, by: i64) -> Result<(), HostError> {
    // SAFETY: plain numbers.
    checked("proxy_increment_metric", unsafe {
        proxy_increment_metric(id, by)
    })
}

/// Sets a gauge.
pub(crate) fn record(id: u32, value: u64) -> Result<(), HostError> {
    // SAFETY: plain numbers.
    checked("proxy_record_metric", unsafe { proxy_record_metric(id, value) })
}

/// Calls a function that the host offers beside those of the ABI. Some hosts trap where there is none of that name.
pub(crate) fn call_foreign_function(name: &str, argument: &[u8]) -> Result<Vec<u8>, HostError> {
    owned("proxy_call_foreign_function", |data, size| {
        // SAFETY: pointers and lengths are those of live slices, which the host only reads; it writes to live variables.
        unsafe {
            proxy_call_foreign_function(
                name.as_ptr(),
                name.len(),
                argument.as_ptr(),
                argument.len(),
                data,
                size,
            )
        }
    })
}
