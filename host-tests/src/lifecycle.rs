//! Whole exchanges of one plugin: a request is driven through the module, to the upstream and back, until it is done
//! or the module holds it. The way itself is in `flow`.

use crate::exchange::{Exchange, Outcome, Request, Response};
use crate::flow::{Flow, Line, Member};
use crate::host::Host;
use crate::stream::StreamId;

/// The one plugin of a host.
const ALONE: [Member; 1] = [Member { host: 0, plugin: 0 }];

impl Host {
    /// Takes a request through the module and, where the module lets it, to the upstream and back. The stream
    /// is finished unless the outcome is `Paused`.
    pub fn request(&mut self, request: Request) -> Exchange {
        let response = self.response.clone();
        self.exchange(request, response)
    }

    /// The same, with this response of the upstream.
    pub fn exchange(&mut self, request: Request, response: Response) -> Exchange {
        let mut flow = Flow::open(&mut self.line(), None, request, response);
        let outcome = flow.run(&mut self.line());
        self.conclude(flow, outcome)
    }

    /// Goes on with a stream that was paused, where the module has let it go since. A stream that is not there
    /// any more is `Reset`.
    pub fn resume(&mut self, id: StreamId) -> Exchange {
        let Some(mut flow) = self.flows.remove(&id.0) else {
            return Exchange::gone(id);
        };
        let outcome = flow.resume(&mut self.line());
        self.conclude(flow, outcome)
    }

    fn conclude(&mut self, flow: Flow, outcome: Option<Outcome>) -> Exchange {
        match outcome {
            Some(outcome) => flow.end(&mut self.line(), outcome),
            None => {
                let exchange = flow.report(&self.line(), Outcome::Paused);
                self.flows.insert(flow.key().0, flow);
                exchange
            }
        }
    }

    fn line(&mut self) -> Line<'_> {
        Line {
            hosts: std::slice::from_mut(self),
            members: &ALONE,
        }
    }
}

impl Exchange {
    /// What is said of a stream that is not there any more.
    pub(crate) fn gone(stream: StreamId) -> Self {
        Self {
            outcome: Outcome::Reset,
            asked: None,
            response: None,
            properties: std::collections::BTreeMap::new(),
            host_calls: 0,
            fuel: 0,
            stream,
            decided_by: None,
        }
    }
}
