//! The Proxy-Wasm ABI: its numbers, and the table of host functions that a module may import.
//!
//! One file for each family of functions. A function takes its arguments as numbers, works on a [`Call`], and
//! answers with a status; tracing, faults and the rules of each phase are applied here for all of them.

mod buffers;
mod callouts;
mod contexts;
mod grpc;
mod headers;
mod observe;
mod shared;
mod streams;

use wasmtime::{Caller, FuncType, Linker, Val, ValType};

use crate::memory::{Answer, Args, Call, Fail};
use crate::module::{AbiVersion, Module};
use crate::profile::Profile;
use crate::state::{Phase, State};
use crate::trace::HostCall;
use crate::wasi;

/// The status of a host call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Status {
    /// 0: done.
    Ok = 0,
    /// 1: there is no such thing.
    NotFound = 1,
    /// 2: an argument is out of place.
    BadArgument = 2,
    /// 3
    SerializationFailure = 3,
    /// 4
    ParseFailure = 4,
    /// 5
    BadExpression = 5,
    /// 6: a pointer is outside of the module's memory, or the module found no memory for an answer.
    InvalidMemoryAccess = 6,
    /// 7: a queue holds nothing.
    Empty = 7,
    /// 8: another write came first.
    CasMismatch = 8,
    /// 9
    ResultMismatch = 9,
    /// 10: the host failed.
    InternalFailure = 10,
    /// 11: a callout's connection broke.
    BrokenConnection = 11,
    /// 12: this host has no such function.
    Unimplemented = 12,
}

/// A map of headers or trailers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MapType {
    /// 0
    HttpRequestHeaders,
    /// 1
    HttpRequestTrailers,
    /// 2
    HttpResponseHeaders,
    /// 3
    HttpResponseTrailers,
    /// 4
    GrpcReceiveInitialMetadata,
    /// 5
    GrpcReceiveTrailingMetadata,
    /// 6
    HttpCallResponseHeaders,
    /// 7
    HttpCallResponseTrailers,
}

/// A buffer of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BufferType {
    /// 0
    HttpRequestBody,
    /// 1
    HttpResponseBody,
    /// 2
    NetworkDownstreamData,
    /// 3
    NetworkUpstreamData,
    /// 4
    HttpCallResponseBody,
    /// 5
    GrpcReceiveBuffer,
    /// 6
    VmConfiguration,
    /// 7
    PluginConfiguration,
    /// 8
    CallData,
}

/// A direction of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamType {
    /// 0
    HttpRequest,
    /// 1
    HttpResponse,
    /// 2
    Downstream,
    /// 3
    Upstream,
}

/// The element of a list at the number that the ABI gives it.
fn numbered<T: Copy>(all: &[T], number: u32) -> Result<T, Status> {
    all.get(number as usize).copied().ok_or(Status::BadArgument)
}

impl MapType {
    fn from_abi(number: u32) -> Result<Self, Status> {
        const ALL: [MapType; 8] = [
            MapType::HttpRequestHeaders,
            MapType::HttpRequestTrailers,
            MapType::HttpResponseHeaders,
            MapType::HttpResponseTrailers,
            MapType::GrpcReceiveInitialMetadata,
            MapType::GrpcReceiveTrailingMetadata,
            MapType::HttpCallResponseHeaders,
            MapType::HttpCallResponseTrailers,
        ];
        numbered(&ALL, number)
    }
}

impl BufferType {
    fn from_abi(number: u32) -> Result<Self, Status> {
        const ALL: [BufferType; 9] = [
            BufferType::HttpRequestBody,
            BufferType::HttpResponseBody,
            BufferType::NetworkDownstreamData,
            BufferType::NetworkUpstreamData,
            BufferType::HttpCallResponseBody,
            BufferType::GrpcReceiveBuffer,
            BufferType::VmConfiguration,
            BufferType::PluginConfiguration,
            BufferType::CallData,
        ];
        numbered(&ALL, number)
    }
}

impl StreamType {
    fn from_abi(number: u32) -> Result<Self, Status> {
        const ALL: [StreamType; 4] = [
            StreamType::HttpRequest,
            StreamType::HttpResponse,
            StreamType::Downstream,
            StreamType::Upstream,
        ];
        numbered(&ALL, number)
    }
}

/// A host function.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// How many parameters it takes, and which of them are 64 bits wide.
    pub(crate) arity: usize,
    pub(crate) wide: &'static [usize],
    pub(crate) returns: bool,
    /// Which versions of the ABI have it.
    pub(crate) abi: Versions,
    pub(crate) allowed: Allowed,
    pub(crate) run: fn(&mut Call<'_>, &Args<'_>) -> Answer,
}

/// Versions of the ABI that have a function.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Versions {
    All,
    First,
    SinceSecond,
    SinceLast,
}

/// When a function may be called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Allowed {
    InCallbacks,
    AtStart,
    Always,
}

impl Function {
    /// A function of the ABI: all parameters and the result are 32 bits wide.
    pub(crate) const fn new(
        name: &'static str,
        arity: usize,
        run: fn(&mut Call<'_>, &Args<'_>) -> Answer,
    ) -> Self {
        let (abi, allowed) = (Versions::All, Allowed::InCallbacks);
        Self {
            name,
            arity,
            wide: &[],
            returns: true,
            abi,
            allowed,
            run,
        }
    }

    pub(crate) const fn wide(mut self, positions: &'static [usize]) -> Self {
        self.wide = positions;
        self
    }

    pub(crate) const fn only(mut self, abi: Versions) -> Self {
        self.abi = abi;
        self
    }

    pub(crate) const fn allowed(mut self, allowed: Allowed) -> Self {
        self.allowed = allowed;
        self
    }

    pub(crate) const fn no_result(mut self) -> Self {
        self.returns = false;
        self
    }

    fn has(&self, abi: AbiVersion) -> bool {
        match self.abi {
            Versions::All => true,
            Versions::First => abi == AbiVersion::V0_1_0,
            Versions::SinceSecond => abi >= AbiVersion::V0_2_0,
            Versions::SinceLast => abi >= AbiVersion::V0_2_1,
        }
    }

    fn may_run(&self, phase: Phase, profile: Profile) -> bool {
        match phase {
            Phase::Running => true,
            Phase::Starting => profile != Profile::Envoy || self.allowed >= Allowed::AtStart,
            Phase::Allocating => profile != Profile::Envoy || self.allowed == Allowed::Always,
        }
    }

    fn typed(&self, engine: &wasmtime::Engine) -> FuncType {
        let kind = |position| {
            if self.wide.contains(&position) {
                ValType::I64
            } else {
                ValType::I32
            }
        };
        FuncType::new(
            engine,
            (0..self.arity).map(kind),
            self.returns.then_some(ValType::I32),
        )
    }
}

const FAMILIES: [&[Function]; 8] = [
    headers::FUNCTIONS,
    buffers::FUNCTIONS,
    streams::FUNCTIONS,
    contexts::FUNCTIONS,
    callouts::FUNCTIONS,
    grpc::FUNCTIONS,
    shared::FUNCTIONS,
    observe::FUNCTIONS,
];

/// Offers a module everything that this host has under its version of the ABI.
pub(crate) fn link(module: &Module) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(module.engine());
    for function in FAMILIES
        .into_iter()
        .flatten()
        .filter(|function| function.has(module.abi()))
    {
        define(&mut linker, "env", function)?;
    }
    for space in ["wasi_snapshot_preview1", "wasi_unstable"] {
        for function in wasi::FUNCTIONS {
            define(&mut linker, space, function)?;
        }
    }
    for function in wasi::EMSCRIPTEN {
        define(&mut linker, "env", function)?;
    }
    if module.abi() == AbiVersion::V0_2_100 {
        link_unimplemented(&mut linker, module)?;
    }
    Ok(linker)
}

fn define(linker: &mut Linker<State>, space: &str, function: &'static Function) -> wasmtime::Result<()> {
    let typed = function.typed(linker.engine());
    linker.func_new(space, function.name, typed, move |caller, params, results| {
        let code = dispatch(caller, function, &Args(params))?;
        if let Some(result) = results.first_mut() {
            *result = Val::I32(code);
        }
        Ok(())
    })?;
    Ok(())
}

/// The further functions of ABI 0.2.100 answer that they are not implemented.
fn link_unimplemented(linker: &mut Linker<State>, module: &Module) -> wasmtime::Result<()> {
    let known = |name: &str| {
        FAMILIES
            .into_iter()
            .flatten()
            .any(|function| function.name == name)
    };
    for import in module.code().imports() {
        let Some(typed) = import.ty().func().cloned() else {
            continue;
        };
        if import.module() != "env" || !import.name().starts_with("proxy_") || known(import.name()) {
            continue;
        }
        linker.allow_shadowing(true);
        linker.func_new("env", import.name(), typed, |_, _, results| {
            results.fill(Val::I32(Status::Unimplemented as i32));
            Ok(())
        })?;
    }
    Ok(())
}

fn dispatch(
    caller: Caller<'_, State>,
    function: &'static Function,
    args: &Args<'_>,
) -> wasmtime::Result<i32> {
    let wasi = !function.name.starts_with("proxy_");
    let mut call = Call::new(
        caller,
        if wasi {
            wasi::FAULT
        } else {
            Status::InvalidMemoryAccess as i32
        },
    )?;
    let answer = intercept(&mut call, function, wasi).and_then(|()| (function.run)(&mut call, args));
    let (code, trap) = match answer {
        Ok(()) => (Some(0), None),
        Err(Fail::Code(code)) => (Some(code), None),
        Err(Fail::Trap(trap)) => (None, Some(trap)),
    };
    record(&mut call, function.name, args, code);
    trap.map_or_else(|| Ok(code.unwrap_or_default()), Err)
}

/// Applies what holds for every function: the phase, the profile, and the faults of the test.
fn intercept(call: &mut Call<'_>, function: &Function, wasi: bool) -> Answer {
    let state = call.state();
    let profile = state.world.profile;
    if !function.may_run(state.phase, profile) || profile.traps_on(function.name) {
        let text = format!("host function `{}` may not be called here", function.name);
        return Err(Fail::Trap(wasmtime::Error::msg(text)));
    }
    match state.world.faults.on_call(function.name) {
        None => Ok(()),
        Some(_) if wasi => Err(Fail::Code(wasi::IO)),
        Some(status) => Err(status.into()),
    }
}

fn record(call: &mut Call<'_>, function: &'static str, args: &Args<'_>, status: Option<i32>) {
    let about = std::mem::take(&mut call.about);
    let (taken, given) = (call.taken.take(), call.given.take());
    let state = call.state();
    let (context, callback) = (state.context(), state.callback);
    let trace = &mut state.world.trace;
    trace.count += 1;
    if trace.enabled {
        trace.calls.push(HostCall {
            callback,
            function,
            context,
            arguments: args.numbers(),
            about,
            status,
            taken,
            given,
        });
    }
}
