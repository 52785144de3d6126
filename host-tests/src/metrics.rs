//! Counters, gauges and histograms that the module defines. The low two bits of an id are its type.

use std::collections::BTreeMap;

use crate::abi::Status;

/// The value of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Metric {
    /// A sum that only grows.
    Counter(u64),
    /// A number that goes up and down.
    Gauge(u64),
    /// Every value that was recorded, in order.
    Histogram(Vec<u64>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

const TYPE_MASK: u32 = 0b11;
const ID_STEP: u32 = 4;

/// The metrics of one virtual machine.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    names: BTreeMap<u32, (Kind, String)>,
    values: BTreeMap<(u32, String), Metric>,
    last: [u32; 3],
}

impl Kind {
    fn from_abi(kind: u32) -> Option<Self> {
        match kind {
            0 => Some(Self::Counter),
            1 => Some(Self::Gauge),
            2 => Some(Self::Histogram),
            _ => None,
        }
    }

    fn zero(self) -> Metric {
        match self {
            Self::Counter => Metric::Counter(0),
            Self::Gauge => Metric::Gauge(0),
            Self::Histogram => Metric::Histogram(Vec::new()),
        }
    }
}

impl Metrics {
    /// Defines a metric. The same name again gives a new id of the same metric.
    pub(crate) fn define(&mut self, kind: u32, name: &[u8]) -> Result<u32, Status> {
        let known = Kind::from_abi(kind).ok_or(Status::BadArgument)?;
        let last = self.last.get_mut(kind as usize).ok_or(Status::BadArgument)?;
        *last += ID_STEP;
        let id = *last | kind;
        let name = String::from_utf8_lossy(name).into_owned();
        self.values
            .entry((kind, name.clone()))
            .or_insert_with(|| known.zero());
        self.names.insert(id, (known, name));
        Ok(id)
    }

    pub(crate) fn increment(&mut self, id: u32, offset: i64) -> Result<(), Status> {
        match Kind::from_abi(id & TYPE_MASK) {
            Some(Kind::Counter) if offset <= 0 => self.find(id).and(Err(Status::BadArgument)),
            Some(Kind::Counter | Kind::Gauge) => {
                match self.find(id)? {
                    Metric::Counter(value) | Metric::Gauge(value) => {
                        *value = value.wrapping_add_signed(offset)
                    }
                    Metric::Histogram(_) => return Err(Status::BadArgument),
                }
                Ok(())
            }
            Some(Kind::Histogram) | None => Err(Status::BadArgument),
        }
    }

    pub(crate) fn record(&mut self, id: u32, value: u64) -> Result<(), Status> {
        match self.find(id)? {
            Metric::Counter(sum) => *sum = sum.wrapping_add(value),
            Metric::Gauge(now) => *now = value,
            Metric::Histogram(values) => values.push(value),
        }
        Ok(())
    }

    pub(crate) fn get(&mut self, id: u32) -> Result<u64, Status> {
        if !matches!(Kind::from_abi(id & TYPE_MASK), Some(Kind::Counter | Kind::Gauge)) {
            return Err(Status::BadArgument);
        }
        match self.find(id)? {
            Metric::Counter(value) | Metric::Gauge(value) => Ok(*value),
            Metric::Histogram(_) => Err(Status::BadArgument),
        }
    }

    pub(crate) fn is_known(&self, id: u32) -> bool {
        self.names.contains_key(&id)
    }

    pub(crate) fn all(&self) -> BTreeMap<String, Metric> {
        self.values
            .iter()
            .map(|((_, name), value)| (name.clone(), value.clone()))
            .collect()
    }

    fn find(&mut self, id: u32) -> Result<&mut Metric, Status> {
        let (_, name) = self.names.get(&id).ok_or(Status::NotFound)?;
        self.values
            .get_mut(&(id & TYPE_MASK, name.clone()))
            .ok_or(Status::NotFound)
    }
}
