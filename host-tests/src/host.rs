//! The host: one plugin in one virtual machine, its life, and what can be observed of it. Requests are in
//! `lifecycle`, the single steps of a stream in `stream`, callouts in `answers`, time in `time`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::StartError;
use crate::builder::HostBuilder;
use crate::clock::Clock;
use crate::exchange::Response;
use crate::fault::Faults;
use crate::flow::Flow;
use crate::limits::{FailurePolicy, Limits};
use crate::log::LogLine;
use crate::metrics::Metric;
use crate::module::Module;
use crate::reload::Reload;
use crate::shared_data::SharedData;
use crate::state::{Root, World};
use crate::trace::HostCall;
use crate::vm::{Trap, Vm};

/// One plugin in one virtual machine. Where several plugins share it (see `Chain`), what is said of the plugin holds for
/// the first of them.
pub struct Host {
    module: Module,
    limits: Limits,
    pub(crate) vm: Vm,
    /// The root context of the first plugin.
    pub(crate) root: u32,
    plugins: Vec<Installed>,
    reload: Reload,
    /// Whether this machine stands in place of one that failed.
    is_renewed: bool,
    pub(crate) response: Response,
    pub(crate) flows: BTreeMap<u32, Flow>,
}

/// How far a plugin got in its machine.
#[derive(Debug, Clone, Copy, Default)]
struct Installed {
    root: u32,
    started: bool,
    configured: bool,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("module", &self.module)
            .field("configured", &self.configured())
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
        mut world: World,
        limits: Limits,
        reload: Reload,
    ) -> Result<Self, StartError> {
        world.worker = world.shared.join();
        let plugins = vec![Installed::default(); world.plugins().count()];
        let vm = Vm::start(&module, world, limits).map_err(|failed| failed.1)?;
        let mut host = Self {
            module,
            limits,
            vm,
            root: 0,
            plugins,
            reload,
            is_renewed: false,
            response: Response::default(),
            flows: BTreeMap::new(),
        };
        host.reload.loaded(host.clock().steady_nanos());
        (0..host.plugins.len()).for_each(|plugin| host.set_up(plugin));
        Ok(host)
    }

    /// Makes the root context of a plugin, starts the machine for it and configures it.
    fn set_up(&mut self, plugin: usize) {
        let state = self.vm.state_mut();
        let root = state.allocate_context();
        let context = Root {
            plugin,
            ..Root::default()
        };
        state.roots.insert(root, context);
        let size = length(state.world.vm_configuration.len());
        state.configuring = true;
        if plugin == 0 {
            self.root = root;
        }
        self.vm.call(root, "proxy_on_context_create", &[root, 0]);
        self.vm.state_mut().configuring = false;
        let is_told = !(self.is_renewed && self.world().profile.renews_machines());
        let started = !is_told || self.vm.call(root, "proxy_on_vm_start", &[root, size]).value != Some(0);
        let configured = started && self.run_configure(root);
        if let Some(installed) = self.plugins.get_mut(plugin) {
            *installed = Installed {
                root,
                started,
                configured,
            };
        }
    }

    fn run_configure(&mut self, root: u32) -> bool {
        let state = self.vm.state_mut();
        state.configuring = true;
        state.current = root;
        state.effective = None;
        let size = length(state.plugin().configuration.len());
        let returned = self.vm.call(root, "proxy_on_configure", &[root, size]);
        self.vm.state_mut().configuring = false;
        self.vm.failure().is_none() && returned.value != Some(0)
    }

    /// How far a plugin got; nowhere where there is none at that position.
    fn installed(&self, plugin: usize) -> Installed {
        self.plugins.get(plugin).copied().unwrap_or_default()
    }

    /// The root context of a plugin.
    pub(crate) fn root_of(&self, plugin: usize) -> u32 {
        self.installed(plugin).root
    }

    /// The plugin that a root context belongs to.
    fn plugin_of(&self, root: u32) -> usize {
        let found = self.vm.state().roots.get(&root);
        found.map_or(0, |root| root.plugin)
    }

    /// Gives the plugin another configuration, in the same root context. `false` means that the plugin refused
    /// it; a plugin that was configured before stays so, with whatever it made of that.
    ///
    /// # Errors
    /// The module failed; it is not entered again.
    pub fn configure(&mut self, configuration: impl AsRef<[u8]>) -> Result<bool, Trap> {
        self.configure_plugin(0, configuration.as_ref())
    }

    pub(crate) fn configure_plugin(&mut self, plugin: usize, configuration: &[u8]) -> Result<bool, Trap> {
        if let Some(settings) = self.world_mut().plugins_mut().nth(plugin) {
            settings.configuration = configuration.to_vec();
        }
        let installed = self.installed(plugin);
        let accepted = installed.started && self.run_configure(installed.root);
        if let Some(installed) = self.plugins.get_mut(plugin) {
            installed.configured |= accepted;
        }
        self.alive().map(|()| accepted)
    }

    /// Whether the plugin started and accepted a configuration.
    #[must_use]
    pub fn configured(&self) -> bool {
        self.is_configured(0)
    }

    pub(crate) fn is_configured(&self, plugin: usize) -> bool {
        self.installed(plugin).configured && self.vm.failure().is_none()
    }

    /// How the module failed, where it did.
    #[must_use]
    pub fn failure(&self) -> Option<&Trap> {
        self.vm.failure()
    }

    /// Why no request can be given to the plugin of this root context now; `None` where one can.
    pub(crate) fn refusal(&self, root: u32) -> Option<String> {
        let installed = self.installed(self.plugin_of(root));
        match self.vm.failure() {
            Some(trap) => Some(trap.to_string()),
            None if !installed.started => Some("the module refused to start".to_owned()),
            None if !installed.configured => Some("the plugin refused its configuration".to_owned()),
            None => None,
        }
    }

    fn policy_of(&self, plugin: usize) -> FailurePolicy {
        let settings = self.world().plugins().nth(plugin);
        settings.map_or(FailurePolicy::Closed, |settings| settings.policy)
    }

    pub(crate) fn fails_open(&self, root: u32) -> bool {
        self.policy_of(self.plugin_of(root)) == FailurePolicy::Open
    }

    /// Makes a new machine in place of one that failed, where the plugin's policy says so and it is time. A plugin of
    /// the same machine with another policy stays without one, as in Envoy.
    pub(crate) fn reload(&mut self, plugin: usize) {
        let renews = self.world().profile.renews_machines();
        let reloads = |host: &Self, plugin| renews || host.policy_of(plugin) == FailurePolicy::Reload;
        let is_wanted = reloads(self, plugin) && self.vm.failure().is_some();
        let now = self.clock().steady_nanos();
        if !is_wanted || !(renews || self.reload.is_due(now)) {
            return;
        }
        self.reload.loaded(now);
        self.is_renewed = true;
        self.plugins.fill(Installed::default());
        if self.vm.restart(&self.module, self.limits).is_ok() {
            let all = 0..self.plugins.len();
            let reloaded = all.filter(|plugin| reloads(self, *plugin));
            let reloaded: Vec<usize> = reloaded.collect();
            reloaded.into_iter().for_each(|plugin| self.set_up(plugin));
        }
    }

    /// Runs `proxy_on_tick` if the module asked for ticks; says whether it did.
    ///
    /// # Errors
    /// The module failed.
    pub fn tick(&mut self) -> Result<bool, Trap> {
        let asking: Vec<u32> = self.ticking().map(|(id, _)| *id).collect();
        asking.iter().for_each(|root| self.tick_root(*root));
        self.alive().map(|()| !asking.is_empty())
    }

    pub(crate) fn tick_root(&mut self, root: u32) {
        self.vm.call(root, "proxy_on_tick", &[root]);
        self.deliver();
    }

    /// The root contexts that asked for ticks.
    pub(crate) fn ticking(&self) -> impl Iterator<Item = (&u32, &Root)> {
        self.vm.state().roots.iter().filter(|(_, root)| root.tick_ms > 0)
    }

    /// Tells the module of the shared queues that another worker filled. Every step of a stream does so as well.
    pub fn catch_up(&mut self) {
        self.vm.hear();
        self.deliver();
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
            self.vm.delete_root(root);
        } else if let Some(context) = self.vm.state_mut().roots.get_mut(&root) {
            context.pending_done = true;
        }
        self.plugins
            .iter_mut()
            .take(1)
            .for_each(|plugin| plugin.configured = false);
        self.alive().map(|()| finished)
    }

    pub(crate) fn alive(&self) -> Result<(), Trap> {
        self.vm.failure().map_or(Ok(()), |trap| Err(trap.clone()))
    }

    /// Takes the lines logged since the last call.
    pub fn logs(&mut self) -> Vec<LogLine> {
        self.world().logs.take()
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
        let state = self.vm.state();
        state.streams.len().saturating_add(state.lost.len())
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
