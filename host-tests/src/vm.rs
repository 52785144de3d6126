//! One virtual machine: the instance, calls into it, and its failure. A machine that trapped is never entered
//! again.

use std::collections::BTreeMap;
use std::fmt;

use wasmtime::{Extern, Func, Instance, Store, Val, WasmBacktrace};

use crate::StartError;
use crate::limits::{Bounds, Limits};
use crate::memory::{Args, Guest};
use crate::module::Module;
use crate::state::{Lost, Phase, State, World};

/// The end of a virtual machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    /// The callback in which it happened.
    pub function: String,
    /// Why: the trap, or the host's reason to end the module.
    pub reason: String,
    /// The functions on the stack, the innermost first, where the module has names for them.
    pub backtrace: Vec<String>,
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the module failed in `{}`: {}", self.function, self.reason)
    }
}

impl std::error::Error for Trap {}

/// What a callback returned, and whether the module stopped the stream whatever it returned.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Returned {
    pub(crate) value: Option<u32>,
    pub(crate) stopped: bool,
}

/// A module that fills a queue whenever it is told of one is stopped here.
const MAX_NEWS: usize = 1_000;

pub(crate) struct Vm {
    module: Module,
    store: Store<State>,
    instance: Instance,
    fuel: u64,
    fuel_used: u64,
    failed: Option<Trap>,
}

impl Vm {
    /// Makes a machine and runs the module's own initialization. The world comes back where that fails.
    pub(crate) fn start(
        module: &Module,
        world: World,
        limits: Limits,
    ) -> Result<Self, Box<(World, StartError)>> {
        let linked = match module.linked() {
            Ok(linked) => linked,
            Err(error) => return Err(Box::new((world, StartError::Link(error.to_owned())))),
        };
        let bounds = Bounds::new(limits);
        let mut store = Store::new(module.engine(), State::new(world, module.abi(), bounds));
        store.limiter(|state| &mut state.limits);
        let fuel = limits.fuel.unwrap_or(u64::MAX);
        let instance = store.set_fuel(fuel).and_then(|()| linked.instantiate(&mut store));
        let instance = match instance {
            Ok(instance) => instance,
            Err(error) => {
                return Err(Box::new((
                    store.into_data().world,
                    StartError::Link(format!("{error:#}")),
                )));
            }
        };
        let mut vm = Self {
            module: module.clone(),
            store,
            instance,
            fuel,
            fuel_used: 0,
            failed: None,
        };
        match vm
            .lay_out()
            .and_then(|()| vm.connect())
            .and_then(|()| vm.initialize())
        {
            Ok(()) => Ok(vm),
            Err(error) => Err(Box::new((vm.store.into_data().world, error))),
        }
    }

    /// Lays what the module starts with into its memory, where that is not part of the code.
    fn lay_out(&mut self) -> Result<(), StartError> {
        let module = self.module.clone();
        let Some(image) = module.image() else {
            return Ok(());
        };
        let memory = self
            .instance
            .get_memory(&mut self.store, "memory")
            .ok_or(StartError::Missing("memory"))?;
        let link = |error: wasmtime::Error| StartError::Link(format!("{error:#}"));
        memory.grow(&mut self.store, image.pages).map_err(link)?;
        for (place, data) in &image.data {
            let laid = memory.write(&mut self.store, *place, data);
            laid.map_err(|error| link(error.into()))?;
        }
        Ok(())
    }

    /// Finds the module's memory and allocator.
    fn connect(&mut self) -> Result<(), StartError> {
        let memory = self
            .instance
            .get_memory(&mut self.store, "memory")
            .ok_or(StartError::Missing("memory"))?;
        let malloc = ["malloc", "proxy_on_memory_allocate"]
            .into_iter()
            .find_map(|name| self.function(name));
        let (malloc, _) = malloc.ok_or(StartError::Missing("proxy_on_memory_allocate"))?;
        let malloc = Some(malloc);
        self.state_mut().guest = Some(Guest { memory, malloc });
        Ok(())
    }

    fn initialize(&mut self) -> Result<(), StartError> {
        if self.has("_initialize") {
            self.call(0, "_initialize", &[]);
            match (self.has("main"), self.has("__main_void")) {
                (true, _) => drop(self.call(0, "main", &[0, 0])),
                (false, true) => drop(self.call(0, "__main_void", &[])),
                (false, false) => {}
            }
        } else {
            self.call(0, "_start", &[]);
        }
        self.state_mut().phase = Phase::Running;
        self.failed
            .take()
            .map_or(Ok(()), |trap| Err(StartError::Trap(trap)))
    }

    pub(crate) fn state(&self) -> &State {
        self.store.data()
    }

    pub(crate) fn state_mut(&mut self) -> &mut State {
        self.store.data_mut()
    }

    pub(crate) fn has(&self, function: &str) -> bool {
        self.module.function(function).is_some()
    }

    /// A function that the module exports, and whether it returns something.
    fn function(&mut self, name: &str) -> Option<(Func, bool)> {
        let known = self.module.function(name)?;
        let found = self.instance.get_module_export(&mut self.store, &known.export);
        Some((found.and_then(Extern::into_func)?, known.returns))
    }

    pub(crate) fn failure(&self) -> Option<&Trap> {
        self.failed.as_ref()
    }

    pub(crate) fn fuel_used(&self) -> u64 {
        self.fuel_used
    }

    /// Bytes of the module's memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.state()
            .guest
            .map_or(0, |guest| guest.memory.data_size(&self.store))
    }

    /// Calls a callback, and then tells the module of the queues that it filled. What the module does not
    /// export, and whatever it exports once it has failed, is not called and returns nothing.
    pub(crate) fn call(&mut self, context: u32, function: &'static str, args: &[u32]) -> Returned {
        let returned = self.enter(context, function, args);
        while let Some(root) = self.state_mut().ended_roots.pop_front() {
            self.delete_root(root);
        }
        self.hear();
        returned
    }

    /// The end of a root context, which takes its callouts with it.
    pub(crate) fn delete_root(&mut self, root: u32) {
        self.enter(root, "proxy_on_delete", &[root]);
        let world = &mut self.state_mut().world;
        world
            .callouts
            .pending
            .retain(|_, pending| pending.asker.root != root);
        world.grpc.open.retain(|_, open| open.root != root);
    }

    /// Tells the module of the queues that it listens to and that were filled, by itself or by another worker.
    pub(crate) fn hear(&mut self) {
        for _ in 0..MAX_NEWS {
            let world = &self.state().world;
            let worker = world.worker;
            let Some((root, queue)) = world.shared.with_queues(|queues| queues.take_news(worker)) else {
                return;
            };
            if self.state().has_context(root) {
                self.enter(root, "proxy_on_queue_ready", &[root, queue]);
            }
        }
    }

    fn enter(&mut self, context: u32, name: &'static str, args: &[u32]) -> Returned {
        let alive = self.failed.is_none();
        let Some((function, returns)) = self.function(name).filter(|_| alive) else {
            return Returned::default();
        };
        let state = self.state_mut();
        (state.current, state.effective, state.stop_iteration) = (context, None, false);
        state.callback = name;
        state.limits.enter();
        let args: Vec<Val> = args.iter().map(|arg| Val::I32(arg.cast_signed())).collect();
        let mut results = vec![Val::I32(0); usize::from(returns)];
        let done = self
            .store
            .set_fuel(self.fuel)
            .and_then(|()| function.call(&mut self.store, &args, &mut results));
        let left = self.store.get_fuel().unwrap_or(self.fuel);
        self.fuel_used = self.fuel_used.saturating_add(self.fuel.saturating_sub(left));
        let stopped = std::mem::take(&mut self.state_mut().stop_iteration);
        if let Err(error) = done {
            self.failed = Some(trap(name, &error));
            return Returned::default();
        }
        Returned {
            value: (!results.is_empty()).then(|| Args(&results).at(0)),
            stopped,
        }
    }

    /// Ends the machine for a reason of the host's.
    pub(crate) fn fail(&mut self, function: &str, reason: &str) {
        self.failed.get_or_insert(Trap {
            function: function.to_owned(),
            reason: reason.to_owned(),
            backtrace: Vec::new(),
        });
    }

    /// Puts a new machine in the place of this one. What outlives a machine is handed on.
    pub(crate) fn restart(&mut self, module: &Module, limits: Limits) -> Result<(), StartError> {
        let mut world = std::mem::take(&mut self.state_mut().world);
        // A machine takes its callouts with it.
        world.callouts.pending.clear();
        world.callouts.ready.clear();
        world.grpc.clear();
        match Self::start(module, world, limits) {
            Ok(mut vm) => {
                let fuel_used = self.fuel_used;
                vm.state_mut().lost = self.lose_streams();
                *self = vm;
                self.fuel_used = self.fuel_used.saturating_add(fuel_used);
                Ok(())
            }
            Err(failed) => {
                let (world, error) = *failed;
                self.state_mut().world = world;
                Err(error)
            }
        }
    }
}

impl Vm {
    /// The streams that are left behind when another machine takes the place of this one.
    fn lose_streams(&mut self) -> BTreeMap<u32, Lost> {
        let reason = self.failed.as_ref().map(ToString::to_string).unwrap_or_default();
        let state = self.state_mut();
        let mut lost = std::mem::take(&mut state.lost);
        let held = std::mem::take(&mut state.streams).into_iter();
        lost.extend(
            held.filter(|(_, stream)| stream.waiting.is_some())
                .map(|(id, stream)| {
                    let reason = reason.clone();
                    (id, Lost { stream, reason })
                }),
        );
        lost
    }
}

fn trap(function: &str, error: &wasmtime::Error) -> Trap {
    let names = error.downcast_ref::<WasmBacktrace>().map(|backtrace| {
        let name = |frame: &wasmtime::FrameInfo| frame.func_name().unwrap_or("unnamed").to_owned();
        backtrace.frames().iter().map(name).collect()
    });
    Trap {
        function: function.to_owned(),
        reason: error.root_cause().to_string(),
        backtrace: names.unwrap_or_default(),
    }
}
