//! The parts of a stream, and what a module's answer means for one of them: what is stopped, kept, or gone on with. How a
//! stream is driven through them is in `stream`.

use crate::state::{Half, Lost, Part, Stream};
use crate::stream::Step;

/// What a data callback may return (proxy-wasm-cpp-host's `FilterDataStatus`).
pub(crate) const CONTINUE: u32 = 0;
const BUFFER: u32 = 1;
pub(crate) const WATERMARK: u32 = 2;

/// Whether what a callback returned stops the stream. For headers 0 and 2 go on, and every other number stops
/// everything; for the rest only 0 goes on.
pub(crate) fn stops(part: Part, action: u32) -> bool {
    match part {
        Part::RequestHeaders | Part::ResponseHeaders => !matches!(action, 0 | 2),
        Part::RequestBody | Part::ResponseBody | Part::RequestTrailers | Part::ResponseTrailers => {
            action != CONTINUE
        }
    }
}

impl Part {
    pub(crate) fn is_headers(self) -> bool {
        matches!(self, Self::RequestHeaders | Self::ResponseHeaders)
    }

    pub(crate) fn is_after_response_headers(self) -> bool {
        matches!(self, Self::ResponseBody | Self::ResponseTrailers)
    }

    pub(crate) fn is_request(self) -> bool {
        matches!(
            self,
            Self::RequestHeaders | Self::RequestBody | Self::RequestTrailers
        )
    }
}

impl Lost {
    /// What the proxy makes of it when it has been idle for too long.
    pub(crate) fn end(&self) -> Step {
        match self.stream.waiting.is_some_and(Part::is_after_response_headers) {
            true => Step::Reset,
            false => Step::Failed {
                reason: self.reason.clone(),
            },
        }
    }
}

impl Stream {
    /// Whether the module has asked for something that is not done yet.
    pub(crate) fn has_asked(&self) -> bool {
        self.reset || self.reply.is_some() || self.continue_request || self.continue_response
    }

    pub(crate) fn half(&mut self, part: Part) -> &mut Half {
        if part.is_request() {
            &mut self.request
        } else {
            &mut self.response
        }
    }

    /// A callback that goes on and stops has gone on before it stopped: with what was held till then, or with headers
    /// that are all there is.
    pub(crate) fn forget_going_on(&mut self, part: Part) {
        let is_whole = self.half(part).end_of_stream;
        match part {
            Part::RequestHeaders | Part::ResponseHeaders if is_whole => {}
            Part::RequestHeaders | Part::RequestBody | Part::RequestTrailers => self.continue_request = false,
            Part::ResponseHeaders | Part::ResponseBody | Part::ResponseTrailers => {
                self.continue_response = false;
            }
        }
    }

    pub(crate) fn go_on(&mut self, part: Part) -> Step {
        self.half(part).release();
        Step::Continue
    }
}

impl Half {
    /// What becomes of a piece of a body that the module stopped on: kept for the module, kept by the host, or
    /// dropped.
    pub(crate) fn keep(&mut self, part: Part, action: u32) {
        if !matches!(part, Part::RequestBody | Part::ResponseBody) {
            return;
        }
        self.buffering = action == BUFFER;
        match action {
            BUFFER | WATERMARK => {}
            _ => self.body.clear(),
        }
    }
}
