//! Whole exchanges: a request is driven through the module, to the upstream and back, until it is done or the
//! module holds it.

use crate::exchange::{Exchange, Message, Outcome, Request, Response};
use crate::headers::Headers;
use crate::host::Host;
use crate::state::Part;
use crate::stream::{Step, StreamId};

/// An exchange under way: what the module has not seen yet.
pub(crate) struct Script {
    headers: Headers,
    body: Vec<u8>,
    trailers: Headers,
    response: Option<Response>,
    next: Option<Part>,
    forwarded: Message,
    host_calls: usize,
    fuel: u64,
}

/// What a failed module's client gets.
const UNAVAILABLE: u16 = 503;

impl Host {
    /// Takes a request through the module and, where the module lets it, to the upstream and back. The stream
    /// is finished unless the outcome is `Paused`.
    pub fn request(&mut self, request: Request) -> Exchange {
        let response = self.response.clone();
        self.exchange(request, response)
    }

    /// The same, with this response of the upstream.
    pub fn exchange(&mut self, request: Request, response: Response) -> Exchange {
        let script = Script {
            headers: request.headers,
            body: request.body,
            trailers: request.trailers,
            response: Some(response),
            next: Some(Part::RequestHeaders),
            forwarded: Message::default(),
            host_calls: self.host_calls(),
            fuel: self.fuel_used(),
        };
        let id = self.open_stream(request.properties);
        self.drive(id, script)
    }

    /// Goes on with a stream that was paused, where the module has let it go since. A stream that is not there
    /// any more is `Reset`.
    pub fn resume(&mut self, id: StreamId) -> Exchange {
        let Some(script) = self.scripts.remove(&id.0) else {
            let script = Script::gone(self.host_calls(), self.fuel_used());
            return self.end(id, &script, Outcome::Reset);
        };
        let step = self.poll(id);
        self.follow(id, script, step)
    }

    fn drive(&mut self, id: StreamId, mut script: Script) -> Exchange {
        let step = self.feed(id, &mut script);
        self.follow(id, script, step)
    }

    /// Follows the steps until there is nothing more to show, or no going on.
    fn follow(&mut self, id: StreamId, mut script: Script, mut step: Step) -> Exchange {
        loop {
            step = match step {
                Step::Continue if script.next.is_none() => {
                    let forwarded = std::mem::take(&mut script.forwarded);
                    return self.end(id, &script, Outcome::Forwarded(forwarded));
                }
                Step::Continue => self.feed(id, &mut script),
                Step::Paused if self.deliver() => self.poll(id),
                Step::Paused => return self.park(id, script),
                Step::LocalReply(reply) => return self.end(id, &script, Outcome::LocalReply(reply)),
                Step::Failed { reason } => {
                    return self.end(
                        id,
                        &script,
                        Outcome::Failed {
                            reason,
                            reply_status: UNAVAILABLE,
                        },
                    );
                }
                Step::Reset => return self.end(id, &script, Outcome::Reset),
            }
        }
    }

    /// Shows the module the next part.
    fn feed(&mut self, id: StreamId, script: &mut Script) -> Step {
        let Some(part) = script.next else {
            return Step::Continue;
        };
        script.next = script.after(part);
        let response = script.response.clone().unwrap_or_default();
        match part {
            Part::RequestHeaders => {
                let end = script.body.is_empty() && script.trailers.is_empty();
                self.request_headers(id, std::mem::take(&mut script.headers), end)
            }
            Part::RequestBody => {
                let body = std::mem::take(&mut script.body);
                self.request_body(id, &body, script.trailers.is_empty())
            }
            Part::RequestTrailers => self.request_trailers(id, std::mem::take(&mut script.trailers)),
            Part::ResponseHeaders => {
                script.forwarded = self.forwarded_request(id);
                let end = response.body.is_empty() && response.trailers.is_empty();
                self.response_headers(id, response.headers, end)
            }
            Part::ResponseBody => self.response_body(id, &response.body, response.trailers.is_empty()),
            Part::ResponseTrailers => self.response_trailers(id, response.trailers),
        }
    }

    fn park(&mut self, id: StreamId, script: Script) -> Exchange {
        let exchange = self.report(id, &script, Outcome::Paused, None);
        self.scripts.insert(id.0, script);
        exchange
    }

    fn end(&mut self, id: StreamId, script: &Script, outcome: Outcome) -> Exchange {
        let response = matches!(outcome, Outcome::Forwarded(_)).then(|| self.forwarded_response(id));
        let properties = self.stream_properties(id);
        self.finish(id);
        self.deliver();
        Exchange {
            properties,
            ..self.report(id, script, outcome, response)
        }
    }

    fn report(&self, id: StreamId, script: &Script, outcome: Outcome, response: Option<Message>) -> Exchange {
        Exchange {
            outcome,
            response,
            properties: self.stream_properties(id),
            host_calls: self.host_calls().saturating_sub(script.host_calls),
            fuel: self.fuel_used().saturating_sub(script.fuel),
            stream: id,
        }
    }
}

impl Script {
    fn gone(host_calls: usize, fuel: u64) -> Self {
        let (headers, body, trailers) = (Headers::new(), Vec::new(), Headers::new());
        Self {
            headers,
            body,
            trailers,
            response: None,
            next: None,
            forwarded: Message::default(),
            host_calls,
            fuel,
        }
    }

    /// The part that comes after one; parts that are empty are left out.
    fn after(&self, part: Part) -> Option<Part> {
        let (body, trailers) = (!self.body.is_empty(), !self.trailers.is_empty());
        let response = self.response.as_ref();
        let response_body = response.is_some_and(|response| !response.body.is_empty());
        let response_trailers = response.is_some_and(|response| !response.trailers.is_empty());
        match part {
            Part::RequestHeaders if body => Some(Part::RequestBody),
            Part::RequestHeaders | Part::RequestBody if trailers => Some(Part::RequestTrailers),
            Part::RequestHeaders | Part::RequestBody | Part::RequestTrailers => Some(Part::ResponseHeaders),
            Part::ResponseHeaders if response_body => Some(Part::ResponseBody),
            Part::ResponseHeaders | Part::ResponseBody if response_trailers => Some(Part::ResponseTrailers),
            Part::ResponseHeaders | Part::ResponseBody | Part::ResponseTrailers => None,
        }
    }
}
