//! The host: one plugin in one virtual machine, its life, and what can be observed of it. Requests are in
//! `lifecycle`, the single steps of a stream in `stream`, callouts in `answers`, time in `time`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::StartError;
use crate::builder::HostBuilder;
use crate::clock::Clock;
use crate::exchange::Response;
use crate::fault::Faults;
use crate::lifecycle::Script;
use crate::limits::{FailurePolicy, Limits};
use crate::log::LogLine;
use crate::metrics::Metric;
use crate::module::Module;
use crate::shared_data::SharedData;
use crate::state::{Root, World};
use crate::trace::HostCall;
use crate::vm::{Trap, Vm};

/// One plugin in one virtual machine.
pub struct Host {
    module: Module,
    limits: Limits,
    policy: FailurePolicy,
    pub(crate) vm: Vm,
    pub(crate) root: u32,
    started: bool,
    configured: bool,
    pub(crate) response: Response,
    pub(crate) scripts: BTreeMap<u32, Script>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("module", &self.module)
            .field("configured", &self.configured)
            .finish_non_exhaustive()
    }
}

impl Host {
    /// Starts the set-up of a host.
    pub fn builder(module: &Module) -> HostBuilder {
        HostBuilder::new(module)
    }

    pub(crate) fn start(
        module: Module,
        world: World,
        limits: Limits,
        policy: FailurePolicy,
    ) -> Result<Self, StartError> {
        let vm = Vm::start(&module, world, limits).map_err(|failed| failed.1)?;
        let (response, scripts) = (Response::default(), BTreeMap::new());
        let mut host = Self {
            module,
            limits,
            policy,
            vm,
            root: 0,
            started: false,
            configured: false,
            response,
            scripts,
        };
        host.set_up();
        Ok(host)
    }

    /// Makes the root context, starts the machine and configures the plugin.
    fn set_up(&mut self) {
        let state = self.vm.state_mut();
        let root = state.allocate_context();
        state.roots.insert(root, Root::default());
        let size = length(state.world.vm_configuration.len());
        state.configuring = true;
        self.root = root;
        self.vm.call(root, "proxy_on_context_create", &[root, 0]);
        self.vm.state_mut().configuring = false;
        self.started = self.vm.call(root, "proxy_on_vm_start", &[root, size]).value != Some(0);
        self.configured = self.started && self.run_configure();
    }

    fn run_configure(&mut self) -> bool {
        let state = self.vm.state_mut();
        state.configuring = true;
        let size = length(state.world.plugin_configuration.len());
        let returned = self.vm.call(self.root, "proxy_on_configure", &[self.root, size]);
        self.vm.state_mut().configuring = false;
        self.vm.failure().is_none() && returned.value != Some(0)
    }

    /// Gives the plugin another configuration, in the same root context. `false` means that the plugin refused
    /// it; a plugin that was configured before stays so, with whatever it made of that.
    ///
    /// # Errors
    /// The module failed; it is not entered again.
    pub fn configure(&mut self, configuration: impl AsRef<[u8]>) -> Result<bool, Trap> {
        self.vm.state_mut().world.plugin_configuration = configuration.as_ref().to_vec();
        let accepted = self.started && self.run_configure();
        self.configured = self.configured || accepted;
        self.alive().map(|()| accepted)
    }

    /// Whether the plugin started and accepted a configuration.
    #[must_use]
    pub fn configured(&self) -> bool {
        self.configured && self.vm.failure().is_none()
    }

    /// How the module failed, where it did.
    #[must_use]
    pub fn failure(&self) -> Option<&Trap> {
        self.vm.failure()
    }

    /// Why no request can be given to the module now; `None` where one can.
    pub(crate) fn refusal(&self) -> Option<String> {
        match self.vm.failure() {
            Some(trap) => Some(trap.to_string()),
            None if !self.started => Some("the module refused to start".to_owned()),
            None if !self.configured => Some("the plugin refused its configuration".to_owned()),
            None => None,
        }
    }

    pub(crate) fn fails_open(&self) -> bool {
        self.policy == FailurePolicy::Open
    }

    /// Makes a new machine in place of one that failed, where the policy says so.
    pub(crate) fn reload(&mut self) {
        if self.policy == FailurePolicy::Reload && self.vm.failure().is_some() {
            (self.started, self.configured) = (false, false);
            if self.vm.restart(&self.module, self.limits).is_ok() {
                self.set_up();
            }
        }
    }

    /// Runs `proxy_on_tick` if the module asked for ticks; says whether it did.
    ///
    /// # Errors
    /// The module failed.
    pub fn tick(&mut self) -> Result<bool, Trap> {
        let asked = self.tick_period().is_some();
        if asked {
            self.vm.call(self.root, "proxy_on_tick", &[self.root]);
            self.deliver();
        }
        self.alive().map(|()| asked)
    }

    /// How often the module wants to be woken; `None` for never.
    #[must_use]
    pub fn tick_period(&self) -> Option<Duration> {
        let root = self.vm.state().roots.get(&self.root)?;
        (root.tick_ms > 0).then(|| Duration::from_millis(root.tick_ms.into()))
    }

    /// Ends the plugin: `proxy_on_done`, and once that says so `proxy_on_delete`. `false` means that the module
    /// wants to finish something first and will call `proxy_done`.
    ///
    /// # Errors
    /// The module failed.
    pub fn shut_down(&mut self) -> Result<bool, Trap> {
        let root = self.root;
        let finished = self.vm.call(root, "proxy_on_done", &[root]).value != Some(0);
        if finished {
            self.vm.call(root, "proxy_on_delete", &[root]);
        } else if let Some(context) = self.vm.state_mut().roots.get_mut(&root) {
            context.pending_done = true;
        }
        self.configured = false;
        self.alive().map(|()| finished)
    }

    pub(crate) fn alive(&self) -> Result<(), Trap> {
        self.vm.failure().map_or(Ok(()), |trap| Err(trap.clone()))
    }

    /// Takes the lines logged since the last call.
    pub fn logs(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.world_mut().logs)
    }

    /// All metrics that were ever defined, by name.
    #[must_use]
    pub fn metrics(&self) -> BTreeMap<String, Metric> {
        self.world().metrics.all()
    }

    /// Takes the host calls since the last call. Empty unless the host was built with `trace`.
    pub fn trace(&mut self) -> Vec<HostCall> {
        std::mem::take(&mut self.world_mut().trace.calls)
    }

    /// How many host calls the module has made.
    #[must_use]
    pub fn host_calls(&self) -> usize {
        self.world().trace.count
    }

    /// The fuel burnt by all entries so far, about one unit for each instruction.
    #[must_use]
    pub fn fuel_used(&self) -> u64 {
        self.vm.fuel_used()
    }

    /// Bytes of linear memory that the module has.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.vm.memory_bytes()
    }

    /// How many streams are open.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.vm.state().streams.len()
    }

    /// The clock of the host; a virtual one can be moved through it.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.world().clock.clone()
    }

    /// The shared data of the host.
    #[must_use]
    pub fn shared_data(&self) -> SharedData {
        self.world().shared.clone()
    }

    /// Sets faults in place of those that were set, and counts calls from here.
    pub fn inject(&mut self, faults: Faults) {
        self.world_mut().faults = faults;
    }

    /// What upstreams answer to forwarded requests from now on; 200 and nothing else at first.
    pub fn respond_with(&mut self, response: Response) {
        self.response = response;
    }

    pub(crate) fn world(&self) -> &World {
        &self.vm.state().world
    }

    pub(crate) fn world_mut(&mut self) -> &mut World {
        &mut self.vm.state_mut().world
    }
}

/// A length as the module counts it.
pub(crate) fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
