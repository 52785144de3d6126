//! The machine in which a module is run here: when a bundle is made, and when a module is asked what it is. It has a log
//! and two texts to read. A module that asks for anything else (the time, chance, the environment, a request) is stopped.

use wasmtime::{
    Caller, Config, Engine, Extern, Instance, Linker, Memory, Module, OptLevel, RegallocAlgorithm, Store,
    StoreLimits, StoreLimitsBuilder, TypedFunc,
};

/// How many instructions a module may take to take in a policy: that with 10,000 routes takes a small part of it.
pub(crate) const BAKE_FUEL: u64 = 100_000_000_000;

/// How many instructions a module may take to say what it is, whosever it may be.
pub(crate) const ASK_FUEL: u64 = 100_000_000;

/// How much memory a module may have: the plugin with 10,000 routes takes a tenth of it.
const MEMORY_BYTES: usize = 512 * 1024 * 1024;

/// How much a module may say.
const LOG_BYTES: usize = 1024 * 1024;

/// The most that a module may be told at once.
const BUFFER_BYTES: usize = 64 * 1024 * 1024;

const BAD_ARGUMENT: u32 = 2;
const NOT_FOUND: u32 = 1;
const INVALID_MEMORY_ACCESS: u32 = 6;

const VM_CONFIGURATION: u32 = 6;
const PLUGIN_CONFIGURATION: u32 = 7;

/// What a machine has.
pub(crate) struct Machine {
    pub(crate) configuration: Vec<u8>,
    pub(crate) vm_configuration: Vec<u8>,
    /// What the module said: the level and the line.
    pub(crate) log: Vec<(u32, String)>,
    logged: usize,
    limits: StoreLimits,
}

impl Machine {
    pub(crate) fn new(configuration: Vec<u8>, vm_configuration: Vec<u8>) -> Self {
        Self {
            configuration,
            vm_configuration,
            log: Vec::new(),
            logged: 0,
            limits: StoreLimitsBuilder::new()
                .memory_size(MEMORY_BYTES)
                .memories(1)
                .tables(8)
                .table_elements(1 << 20)
                .instances(1)
                .trap_on_grow_failure(false)
                .build(),
        }
    }
}

/// How the machine code of a module is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Haste {
    /// For a module that is run many times.
    None,
    /// For a module that is run once, and for a moment.
    Great,
}

/// # Errors
/// What this machine lacks.
pub(crate) fn engine(haste: Haste) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config.consume_fuel(true);
    config.wasm_memory64(false);
    match haste {
        // A machine with no writable cache folder compiles every time, and that is all.
        Haste::None => config.cache(wasmtime::Cache::new(wasmtime::CacheConfig::new()).ok()),
        Haste::Great => config
            .cranelift_opt_level(OptLevel::None)
            .cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass),
    };
    Engine::new(&config)
}

/// A module that was started in such a machine.
pub(crate) struct Started {
    pub(crate) store: Store<Machine>,
    pub(crate) instance: Instance,
}

impl Started {
    /// Instantiates a module and has it initialise itself.
    ///
    /// # Errors
    /// What it asked for that there is not, or how it failed.
    pub(crate) fn new(
        engine: &Engine,
        module: &Module,
        machine: Machine,
        fuel: u64,
    ) -> wasmtime::Result<Self> {
        let mut store = Store::new(engine, machine);
        store.limiter(|machine| &mut machine.limits);
        store.set_fuel(fuel)?;
        let linker = linker(engine, module)?;
        let instance = linker.instantiate(&mut store, module)?;
        let mut started = Self { store, instance };
        started.call("_initialize")?;
        Ok(started)
    }

    /// Calls a function without arguments.
    ///
    /// # Errors
    /// There is no such function, or it failed.
    pub(crate) fn call(&mut self, name: &str) -> wasmtime::Result<()> {
        let function: TypedFunc<(), ()> = self.instance.get_typed_func(&mut self.store, name)?;
        function.call(&mut self.store, ())
    }
}

fn linker(engine: &Engine, module: &Module) -> wasmtime::Result<Linker<Machine>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("env", "proxy_log", log)?;
    linker.func_wrap("env", "proxy_get_buffer_bytes", buffer_bytes)?;
    linker.define_unknown_imports_as_traps(module)?;
    Ok(linker)
}

fn memory(caller: &mut Caller<'_, Machine>) -> wasmtime::Result<Memory> {
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    memory.ok_or_else(|| wasmtime::Error::msg("the module exports no memory"))
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn log(mut caller: Caller<'_, Machine>, level: u32, message: u32, size: u32) -> wasmtime::Result<u32> {
    let memory = memory(&mut caller)?;
    let end = index(message).saturating_add(index(size));
    let (bytes, machine) = memory.data_and_store_mut(&mut caller);
    let Some(bytes) = bytes.get(index(message)..end) else {
        return Ok(INVALID_MEMORY_ACCESS);
    };
    machine.logged = machine.logged.saturating_add(bytes.len());
    if machine.logged > LOG_BYTES {
        return Err(wasmtime::Error::msg("the module says too much"));
    }
    let line = String::from_utf8_lossy(bytes).into_owned();
    machine.log.push((level, line));
    Ok(0)
}

fn buffer_bytes(
    mut caller: Caller<'_, Machine>,
    buffer: u32,
    start: u32,
    length: u32,
    data: u32,
    size: u32,
) -> wasmtime::Result<u32> {
    let machine = caller.data();
    let text = match buffer {
        VM_CONFIGURATION => &machine.vm_configuration,
        PLUGIN_CONFIGURATION => &machine.configuration,
        _ => return Ok(NOT_FOUND),
    };
    let end = index(start).saturating_add(index(length)).min(text.len());
    let Some(text) = text
        .get(index(start)..end)
        .filter(|text| text.len() <= BUFFER_BYTES)
    else {
        return Ok(BAD_ARGUMENT);
    };
    let text = text.to_vec();
    let Ok(length) = u32::try_from(text.len()) else {
        return Ok(BAD_ARGUMENT);
    };
    let place = match length {
        0 => 0,
        length => allocate(&mut caller, length)?,
    };
    let memory = memory(&mut caller)?;
    let write =
        |caller: &mut Caller<'_, Machine>, at: u32, bytes: &[u8]| memory.write(caller, index(at), bytes);
    write(&mut caller, place, &text)?;
    write(&mut caller, data, &place.to_le_bytes())?;
    write(&mut caller, size, &length.to_le_bytes())?;
    Ok(0)
}

/// Memory that the module then owns (Proxy-Wasm ABI 0.2.1, `proxy_on_memory_allocate`; `malloc` in older modules).
fn allocate(caller: &mut Caller<'_, Machine>, bytes: u32) -> wasmtime::Result<u32> {
    let names = ["proxy_on_memory_allocate", "malloc"];
    let function = names
        .into_iter()
        .find_map(|name| caller.get_export(name)?.into_func());
    let function = function.ok_or_else(|| wasmtime::Error::msg("the module exports no allocator"))?;
    let function: TypedFunc<u32, u32> = function.typed(&caller)?;
    function.call(caller, bytes)
}
