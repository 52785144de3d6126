//! Whole connections: what a client and an upstream say to each other is driven through the module until the client
//! goes, or the module ends it.

use std::collections::BTreeMap;

use crate::flow::MAX_ROUNDS;
use crate::host::Host;
use crate::stream::StreamId;
use crate::tcp::{CloseType, Passed, TcpStep};

/// A TCP connection, as the proxy sees it: who says what, in order. In the end the client goes, unless told otherwise.
///
/// ```
/// use scopegate_host_tests::Connection;
///
/// let connection = Connection::new().client("PING").upstream("PONG").upstream_ends().property("source.port", [1, 2]);
/// # let _ = connection;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connection {
    events: Vec<Event>,
    properties: BTreeMap<Vec<u8>, Vec<u8>>,
    stays_open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    Client(Vec<u8>, bool),
    Upstream(Vec<u8>, bool),
    Close(CloseType),
}

impl Connection {
    /// A connection on which nothing is said.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The client sends this.
    #[must_use]
    pub fn client(self, data: impl AsRef<[u8]>) -> Self {
        self.then(Event::Client(data.as_ref().to_vec(), false))
    }

    /// The client sends no more, and still listens.
    #[must_use]
    pub fn client_ends(self) -> Self {
        self.then(Event::Client(Vec::new(), true))
    }

    /// The upstream sends this.
    #[must_use]
    pub fn upstream(self, data: impl AsRef<[u8]>) -> Self {
        self.then(Event::Upstream(data.as_ref().to_vec(), false))
    }

    /// The upstream sends no more.
    #[must_use]
    pub fn upstream_ends(self) -> Self {
        self.then(Event::Upstream(Vec::new(), true))
    }

    /// The connection is closed by the client (`Remote`) or by the proxy (`Local`); what comes after is not said.
    #[must_use]
    pub fn closed(self, by: CloseType) -> Self {
        self.then(Event::Close(by))
    }

    /// The client stays: the connection is open in the end, and is ended with `Host::finish`.
    #[must_use]
    pub fn stays_open(mut self) -> Self {
        self.stays_open = true;
        self
    }

    /// Sets a property by its dotted path: `source.address`.
    #[must_use]
    pub fn property(mut self, path: &str, value: impl AsRef<[u8]>) -> Self {
        self.properties
            .insert(path.replace('.', "\0").into_bytes(), value.as_ref().to_vec());
        self
    }

    fn then(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }
}

/// What became of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TcpOutcome {
    /// The client went.
    Ended,
    /// The module, or the proxy, closed it.
    Closed,
    /// The client stays.
    Open,
    /// The module holds it and waits. `Host::resume_connection` goes on with it.
    Paused,
    /// The module failed, or was never configured, and the failure policy does not let the connection past it: it is
    /// closed.
    Failed {
        /// Why, for people.
        reason: String,
    },
}

/// The whole of one connection.
#[derive(Debug, Clone)]
pub struct TcpExchange {
    /// What became of it.
    pub outcome: TcpOutcome,
    /// What each side got.
    pub passed: Passed,
    /// The properties that the module set, by raw path.
    pub properties: BTreeMap<Vec<u8>, Vec<u8>>,
    /// How many host calls the module made.
    pub host_calls: usize,
    /// The fuel it burnt, about one unit for each instruction: the same for the same connection.
    pub fuel: u64,
    /// The connection, still open where the outcome is `Open` or `Paused`.
    pub stream: StreamId,
}

impl Host {
    /// Takes a connection through the module. It is finished unless the outcome is `Open` or `Paused`.
    pub fn connection(&mut self, connection: Connection) -> TcpExchange {
        let before = (self.host_calls(), self.fuel_used());
        let (id, step) = self.open_connection(connection.properties);
        let mut step = self.wait_for_answers(id, step);
        let mut ended = None;
        for event in connection.events {
            if matches!(step, TcpStep::Closed | TcpStep::Failed { .. }) {
                break;
            }
            let next = match event {
                Event::Client(data, end) => self.downstream_data(id, &data, end),
                Event::Upstream(data, end) => self.upstream_data(id, &data, end),
                Event::Close(by) => {
                    self.close_downstream(id, by);
                    ended = Some(by);
                    break;
                }
            };
            step = self.wait_for_answers(id, next);
        }
        let outcome = match (step, ended) {
            (_, Some(CloseType::Local)) => TcpOutcome::Closed,
            (_, Some(CloseType::Remote | CloseType::Unknown)) => TcpOutcome::Ended,
            (TcpStep::Continue, None) if connection.stays_open => TcpOutcome::Open,
            (TcpStep::Continue, None) => TcpOutcome::Ended,
            (TcpStep::Paused, None) => TcpOutcome::Paused,
            (TcpStep::Closed, None) => TcpOutcome::Closed,
            (TcpStep::Failed { reason }, None) => TcpOutcome::Failed { reason },
        };
        self.report_connection(id, outcome, before)
    }

    /// Goes on with a connection that was paused, where the module has let it go since; then the client goes.
    pub fn resume_connection(&mut self, id: StreamId) -> TcpExchange {
        let before = (self.host_calls(), self.fuel_used());
        let step = self.poll_connection(id);
        let outcome = match self.wait_for_answers(id, step) {
            TcpStep::Continue => TcpOutcome::Ended,
            TcpStep::Paused => TcpOutcome::Paused,
            TcpStep::Closed => TcpOutcome::Closed,
            TcpStep::Failed { reason } => TcpOutcome::Failed { reason },
        };
        self.report_connection(id, outcome, before)
    }

    fn wait_for_answers(&mut self, id: StreamId, mut step: TcpStep) -> TcpStep {
        for _ in 0..MAX_ROUNDS {
            if step != TcpStep::Paused || !self.deliver() {
                break;
            }
            step = self.poll_connection(id);
        }
        step
    }

    fn report_connection(&mut self, id: StreamId, outcome: TcpOutcome, before: (usize, u64)) -> TcpExchange {
        if outcome == TcpOutcome::Ended {
            self.close_downstream(id, CloseType::Remote);
        }
        let (passed, properties) = (self.passed(id), self.stream_properties(id));
        if !matches!(outcome, TcpOutcome::Open | TcpOutcome::Paused) {
            self.finish(id);
            self.deliver();
        }
        TcpExchange {
            outcome,
            passed,
            properties,
            host_calls: self.host_calls().saturating_sub(before.0),
            fuel: self.fuel_used().saturating_sub(before.1),
            stream: id,
        }
    }
}
