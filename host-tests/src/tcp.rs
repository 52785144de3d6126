//! TCP connections: what the module is shown of one, and what follows from its answer. Whole lives are driven in
//! `connection`.
//!
//! The rules are those of Envoy's network filters: what a module stops on stays in the connection's buffer and is shown
//! again, together with what came since; only the client's side can be resumed; and closing either side closes the
//! connection.

use std::collections::BTreeMap;

use crate::abi::BufferType;
use crate::host::{Host, length};
use crate::state::Stream;
use crate::stream::StreamId;

/// Who closed a side of a connection, in the numbering of the ABI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseType {
    /// 0: the host cannot tell. Envoy says so of every upstream.
    Unknown = 0,
    /// 1: the proxy, on its own or because the module asked for it.
    Local = 1,
    /// 2: the peer.
    Remote = 2,
}

/// What follows from a step of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TcpStep {
    /// What was shown goes on.
    Continue,
    /// The module holds it.
    Paused,
    /// The connection is closed, and the module has heard of it for the last time.
    Closed,
    /// The module failed or was never configured: the connection is closed.
    Failed {
        /// Why, for people.
        reason: String,
    },
}

/// What a connection has let through so far.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Passed {
    /// From the client to the upstream.
    pub upstream: Vec<u8>,
    /// From the upstream to the client.
    pub downstream: Vec<u8>,
}

impl std::fmt::Debug for Passed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passed")
            .field("upstream", &format_args!("{}", self.upstream.escape_ascii()))
            .field("downstream", &format_args!("{}", self.downstream.escape_ascii()))
            .finish()
    }
}

/// The state of a connection.
#[derive(Default)]
pub(crate) struct Tcp {
    /// From the client.
    pub(crate) downstream: Flow,
    /// From the upstream.
    pub(crate) upstream: Flow,
    /// Whether the module lets the client's side go on.
    pub(crate) resumed: bool,
    /// Whether the module closes the connection.
    pub(crate) closing: bool,
    /// Whether the module holds the client's side.
    held: bool,
    over: bool,
}

/// One direction of a connection.
#[derive(Default)]
pub(crate) struct Flow {
    /// What is not let go yet.
    pub(crate) buffer: Vec<u8>,
    /// Whether the module may look at it.
    pub(crate) open: bool,
    passed: Vec<u8>,
}

impl Flow {
    fn add(&mut self, data: &[u8]) -> u32 {
        self.buffer.extend_from_slice(data);
        self.open = true;
        length(self.buffer.len())
    }

    fn release(&mut self) {
        self.passed.append(&mut self.buffer);
    }
}

impl Tcp {
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// What the module may read and change of a direction just now.
    pub(crate) fn shown(&mut self, buffer: BufferType) -> Option<&mut Vec<u8>> {
        let flow = match buffer == BufferType::NetworkUpstreamData {
            true => &mut self.upstream,
            false => &mut self.downstream,
        };
        flow.open.then_some(&mut flow.buffer)
    }

    fn flow(&mut self, side: Side) -> &mut Flow {
        match side {
            Side::Downstream => &mut self.downstream,
            Side::Upstream => &mut self.upstream,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Downstream,
    Upstream,
}

impl Host {
    /// Opens a connection: `proxy_on_context_create`, `proxy_on_new_connection`. The properties come before the host's
    /// own; parts of a path are separated by a NUL.
    pub fn open_connection(&mut self, properties: BTreeMap<Vec<u8>, Vec<u8>>) -> (StreamId, TcpStep) {
        self.reload(0);
        let root = self.root;
        let has_callbacks = self.world().profile.has_connections();
        let usable = self.refusal(self.root).is_none() && has_callbacks;
        let state = self.vm.state_mut();
        let id = state.allocate_context();
        let stream = Stream {
            root,
            given: properties,
            created: usable,
            started_nanos: state.world.clock.now_nanos(),
            tcp: Some(Tcp::default()),
            ..Stream::default()
        };
        state.streams.insert(id, stream);
        let id = StreamId(id);
        if !usable {
            return (id, self.settle_side(id, Side::Downstream, false));
        }
        self.vm.call(id.0, "proxy_on_context_create", &[id.0, root]);
        let returned = self.vm.call(id.0, "proxy_on_new_connection", &[id.0]);
        let stopped = returned.value.is_some_and(|action| action != 0);
        (id, self.settle_side(id, Side::Downstream, stopped))
    }

    /// Shows data from the client, with what the module still holds of it: `proxy_on_downstream_data`.
    pub fn downstream_data(&mut self, id: StreamId, data: &[u8], end_of_stream: bool) -> TcpStep {
        self.data(id, Side::Downstream, data, end_of_stream)
    }

    /// Shows data from the upstream, with what the module still holds of it: `proxy_on_upstream_data`. The end of it is
    /// the end of the upstream: `proxy_on_upstream_connection_close`.
    pub fn upstream_data(&mut self, id: StreamId, data: &[u8], end_of_stream: bool) -> TcpStep {
        let step = self.data(id, Side::Upstream, data, end_of_stream);
        if end_of_stream {
            self.close_upstream(id, CloseType::Unknown);
        }
        step
    }

    /// The upstream is gone: `proxy_on_upstream_connection_close`. Envoy tells of it only by the end of the data.
    pub fn close_upstream(&mut self, id: StreamId, by: CloseType) {
        if self.is_open(id) {
            self.vm
                .call(id.0, "proxy_on_upstream_connection_close", &[id.0, by as u32]);
        }
    }

    /// The client is gone: `proxy_on_downstream_connection_close`, `proxy_on_done`, `proxy_on_log`, `proxy_on_delete`.
    pub fn close_downstream(&mut self, id: StreamId, by: CloseType) {
        if !self.is_open(id) {
            return;
        }
        self.vm
            .call(id.0, "proxy_on_downstream_connection_close", &[id.0, by as u32]);
        for callback in ["proxy_on_done", "proxy_on_log", "proxy_on_delete"] {
            self.vm.call(id.0, callback, &[id.0]);
        }
        if let Some(tcp) = self.tcp_mut(id) {
            tcp.over = true;
        }
    }

    /// What has become of a connection that the module held, after callouts were answered or ticks run. Where its machine
    /// has failed since, it stays held until more data comes or the client goes.
    pub fn poll_connection(&mut self, id: StreamId) -> TcpStep {
        let has_failed = self.vm.failure().is_some();
        let tcp = self.tcp_mut(id);
        let held = tcp.as_ref().is_some_and(|tcp| tcp.held);
        if has_failed && tcp.is_some_and(|tcp| tcp.held && !tcp.over && !tcp.resumed && !tcp.closing) {
            return TcpStep::Paused;
        }
        self.settle_side(id, Side::Downstream, held)
    }

    /// What a connection has let through; it is forgotten when the connection is finished.
    #[must_use]
    pub fn passed(&self, id: StreamId) -> Passed {
        let tcp = self
            .vm
            .state()
            .streams
            .get(&id.0)
            .and_then(|stream| stream.tcp.as_ref());
        tcp.map_or_else(Passed::default, |tcp| Passed {
            upstream: tcp.downstream.passed.clone(),
            downstream: tcp.upstream.passed.clone(),
        })
    }

    /// Closes a connection by the client, where it is open, and forgets it. `false` where that number is no connection.
    pub(crate) fn finish_connection(&mut self, id: StreamId) -> bool {
        if self.tcp_mut(id).is_none() {
            return false;
        }
        self.close_downstream(id, CloseType::Remote);
        self.vm.state_mut().streams.remove(&id.0);
        true
    }

    fn data(&mut self, id: StreamId, side: Side, data: &[u8], end_of_stream: bool) -> TcpStep {
        let Some(tcp) = self.tcp_mut(id).filter(|tcp| !tcp.over) else {
            return TcpStep::Closed;
        };
        let size = tcp.flow(side).add(data);
        if !self.is_open(id) || self.refusal(self.root).is_some() {
            return self.settle_side(id, side, false);
        }
        let callback = match side {
            Side::Downstream => "proxy_on_downstream_data",
            Side::Upstream => "proxy_on_upstream_data",
        };
        let returned = self.vm.call(id.0, callback, &[id.0, size, end_of_stream.into()]);
        self.settle_side(id, side, returned.value.is_some_and(|action| action != 0))
    }

    /// What follows once the module has returned: its failure comes first, then what it asked for.
    fn settle_side(&mut self, id: StreamId, side: Side, stopped: bool) -> TcpStep {
        let has_callbacks = self.world().profile.has_connections();
        let refusal = self.refusal(self.root).filter(|_| has_callbacks);
        let open = self.fails_open(self.root);
        let Some(stream) = self.vm.state_mut().streams.get_mut(&id.0) else {
            return TcpStep::Closed;
        };
        let created = stream.created;
        let Some(tcp) = stream.tcp.as_mut().filter(|tcp| !tcp.over) else {
            return TcpStep::Closed;
        };
        if let Some(reason) = refusal.filter(|_| created || !open) {
            tcp.over = true;
            return TcpStep::Failed { reason };
        }
        if std::mem::take(&mut tcp.closing) && created {
            self.close_downstream(id, CloseType::Local);
            return TcpStep::Closed;
        }
        if std::mem::take(&mut tcp.resumed) {
            tcp.downstream.release();
            tcp.held = false;
        } else if side == Side::Downstream {
            tcp.held = stopped;
        }
        if !stopped {
            let flow = tcp.flow(side);
            flow.release();
            flow.open = false;
        }
        match stopped && (side == Side::Upstream || tcp.held) {
            true => TcpStep::Paused,
            false => TcpStep::Continue,
        }
    }

    fn tcp_mut(&mut self, id: StreamId) -> Option<&mut Tcp> {
        self.vm.state_mut().streams.get_mut(&id.0)?.tcp.as_mut()
    }

    /// Whether the module knows the connection.
    fn is_open(&self, id: StreamId) -> bool {
        let stream = self.vm.state().streams.get(&id.0).filter(|stream| stream.created);
        stream
            .and_then(|stream| stream.tcp.as_ref())
            .is_some_and(|tcp| !tcp.over)
    }
}
