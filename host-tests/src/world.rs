//! The world around a virtual machine: everything that outlives it, and the plugins that it is for.

use crate::callout::Callouts;
use crate::clock::Clock;
use crate::fault::Faults;
use crate::foreign::ForeignFunctions;
use crate::grpc_callouts::GrpcCallouts;
use crate::limits::FailurePolicy;
use crate::log::{LogLevel, Logs};
use crate::metrics::Metrics;
use crate::profile::Profile;
use crate::random::Random;
use crate::shared_data::SharedData;
use crate::trace::Trace;
/// Everything that outlives one virtual machine.
pub(crate) struct World {
    pub(crate) profile: Profile,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) variables: Vec<String>,
    pub(crate) vm_id: String,
    pub(crate) vm_configuration: Vec<u8>,
    pub(crate) plugin: Settings,
    /// The most bytes of a body that come at once.
    pub(crate) piece_bytes: usize,
    /// Whether a module may hold headers and be shown the body none the less.
    pub(crate) headers_may_stop_alone: bool,
    /// Further plugins in the same machine.
    pub(crate) further: Vec<Settings>,
    pub(crate) log_level: LogLevel,
    pub(crate) logs: Logs,
    pub(crate) metrics: Metrics,
    pub(crate) shared: SharedData,
    /// The number of this worker among those that share the data.
    pub(crate) worker: u64,
    pub(crate) foreign: ForeignFunctions,
    pub(crate) callouts: Callouts,
    pub(crate) grpc: GrpcCallouts,
    pub(crate) route_cache_clears: usize,

    pub(crate) trace: Trace,
    pub(crate) faults: Faults,
}

impl Default for World {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            clock: Clock::system(),
            random: Random::seeded(0),
            environment: Vec::new(),
            variables: Vec::new(),
            vm_id: String::new(),
            vm_configuration: Vec::new(),
            plugin: Settings::default(),
            headers_may_stop_alone: false,
            piece_bytes: usize::MAX,
            further: Vec::new(),
            log_level: LogLevel::Info,
            logs: Logs::default(),
            metrics: Metrics::default(),
            shared: SharedData::default(),
            worker: 0,
            foreign: ForeignFunctions::default(),
            callouts: Callouts::default(),
            grpc: GrpcCallouts::default(),
            route_cache_clears: 0,

            trace: Trace::default(),
            faults: Faults::default(),
        }
    }
}

impl World {
    /// The plugins of the machine, in order.
    pub(crate) fn plugins(&self) -> impl Iterator<Item = &Settings> {
        std::iter::once(&self.plugin).chain(&self.further)
    }

    pub(crate) fn plugins_mut(&mut self) -> impl Iterator<Item = &mut Settings> {
        std::iter::once(&mut self.plugin).chain(&mut self.further)
    }
}

/// What a plugin is configured with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) root_id: String,
    pub(crate) configuration: Vec<u8>,
    pub(crate) policy: FailurePolicy,
}
