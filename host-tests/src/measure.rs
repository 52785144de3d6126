//! What a module costs, in numbers that are the same in each run: instructions, host calls, memory; and what it leaves
//! behind.

use std::fmt;

use crate::exchange::Request;
use crate::host::Host;

/// What requests of one kind cost a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// The fuel of each request, about one unit for each instruction, from the least to the most.
    pub fuel: Vec<u64>,
    /// The host calls of each request, from the fewest to the most.
    pub host_calls: Vec<usize>,
}

impl Cost {
    /// The fuel of the request in the middle.
    #[must_use]
    pub fn median_fuel(&self) -> u64 {
        self.fuel.get(self.fuel.len() / 2).copied().unwrap_or_default()
    }
}

/// `88797 instructions (88700 to 90120), 31 host calls, 200 requests`
impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = self.host_calls.get(self.host_calls.len() / 2).copied();
        write!(
            f,
            "{} instructions ({} to {}), {} host calls, {} requests",
            self.median_fuel(),
            self.fuel.first().copied().unwrap_or_default(),
            self.fuel.last().copied().unwrap_or_default(),
            calls.unwrap_or_default(),
            self.fuel.len()
        )
    }
}

/// What a machine holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    /// Bytes of linear memory.
    pub memory_bytes: usize,
    /// Streams that are not ended.
    pub streams: usize,
    /// HTTP and gRPC callouts that wait for an answer.
    pub callouts: usize,
    /// Keys of shared data, of all machines that share it.
    pub shared_keys: usize,
}

/// What many streams left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaks {
    /// After the streams that warmed the module up.
    pub before: Holdings,
    /// After as many more.
    pub after: Holdings,
    /// How many that were.
    pub streams: usize,
}

impl Leaks {
    /// Whether nothing grew.
    #[must_use]
    pub fn is_none(&self) -> bool {
        let grows = |what: fn(&Holdings) -> usize| what(&self.after) > what(&self.before);
        !grows(|all| all.memory_bytes)
            && !grows(|all| all.streams)
            && !grows(|all| all.callouts)
            && !grows(|all| all.shared_keys)
    }
}

impl fmt::Display for Leaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (&self.before, &self.after);
        writeln!(f, "over {} streams:", self.streams)?;
        for (name, before, after) in [
            ("bytes of memory", before.memory_bytes, after.memory_bytes),
            ("open streams", before.streams, after.streams),
            ("pending callouts", before.callouts, after.callouts),
            ("keys of shared data", before.shared_keys, after.shared_keys),
        ] {
            let mark = if after > before { "  grew" } else { "" };
            writeln!(f, "{name:<20} {before:>12} -> {after:>12}{mark}")?;
        }
        Ok(())
    }
}

impl Host {
    /// What requests cost once the module is warm: as many are made first as are counted. With a virtual clock the same
    /// host gives the same numbers in each run.
    pub fn cost(&mut self, requests: usize, mut request: impl FnMut(usize) -> Request) -> Cost {
        for number in 0..requests {
            self.request(request(number));
        }
        let counted = 0..requests;
        let each = counted.map(|number| self.request(request(number)));
        let (mut fuel, mut host_calls): (Vec<u64>, Vec<usize>) =
            each.map(|exchange| (exchange.fuel, exchange.host_calls)).unzip();
        fuel.sort_unstable();
        host_calls.sort_unstable();
        Cost { fuel, host_calls }
    }

    /// What the machine holds now.
    #[must_use]
    pub fn holdings(&self) -> Holdings {
        Holdings {
            memory_bytes: self.memory_bytes(),
            streams: self.open_streams(),
            callouts: self.callouts().len().saturating_add(self.grpc_callouts().len()),
            shared_keys: self.shared_data().len(),
        }
    }

    /// Looks for what streams leave behind: as many as are counted warm the module up, and what grows after them leaks.
    pub fn leaks(&mut self, streams: usize, mut stream: impl FnMut(&mut Self, usize)) -> Leaks {
        (0..streams).for_each(|number| stream(self, number));
        let before = self.holdings();
        (0..streams).for_each(|number| stream(self, streams.saturating_add(number)));
        Leaks {
            before,
            after: self.holdings(),
            streams,
        }
    }
}
