//! The gRPC callouts of one host: which are open, what is due, and when.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::abi::Status;
use crate::callout::CalloutToken;
use crate::clock::nanos;
use crate::grpc::{GrpcAnswer, GrpcCallout, GrpcEvent, GrpcKind};
use crate::headers::HeaderMap;
use crate::protobuf;

pub(crate) type GrpcScript = Box<dyn FnMut(&GrpcCallout) -> GrpcAnswer + Send>;

/// The numbers leave room for the kind of a callout.
const ID_STEP: u32 = 4;

/// The gRPC callouts of one host.
#[derive(Default)]
pub(crate) struct GrpcCallouts {
    pub(crate) upstreams: BTreeMap<String, GrpcScript>,
    pub(crate) open: BTreeMap<CalloutToken, Open>,
    pub(crate) ready: VecDeque<(CalloutToken, GrpcEvent)>,
    calls: u32,
    streams: u32,
}

/// A callout that the module may still name.
pub(crate) struct Open {
    pub(crate) root: u32,
    pub(crate) callout: GrpcCallout,
    /// Whether the response has begun.
    pub(crate) begun: bool,
    /// The message of a call, which is handed over with the end of it.
    pub(crate) message: Option<Vec<u8>>,
    /// Whether the module has a number for it.
    pub(crate) is_named: bool,
    /// Whether the module closed its side with `proxy_grpc_close`.
    pub(crate) local_closed: bool,
    /// Whether the upstream has ended.
    pub(crate) remote_closed: bool,
    /// What comes by itself, and when.
    due: VecDeque<(u64, GrpcEvent)>,
    /// When its time is over.
    timeout: Option<u64>,
}

/// What the module may read of a gRPC callout just now.
#[derive(Default)]
pub(crate) struct GrpcReading {
    pub(crate) initial: Option<HeaderMap>,
    pub(crate) trailing: Option<HeaderMap>,
    pub(crate) message: Option<Vec<u8>>,
}

impl GrpcReading {
    /// What the callback is told of it: how many headers, or how many bytes.
    pub(crate) fn size(&self) -> usize {
        let maps = self.initial.as_ref().or(self.trailing.as_ref());
        let bytes = self.message.as_ref().map_or(0, Vec::len);
        maps.map_or(bytes, HeaderMap::len)
    }
}

/// The upstream that a module names: by its name, or by a message `envoy.config.core.v3.GrpcService`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Name(String),
    Message(String),
    /// A message that names none: Envoy ends its own process.
    Nothing,
}

impl Target {
    /// Whatever can be read as a message is one, as in Envoy.
    pub(crate) fn of(service: &[u8]) -> Self {
        let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let Some(fields) = protobuf::fields(service) else {
            return Self::Name(name(service));
        };
        const ENVOY_GRPC: u64 = 1;
        const CLUSTER_NAME: u64 = 1;
        let is_set = fields
            .iter()
            .any(|(number, value)| *number == ENVOY_GRPC && matches!(value, protobuf::Value::Bytes(_)));
        if !is_set {
            return Self::Nothing;
        }
        match protobuf::fields(protobuf::bytes(&fields, ENVOY_GRPC)) {
            Some(inner) => Self::Message(name(protobuf::bytes(&inner, CLUSTER_NAME))),
            None => Self::Name(name(service)),
        }
    }
}

/// Whether a callout went out, and what the module is told where it did not.
pub(crate) enum Opened {
    Token(CalloutToken),
    Failed(Status),
    /// The proxy itself ends.
    Crash,
}

impl GrpcCallouts {
    /// Opens a callout, and lets the upstream's script answer.
    pub(crate) fn open(
        &mut self,
        root: u32,
        target: Target,
        mut callout: GrpcCallout,
        now: Option<u64>,
    ) -> Opened {
        let (name, by_message) = match target {
            Target::Nothing => return Opened::Crash,
            Target::Name(name) => (name, false),
            Target::Message(name) => (name, true),
        };
        let is_known = self.upstreams.contains_key(&name);
        if !is_known && !by_message {
            return Opened::Failed(Status::ParseFailure);
        }
        callout.token = self.next(callout.kind);
        callout.upstream = name;
        let (token, timeout_ms) = (callout.token, callout.timeout_ms);
        let timeout = nanos(Duration::from_millis(timeout_ms.into()));
        let open = Open {
            root,
            callout,
            begun: false,
            message: None,
            is_named: is_known,
            local_closed: false,
            remote_closed: false,
            due: VecDeque::new(),
            timeout: now
                .filter(|_| timeout_ms > 0)
                .map(|now| now.saturating_add(timeout)),
        };
        self.open.insert(token, open);
        if !is_known {
            // The module has no number for it, and is told of its end all the same.
            self.ready.push_back((token, GrpcEvent::Refused));
            return Opened::Failed(Status::InternalFailure);
        }
        self.ask(token, now);
        Opened::Token(token)
    }

    fn next(&mut self, kind: GrpcKind) -> CalloutToken {
        let last = match kind {
            GrpcKind::Call => &mut self.calls,
            GrpcKind::Stream => &mut self.streams,
        };
        *last += ID_STEP;
        *last | kind.bits()
    }

    /// Lets the upstream go on, now that it has been sent more.
    pub(crate) fn ask(&mut self, token: CalloutToken, now: Option<u64>) {
        let Some(open) = self.open.get_mut(&token) else {
            return;
        };
        let Some(script) = self.upstreams.get_mut(&open.callout.upstream) else {
            return;
        };
        let mut at = open.due.back().map(|(at, _)| *at).max(now);
        for (delay, event) in script(&open.callout).steps {
            at = match at {
                Some(at) => Some(at.saturating_add(nanos(delay))),
                // No time passes by itself: what is late never comes.
                None if delay.is_zero() => None,
                None => break,
            };
            open.due.push_back((at.unwrap_or_default(), event));
        }
        self.fall_due(now.unwrap_or_default());
    }

    /// The next instant at which something happens to a callout by itself.
    pub(crate) fn next_due(&self) -> Option<u64> {
        let next = |open: &Open| {
            open.due
                .front()
                .map(|(at, _)| *at)
                .into_iter()
                .chain(open.timeout)
                .min()
        };
        self.open.values().filter_map(next).min()
    }

    /// Makes ready what has fallen due.
    pub(crate) fn fall_due(&mut self, now: u64) {
        for (token, open) in &mut self.open {
            while let Some((_, event)) = open.due.pop_front_if(|(at, _)| *at <= now) {
                self.ready.push_back((*token, event));
            }
            if open.timeout.take_if(|at| *at <= now).is_some() {
                self.ready.push_back((*token, GrpcEvent::TimedOut));
            }
        }
    }

    /// The callout of that number and root context, where the module may name it.
    pub(crate) fn named(&mut self, token: CalloutToken, root: u32) -> Option<&mut Open> {
        self.open
            .get_mut(&token)
            .filter(|open| open.is_named && open.root == root)
    }

    /// Ends every callout, as the end of a machine does.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
        self.ready.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn a_service_is_a_name_unless_it_can_be_read_as_a_message() {
        for (service, expected) in [
            (&b"authz"[..], Target::Name("authz".to_owned())),
            (b"\x0a\x07\x0a\x05authz", Target::Message("authz".to_owned())),
            (b"", Target::Nothing),
            (b"hi", Target::Nothing),
            (b"\x0a\x02\x0a\x09", Target::Name("\n\u{2}\n\t".to_owned())),
        ] {
            assert_eq!(Target::of(service), expected, "{}", service.escape_ascii());
        }
    }
}
