//! The host's functions, called by name with the arguments of a script.

#![expect(
    unsafe_code,
    reason = "the Proxy-Wasm ABI is a set of imported functions that take raw pointers"
)]

use crate::script::{Argument, Call, low};
use crate::{signatures, text};

/// What stands where the host has written nothing.
const UNTOUCHED: u64 = 0x5ca1_ab1e;

/// A place that no module has, and the length of what is there.
const OUTSIDE: (u32, u32) = (0xffff_fff0, 0x20);

macro_rules! host_functions {
    ($($(#[$only:meta])* fn $name:ident($($argument:ident: $type:ty),*);)*) => {
        #[link(wasm_import_module = "env")]
        unsafe extern "C" {
            $($(#[$only])* fn $name($($argument: $type),*) -> u32;)*
        }

        /// Calls the function of that name.
        fn call_by_name(name: &str, slots: &[u64]) -> Option<u32> {
            let mut slots = slots.iter();
            match name {
                $($(#[$only])* stringify!($name) => {
                    $(let $argument = <$type as Slot>::from_slot(*slots.next()?);)*
                    // Every pointer among them is the script's or that of memory which outlives the call.
                    Some(unsafe { $name($($argument),*) })
                })*
                _ => None,
            }
        }
    };
}

trait Slot {
    fn from_slot(slot: u64) -> Self;
}

impl Slot for u32 {
    fn from_slot(slot: u64) -> Self {
        low(slot)
    }
}

impl Slot for u64 {
    fn from_slot(slot: u64) -> Self {
        slot
    }
}

host_functions! {
    fn proxy_log(a: u32, b: u32, c: u32);
    #[cfg(not(feature = "nginx"))]
    fn proxy_get_log_level(a: u32);
    fn proxy_get_current_time_nanoseconds(a: u32);
    fn proxy_set_tick_period_milliseconds(a: u32);
    fn proxy_set_effective_context(a: u32);
    fn proxy_done();
    fn proxy_get_status(a: u32, b: u32, c: u32);
    fn proxy_get_buffer_bytes(a: u32, b: u32, c: u32, d: u32, e: u32);
    #[cfg(not(feature = "nginx"))]
    fn proxy_get_buffer_status(a: u32, b: u32, c: u32);
    fn proxy_set_buffer_bytes(a: u32, b: u32, c: u32, d: u32, e: u32);
    #[cfg(not(feature = "nginx"))]
    fn proxy_get_header_map_size(a: u32, b: u32);
    fn proxy_get_header_map_pairs(a: u32, b: u32, c: u32);
    fn proxy_set_header_map_pairs(a: u32, b: u32, c: u32);
    fn proxy_get_header_map_value(a: u32, b: u32, c: u32, d: u32, e: u32);
    fn proxy_add_header_map_value(a: u32, b: u32, c: u32, d: u32, e: u32);
    fn proxy_replace_header_map_value(a: u32, b: u32, c: u32, d: u32, e: u32);
    fn proxy_remove_header_map_value(a: u32, b: u32, c: u32);
    fn proxy_continue_stream(a: u32);
    fn proxy_close_stream(a: u32);
    fn proxy_send_local_response(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32, g: u32, h: u32);
    fn proxy_http_call(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32, g: u32, h: u32, i: u32, j: u32);
    fn proxy_grpc_call(
        a: u32, b: u32, c: u32, d: u32, e: u32, f: u32, g: u32, h: u32, i: u32, j: u32, k: u32, l: u32
    );
    fn proxy_grpc_stream(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32, g: u32, h: u32, i: u32);
    fn proxy_grpc_send(a: u32, b: u32, c: u32, d: u32);
    fn proxy_grpc_cancel(a: u32);
    fn proxy_grpc_close(a: u32);
    fn proxy_get_shared_data(a: u32, b: u32, c: u32, d: u32, e: u32);
    fn proxy_set_shared_data(a: u32, b: u32, c: u32, d: u32, e: u32);
    fn proxy_register_shared_queue(a: u32, b: u32, c: u32);
    fn proxy_resolve_shared_queue(a: u32, b: u32, c: u32, d: u32, e: u32);
    fn proxy_enqueue_shared_queue(a: u32, b: u32, c: u32);
    fn proxy_dequeue_shared_queue(a: u32, b: u32, c: u32);
    fn proxy_define_metric(a: u32, b: u32, c: u32, d: u32);
    fn proxy_record_metric(a: u32, b: u64);
    fn proxy_increment_metric(a: u32, b: u64);
    fn proxy_get_metric(a: u32, b: u32);
    fn proxy_get_property(a: u32, b: u32, c: u32, d: u32);
    fn proxy_set_property(a: u32, b: u32, c: u32, d: u32);
    fn proxy_call_foreign_function(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32);
}

/// What a call came to.
pub(crate) struct Answered {
    pub(crate) status: u32,
    /// What the host wrote, printed.
    pub(crate) written: Vec<String>,
    /// The first number that it wrote.
    pub(crate) number: Option<u32>,
}

/// Writes a line to the log.
pub(crate) fn log(line: &str) {
    const INFO: u32 = 2;
    let slots = [u64::from(INFO), address(line.as_ptr()), count(line.len())];
    call_by_name("proxy_log", &slots);
}

/// Bytes of a buffer; empty where there are none.
pub(crate) fn buffer(kind: u32, length: u32) -> Vec<u8> {
    let out = [UNTOUCHED; 2];
    let place = address(out.as_ptr().cast());
    let slots = [
        u64::from(kind),
        0,
        u64::from(length),
        place,
        place.wrapping_add(8),
    ];
    match call_by_name("proxy_get_buffer_bytes", &slots) {
        Some(0) => given(&out),
        _ => Vec::new(),
    }
}

/// Calls what a line of a script says. The variable's values are looked up with `value`.
pub(crate) fn call(call: &Call, value: impl Fn(&str) -> Option<u32>) -> Result<Answered, String> {
    let (name, shape) =
        signatures::shape(&call.function).ok_or_else(|| format!("there is no `{}`", call.function))?;
    let mut outs: Vec<(char, Box<[u64; 2]>)> = Vec::new();
    let mut slots = Vec::new();
    let mut arguments = call.arguments.iter();
    for kind in shape.chars() {
        if matches!(kind, 'o' | 'u' | 'U') {
            let cells = Box::new([UNTOUCHED; 2]);
            let place = match call.bad_out {
                true => u64::from(OUTSIDE.0),
                false => address(cells.as_ptr().cast()),
            };
            slots.push(place);
            if kind == 'o' {
                slots.push(place.wrapping_add(8));
            }
            outs.push((kind, cells));
            continue;
        }
        let argument = arguments.next().ok_or("an argument is missing")?;
        push(&mut slots, kind, argument, &value)?;
    }
    if arguments.next().is_some() {
        return Err("there are too many arguments".to_owned());
    }
    let status = call_by_name(name, &slots).ok_or("the call could not be made")?;
    Ok(answered(call, status, &outs))
}

fn push(
    slots: &mut Vec<u64>,
    kind: char,
    argument: &Argument,
    value: &impl Fn(&str) -> Option<u32>,
) -> Result<(), String> {
    match (kind, argument) {
        ('i' | 'l', Argument::Number(number)) => slots.push(*number),
        ('i' | 'l', Argument::Variable(name)) => {
            slots.push(
                value(name)
                    .ok_or_else(|| format!("nothing is kept as `{name}`"))?
                    .into(),
            );
        }
        ('b', Argument::Bytes(bytes)) if bytes.is_empty() => slots.extend([0, 0]),
        ('b', Argument::Bytes(bytes)) => slots.extend([address(bytes.as_ptr()), count(bytes.len())]),
        ('b', Argument::OutOfMemory) => slots.extend([u64::from(OUTSIDE.0), u64::from(OUTSIDE.1)]),
        _ => return Err("an argument has the wrong type".to_owned()),
    }
    Ok(())
}

fn answered(call: &Call, status: u32, outs: &[(char, Box<[u64; 2]>)]) -> Answered {
    let (mut written, mut number) = (Vec::new(), None);
    for (kind, cells) in outs {
        // The host has written through the pointer: what is there must be read anew.
        let cells = unsafe { std::ptr::read_volatile(&raw const **cells) };
        if cells == [UNTOUCHED; 2] {
            if status == 0 && !call.bad_out {
                written.push("untouched".to_owned());
            }
            continue;
        }
        let [first, _] = cells;
        let shown = match kind {
            'o' if call.masked => "<bytes>".to_owned(),
            'o' if call.function.ends_with("_pairs") => text::pairs(&given(&cells)),
            // A map among the properties has no order.
            'o' if call.function == "proxy_get_property" => text::sorted_pairs(&given(&cells)),
            'o' => text::bytes(&given(&cells)),
            _ if call.masked && first != 0 => "<number>".to_owned(),
            'U' => first.to_string(),
            _ => {
                let kept = call.keep.as_ref().filter(|_| number.is_none());
                number.get_or_insert(low(first));
                kept.map_or_else(|| low(first).to_string(), |name| format!("={name}"))
            }
        };
        written.push(shown);
    }
    Answered {
        status,
        written,
        number,
    }
}

/// The bytes at a place that the host has written down: the pointer, and 8 bytes further on the length.
fn given(cells: &[u64; 2]) -> Vec<u8> {
    let cells = unsafe { std::ptr::read_volatile(cells) };
    let [place, length] = cells.map(low);
    let (place, length) = (place as usize as *const u8, length as usize);
    if place.is_null() || length == 0 {
        return Vec::new();
    }
    // The host got this memory from our allocator, and says how much of it there is.
    unsafe { std::slice::from_raw_parts(place, length) }.to_vec()
}

fn address(pointer: *const u8) -> u64 {
    pointer.addr() as u64
}

fn count(length: usize) -> u64 {
    length as u64
}
