//! How a host is set up, and why one could not be.

use std::time::Duration;

use crate::abi::Status;
use crate::callout::{Answer, Callout};
use crate::clock::Clock;
use crate::fault::Faults;
use crate::grpc::{GrpcAnswer, GrpcCallout};
use crate::host::Host;
use crate::limits::{FailurePolicy, Limits};
use crate::log::{LogLevel, Logs};
use crate::module::Module;
use crate::profile::Profile;
use crate::random::Random;
use crate::reload::Reload;
use crate::shared_data::SharedData;
use crate::state::{Settings, World};
use crate::upstreams::LocalUpstreams;
use crate::vm::Trap;

/// Why a module could not be started. A proxy refuses such a plugin before it takes any request.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The module imports what this host does not have under the module's version of the ABI.
    #[error("cannot link the module: {0}")]
    Link(String),
    /// The module exports no memory or no allocator.
    #[error("the module does not export `{0}`")]
    Missing(&'static str),
    /// The module failed while it initialized itself.
    #[error("cannot start the module: {0}")]
    Trap(Trap),
}

/// Sets up a [`Host`].
#[must_use]
pub struct HostBuilder {
    module: Module,
    world: World,
    limits: Limits,
    reload: Reload,
}

impl HostBuilder {
    pub(crate) fn new(module: &Module) -> Self {
        Self {
            module: module.clone(),
            world: World::default(),
            limits: Limits::default(),
            reload: Reload::default(),
        }
    }

    /// The configuration of the plugin, read by the module in `proxy_on_configure`.
    pub fn configuration(mut self, configuration: impl AsRef<[u8]>) -> Self {
        self.world.plugin.configuration = configuration.as_ref().to_vec();
        self
    }

    /// The configuration of the virtual machine, read by the module in `proxy_on_vm_start`.
    pub fn vm_configuration(mut self, configuration: impl AsRef<[u8]>) -> Self {
        self.world.vm_configuration = configuration.as_ref().to_vec();
        self
    }

    /// The environment variables of the virtual machine. The host's own are never shown.
    pub fn environment<K: Into<String>, V: Into<String>>(
        mut self,
        all: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.world.environment = all
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        self
    }

    /// The variables that the configuration of NGINX declares with `set`: a module may set these and no others.
    pub fn variables<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.world.variables = names.into_iter().map(Into::into).collect();
        self
    }

    /// The clock; the system's by default.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.world.clock = clock;
        self
    }

    /// The proxy to behave like; Envoy by default.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.world.profile = profile;
        self
    }

    /// Faults that hold from the very start. `Host::inject` sets them later.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.world.faults = faults;
        self
    }

    /// Bounds on what the module uses.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What becomes of requests when the module fails; closed by default.
    pub fn failure_policy(mut self, policy: FailurePolicy) -> Self {
        self.world.plugin.policy = policy;
        self
    }

    /// How long after a machine was made the next one may take its place, where the failure policy is
    /// [`FailurePolicy::Reload`]; 1 second by default, as in Envoy. At random up to a half more passes, by the clock of
    /// the host.
    pub fn reload_after(mut self, base: Duration) -> Self {
        self.reload = Reload::after(base);
        self
    }

    /// How long a stream that a failed machine holds waits for nothing before its client gets 503; 5 minutes by
    /// default, as in Envoy (`stream_idle_timeout`), by the clock of the host.
    pub fn stream_idle_timeout(mut self, after: Duration) -> Self {
        self.world.stream_idle_timeout = after;
        self
    }

    pub(crate) fn logs(mut self, logs: Logs) -> Self {
        self.world.logs = logs;
        self
    }

    /// Puts these plugins into the machine, in place of the one that it has otherwise.
    pub(crate) fn plugins(mut self, plugin: Settings, further: Vec<Settings>) -> Self {
        (self.world.plugin, self.world.further) = (plugin, further);
        self
    }

    /// The seed of the random numbers; 0 by default. The same seed gives the same run.
    pub fn seed(mut self, seed: u64) -> Self {
        self.world.random = Random::seeded(seed);
        self
    }

    /// The plugin's name, its root id and its machine's id, as a proxy is configured with them.
    pub fn names(mut self, plugin: &str, root_id: &str, vm_id: &str) -> Self {
        self.world.plugin.name = plugin.to_owned();
        self.world.plugin.root_id = root_id.to_owned();
        self.world.vm_id = vm_id.to_owned();
        self
    }

    /// The log level that the module is told of. Lines below it are recorded all the same.
    pub fn log_level(mut self, level: LogLevel) -> Self {
        self.world.log_level = level;
        self
    }

    /// A space of shared data that other hosts have too.
    pub fn shared_data(mut self, shared: SharedData) -> Self {
        self.world.shared = shared;
        self
    }

    /// Bodies come in pieces of so many bytes, as from a network; in one piece by default. A module that must see the whole
    /// of a body has to wait for its end.
    pub fn body_pieces(mut self, bytes: usize) -> Self {
        self.world.piece_bytes = bytes.max(1);
        self
    }

    /// Has the end of every body come in a piece of its own, with no bytes: as of HTTP/1.1 in Envoy.
    pub fn ends_apart(mut self) -> Self {
        self.world.ends_apart = true;
        self
    }

    /// Whether a module that pauses on headers is shown the body that follows, before it lets the headers go; else it is
    /// shown nothing until then. `allow_on_headers_stop_iteration` of Envoy, off by default; Higress has it on.
    pub fn allow_headers_stop_iteration(mut self, allowed: bool) -> Self {
        self.world.headers_may_stop_alone = allowed;
        self
    }

    /// Keeps a record of every host call, read with `Host::trace`.
    pub fn trace(mut self) -> Self {
        self.world.trace.enabled = true;
        self
    }

    /// The same, with the bytes that the module hands over and is given. Credentials are shown by their length alone when
    /// a call is printed; `HostCall::redacted` leaves no value at all.
    pub fn trace_values(mut self) -> Self {
        self.world.trace.values = true;
        self.trace()
    }

    /// An upstream that the module may call out to, and what it answers.
    pub fn upstream(mut self, name: &str, script: impl FnMut(&Callout) -> Answer + Send + 'static) -> Self {
        self.world
            .callouts
            .upstreams
            .insert(name.to_owned(), Box::new(script));
        self
    }

    /// Upstreams that answer by a script which the test may change at any time. Those of [`Self::upstream`] come
    /// first.
    pub fn upstreams(mut self, upstreams: &LocalUpstreams) -> Self {
        self.world.callouts.local = Some(upstreams.clone());
        self
    }

    /// An upstream for gRPC callouts, and what it does: asked when a callout is opened, and again whenever the module
    /// sends it something or closes its side.
    pub fn grpc_upstream(
        mut self,
        name: &str,
        script: impl FnMut(&GrpcCallout) -> GrpcAnswer + Send + 'static,
    ) -> Self {
        self.world
            .grpc
            .upstreams
            .insert(name.to_owned(), Box::new(script));
        self
    }

    /// What answers for every upstream that is not named otherwise: then there is no unknown one.
    pub fn any_upstream(mut self, script: impl FnMut(&Callout) -> Answer + Send + 'static) -> Self {
        self.world.callouts.any = Some(Box::new(script));
        self
    }

    /// A foreign function that the module may call, from its argument to its result.
    pub fn foreign_function(
        mut self,
        name: &str,
        function: impl Fn(&[u8]) -> Result<Vec<u8>, Status> + Send + Sync + 'static,
    ) -> Self {
        self.world
            .foreign
            .0
            .insert(name.as_bytes().to_vec(), Box::new(function));
        self
    }

    /// Starts the module and configures the plugin. A plugin that refuses its configuration makes a host that
    /// refuses every request: see `Host::configured`.
    ///
    /// # Errors
    /// The module cannot be linked, or fails while it initializes itself.
    pub fn build(self) -> Result<Host, StartError> {
        Host::start(self.module, self.world, self.limits, self.reload)
    }
}
