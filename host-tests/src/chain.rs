//! Several plugins on the streams of one proxy: an HTTP filter chain.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::StartError;
use crate::builder::HostBuilder;
use crate::exchange::{Exchange, Outcome, Request, Response};
use crate::flow::{Flow, Line, Member};
use crate::host::Host;
use crate::limits::FailurePolicy;
use crate::log::LogLine;
use crate::module::Module;
use crate::state::Settings;
use crate::stream::StreamId;
use crate::time;
use crate::vm::Trap;

/// A plugin, as the configuration of a proxy describes it.
#[derive(Debug, Clone)]
#[must_use]
pub struct Plugin {
    module: Module,
    vm_id: String,
    vm_configuration: Vec<u8>,
    settings: Settings,
}

impl Plugin {
    /// A plugin of this name, with the code of this module.
    pub fn new(name: &str, module: &Module) -> Self {
        let settings = Settings {
            name: name.to_owned(),
            ..Settings::default()
        };
        Self {
            module: module.clone(),
            vm_id: String::new(),
            vm_configuration: Vec::new(),
            settings,
        }
    }

    /// Its configuration, read by the module in `proxy_on_configure`.
    pub fn configuration(mut self, configuration: impl AsRef<[u8]>) -> Self {
        self.settings.configuration = configuration.as_ref().to_vec();
        self
    }

    /// Its root id: by this a module that holds several plugins tells which of them is meant.
    pub fn root_id(mut self, root_id: &str) -> Self {
        root_id.clone_into(&mut self.settings.root_id);
        self
    }

    /// The id of its virtual machine: plugins with the same module, id and configuration of the machine share it.
    pub fn vm_id(mut self, vm_id: &str) -> Self {
        vm_id.clone_into(&mut self.vm_id);
        self
    }

    /// The configuration of its virtual machine, read by the module in `proxy_on_vm_start`.
    pub fn vm_configuration(mut self, configuration: impl AsRef<[u8]>) -> Self {
        self.vm_configuration = configuration.as_ref().to_vec();
        self
    }

    /// What becomes of requests when its module fails; closed by default.
    pub fn failure_policy(mut self, policy: FailurePolicy) -> Self {
        self.settings.policy = policy;
        self
    }

    fn shares_machine(&self, other: &Self) -> bool {
        self.module.is_same(&other.module)
            && self.vm_id == other.vm_id
            && self.vm_configuration == other.vm_configuration
    }
}

type Prepare = Box<dyn FnMut(HostBuilder) -> HostBuilder>;

/// Sets up a [`Chain`].
#[must_use]
pub struct ChainBuilder {
    plugins: Vec<Plugin>,
    prepare: Prepare,
}

impl ChainBuilder {
    /// Adds a plugin after those that were added before.
    pub fn plugin(mut self, plugin: Plugin) -> Self {
        self.plugins.push(plugin);
        self
    }

    /// Sets up each virtual machine: the clock, the upstreams, limits, whatever a [`HostBuilder`] takes. Machines of
    /// one proxy should be given clones of one clock and of one [`crate::SharedData`].
    pub fn machines(mut self, prepare: impl FnMut(HostBuilder) -> HostBuilder + 'static) -> Self {
        self.prepare = Box::new(prepare);
        self
    }

    /// Starts the machines and configures the plugins, in order.
    ///
    /// # Errors
    /// A module cannot be linked, or fails while it initializes itself.
    pub fn build(mut self) -> Result<Chain, StartError> {
        let mut groups: Vec<Vec<Plugin>> = Vec::new();
        let mut members = Vec::new();
        for plugin in self.plugins {
            let shared =
                |group: &Vec<Plugin>| group.first().is_some_and(|first| first.shares_machine(&plugin));
            let host = groups.iter().position(shared).unwrap_or(groups.len());
            if host == groups.len() {
                groups.push(Vec::new());
            }
            if let Some(group) = groups.get_mut(host) {
                members.push(Member {
                    host,
                    plugin: group.len(),
                });
                group.push(plugin);
            }
        }
        let logs = crate::log::Logs::default();
        let start = |group: Vec<Plugin>| {
            let mut group = group.into_iter();
            let first = group.next()?;
            let further = group.map(|plugin| plugin.settings).collect();
            let builder = Host::builder(&first.module)
                .names("", "", &first.vm_id)
                .vm_configuration(&first.vm_configuration);
            let builder = (self.prepare)(builder).plugins(first.settings, further);
            Some(builder.logs(logs.clone()).build())
        };
        let hosts: Result<Vec<Host>, StartError> = groups.into_iter().filter_map(start).collect();
        Ok(Chain {
            hosts: hosts?,
            members,
            flows: BTreeMap::new(),
            last: 0,
            response: Response::default(),
        })
    }
}

/// Plugins that all see the streams of one proxy: requests from the first to the last, responses back.
///
/// What one plugin makes of the headers and the body, the next one sees; what one holds, those after it do not see yet.
/// A reply of one goes back through all that have seen the request. Plugins with the same module, machine id and machine
/// configuration share a virtual machine, each with a root context of its own, as in Envoy: a trap of one is the end of
/// all of these.
///
/// ```no_run
/// use scopegate_host_tests::{Chain, Clock, FailurePolicy, Module, Plugin, Request};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (authentication, quota) = (Module::from_file("auth.wasm")?, Module::from_file("quota.wasm")?);
/// let clock = Clock::virtual_at(1_790_000_000);
/// let mut chain = Chain::builder()
///     .plugin(Plugin::new("auth", &authentication).configuration("{}"))
///     .plugin(Plugin::new("quota", &quota).failure_policy(FailurePolicy::Open))
///     .machines(move |host| host.clock(clock.clone()))
///     .build()?;
/// let exchange = chain.request(Request::get("api.example.com", "/"));
/// assert_eq!(exchange.decided_by, None, "both let it pass");
/// # Ok(())
/// # }
/// ```
pub struct Chain {
    hosts: Vec<Host>,
    members: Vec<Member>,
    flows: BTreeMap<u32, Flow>,
    last: u32,
    response: Response,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain")
            .field("members", &self.members)
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

impl Chain {
    /// Starts the set-up of a chain.
    pub fn builder() -> ChainBuilder {
        ChainBuilder {
            plugins: Vec::new(),
            prepare: Box::new(|host| host),
        }
    }

    /// Takes a request through the plugins and, where they let it, to the upstream and back. The stream is finished
    /// unless the outcome is `Paused`.
    pub fn request(&mut self, request: Request) -> Exchange {
        let response = self.response.clone();
        self.exchange(request, response)
    }

    /// The same, with this response of the upstream.
    pub fn exchange(&mut self, request: Request, response: Response) -> Exchange {
        self.last = self.last.saturating_add(1);
        let key = StreamId(self.last);
        let mut line = Self::line(&mut self.hosts, &self.members);
        let mut flow = Flow::open(&mut line, Some(key), request, response);
        let outcome = flow.run(&mut line);
        self.conclude(flow, outcome)
    }

    /// Goes on with a stream that was paused, where it was let go since. One that is not there any more is `Reset`.
    pub fn resume(&mut self, stream: StreamId) -> Exchange {
        let Some(mut flow) = self.flows.remove(&stream.0) else {
            return Exchange::gone(stream);
        };
        let outcome = flow.resume(&mut Self::line(&mut self.hosts, &self.members));
        self.conclude(flow, outcome)
    }

    /// Goes on with a stream that is held until it is decided, or `patience` is over by the virtual clock: ticks, answers
    /// and time-outs come as they fall due. What is still held then is `Paused`.
    pub fn wait(&mut self, stream: StreamId, patience: Duration) -> Exchange {
        let mut exchange = self.resume(stream);
        let mut waited = Duration::ZERO;
        while exchange.outcome == Outcome::Paused && waited < patience {
            let periods = self.hosts.iter().filter_map(Host::tick_period);
            let step = periods
                .min()
                .unwrap_or(time::IDLE_STEP)
                .min(patience.saturating_sub(waited));
            waited = waited.saturating_add(step);
            time::advance(&mut self.hosts, step);
            exchange = self.resume(stream);
        }
        exchange
    }

    /// The client goes away: a stream that is still held is ended.
    pub fn abort(&mut self, stream: StreamId) -> Exchange {
        match self.flows.remove(&stream.0) {
            Some(flow) => flow.end(&mut Self::line(&mut self.hosts, &self.members), Outcome::Reset),
            None => Exchange::gone(stream),
        }
    }

    fn conclude(&mut self, flow: Flow, outcome: Option<Outcome>) -> Exchange {
        let mut line = Self::line(&mut self.hosts, &self.members);
        match outcome {
            Some(outcome) => flow.end(&mut line, outcome),
            None => {
                let exchange = flow.report(&line, Outcome::Paused);
                self.flows.insert(flow.key().0, flow);
                exchange
            }
        }
    }

    fn line<'h>(hosts: &'h mut [Host], members: &'h [Member]) -> Line<'h> {
        Line { hosts, members }
    }

    /// Moves the virtual clock of the proxy forward. Ticks, late answers and the time-outs of callouts come at their
    /// instants, in whichever machine.
    ///
    /// # Errors
    /// A module failed; the clock has been moved all the same.
    pub fn advance(&mut self, by: Duration) -> Result<(), Trap> {
        time::advance(&mut self.hosts, by);
        self.hosts.iter().try_for_each(Host::alive)
    }

    /// What upstreams answer to forwarded requests from now on; 200 and nothing else at first.
    pub fn respond_with(&mut self, response: Response) {
        self.response = response;
    }

    /// How many plugins there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no plugin.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether the plugin at this position started and accepted its configuration, and its machine lives.
    #[must_use]
    pub fn configured(&self, plugin: usize) -> bool {
        let Some(member) = self.members.get(plugin) else {
            return false;
        };
        self.hosts
            .get(member.host)
            .is_some_and(|host| host.is_configured(member.plugin))
    }

    /// Gives the plugin at this position another configuration. `false` means that it refused it, or that there is none.
    ///
    /// # Errors
    /// The module failed; it is not entered again.
    pub fn configure(&mut self, plugin: usize, configuration: impl AsRef<[u8]>) -> Result<bool, Trap> {
        let member = self.members.get(plugin).copied();
        let host = member.and_then(|member| Some((member, self.hosts.get_mut(member.host)?)));
        host.map_or(Ok(false), |(member, host)| {
            host.configure_plugin(member.plugin, configuration.as_ref())
        })
    }

    /// The machine of the plugin at this position, with everything that can be observed of it.
    #[must_use]
    pub fn machine(&self, plugin: usize) -> Option<&Host> {
        self.hosts.get(self.members.get(plugin)?.host)
    }

    /// The same, to inject faults, answer callouts, take traces.
    pub fn machine_mut(&mut self, plugin: usize) -> Option<&mut Host> {
        self.hosts.get_mut(self.members.get(plugin)?.host)
    }

    /// How many virtual machines the plugins are in.
    #[must_use]
    pub fn machines(&self) -> usize {
        self.hosts.len()
    }

    /// Takes the lines that all plugins logged since the last call, in the order in which they were logged.
    pub fn logs(&mut self) -> Vec<LogLine> {
        self.hosts.first_mut().map(Host::logs).unwrap_or_default()
    }

    /// Tells the modules of the shared queues that another worker filled. Every stream does so as well.
    pub fn catch_up(&mut self) {
        self.hosts.iter_mut().for_each(Host::catch_up);
    }
}
