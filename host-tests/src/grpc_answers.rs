//! How the answers to gRPC callouts reach the module: in which order, and with which metadata. The rules are those of
//! Envoy's `source/common/grpc/async_client_impl.cc` and of its `Context`.

use crate::callout::CalloutToken;
use crate::grpc::{GrpcAnswer, GrpcCallout, GrpcEvent, GrpcKind};
use crate::grpc_callouts::{GrpcReading, Open};
use crate::headers::{HeaderMap, Headers};
use crate::host::{Host, length};
use crate::slots::Kind;
use crate::vm::Trap;

/// Statuses of gRPC that the host makes itself.
const UNKNOWN: u32 = 2;
const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;

/// What Envoy adds to the text of a status: who answered.
const VIA_UPSTREAM: &str = "via_upstream";

/// What becomes of a callout by an event.
enum Effect {
    Begin(Headers),
    Message(Vec<u8>),
    End(End),
}

/// The end of a callout, as the module is told of it.
struct End {
    /// Whether the module of a stream is told first that the response begins, with nothing.
    begins: bool,
    trailers: Headers,
    status: u32,
    text: String,
}

impl Host {
    /// The gRPC callouts that the module has open, in the order of their numbers.
    #[must_use]
    pub fn grpc_callouts(&self) -> Vec<GrpcCallout> {
        let open = self.world().grpc.open.values().filter(|open| open.is_named);
        open.map(|open| open.callout.clone()).collect()
    }

    /// Lets the upstream of a gRPC callout do all of this now, whatever the answer says of when. An unknown number is
    /// ignored, and so is what comes after the end.
    ///
    /// # Errors
    /// The module failed.
    pub fn answer_grpc(&mut self, token: CalloutToken, answer: GrpcAnswer) -> Result<(), Trap> {
        let events = answer.into_events().map(|event| (token, event));
        self.world_mut().grpc.ready.extend(events);
        self.deliver();
        self.alive()
    }

    /// Hands the next event to the module; says whether there was one.
    pub(crate) fn deliver_grpc(&mut self) -> bool {
        let Some((token, event)) = self.world_mut().grpc.ready.pop_front() else {
            return false;
        };
        let open = self.world_mut().grpc.open.get_mut(&token);
        if let Some(open) = open.filter(|open| !open.remote_closed) {
            let effects = effects(open, event);
            for effect in effects {
                self.affect(token, effect);
            }
        }
        true
    }

    fn affect(&mut self, token: CalloutToken, effect: Effect) {
        let Some(open) = self.world_mut().grpc.open.get_mut(&token) else {
            return;
        };
        match (open.callout.kind, effect) {
            (GrpcKind::Call, Effect::Begin(_)) => {}
            (GrpcKind::Call, Effect::Message(message)) => open.message = Some(message),
            (GrpcKind::Call, Effect::End(end)) => self.end_call(token, end),
            (GrpcKind::Stream, Effect::Begin(metadata)) => self.begin(token, metadata),
            (GrpcKind::Stream, Effect::Message(message)) => self.receive(token, message),
            (GrpcKind::Stream, Effect::End(end)) => self.end_stream(token, end),
        }
    }

    /// A call has one outcome: its message, or a status that is not success.
    fn end_call(&mut self, token: CalloutToken, end: End) {
        let Some(open) = self.world_mut().grpc.open.get_mut(&token) else {
            return;
        };
        match (end.status, open.message.take()) {
            (0, Some(message)) => self.receive(token, message),
            (0, None) => self.close(token, INTERNAL, String::new()),
            (status, _) => self.close(token, status, end.text),
        }
        self.world_mut().grpc.open.remove(&token);
    }

    fn end_stream(&mut self, token: CalloutToken, end: End) {
        if end.begins {
            self.begin(token, Headers::new());
        }
        self.read(
            token,
            "proxy_on_grpc_receive_trailing_metadata",
            |reading, map| reading.trailing = Some(map(end.trailers)),
        );
        let Some(open) = self.world_mut().grpc.open.get_mut(&token) else {
            return;
        };
        open.remote_closed = true;
        self.close(token, end.status, end.text);
        let grpc = &mut self.world_mut().grpc;
        if grpc
            .open
            .get(&token)
            .is_some_and(|open| open.local_closed || !open.is_named)
        {
            grpc.open.remove(&token);
        }
    }

    fn begin(&mut self, token: CalloutToken, metadata: Headers) {
        self.read(token, "proxy_on_grpc_receive_initial_metadata", |reading, map| {
            reading.initial = Some(map(metadata))
        });
    }

    fn receive(&mut self, token: CalloutToken, message: Vec<u8>) {
        self.read(token, "proxy_on_grpc_receive", |reading, _| {
            reading.message = Some(message)
        });
    }

    /// Calls the root context, which may read what is given to it while it runs.
    fn read(
        &mut self,
        token: CalloutToken,
        callback: &'static str,
        fill: impl FnOnce(&mut GrpcReading, &dyn Fn(Headers) -> HeaderMap),
    ) {
        let state = self.vm.state_mut();
        let profile = state.world.profile;
        let Some(root) = state.world.grpc.open.get(&token).map(|open| open.root) else {
            return;
        };
        fill(&mut state.grpc, &|headers| {
            HeaderMap::new(Kind::Response, headers, profile)
        });
        let size = state.grpc.size();
        self.vm.call(root, callback, &[root, token, length(size)]);
        self.vm.state_mut().grpc = GrpcReading::default();
    }

    fn close(&mut self, token: CalloutToken, status: u32, text: String) {
        let Some(root) = self.world().grpc.open.get(&token).map(|open| open.root) else {
            return;
        };
        // A module that does not hear of the end is not told of its status either.
        if !self.vm.has("proxy_on_grpc_close") {
            return;
        }
        if let Some(context) = self.vm.state_mut().roots.get_mut(&root) {
            context.status = (status, text.into_bytes());
        }
        self.vm.call(root, "proxy_on_grpc_close", &[root, token, status]);
        if let Some(context) = self.vm.state_mut().roots.get_mut(&root) {
            context.status.1.clear();
        }
    }
}

/// What the module is told of an event, in order.
fn effects(open: &mut Open, event: GrpcEvent) -> Vec<Effect> {
    let begun = std::mem::replace(&mut open.begun, true);
    let first = (!begun).then(|| Effect::Begin(response_headers(Headers::new())));
    match event {
        GrpcEvent::Headers(metadata) if !begun => vec![Effect::Begin(response_headers(metadata))],
        GrpcEvent::Headers(_) => Vec::new(),
        GrpcEvent::Message(message) => first.into_iter().chain([Effect::Message(message)]).collect(),
        GrpcEvent::End {
            status,
            message,
            metadata,
        } => {
            let text = via_upstream(&message);
            // With nothing before it, the end comes in the headers of the response.
            let head = if begun {
                Headers::new()
            } else {
                response_headers(Headers::new())
            };
            let trailers = [head, status_trailers(status, &message), metadata].concat();
            vec![Effect::End(End {
                begins: !begun,
                trailers,
                status,
                text,
            })]
        }
        GrpcEvent::Http(200) if !begun => vec![
            Effect::Begin(vec![(b":status".to_vec(), b"200".to_vec())]),
            Effect::End(End {
                begins: false,
                trailers: Headers::new(),
                status: INTERNAL,
                text: VIA_UPSTREAM.to_owned(),
            }),
        ],
        GrpcEvent::Http(status) => vec![Effect::End(End {
            begins: !begun,
            trailers: Headers::new(),
            status: of_http(status),
            text: VIA_UPSTREAM.to_owned(),
        })],
        GrpcEvent::Reset if begun => vec![aborted(
            "upstream_reset_after_response_started{connection_termination}",
        )],
        GrpcEvent::Reset => vec![replied(
            "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
            "upstream_reset_before_response_started{connection_termination}",
        )],
        GrpcEvent::TimedOut if begun => vec![aborted("response_timeout")],
        GrpcEvent::TimedOut => vec![replied("upstream request timeout", "response_timeout")],
        GrpcEvent::Refused => vec![Effect::End(End {
            begins: false,
            trailers: Headers::new(),
            status: UNAVAILABLE,
            text: "Cluster not available".to_owned(),
        })],
    }
}

/// The proxy answers in place of the upstream, with a gRPC status in the headers.
fn replied(text: &str, details: &str) -> Effect {
    let trailers = [
        response_headers(Headers::new()),
        status_trailers(UNAVAILABLE, text),
    ]
    .concat();
    Effect::End(End {
        begins: true,
        trailers,
        status: UNAVAILABLE,
        text: format!("{text}{{{details}}}"),
    })
}

/// The response breaks off after it has begun.
fn aborted(details: &str) -> Effect {
    Effect::End(End {
        begins: false,
        trailers: Headers::new(),
        status: INTERNAL,
        text: details.to_owned(),
    })
}

fn response_headers(metadata: Headers) -> Headers {
    let mut headers = vec![
        (b":status".to_vec(), b"200".to_vec()),
        (b"content-type".to_vec(), b"application/grpc".to_vec()),
    ];
    headers.extend(metadata);
    headers
}

fn status_trailers(status: u32, message: &str) -> Headers {
    let mut trailers = vec![(b"grpc-status".to_vec(), status.to_string().into_bytes())];
    if !message.is_empty() {
        trailers.push((b"grpc-message".to_vec(), message.as_bytes().to_vec()));
    }
    trailers
}

fn via_upstream(message: &str) -> String {
    match message {
        "" => VIA_UPSTREAM.to_owned(),
        message => format!("{message}{{{VIA_UPSTREAM}}}"),
    }
}

/// The gRPC status of an answer that is not gRPC (`Grpc::Utility::httpToGrpcStatus`).
fn of_http(status: u16) -> u32 {
    match status {
        400 => INTERNAL,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => UNAVAILABLE,
        _ => UNKNOWN,
    }
}
