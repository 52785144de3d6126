//! The single steps of a stream: what the module is shown, and what follows from its answer. A gateway that
//! forwards for real drives these; `Host::request` does it for tests.

use std::collections::BTreeMap;

use crate::clock::nanos;
use crate::exchange::{LocalReply, Message};
use crate::headers::{HeaderMap, Headers};
use crate::host::{Host, length};
use crate::lane::Frame;
use crate::local_reply::{ReplyRequest, shape};
use crate::module::AbiVersion;
use crate::parts::{CONTINUE, WATERMARK, stops};
use crate::slots::Kind;
use crate::state::{Half, Part, Stream};

/// The number of a stream in its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(crate) u32);

/// What follows from a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// What was shown goes on to the next hop.
    Continue,
    /// The module holds the stream.
    Paused,
    /// The module answered in place of the upstream: this goes to the client, and the stream is to be finished.
    LocalReply(LocalReply),
    /// The module failed or was never configured: 503 to the client, unless it fails open and does not know of the
    /// stream. Once the response's headers are gone, it is `Reset`.
    Failed {
        /// Why, for people.
        reason: String,
    },
    /// The module closed the stream with no answer.
    Reset,
}

/// What a failed module's client gets, and how that is said to gRPC.
const UNAVAILABLE: u32 = 503;
const GRPC_UNAVAILABLE: u32 = 14;

/// What a headers callback returns to hold the headers.
const PAUSE: u32 = 1;

impl Host {
    /// Opens a stream. The properties come before the host's own; parts of a path are separated by a NUL.
    pub fn open_stream(&mut self, properties: BTreeMap<Vec<u8>, Vec<u8>>) -> StreamId {
        let id = self.allocate_stream(0, properties);
        self.create(id);
        id
    }

    /// Numbers a stream for one of the plugins, which hears of it when it is created.
    pub(crate) fn allocate_stream(
        &mut self,
        plugin: usize,
        properties: BTreeMap<Vec<u8>, Vec<u8>>,
    ) -> StreamId {
        self.catch_up();
        self.reload(plugin);
        let root = self.root_of(plugin);
        let state = self.vm.state_mut();
        let id = state.allocate_context();
        let stream = Stream {
            root,
            given: properties,
            ..Stream::default()
        };
        state.streams.insert(id, stream);
        StreamId(id)
    }

    /// Tells the module of a stream, unless it was told before or cannot be told of any.
    pub(crate) fn create(&mut self, id: StreamId) {
        let Some(root) = self
            .stream_mut(id)
            .filter(|stream| !stream.created)
            .map(|stream| stream.root)
        else {
            return;
        };
        if self.refusal(root).is_none() {
            if let Some(stream) = self.stream_mut(id) {
                stream.created = true;
            }
            self.vm.call(id.0, "proxy_on_context_create", &[id.0, root]);
        }
    }

    /// Shows the request's headers.
    pub fn request_headers(&mut self, id: StreamId, headers: Headers, end_of_stream: bool) -> Step {
        let profile = self.world_mut().profile;
        let now = self.world_mut().clock.now_nanos();
        let Some(stream) = self.stream_mut(id) else {
            return Step::Reset;
        };
        stream.begin(headers, profile, now);
        let args = self.header_args(id, Part::RequestHeaders, end_of_stream);
        self.step(id, Part::RequestHeaders, "proxy_on_request_headers", &args)
    }

    /// Shows a piece of the request's body.
    pub fn request_body(&mut self, id: StreamId, data: &[u8], end_of_stream: bool) -> Step {
        self.body(id, Part::RequestBody, data, end_of_stream)
    }

    /// Shows the request's trailers.
    pub fn request_trailers(&mut self, id: StreamId, trailers: Headers) -> Step {
        self.trailers(id, Part::RequestTrailers, trailers)
    }

    /// Shows the response's headers.
    pub fn response_headers(&mut self, id: StreamId, headers: Headers, end_of_stream: bool) -> Step {
        let profile = self.world_mut().profile;
        let Some(stream) = self.stream_mut(id) else {
            return Step::Reset;
        };
        stream.response = Half {
            headers: HeaderMap::new(Kind::Response, headers, profile),
            headers_open: true,
            trailers: HeaderMap::new(Kind::ResponseTrailers, Headers::new(), profile),
            ..Half::default()
        };
        let args = self.header_args(id, Part::ResponseHeaders, end_of_stream);
        self.step(id, Part::ResponseHeaders, "proxy_on_response_headers", &args)
    }

    /// Shows a piece of the response's body.
    pub fn response_body(&mut self, id: StreamId, data: &[u8], end_of_stream: bool) -> Step {
        self.body(id, Part::ResponseBody, data, end_of_stream)
    }

    /// Shows the response's trailers.
    pub fn response_trailers(&mut self, id: StreamId, trailers: Headers) -> Step {
        self.trailers(id, Part::ResponseTrailers, trailers)
    }

    /// What the plugin let go of a part that it let go on, in order: what the next hop is to be shown.
    pub(crate) fn let_go(&mut self, id: StreamId, part: Part) -> Vec<Frame> {
        let Some(stream) = self.stream_mut(id) else {
            return Vec::new();
        };
        let half = stream.half(part);
        let data = half.passed.get(half.handed_on..).unwrap_or_default().to_vec();
        half.handed_on = half.passed.len();
        let end_of_stream = half.end_of_stream;
        let trailers = half.trailers.forwarded();
        let is_first = !std::mem::replace(&mut half.headers_passed, true);
        let headers =
            is_first.then(|| Frame::Headers(half.headers.forwarded(), end_of_stream && part.is_headers()));
        let rest = match part {
            Part::RequestHeaders | Part::ResponseHeaders => Vec::new(),
            Part::RequestBody | Part::ResponseBody if end_of_stream && !trailers.is_empty() => {
                vec![Frame::Data(data, false), Frame::Trailers(trailers)]
            }
            Part::RequestBody | Part::ResponseBody => vec![Frame::Data(data, end_of_stream)],
            Part::RequestTrailers | Part::ResponseTrailers => {
                let held = (!data.is_empty()).then_some(Frame::Data(data, false));
                held.into_iter().chain([Frame::Trailers(trailers)]).collect()
            }
        };
        headers.into_iter().chain(rest).collect()
    }

    /// Whether the plugin holds no more than the headers, and is shown what follows.
    pub(crate) fn holds_headers_alone(&mut self, id: StreamId, part: Part) -> bool {
        let stream = self.stream_mut(id);
        part.is_headers() && stream.is_some_and(|stream| stream.half(part).headers_alone)
    }

    /// What a failed module's client gets: Envoy's own reply, which other plugins see.
    pub(crate) fn unavailable(&mut self, id: StreamId) -> LocalReply {
        let profile = self.world().profile;
        let asked = ReplyRequest {
            status: UNAVAILABLE,
            details: b"wasm_fail_stream".to_vec(),
            body: Vec::new(),
            headers: Headers::new(),
            grpc_status: GRPC_UNAVAILABLE,
        };
        let known = self.stream_mut(id).map(|stream| stream.shape);
        shape(asked, known.unwrap_or_default(), profile)
    }

    /// The reply that the plugin made to a stream that it does not hold.
    pub(crate) fn unasked_reply(&mut self, id: StreamId) -> Option<Step> {
        self.stream_mut(id).filter(|stream| stream.reply.is_some())?;
        Some(self.settle(id, Part::RequestHeaders, false))
    }

    /// Shows the headers of both directions as others left them.
    pub(crate) fn see_headers(&mut self, id: StreamId, seen: &[Headers; 2]) {
        let profile = self.world().profile;
        if let Some(stream) = self.stream_mut(id) {
            let [request, response] = seen;
            stream.request.headers = HeaderMap::new(Kind::Request, request.clone(), profile);
            stream.response.headers = HeaderMap::new(Kind::Response, response.clone(), profile);
        }
    }

    /// The part of a stream that the plugin holds.
    pub(crate) fn held_part(&self, id: StreamId) -> Option<Part> {
        self.vm.state().stream_of_any_machine(id.0)?.waiting
    }

    /// What has become of a stream that the module held, after callouts were answered or ticks run. Where its machine
    /// has failed since, nobody ends it: it stays held until it has been idle for too long
    /// ([`crate::HostBuilder::stream_idle_timeout`]).
    pub fn poll(&mut self, id: StreamId) -> Step {
        self.free(id);
        if self.is_stranded(id) && !self.is_idle_too_long(id) {
            return Step::Paused;
        }
        if let Some(lost) = self.vm.state().lost.get(&id.0) {
            return lost.end();
        }
        match self.stream_mut(id).and_then(|stream| stream.waiting) {
            Some(part) => self.settle(id, part, true),
            None => Step::Continue,
        }
    }

    /// Whether a held stream has lost its machine, and asked for nothing before: Envoy looks at a failure in the next
    /// callback of a stream, and a held stream has none.
    fn is_stranded(&self, id: StreamId) -> bool {
        let state = self.vm.state();
        if state.lost.contains_key(&id.0) {
            return true;
        }
        let profile = state.world.profile;
        let is_dead = self.vm.failure().is_some() && !profile.failure_ends_held_streams();
        let stream = state.streams.get(&id.0).filter(|_| is_dead);
        stream.is_some_and(|stream| stream.waiting.is_some() && !stream.escaped && !stream.has_asked())
    }

    fn is_idle_too_long(&self, id: StreamId) -> bool {
        let state = self.vm.state();
        let stream = state.stream_of_any_machine(id.0);
        let last = stream.map_or(0, |stream| stream.last_active);
        let idle = state.world.clock.steady_nanos().saturating_sub(last);
        idle >= nanos(state.world.stream_idle_timeout)
    }

    /// Where one request took the machine down, others that wait for a callout may go on as if nothing had been.
    fn free(&mut self, id: StreamId) {
        let has_failed = self.vm.failure().is_some();
        let world = &self.vm.state().world;
        let is_freed = has_failed && world.profile.failure_frees_others();
        let escapes = is_freed && world.callouts.has_pending(id.0);
        if let Some(stream) = self.stream_mut(id) {
            stream.escaped |= escapes;
        }
    }

    /// The request as the module has let it go so far.
    #[must_use]
    pub fn forwarded_request(&self, id: StreamId) -> Message {
        self.vm
            .state()
            .stream_of_any_machine(id.0)
            .map(|stream| stream.request.message())
            .unwrap_or_default()
    }

    /// The response as the module has let it go so far.
    #[must_use]
    pub fn forwarded_response(&self, id: StreamId) -> Message {
        self.vm
            .state()
            .stream_of_any_machine(id.0)
            .map(|stream| stream.response.message())
            .unwrap_or_default()
    }

    /// The properties that the module set on a stream, by raw path.
    #[must_use]
    pub fn stream_properties(&self, id: StreamId) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.vm
            .state()
            .stream_of_any_machine(id.0)
            .map(|stream| stream.set.clone())
            .unwrap_or_default()
    }

    /// The client goes away: a stream that the module may still hold is ended. An answer to one of its callouts
    /// that comes later finds no such context.
    pub fn abort(&mut self, id: StreamId) {
        self.flows.remove(&id.0);
        self.finish(id);
    }

    /// Ends a stream: `proxy_on_log`, `proxy_on_done`, `proxy_on_delete`. An open connection is closed by the client.
    pub fn finish(&mut self, id: StreamId) {
        if self.finish_connection(id) {
            return;
        }
        self.log_stream(id);
        self.delete_stream(id);
    }

    /// Asks the module whether it is done with a stream.
    fn done_with(&mut self, id: StreamId) {
        if self.stream_mut(id).is_some_and(|stream| stream.created) {
            self.vm.call(id.0, "proxy_on_done", &[id.0]);
        }
    }

    pub(crate) fn log_stream(&mut self, id: StreamId) {
        if !self.world().profile.logs_before_done() {
            self.done_with(id);
        }
        let Some(stream) = self.stream_mut(id) else { return };
        stream.log_phase = true;
        stream.request.close();
        stream.response.close();
        let created = stream.created;
        if created {
            self.vm.call(id.0, "proxy_on_log", &[id.0]);
        }
        if let Some(stream) = self.stream_mut(id) {
            stream.log_phase = false;
        }
    }

    pub(crate) fn delete_stream(&mut self, id: StreamId) {
        if self.world().profile.logs_before_done() {
            self.done_with(id);
        }
        if self.stream_mut(id).is_some_and(|stream| stream.created) {
            self.vm.call(id.0, "proxy_on_delete", &[id.0]);
        }
        let state = self.vm.state_mut();
        state.streams.remove(&id.0);
        state.lost.remove(&id.0);
    }

    pub(crate) fn stream_mut(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.vm.state_mut().streams.get_mut(&id.0)
    }

    /// ABI 0.1.0 is not told of the end of the stream.
    fn header_args(&mut self, id: StreamId, part: Part, end_of_stream: bool) -> Vec<u32> {
        let state = self.vm.state_mut();
        let shown = end_of_stream && state.world.profile.end_of_stream_in_headers();
        let half = state.streams.get_mut(&id.0).map(|stream| stream.half(part));
        let count = half.map_or(0, |half| {
            half.end_of_stream = end_of_stream;
            half.headers.len()
        });
        let mut args = vec![id.0, length(count)];
        if state.abi != AbiVersion::V0_1_0 {
            args.push(shown.into());
        }
        args
    }

    fn body(&mut self, id: StreamId, part: Part, data: &[u8], end_of_stream: bool) -> Step {
        let Some(stream) = self.stream_mut(id) else {
            return Step::Reset;
        };
        let half = stream.half(part);
        if !half.buffering {
            half.held.append(&mut half.body);
        }
        half.body.extend_from_slice(data);
        (half.body_open, half.end_of_stream) = (true, end_of_stream);
        let args = [id.0, length(half.body.len()), end_of_stream.into()];
        let name = if part == Part::RequestBody {
            "proxy_on_request_body"
        } else {
            "proxy_on_response_body"
        };
        self.step(id, part, name, &args)
    }

    fn trailers(&mut self, id: StreamId, part: Part, trailers: Headers) -> Step {
        let profile = self.world_mut().profile;
        let Some(stream) = self.stream_mut(id) else {
            return Step::Reset;
        };
        let half = stream.half(part);
        let kind = if part.is_request() {
            Kind::Plain
        } else {
            Kind::ResponseTrailers
        };
        half.trailers = HeaderMap::new(kind, trailers, profile);
        if !profile.has_trailers() {
            return Step::Continue;
        }
        half.trailers_open = true;
        let args = [id.0, length(half.trailers.len())];
        let name = if part == Part::RequestTrailers {
            "proxy_on_request_trailers"
        } else {
            "proxy_on_response_trailers"
        };
        self.step(id, part, name, &args)
    }

    fn step(&mut self, id: StreamId, part: Part, callback: &'static str, args: &[u32]) -> Step {
        let now = self.world().clock.steady_nanos();
        let Some(stream) = self.stream_mut(id) else {
            return Step::Reset;
        };
        stream.last_active = now;
        let held = stream
            .waiting
            .filter(|held| held.is_request() == part.is_request());
        let (root, created) = (stream.root, stream.created);
        if !created || self.refusal(root).is_some() {
            return self.settle(id, part, false);
        }
        let returned = self.vm.call(id.0, callback, args);
        let action = returned.value.unwrap_or(CONTINUE);
        let stopped = returned.stopped || stops(part, action);
        let state = self.vm.state();
        let may_be_alone = state.world.headers_may_stop_alone;
        let called_out = state.world.callouts.has_pending(id.0);
        if called_out && !stopped && state.world.profile.callouts_must_pause() {
            self.vm.fail(
                callback,
                "the worker crashed: a stream that called out was not held",
            );
        }
        let profile = self.world_mut().profile;
        if let Some(stream) = self.stream_mut(id).filter(|_| stopped) {
            if profile.stops_after_going_on() && held.is_none() {
                stream.forget_going_on(part);
            }
            let half = stream.half(part);
            half.headers_alone |= part.is_headers() && may_be_alone && action == PAUSE && !returned.stopped;
            half.keep(part, if returned.stopped { WATERMARK } else { action });
        }
        self.settle(id, part, stopped)
    }

    /// What follows once the module has returned: its failure comes first, then what it asked for.
    fn settle(&mut self, id: StreamId, part: Part, stopped: bool) -> Step {
        let Some(root) = self.stream_mut(id).map(|stream| stream.root) else {
            return Step::Reset;
        };
        let refusal = self.refusal(root);
        let open = self.fails_open(root);
        let passes = self.world().profile.failure_lets_responses_pass();
        let Some(stream) = self.stream_mut(id) else {
            return Step::Reset;
        };
        stream.waiting = None;
        if refusal.is_some() {
            // Of a failed machine nothing is wanted any more, a reply neither.
            stream.reply = None;
        }
        match refusal {
            Some(_) if stream.escaped => return stream.go_on(part),
            Some(_) if passes && !part.is_request() => return stream.go_on(part),
            // A stream that the module knows is not let past it.
            Some(_) if open && !stream.created => return stream.go_on(part),
            // The client has the headers already.
            Some(_) if part.is_after_response_headers() && !stream.response.headers_alone => {
                return Step::Reset;
            }
            Some(reason) => return Step::Failed { reason },
            None if !stream.created => {
                return Step::Failed {
                    reason: "the module failed before this stream".to_owned(),
                };
            }
            None => {}
        }
        if stream.reset {
            return Step::Reset;
        }
        if let Some(asked) = stream.reply.take() {
            return self.reply(id, part, asked);
        }
        let resumed = std::mem::take(if part.is_request() {
            &mut stream.continue_request
        } else {
            &mut stream.continue_response
        });
        if stopped && !resumed {
            stream.waiting = Some(part);
            return Step::Paused;
        }
        stream.go_on(part)
    }

    /// A local reply runs through the module's own response callbacks, unless they have begun: then it takes
    /// the place of response headers that are still held, and ends a stream whose headers are gone.
    fn reply(&mut self, id: StreamId, part: Part, asked: ReplyRequest) -> Step {
        let profile = self.world_mut().profile;
        let Some(stream) = self.stream_mut(id) else {
            return Step::Reset;
        };
        let reply = shape(asked, stream.shape, profile);
        stream.details = Some(reply.details.clone());
        stream.request.close();
        let chained = stream.chained;
        match part {
            Part::RequestHeaders | Part::RequestBody | Part::RequestTrailers if chained => {
                Step::LocalReply(reply)
            }
            Part::RequestHeaders | Part::RequestBody | Part::RequestTrailers => self.show_reply(id, reply),
            Part::ResponseHeaders => Step::LocalReply(reply),
            Part::ResponseBody | Part::ResponseTrailers => Step::Reset,
        }
    }

    fn show_reply(&mut self, id: StreamId, mut reply: LocalReply) -> Step {
        let bodyless = reply.body.is_empty();
        let mut step = self.response_headers(id, reply.headers.clone(), bodyless);
        if step == Step::Continue && !bodyless {
            step = self.response_body(id, &reply.body, true);
        }
        if step != Step::Continue {
            return step;
        }
        let shown = self.forwarded_response(id);
        (reply.headers, reply.body) = (shown.headers, shown.body);
        Step::LocalReply(reply.read_back())
    }
}
