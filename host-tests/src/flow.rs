//! The way of one stream through the plugins of a proxy, as Envoy's filter manager has it: the request passes them
//! from the first to the last, the response back. What a plugin holds waits in front of it; what comes after waits too.

use std::collections::BTreeMap;

use crate::exchange::{Exchange, LocalReply, Message, Outcome, Request, Response};
use crate::headers::Headers;
use crate::host::Host;
use crate::lane::{Frame, Held, Lane, frames};
use crate::profile::Profile;
use crate::state::Part;
use crate::stream::{Step, StreamId};

/// What a failed module's client gets.
const UNAVAILABLE: u16 = 503;

/// How often answers are handed over while nothing of the stream moves: a module that answers every answer with another
/// callout holds the stream.
pub(crate) const MAX_ROUNDS: u32 = 2;

/// A plugin of a proxy: in which machine it is, and which of the plugins there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) host: usize,
    pub(crate) plugin: usize,
}

/// The plugins of a proxy, in the order in which requests pass them.
pub(crate) struct Line<'h> {
    pub(crate) hosts: &'h mut [Host],
    pub(crate) members: &'h [Member],
}

impl Line<'_> {
    /// The machine of a plugin.
    fn host(&mut self, member: usize) -> Option<&mut Host> {
        let position = self.members.get(member)?.host;
        self.hosts.get_mut(position)
    }

    /// A message as it comes from the network, by the settings of the first machine.
    fn frames(&self, headers: Headers, body: Vec<u8>, trailers: Headers) -> Vec<Frame> {
        let world = self.hosts.first().map(Host::world);
        let pieces = world.map_or(usize::MAX, |world| world.piece_bytes);
        let ends_apart = world.is_some_and(|world| world.ends_apart);
        let mut frames = frames(headers, body, trailers, pieces);
        if let Some(Frame::Data(_, is_last)) = frames.last_mut().filter(|_| ends_apart) {
            *is_last = false;
            frames.push(Frame::Data(Vec::new(), true));
        }
        frames
    }

    /// The plugins in the order in which responses pass them.
    fn way_back(&self) -> Vec<usize> {
        let profile = self.hosts.first().map(|host| host.world().profile);
        let order = 0..self.members.len();
        match profile.is_some_and(Profile::turns_chains_around) {
            true => order.rev().collect(),
            false => order.collect(),
        }
    }

    fn host_calls(&self) -> usize {
        self.hosts.iter().map(Host::host_calls).sum()
    }

    fn fuel_used(&self) -> u64 {
        self.hosts.iter().map(Host::fuel_used).sum()
    }

    fn deliver(&mut self) -> bool {
        // All of them, whatever the first had.
        self.hosts
            .iter_mut()
            .fold(false, |any, host| host.deliver() | any)
    }
}

/// One stream under way.
pub(crate) struct Flow {
    /// The number by which a test knows it.
    key: StreamId,
    /// Its number in the machine of each plugin.
    ids: Vec<StreamId>,
    /// Which plugins have seen its headers.
    reached: Vec<bool>,
    /// What plugins set on it: each sees what the others did.
    properties: BTreeMap<Vec<u8>, Vec<u8>>,
    request: Lane,
    response: Lane,
    /// The headers as they were last seen, for the log.
    seen: [Headers; 2],
    upstream: Option<Response>,
    /// The request as it reached the upstream.
    asked: Option<Message>,
    /// The reply of a plugin that goes back in place of the upstream's.
    reply: Option<LocalReply>,
    decided_by: Option<usize>,
    /// The plugin whose module failed under the request, and how.
    failed: Option<(usize, String)>,
    host_calls: usize,
    fuel: u64,
}

impl Flow {
    /// Numbers a stream in all machines, and puts the request in front of the first plugin.
    pub(crate) fn open(
        line: &mut Line<'_>,
        key: Option<StreamId>,
        request: Request,
        response: Response,
    ) -> Self {
        let (host_calls, fuel) = (line.host_calls(), line.fuel_used());
        let count = line.members.len();
        let ids: Vec<StreamId> = line
            .members
            .iter()
            .filter_map(|member| {
                let host = line.hosts.get_mut(member.host)?;
                Some(host.allocate_stream(member.plugin, request.properties.clone()))
            })
            .collect();
        let first = ids.first().copied().unwrap_or(StreamId(0));
        let mut flow = Self {
            key: key.unwrap_or(first),
            ids,
            reached: vec![false; count],
            properties: BTreeMap::new(),
            request: Lane::new((0..count).collect()),
            response: Lane::new(line.way_back()),
            seen: [request.headers.clone(), Headers::new()],
            upstream: Some(response),
            asked: None,
            reply: None,
            decided_by: None,
            failed: None,
            host_calls,
            fuel,
        };
        let frames = line.frames(request.headers, request.body, request.trailers);
        flow.request.hand(0, frames);
        flow
    }

    pub(crate) fn key(&self) -> StreamId {
        self.key
    }

    /// Goes on until the stream is decided; `None` where a plugin holds it.
    pub(crate) fn run(&mut self, line: &mut Line<'_>) -> Option<Outcome> {
        let mut rounds = MAX_ROUNDS;
        loop {
            let ended = if let Some((place, frame)) = self.request.next() {
                rounds = MAX_ROUNDS;
                self.show_request(line, place, frame)
            } else if let Some(response) = self.upstream.take_if(|_| self.request.is_over) {
                self.asked = Some(self.request.passed.clone());
                let frames = line.frames(response.headers, response.body, response.trailers);
                self.response.hand(0, frames);
                None
            } else if let Some((place, frame)) = self.response.next() {
                rounds = MAX_ROUNDS;
                self.show_response(line, place, frame)
            } else if self.response.is_over {
                Some(self.outcome())
            } else if rounds > 0 && line.deliver() {
                rounds = rounds.saturating_sub(1);
                self.poll(line)
            } else {
                return None;
            };
            if ended.is_some() {
                return ended;
            }
        }
    }

    /// Looks at what has become of what plugins hold, and goes on.
    pub(crate) fn resume(&mut self, line: &mut Line<'_>) -> Option<Outcome> {
        self.poll(line).or_else(|| self.run(line))
    }

    fn outcome(&mut self) -> Outcome {
        match self.reply.take() {
            None => Outcome::Forwarded(std::mem::take(&mut self.request.passed)),
            Some(mut reply) => {
                let shown = std::mem::take(&mut self.response.passed);
                (reply.headers, reply.body) = (shown.headers, shown.body);
                let made = reply.status;
                let reply = reply.read_back();
                match self.failed.take() {
                    None => Outcome::LocalReply(reply),
                    Some((_, reason)) => Outcome::Failed {
                        reason,
                        // To gRPC it is said in another way.
                        reply_status: if reply.status == made {
                            UNAVAILABLE
                        } else {
                            reply.status
                        },
                    },
                }
            }
        }
    }

    fn has_failed(&self, member: usize) -> bool {
        self.failed.as_ref().is_some_and(|(failed, _)| *failed == member)
    }

    fn show_request(&mut self, line: &mut Line<'_>, place: usize, frame: Frame) -> Option<Outcome> {
        let member = self.request.member(place);
        let id = self.id(member);
        self.share_properties(line);
        let host = line.host(member)?;
        let (part, step) = match frame {
            Frame::Headers(headers, is_last) => {
                if let Some(reached) = self.reached.get_mut(member) {
                    *reached = true;
                }
                host.create(id);
                if let Some(stream) = host.stream_mut(id) {
                    stream.chained = true;
                }
                let step = host.request_headers(id, headers, is_last);
                (Part::RequestHeaders, step)
            }
            Frame::Data(data, is_last) => (Part::RequestBody, host.request_body(id, &data, is_last)),
            Frame::Trailers(trailers) => (Part::RequestTrailers, host.request_trailers(id, trailers)),
        };
        self.settle(line, place, part, step)
    }

    /// A plugin that never saw the request is not shown the response, and one that failed lets it pass.
    fn show_response(&mut self, line: &mut Line<'_>, place: usize, frame: Frame) -> Option<Outcome> {
        let member = self.response.member(place);
        let id = self.id(member);
        if self.reached.get(member) != Some(&true) || self.has_failed(member) {
            self.response.hand(place.saturating_add(1), vec![frame]);
            return None;
        }
        self.share_properties(line);
        let host = line.host(member)?;
        let (part, step) = match frame {
            Frame::Headers(headers, is_last) => {
                let step = host.response_headers(id, headers, is_last);
                (Part::ResponseHeaders, step)
            }
            Frame::Data(data, is_last) => (Part::ResponseBody, host.response_body(id, &data, is_last)),
            Frame::Trailers(trailers) => (Part::ResponseTrailers, host.response_trailers(id, trailers)),
        };
        self.settle(line, place, part, step)
    }

    /// What follows from a step.
    fn settle(&mut self, line: &mut Line<'_>, place: usize, part: Part, step: Step) -> Option<Outcome> {
        let is_request = part.is_request();
        let member = self.lane(is_request).member(place);
        let id = self.id(member);
        let host = line.host(member)?;
        match is_request {
            true => self.see(0, host.forwarded_request(id).headers),
            false => self.see(1, host.forwarded_response(id).headers),
        }
        match step {
            Step::Continue => {
                let frames = host.let_go(id, part);
                let lane = self.lane(is_request);
                lane.set_held(place, Held::Nothing);
                lane.hand(place.saturating_add(1), frames);
                None
            }
            Step::Paused => {
                let is_alone = host.holds_headers_alone(id, part);
                let held = match part {
                    Part::RequestHeaders | Part::ResponseHeaders if is_alone => Held::Body,
                    Part::RequestHeaders | Part::ResponseHeaders => Held::Everything,
                    Part::RequestBody
                    | Part::RequestTrailers
                    | Part::ResponseBody
                    | Part::ResponseTrailers => Held::Body,
                };
                self.lane(is_request).set_held(place, held);
                None
            }
            Step::LocalReply(reply) if is_request => {
                self.decided_by = Some(member);
                self.answer(reply);
                None
            }
            Step::LocalReply(reply) => self.ended_by(member, Outcome::LocalReply(reply)),
            Step::Failed { reason } if is_request => {
                let reply = host.unavailable(id);
                self.decided_by = Some(member);
                self.failed = Some((member, reason));
                self.answer(reply);
                None
            }
            Step::Failed { reason } => {
                let reply_status = UNAVAILABLE;
                let (member, reason) = self.failed.take().unwrap_or((member, reason));
                self.ended_by(member, Outcome::Failed { reason, reply_status })
            }
            Step::Reset => self.ended_by(member, Outcome::Reset),
        }
    }

    fn ended_by(&mut self, member: usize, outcome: Outcome) -> Option<Outcome> {
        self.decided_by = Some(member);
        Some(outcome)
    }

    /// A reply in place of the upstream's: it goes back through every plugin that has seen the request, the last of them
    /// first, whichever of them made it.
    fn answer(&mut self, reply: LocalReply) {
        self.request.stop();
        self.upstream = None;
        self.response.hand(
            0,
            frames(
                reply.headers.clone(),
                reply.body.clone(),
                Headers::new(),
                usize::MAX,
            ),
        );
        self.reply = Some(reply);
    }

    /// Asks after all that is held, and for replies that plugins made meanwhile.
    fn poll(&mut self, line: &mut Line<'_>) -> Option<Outcome> {
        for is_request in [true, false] {
            for place in (0..self.ids.len()).rev() {
                let member = self.lane(is_request).member(place);
                let id = self.id(member);
                let is_held = self.lane(is_request).held.get(place) != Some(&Held::Nothing);
                self.share_properties(line);
                let host = line.host(member)?;
                let part = host.held_part(id).filter(|part| part.is_request() == is_request);
                let polled = match part {
                    Some(part) if is_held => Some((part, host.poll(id))),
                    Some(_) | None if is_request => {
                        host.unasked_reply(id).map(|step| (Part::RequestHeaders, step))
                    }
                    Some(_) | None => None,
                };
                let ended = polled.and_then(|(part, step)| self.settle(line, place, part, step));
                if ended.is_some() {
                    return ended;
                }
            }
        }
        None
    }

    /// Ends the stream in all machines, and says how it went. The access log comes first, for every plugin: one that
    /// has not seen the request hears of it here.
    pub(crate) fn end(mut self, line: &mut Line<'_>, outcome: Outcome) -> Exchange {
        self.share_properties(line);
        let is_shared = self.ids.len() > 1;
        for (member, id) in self.ids.iter().enumerate() {
            if let Some(host) = line.host(member) {
                if is_shared {
                    host.see_headers(*id, &self.seen);
                }
                host.create(*id);
                host.log_stream(*id);
            }
        }
        for (member, id) in self.ids.iter().enumerate() {
            if let Some(host) = line.host(member) {
                host.delete_stream(*id);
            }
        }
        line.deliver();
        let response = matches!(outcome, Outcome::Forwarded(_)).then(|| self.response.passed.clone());
        Exchange {
            response,
            ..self.report(line, outcome)
        }
    }

    /// What is known of a stream that goes on.
    pub(crate) fn report(&self, line: &Line<'_>, outcome: Outcome) -> Exchange {
        let holder = self.request.holder().or_else(|| self.response.holder());
        Exchange {
            outcome,
            asked: self.asked.clone(),
            response: None,
            properties: self.properties.clone(),
            host_calls: line.host_calls().saturating_sub(self.host_calls),
            fuel: line.fuel_used().saturating_sub(self.fuel),
            stream: self.key,
            decided_by: self.decided_by.or(holder),
        }
    }

    fn id(&self, member: usize) -> StreamId {
        self.ids.get(member).copied().unwrap_or(StreamId(0))
    }

    fn lane(&mut self, is_request: bool) -> &mut Lane {
        match is_request {
            true => &mut self.request,
            false => &mut self.response,
        }
    }

    fn see(&mut self, direction: usize, headers: Headers) {
        if let Some(seen) = self.seen.get_mut(direction) {
            *seen = headers;
        }
    }

    /// What one plugin set is there for the others.
    fn share_properties(&mut self, line: &mut Line<'_>) {
        let mut written = BTreeMap::new();
        for (member, id) in self.ids.iter().enumerate() {
            let set = line.host(member).map(|host| host.stream_properties(*id));
            let set = set.unwrap_or_default().into_iter();
            written.extend(set.filter(|(key, value)| self.properties.get(key) != Some(value)));
        }
        self.properties.extend(written);
        for (member, id) in self.ids.iter().enumerate() {
            if let Some(stream) = line.host(member).and_then(|host| host.stream_mut(*id)) {
                stream.set.clone_from(&self.properties);
            }
        }
    }
}
