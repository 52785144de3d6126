//! One direction of a stream through the plugins of a proxy: the pieces of a message, what waits in front of each plugin,
//! and what has passed them all. What a plugin does with a piece is not known here.

use std::collections::VecDeque;

use crate::exchange::Message;
use crate::headers::Headers;

/// A piece of a message on its way; whether it is the last one.
#[derive(Debug, Clone)]
pub(crate) enum Frame {
    Headers(Headers, bool),
    Data(Vec<u8>, bool),
    Trailers(Headers),
}

/// What a plugin does with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// It lets everything pass.
    Nothing,
    /// It holds a body, trailers or the headers alone, and is shown what follows.
    Body,
    /// It holds the headers, and is shown nothing until it lets them go.
    Everything,
}

/// One direction: what waits in front of each plugin, and what has passed them all.
pub(crate) struct Lane {
    /// The plugins in the order of this direction.
    order: Vec<usize>,
    waiting: Vec<VecDeque<Frame>>,
    pub(crate) held: Vec<Held>,
    pub(crate) passed: Message,
    pub(crate) is_over: bool,
}

impl Lane {
    pub(crate) fn new(order: Vec<usize>) -> Self {
        Self {
            waiting: vec![VecDeque::new(); order.len()],
            held: vec![Held::Nothing; order.len()],
            order,
            passed: Message::default(),
            is_over: false,
        }
    }

    /// Hands pieces to the plugin at a place, or to the next hop after the last.
    pub(crate) fn hand(&mut self, place: usize, frames: Vec<Frame>) {
        if let Some(waiting) = self.waiting.get_mut(place) {
            waiting.extend(frames);
            return;
        }
        for frame in frames {
            let is_last = match frame {
                Frame::Headers(headers, is_last) => {
                    self.passed.headers = headers;
                    is_last
                }
                Frame::Data(data, is_last) => {
                    self.passed.body.extend(data);
                    is_last
                }
                Frame::Trailers(trailers) => {
                    self.passed.trailers = trailers;
                    true
                }
            };
            self.is_over |= is_last;
        }
    }

    /// The next piece to be shown, and the place where it is: what is furthest on its way goes first.
    pub(crate) fn next(&mut self) -> Option<(usize, Frame)> {
        for place in (0..self.order.len()).rev() {
            let is_open = self.held.get(place) != Some(&Held::Everything);
            let frame = self
                .waiting
                .get_mut(place)
                .filter(|_| is_open)
                .and_then(VecDeque::pop_front);
            if let Some(frame) = frame {
                return Some((place, frame));
            }
        }
        None
    }

    pub(crate) fn set_held(&mut self, place: usize, held: Held) {
        if let Some(of_place) = self.held.get_mut(place) {
            *of_place = held;
        }
    }

    pub(crate) fn member(&self, place: usize) -> usize {
        self.order.get(place).copied().unwrap_or_default()
    }

    /// Nothing more goes this way.
    pub(crate) fn stop(&mut self) {
        self.waiting.iter_mut().for_each(VecDeque::clear);
        self.held.fill(Held::Nothing);
    }

    pub(crate) fn holder(&self) -> Option<usize> {
        let place = self.held.iter().rposition(|held| *held != Held::Nothing)?;
        Some(self.member(place))
    }
}

/// A message in pieces, the body in pieces of at most so many bytes; those that are empty are left out.
pub(crate) fn frames(headers: Headers, body: Vec<u8>, trailers: Headers, piece_bytes: usize) -> Vec<Frame> {
    let (has_body, has_trailers) = (!body.is_empty(), !trailers.is_empty());
    let mut frames = vec![Frame::Headers(headers, !has_body && !has_trailers)];
    let mut pieces = body.chunks(piece_bytes.max(1)).peekable();
    while let Some(piece) = pieces.next() {
        let is_last = !has_trailers && pieces.peek().is_none();
        frames.push(Frame::Data(piece.to_vec(), is_last));
    }
    if has_trailers {
        frames.push(Frame::Trailers(trailers));
    }
    frames
}
