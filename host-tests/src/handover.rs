//! A stream in one machine, as those who know the other plugins on it see it: numbered first and told of later, let go
//! of piece by piece, logged and forgotten at the end.

use std::collections::BTreeMap;

use crate::headers::{HeaderMap, Headers};
use crate::host::Host;
use crate::lane::Frame;
use crate::slots::Kind;
use crate::state::{Part, Stream};
use crate::stream::{Step, StreamId};

impl Host {
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
        self.vm.state().streams.get(&id.0)?.waiting
    }

    pub(crate) fn log_stream(&mut self, id: StreamId) {
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
        if self.stream_mut(id).is_some_and(|stream| stream.created) {
            self.vm.call(id.0, "proxy_on_done", &[id.0]);
            self.vm.call(id.0, "proxy_on_delete", &[id.0]);
        }
        self.vm.state_mut().streams.remove(&id.0);
    }
}
