//! One call from the module into the host: its arguments, the module's memory, and how it can fail.

use std::cell::RefCell;

use wasmtime::{Caller, Extern, Func, Memory, Val};

use crate::abi::Status;
use crate::state::{Phase, State};

/// The parts of the module that host calls need.
#[derive(Clone, Copy)]
pub(crate) struct Guest {
    pub(crate) memory: Memory,
    pub(crate) malloc: Option<Func>,
}

/// How a host call fails: with a number for the module, or with the end of the module.
pub(crate) enum Fail {
    Code(i32),
    Trap(wasmtime::Error),
}

impl From<Status> for Fail {
    fn from(status: Status) -> Self {
        Self::Code(status as i32)
    }
}

/// What a host function answers: success is 0.
pub(crate) type Answer = Result<(), Fail>;

/// The arguments of a host call.
pub(crate) struct Args<'v>(pub(crate) &'v [Val]);

impl Args<'_> {
    /// The argument at a position as 32 bits; a missing one is 0.
    pub(crate) fn at(&self, position: usize) -> u32 {
        let number = self.0.get(position).and_then(Val::i32).unwrap_or_default();
        u32::from_ne_bytes(number.to_ne_bytes())
    }

    /// All arguments as numbers.
    pub(crate) fn numbers(&self) -> Vec<i64> {
        let number = |value: &Val| value.i64().or_else(|| value.i32().map(i64::from));
        self.0
            .iter()
            .map(|value| number(value).unwrap_or_default())
            .collect()
    }

    /// The argument at a position as 64 bits; a missing one is 0.
    pub(crate) fn wide(&self, position: usize) -> i64 {
        self.0.get(position).and_then(Val::i64).unwrap_or_default()
    }
}

/// A host call in progress.
pub(crate) struct Call<'c> {
    caller: Caller<'c, State>,
    memory: Memory,
    /// What a bad pointer is answered with.
    fault: i32,
    /// What the call is about, for the trace.
    pub(crate) about: String,
    /// What the module handed over, and what it was given, where the trace keeps values.
    pub(crate) taken: RefCell<Vec<Vec<u8>>>,
    pub(crate) given: Option<Vec<u8>>,
}

impl<'c> Call<'c> {
    pub(crate) fn new(mut caller: Caller<'c, State>, fault: i32) -> wasmtime::Result<Self> {
        let exported = caller.data().guest.map(|guest| guest.memory);
        let found = exported.or_else(|| caller.get_export("memory").and_then(Extern::into_memory));
        let memory = found.ok_or_else(|| wasmtime::Error::msg("the module exports no memory"))?;
        Ok(Self {
            caller,
            memory,
            fault,
            about: String::new(),
            taken: RefCell::default(),
            given: None,
        })
    }

    pub(crate) fn state(&mut self) -> &mut State {
        self.caller.data_mut()
    }

    /// Notes for the trace what the call is about.
    pub(crate) fn note(&mut self, about: &[u8]) {
        if self.caller.data().world.trace.enabled {
            self.about = about.escape_ascii().to_string();
        }
    }

    fn bad_pointer(&self) -> Fail {
        Fail::Code(self.fault)
    }

    /// Copies bytes out of the module. What the host keeps of them is bounded too: a module that hands over more in one
    /// callback than it may is ended.
    pub(crate) fn bytes(&mut self, pointer: u32, len: u32) -> Result<Vec<u8>, Fail> {
        let start = pointer as usize;
        let range = start..start.saturating_add(len as usize);
        let is_there = range.end <= self.memory.data_size(&self.caller);
        if is_there && !self.state().limits.hand(len as usize) {
            let why = "the module hands more to the host in one callback than its limits allow";
            return Err(Fail::Trap(wasmtime::Error::msg(why)));
        }
        let found = self.memory.data(&self.caller).get(range);
        let bytes = found.map(<[u8]>::to_vec).ok_or_else(|| self.bad_pointer())?;
        if self.caller.data().world.trace.values {
            self.taken.borrow_mut().push(bytes.clone());
        }
        Ok(bytes)
    }

    /// Reads a number out of the module.
    pub(crate) fn number(&self, pointer: u32) -> Result<u32, Fail> {
        let bytes = self.memory.data(&self.caller).get(pointer as usize..);
        let found = bytes.and_then(<[u8]>::first_chunk::<4>);
        found
            .map(|bytes| u32::from_le_bytes(*bytes))
            .ok_or_else(|| self.bad_pointer())
    }

    /// Copies bytes into the module.
    pub(crate) fn write(&mut self, pointer: u32, bytes: &[u8]) -> Answer {
        self.memory
            .write(&mut self.caller, pointer as usize, bytes)
            .map_err(|_| self.bad_pointer())
    }

    pub(crate) fn write_u32(&mut self, pointer: u32, number: u32) -> Answer {
        self.write(pointer, &number.to_le_bytes())
    }

    /// A length as the module counts it.
    pub(crate) fn write_len(&mut self, pointer: u32, len: usize) -> Answer {
        self.write_u32(pointer, u32::try_from(len).unwrap_or(u32::MAX))
    }

    pub(crate) fn write_u64(&mut self, pointer: u32, number: u64) -> Answer {
        self.write(pointer, &number.to_le_bytes())
    }

    /// Gives bytes to the module in memory of its own, and writes where and how many. No bytes need no memory.
    pub(crate) fn give(&mut self, bytes: &[u8], pointer_out: u32, len_out: u32) -> Answer {
        if self.caller.data().world.trace.values {
            self.given = Some(bytes.to_vec());
        }
        let pointer = if bytes.is_empty() { 0 } else { self.place(bytes)? };
        self.write_u32(pointer_out, pointer)?;
        self.write_len(len_out, bytes.len())
    }

    /// Copies bytes into memory that the module allocates for them.
    pub(crate) fn place(&mut self, bytes: &[u8]) -> Result<u32, Fail> {
        let pointer = self.allocate(bytes.len())?;
        self.write(pointer, bytes)?;
        Ok(pointer)
    }

    fn allocate(&mut self, len: usize) -> Result<u32, Fail> {
        if self.state().world.faults.on_allocation() {
            return Err(self.bad_pointer());
        }
        let malloc = self
            .state()
            .guest
            .and_then(|guest| guest.malloc)
            .ok_or_else(|| self.bad_pointer())?;
        let len = i32::try_from(len).map_err(|_| self.bad_pointer())?;
        let before = std::mem::replace(&mut self.state().phase, Phase::Allocating);
        let mut out = [Val::I32(0)];
        let called = malloc.call(&mut self.caller, &[Val::I32(len)], &mut out);
        self.state().phase = before;
        called.map_err(Fail::Trap)?;
        match Args(&out).at(0) {
            0 => Err(self.bad_pointer()),
            pointer => Ok(pointer),
        }
    }
}
