//! gRPC callouts, as a test sees them: what the module asked an upstream for, and what the upstream does. Which are open is
//! in `grpc_callouts`, how an answer reaches the module in `grpc_answers`.

use std::time::Duration;

use crate::callout::CalloutToken;
use crate::headers::Headers;
use crate::redact::Redacted;

/// What kind of gRPC callout it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrpcKind {
    /// `proxy_grpc_call`: one message there, one back.
    Call,
    /// `proxy_grpc_stream`: any number of messages in both directions.
    Stream,
}

/// The low two bits of a callout's number: 0 HTTP, 1 a gRPC call, 2 a gRPC stream.
const KIND_MASK: u32 = 0b11;

impl GrpcKind {
    /// The kind that a number stands for; `None` where it is no gRPC callout's.
    pub(crate) fn of(token: CalloutToken) -> Option<Self> {
        [Self::Call, Self::Stream]
            .into_iter()
            .find(|kind| kind.bits() == token & KIND_MASK)
    }

    /// The low two bits of its numbers.
    pub(crate) const fn bits(self) -> u32 {
        match self {
            Self::Call => 1,
            Self::Stream => 2,
        }
    }
}

/// A gRPC call or stream that the module opened.
#[derive(Clone, PartialEq, Eq)]
pub struct GrpcCallout {
    /// Its number.
    pub token: CalloutToken,
    /// Whether it is a call or a stream.
    pub kind: GrpcKind,
    /// The upstream's name in the proxy, as the module gave it or as the message `GrpcService` has it.
    pub upstream: String,
    /// The full name of the gRPC service.
    pub service: String,
    /// The method.
    pub method: String,
    /// The metadata that the module sends first.
    pub metadata: Headers,
    /// The messages that the module has sent so far.
    pub messages: Vec<Vec<u8>>,
    /// Whether the module has said that it sends no more.
    pub ended: bool,
    /// After how many milliseconds a call fails; 0 for never.
    pub timeout_ms: u32,
}

impl std::fmt::Debug for GrpcCallout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrpcCallout")
            .field("token", &self.token)
            .field("upstream", &self.upstream)
            .field("method", &format_args!("{}/{}", self.service, self.method))
            .field("metadata", &Redacted(&self.metadata))
            .field("messages", &self.messages.len())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// Something that the upstream of a gRPC callout does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrpcEvent {
    /// The response begins. What else the upstream sends begins it too, with no metadata.
    Headers(Headers),
    /// A message.
    Message(Vec<u8>),
    /// The end, with a status, a text for people, and further metadata.
    End {
        /// The gRPC status: 0 for success.
        status: u32,
        /// The text that goes with it.
        message: String,
        /// Further trailers.
        metadata: Headers,
    },
    /// An answer that is not gRPC: the HTTP status of it.
    Http(u16),
    /// The connection breaks.
    Reset,
    /// The time of the callout is over. The host does this by itself.
    TimedOut,
    /// The proxy knows no such upstream. The host does this by itself.
    Refused,
}

/// What the upstream of a gRPC callout does, step by step. With no step the callout stays open.
///
/// ```
/// use std::time::Duration;
/// use scopegate_host_tests::GrpcAnswer;
///
/// let unary = GrpcAnswer::reply(b"pong");
/// let stream = GrpcAnswer::new().message(b"one").after(Duration::from_secs(1)).message(b"two").end(0, "");
/// assert_ne!(unary, stream);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrpcAnswer {
    pub(crate) steps: Vec<(Duration, GrpcEvent)>,
    pause: Duration,
}

impl GrpcAnswer {
    /// No step yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One message and success.
    #[must_use]
    pub fn reply(message: impl AsRef<[u8]>) -> Self {
        Self::new().message(message).end(0, "")
    }

    /// No message, and this status with this text.
    #[must_use]
    pub fn status(status: u32, message: &str) -> Self {
        Self::new().end(status, message)
    }

    /// The connection breaks.
    #[must_use]
    pub fn failure() -> Self {
        Self::new().step(GrpcEvent::Reset)
    }

    /// Then the response begins, with this metadata.
    #[must_use]
    pub fn headers<'h>(self, metadata: impl IntoIterator<Item = (&'h str, &'h str)>) -> Self {
        self.step(GrpcEvent::Headers(owned(metadata)))
    }

    /// Then a message.
    #[must_use]
    pub fn message(self, message: impl AsRef<[u8]>) -> Self {
        self.step(GrpcEvent::Message(message.as_ref().to_vec()))
    }

    /// Then the end.
    #[must_use]
    pub fn end(self, status: u32, message: &str) -> Self {
        self.end_with(status, message, [])
    }

    /// Then the end, with further trailers.
    #[must_use]
    pub fn end_with<'h>(
        self,
        status: u32,
        message: &str,
        metadata: impl IntoIterator<Item = (&'h str, &'h str)>,
    ) -> Self {
        self.step(GrpcEvent::End {
            status,
            message: message.to_owned(),
            metadata: owned(metadata),
        })
    }

    /// Then anything.
    #[must_use]
    pub fn step(mut self, event: GrpcEvent) -> Self {
        self.steps.push((std::mem::take(&mut self.pause), event));
        self
    }

    /// What comes next comes so much later.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.pause = self.pause.saturating_add(delay);
        self
    }
}

impl GrpcAnswer {
    /// What happens, without when.
    pub(crate) fn into_events(self) -> impl Iterator<Item = GrpcEvent> {
        self.steps.into_iter().map(|(_, event)| event)
    }
}

fn owned<'h>(metadata: impl IntoIterator<Item = (&'h str, &'h str)>) -> Headers {
    let pair = |(name, value): (&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    metadata.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::GrpcKind;

    #[test]
    fn a_number_says_what_kind_of_callout_it_is() {
        let kinds = [4, 5, 6, 7].map(GrpcKind::of);
        assert_eq!(kinds, [None, Some(GrpcKind::Call), Some(GrpcKind::Stream), None]);
    }
}
