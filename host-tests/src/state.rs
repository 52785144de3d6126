//! What the virtual machine's host functions see and change: the contexts, and the world around them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::abi::{MapType, Status};
use crate::callout::{CallResponse, Callouts};
use crate::clock::{Clock, nanos};
use crate::exchange::Message;
use crate::fault::Faults;
use crate::foreign::ForeignFunctions;
use crate::grpc_callouts::{GrpcCallouts, GrpcReading};
use crate::headers::{HeaderMap, Headers};
use crate::limits::{Bounds, FailurePolicy};
use crate::local_reply::{ReplyRequest, Shape};
use crate::log::{LogLevel, LogLine, Logs};
use crate::memory::Guest;
use crate::metrics::Metrics;
use crate::module::AbiVersion;
use crate::nginx;
use crate::profile::Profile;
use crate::random::Random;
use crate::shared_data::SharedData;
use crate::slots::Kind;
use crate::tcp::Tcp;
use crate::trace::Trace;

/// Envoy's `stream_idle_timeout` where it is not set.
const STREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(5 * 60);

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
    /// Whether the end of a body comes in a piece of its own.
    pub(crate) ends_apart: bool,
    /// How long a stream may do nothing.
    pub(crate) stream_idle_timeout: Duration,
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
            ends_apart: false,
            stream_idle_timeout: STREAM_IDLE_TIMEOUT,
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

/// What the virtual machine is doing, which bounds the host functions it may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// `_initialize`, `main` or `_start`.
    Starting,
    /// The module's allocator, called by the host.
    Allocating,
    /// A callback.
    Running,
}

/// The state of one virtual machine.
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) abi: AbiVersion,
    pub(crate) limits: Bounds,
    pub(crate) guest: Option<Guest>,
    pub(crate) phase: Phase,
    /// Whether the plugin's configuration may be read now.
    pub(crate) configuring: bool,
    /// The callback that runs, or ran last.
    pub(crate) callback: &'static str,
    pub(crate) current: u32,
    pub(crate) effective: Option<u32>,
    pub(crate) stop_iteration: bool,
    pub(crate) roots: BTreeMap<u32, Root>,
    pub(crate) streams: BTreeMap<u32, Stream>,
    /// Streams that machines before this one held when they failed.
    pub(crate) lost: BTreeMap<u32, Lost>,
    pub(crate) call_response: Option<CallResponse>,
    /// What may be read of a gRPC callout just now.
    pub(crate) grpc: GrpcReading,
    /// Root contexts that have said that they are done, and are to be deleted.
    pub(crate) ended_roots: VecDeque<u32>,
    /// Properties that contexts declared, and whether they can be set only once.
    pub(crate) declared: BTreeMap<(u32, Vec<u8>), bool>,
    /// The argument of `proxy_on_foreign_function`.
    pub(crate) call_data: Vec<u8>,
    /// Whether the callout failed whose answer is handed over just now.
    pub(crate) call_failed: bool,
    last_context: u32,
}

/// A root context: one plugin in the machine.
#[derive(Debug, Default)]
pub(crate) struct Root {
    /// Which of the machine's plugins it is.
    pub(crate) plugin: usize,
    pub(crate) status: (u32, Vec<u8>),
    pub(crate) tick_ms: u32,
    /// When the virtual clock shows the time of the next tick.
    pub(crate) next_tick: Option<u64>,
    pub(crate) pending_done: bool,
}

impl Root {
    /// Asks for a tick every so many milliseconds, the first of them after that time; 0 for none.
    pub(crate) fn set_tick(&mut self, period_ms: u32, now: Option<u64>) {
        self.tick_ms = period_ms;
        let period = nanos(Duration::from_millis(period_ms.into()));
        self.next_tick = now
            .filter(|_| period_ms > 0)
            .map(|now| now.saturating_add(period));
    }
}

/// A stream whose machine is gone.
pub(crate) struct Lost {
    pub(crate) stream: Stream,
    /// How the machine failed.
    pub(crate) reason: String,
}

/// A stream context.
#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) root: u32,
    pub(crate) request: Half,
    pub(crate) response: Half,
    pub(crate) log_phase: bool,
    pub(crate) continue_request: bool,
    pub(crate) continue_response: bool,
    pub(crate) reset: bool,
    pub(crate) reply: Option<ReplyRequest>,
    pub(crate) shape: Shape,
    pub(crate) given: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) set: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) started_nanos: Option<u64>,
    /// When something of it was last shown, by the steady clock.
    pub(crate) last_active: u64,
    pub(crate) details: Option<String>,
    /// The part that the module holds back.
    pub(crate) waiting: Option<Part>,
    /// Whether it goes on in spite of the module's failure: a fault of the host's own.
    pub(crate) escaped: bool,
    /// Whether the module has heard of this stream.
    pub(crate) created: bool,
    /// What is of a connection alone; `None` for HTTP.
    pub(crate) tcp: Option<Tcp>,
    /// Whether others see it too: then a reply is shown to all of them, by whoever knows them.
    pub(crate) chained: bool,
}

/// A part of a stream, in the order in which the module sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    RequestHeaders,
    RequestBody,
    RequestTrailers,
    ResponseHeaders,
    ResponseBody,
    ResponseTrailers,
}

/// One direction of a stream, and how much of it the module may see now.
#[derive(Default)]
pub(crate) struct Half {
    pub(crate) headers: HeaderMap,
    pub(crate) headers_open: bool,
    pub(crate) body: Vec<u8>,
    pub(crate) body_open: bool,
    pub(crate) buffering: bool,
    /// Held back by the host, and no longer shown to the module.
    pub(crate) held: Vec<u8>,
    /// Let go by the module.
    pub(crate) passed: Vec<u8>,
    /// How much of that was handed on to the next plugin.
    pub(crate) handed_on: usize,
    pub(crate) trailers: HeaderMap,
    pub(crate) trailers_open: bool,
    pub(crate) end_of_stream: bool,
    /// Whether the headers were let go.
    pub(crate) headers_passed: bool,
    /// Whether the module holds the headers alone, and is shown what follows.
    pub(crate) headers_alone: bool,
}

impl Half {
    fn trailers_mut(&mut self) -> Option<&mut HeaderMap> {
        // The last part of a body may be given trailers that the peer did not send.
        if self.body_open && self.end_of_stream {
            self.trailers_open = true;
        }
        self.trailers_open.then_some(&mut self.trailers)
    }

    /// Lets everything go that was held back.
    pub(crate) fn release(&mut self) {
        self.passed.append(&mut self.held);
        self.passed.append(&mut self.body);
        self.buffering = false;
        self.close();
    }

    /// What the next hop gets.
    pub(crate) fn message(&self) -> Message {
        Message {
            headers: self.headers.forwarded(),
            body: self.passed.clone(),
            trailers: self.trailers.forwarded(),
        }
    }

    /// Hides everything from the module: what it let go is out of its hands.
    pub(crate) fn close(&mut self) {
        (self.headers_open, self.body_open, self.trailers_open) = (false, false, false);
    }
}

impl State {
    pub(crate) fn new(world: World, abi: AbiVersion, limits: Bounds) -> Self {
        Self {
            world,
            abi,
            limits,
            guest: None,
            phase: Phase::Starting,
            configuring: false,
            callback: "",
            current: 0,
            effective: None,
            stop_iteration: false,
            roots: BTreeMap::new(),
            streams: BTreeMap::new(),
            lost: BTreeMap::new(),
            call_response: None,
            grpc: GrpcReading::default(),
            ended_roots: VecDeque::new(),
            declared: BTreeMap::new(),
            call_data: Vec::new(),
            call_failed: false,
            last_context: 0,
        }
    }

    pub(crate) fn allocate_context(&mut self) -> u32 {
        self.last_context += 1;
        while self.lost.contains_key(&self.last_context) {
            self.last_context += 1;
        }
        self.last_context
    }

    /// A stream, of this machine or of one before it.
    pub(crate) fn stream_of_any_machine(&self, id: u32) -> Option<&Stream> {
        let lost = || Some(&self.lost.get(&id)?.stream);
        self.streams.get(&id).or_else(lost)
    }

    /// There is no route cache here: that it was cleared is counted. Only an HTTP stream has a route.
    pub(crate) fn clear_route_cache(&mut self) {
        let has_route = self.stream().is_some_and(|stream| stream.tcp.is_none());
        self.world.route_cache_clears += usize::from(has_route);
    }

    /// The context that host calls are made for.
    pub(crate) fn context(&self) -> u32 {
        self.effective
            .filter(|id| self.has_context(*id))
            .unwrap_or(self.current)
    }

    pub(crate) fn has_context(&self, id: u32) -> bool {
        let is_over = |stream: &Stream| stream.tcp.as_ref().is_some_and(Tcp::is_over);
        self.roots.contains_key(&id) || self.streams.get(&id).is_some_and(|stream| !is_over(stream))
    }

    pub(crate) fn stream(&mut self) -> Option<&mut Stream> {
        let id = self.context();
        self.streams.get_mut(&id)
    }

    pub(crate) fn root_id(&self) -> u32 {
        let id = self.context();
        self.streams.get(&id).map_or(id, |stream| stream.root)
    }

    pub(crate) fn root(&mut self) -> Option<&mut Root> {
        let id = self.root_id();
        self.roots.get_mut(&id)
    }

    /// The settings of the plugin at hand; of the first one where none is.
    pub(crate) fn plugin(&self) -> &Settings {
        let root = self.roots.get(&self.root_id());
        let position = root.map_or(0, |root| root.plugin);
        self.world.plugins().nth(position).unwrap_or(&self.world.plugin)
    }

    pub(crate) fn log(&mut self, level: LogLevel, message: &[u8]) {
        let message = String::from_utf8_lossy(message).into_owned();
        let context = self.context();
        let plugin = self.plugin().name.clone();
        self.world.logs.push(LogLine {
            level,
            message,
            context,
            plugin,
        });
    }

    /// A map for reading. The error is what a question for one value is answered.
    pub(crate) fn map(&mut self, map: MapType) -> Result<&HeaderMap, Status> {
        if self.world.faults.hides(map) {
            return Err(Status::BadArgument);
        }
        if let MapType::HttpCallResponseHeaders = map {
            return self
                .call_response
                .as_ref()
                .map(|response| &response.headers)
                .ok_or(Status::BadArgument);
        }
        if let MapType::HttpCallResponseTrailers = map {
            return self
                .call_response
                .as_ref()
                .and_then(|response| response.trailers.as_ref())
                .ok_or(Status::BadArgument);
        }
        if let MapType::GrpcReceiveInitialMetadata = map {
            return self.grpc.initial.as_ref().ok_or(Status::BadArgument);
        }
        if let MapType::GrpcReceiveTrailingMetadata = map {
            return self.grpc.trailing.as_ref().ok_or(Status::BadArgument);
        }
        let stream = self.stream().ok_or(Status::BadArgument)?;
        let absent = if stream.log_phase {
            Status::NotFound
        } else {
            Status::BadArgument
        };
        stream.readable(map).ok_or(absent)
    }

    /// A map for changing.
    pub(crate) fn map_mut(&mut self, map: MapType) -> Result<&mut HeaderMap, Status> {
        if self.world.faults.hides(map) {
            return Err(Status::BadArgument);
        }
        self.stream()
            .and_then(|stream| stream.writable(map))
            .ok_or(Status::BadArgument)
    }
}

impl Stream {
    pub(crate) fn readable(&self, map: MapType) -> Option<&HeaderMap> {
        let (request, response, log) = (&self.request, &self.response, self.log_phase);
        match map {
            MapType::HttpRequestHeaders => (log || request.headers_open).then_some(&request.headers),
            MapType::HttpRequestTrailers => (!log && request.trailers_open).then_some(&request.trailers),
            MapType::HttpResponseHeaders if log => Some(&response.headers).filter(|map| !map.is_empty()),
            MapType::HttpResponseHeaders => response.headers_open.then_some(&response.headers),
            MapType::HttpResponseTrailers if log => Some(&response.trailers).filter(|map| !map.is_empty()),
            MapType::HttpResponseTrailers => response.trailers_open.then_some(&response.trailers),
            MapType::GrpcReceiveInitialMetadata
            | MapType::GrpcReceiveTrailingMetadata
            | MapType::HttpCallResponseHeaders
            | MapType::HttpCallResponseTrailers => None,
        }
    }

    fn writable(&mut self, map: MapType) -> Option<&mut HeaderMap> {
        match map {
            MapType::HttpRequestHeaders => self.request.headers_open.then_some(&mut self.request.headers),
            MapType::HttpRequestTrailers => self.request.trailers_mut(),
            MapType::HttpResponseHeaders => self.response.headers_open.then_some(&mut self.response.headers),
            MapType::HttpResponseTrailers => self.response.trailers_mut(),
            MapType::GrpcReceiveInitialMetadata
            | MapType::GrpcReceiveTrailingMetadata
            | MapType::HttpCallResponseHeaders
            | MapType::HttpCallResponseTrailers => None,
        }
    }

    /// The headers of a request not yet let go, for the host's own use.
    pub(crate) fn begin(&mut self, headers: Headers, profile: Profile, now: Option<u64>) {
        self.request.headers = match profile.rewrites_target() {
            true => nginx::request_headers(headers, profile),
            false => HeaderMap::new(Kind::Request, headers, profile),
        };
        self.request.headers_open = true;
        self.started_nanos = now;
        let grpc = crate::local_reply::is_grpc(self.request.headers.get(b"content-type"));
        self.shape = Shape {
            grpc,
            head: self.request.headers.get(b":method") == Some(b"HEAD"),
        };
    }
}
