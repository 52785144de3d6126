//! Time under the test's control: the clock goes on, and what falls due on the way happens at its instant.

use std::time::Duration;

use crate::clock::nanos;
use crate::exchange::{Exchange, Outcome};
use crate::host::Host;
use crate::state::Root;
use crate::stream::StreamId;
use crate::vm::Trap;

/// At most so many ticks in one call of [`Host::advance`]: over a long time they are spread evenly, as the ticks of
/// a busy proxy come late.
const MAX_TICKS: u64 = 1_000;

/// So many instants in one call of [`Host::advance`] at which answers and time-outs fall due come on time; further ones are
/// spread as ticks are: a module that asks again at every time-out would keep the clock from its goal.
const MAX_INSTANTS: u64 = 10_000;

/// How far the clock goes on at once for a stream that waits while the module has asked for no tick.
pub(crate) const IDLE_STEP: Duration = Duration::from_millis(100);

/// Ticks at the very instant before the clock is moved at all: one that asks, and one that sees the answer.
const TICKS_AT_ONCE: u32 = 2;

impl Host {
    /// Moves a virtual clock forward. Ticks, late answers and the time-outs of callouts come at their instants, in
    /// their order. The system's clock is not moved.
    ///
    /// # Errors
    /// The module failed; the clock has been moved all the same.
    pub fn advance(&mut self, by: Duration) -> Result<(), Trap> {
        advance(std::slice::from_mut(self), by);
        self.alive()
    }

    /// Goes on with a stream that the module holds until it is decided, or `patience` is over: ticks come, and with
    /// a virtual clock time passes as far as needed and no further. What is still held then is `Paused`.
    pub fn wait(&mut self, stream: StreamId, patience: Duration) -> Exchange {
        let mut exchange = self.resume(stream);
        let mut waited = Duration::ZERO;
        let mut ticks = 0_u32;
        while exchange.outcome == Outcome::Paused && waited < patience {
            let is_virtual = self.clock().virtual_nanos().is_some();
            if ticks < TICKS_AT_ONCE || !is_virtual {
                ticks = ticks.saturating_add(1);
                // A failure is what the stream then ends with.
                let _ = self.tick();
            }
            if ticks >= TICKS_AT_ONCE || !is_virtual {
                let period = self.tick_period().filter(|_| self.failure().is_none());
                let step = period.unwrap_or(IDLE_STEP);
                waited = waited.saturating_add(step);
                let _ = self.advance(step);
            }
            exchange = self.resume(stream);
        }
        exchange
    }

    /// The next instant at which something happens to a callout by itself.
    fn next_due(&self) -> Option<u64> {
        let world = self.world();
        world
            .callouts
            .next_due()
            .into_iter()
            .chain(world.grpc.next_due())
            .min()
    }

    /// What happens next by itself, and when.
    fn next_event(&self, pace: &Pace) -> Option<(u64, Event)> {
        let ticks = self.ticking().filter_map(|(id, root)| {
            let at = self.next_tick(root, pace.spread)?;
            Some((at, Event::Tick(*id)))
        });
        let due = self.next_due().map(|at| (at.max(pace.due_from), Event::Due));
        ticks.chain(due).min()
    }

    /// The instant of the next tick. Timers do not look at the clock on the wall: one that is set back does not keep
    /// a tick from coming.
    fn next_tick(&self, root: &Root, spread: u64) -> Option<u64> {
        let latest = self
            .clock()
            .virtual_nanos()?
            .saturating_add(between(root, spread));
        let next = root.next_tick.filter(|_| self.failure().is_none())?;
        Some(next.min(latest))
    }

    fn happen(&mut self, event: Event, now: u64, spread: u64) {
        match event {
            Event::Due => {
                self.world_mut().callouts.fall_due(now);
                self.world_mut().grpc.fall_due(now);
                self.deliver();
            }
            // The timer is set anew before the callback, as the callback may set another period.
            Event::Tick(root) => {
                if let Some(context) = self.vm.state_mut().roots.get_mut(&root) {
                    context.next_tick = Some(now.saturating_add(between(context, spread)));
                }
                self.tick_root(root);
                if let Some(context) = self.vm.state_mut().roots.get_mut(&root) {
                    let earliest = now.saturating_add(spread.max(1));
                    context.next_tick = context.next_tick.map(|next| next.max(earliest));
                }
            }
        }
    }
}

/// What happens by itself; at the same instant an answer comes before a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Due,
    Tick(u32),
}

/// How close to each other things may happen while the clock is moved.
struct Pace {
    /// Nanoseconds between two ticks of a root at least.
    spread: u64,
    /// How many more instants at which something falls due come on time.
    instants: u64,
    /// Before this, nothing falls due any more.
    due_from: u64,
}

impl Pace {
    fn saw(&mut self, event: Event, at: u64) {
        match (event, self.instants.checked_sub(1)) {
            (Event::Tick(_), _) => {}
            (Event::Due, Some(left)) => self.instants = left,
            (Event::Due, None) => self.due_from = at.saturating_add(self.spread.max(1)),
        }
    }
}

/// Moves the virtual clock that machines have in common, which is that of the first. What falls due in any of them
/// happens at its instant; at the same one, in the order of the machines.
pub(crate) fn advance(hosts: &mut [Host], by: Duration) {
    let Some(clock) = hosts.first().map(Host::clock) else {
        return;
    };
    let Some(start) = clock.virtual_nanos() else {
        return;
    };
    // What is there already comes before the clock moves.
    for host in &mut *hosts {
        host.deliver();
    }
    let end = start.saturating_add(nanos(by));
    let mut pace = Pace {
        spread: end.saturating_sub(start) / MAX_TICKS,
        instants: MAX_INSTANTS,
        due_from: 0,
    };
    loop {
        let events = hosts.iter().enumerate().filter_map(|(position, host)| {
            let (at, event) = host.next_event(&pace)?;
            Some((at, position, event))
        });
        // What is set for the end of the clock has been set for later, and never comes.
        let is_due = |(at, ..): &(u64, usize, Event)| *at <= end && *at < u64::MAX;
        let Some((at, position, event)) = events.min().filter(is_due) else {
            break;
        };
        pace.saw(event, at);
        clock.reach(at);
        if let Some(host) = hosts.get_mut(position) {
            host.happen(event, at, pace.spread);
        }
        hosts.iter_mut().for_each(Host::catch_up);
    }
    clock.reach(end);
}

/// Nanoseconds between two ticks.
fn between(root: &Root, spread: u64) -> u64 {
    let period = nanos(Duration::from_millis(root.tick_ms.into()));
    period.max(spread).max(1)
}
