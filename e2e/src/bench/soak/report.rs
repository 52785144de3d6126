//! What came of a soak, as a table, JSON and Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, TableStyle, presets};
use scopegate_document::Instant;
use serde_json::{Value, json};

use super::super::report::machine;
use super::{Count, Growth, Options, Sample};

/// What came of a soak.
#[derive(Debug)]
pub struct Outcome {
    /// How many decisions were wrong.
    pub wrong: usize,
    /// The first of them: the kind of request, what was answered, and what Envoy's own filters say.
    pub told: Vec<String>,
    /// What became of each kind of request.
    pub counts: Vec<(&'static str, Count)>,
    /// What Envoy held, second by second.
    pub samples: Vec<Sample>,
    /// Memory at first and at last.
    pub growth: Growth,
    /// How long it took, at each change of the keys, until the proxy had taken the new ones over.
    pub changes: Vec<Duration>,
    /// How often the plugin, and Envoy's own filter, asked for the keys.
    pub fetches: [usize; 2],
    /// Times of good requests with tokens seen before: the plugin's, and those of Envoy's own filters.
    pub again: [Times; 2],
    /// The same of first sights.
    pub first: [Times; 2],
}

/// Milliseconds from the sending of a request to the end of its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Times {
    /// How many there were.
    pub count: usize,
    /// Half of them took no longer.
    pub p50: f64,
    /// 99 of a hundred took no longer.
    pub p99: f64,
    /// 999 of a thousand took no longer.
    pub p999: f64,
}

impl Times {
    /// The exact percentiles of these microseconds.
    pub(super) fn of(mut microseconds: Vec<u32>) -> Self {
        microseconds.sort_unstable();
        let at = |thousandths: usize| {
            let rank = microseconds.len().saturating_mul(thousandths).div_ceil(1000);
            let value = microseconds.get(rank.saturating_sub(1)).copied();
            f64::from(value.unwrap_or_default()) / 1e3
        };
        Self {
            count: microseconds.len(),
            p50: at(500),
            p99: at(990),
            p999: at(999),
        }
    }
}

/// The most requests for keys in a second: the refreshes of one second, and as many again. Unknown key ids must add
/// none to speak of.
const FETCHES_A_SECOND: usize = 3;

impl Outcome {
    /// Everything that must not be.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = self.told.clone();
        if let Some(more @ 1..) = self.wrong.checked_sub(self.told.len()) {
            faults.push(format!("and {more} more"));
        }
        let unsent = self.counts.iter().filter(|(_, count)| count.sent == 0);
        faults.extend(unsent.map(|(name, _)| format!("{name}: never sent")));
        let unheld = self
            .counts
            .iter()
            .filter(|(_, count)| count.sent > 0 && !count.was_held());
        faults.extend(unheld.map(|(name, count)| {
            format!(
                "{name}: none of {} answers was held against the only right one",
                count.sent
            )
        }));
        let Growth { early, late, most } = self.growth;
        if !self.growth.is_bounded() {
            faults.push(format!(
                "memory grew from {early} to {late} kB; at most {most} would be right"
            ));
        }
        let over = |sample: &&Sample| sample.bytes > sample.bound || sample.bound == 0;
        if let Some(Sample {
            second, bytes, bound, ..
        }) = self.samples.iter().skip(1).find(over)
        {
            faults.push(format!(
                "in second {second} kept tokens took {bytes} bytes of {bound}"
            ));
        }
        let [asked, _] = self.fetches;
        let most = self
            .samples
            .len()
            .saturating_add(10)
            .saturating_mul(FETCHES_A_SECOND);
        if asked > most {
            faults.push(format!(
                "the keys were asked for {asked} times; at most {most} would be right"
            ));
        }
        faults
    }

    fn times(&self) -> [(&'static str, Times); 4] {
        let ([again, native_again], [first, native_first]) = (self.again, self.first);
        [
            ("scopegate, a token seen before", again),
            ("jwt_authn, rbac, the same tokens", native_again),
            ("scopegate, a first sight", first),
            ("jwt_authn, rbac, the same tokens", native_first),
        ]
    }

    pub(super) fn table(&self) -> String {
        format!(
            "{}\n{}\n{}",
            kinds_table(&self.counts, presets::UTF8_BORDERS_ONLY),
            times_table(&self.times(), presets::UTF8_BORDERS_ONLY),
            self.summary().join("\n"),
        )
    }

    /// What else there is to say, one line each.
    fn summary(&self) -> Vec<String> {
        let Growth { early, late, most } = self.growth;
        let longest = self.changes.iter().max().copied().unwrap_or_default();
        let fullest = self.samples.iter().max_by_key(|sample| sample.bytes);
        let kept = fullest.map_or((0, 0, 0), |sample| (sample.tokens, sample.bytes, sample.bound));
        let sent: u64 = self.counts.iter().map(|(_, count)| count.sent).sum();
        let [asked, _] = self.fetches;
        vec![
            format!("Wrong decisions: {} of {sent} requests", self.wrong),
            format!(
                "Memory of Envoy, median: {early} kB in the second quarter, {late} kB in the last (at most {most})"
            ),
            format!(
                "Tokens kept at most: {}, counted as {} bytes of {}",
                kept.0, kept.1, kept.2
            ),
            format!(
                "Changes of the keys: {}, taken over after {:.1} s at most; the plugin asked for keys {asked} times",
                self.changes.len(),
                longest.as_secs_f64(),
            ),
        ]
    }

    pub(super) fn json(&self, options: &Options) -> Value {
        let kind = |(name, count): &(&str, Count)| {
            json!({"kind": name, "sent": count.sent, "permitted": count.permitted, "refused": count.refused,
                   "keys_changing": count.changing, "abandoned": count.abandoned})
        };
        let times = |(name, times): &(&str, Times)| {
            json!({"requests": name, "count": times.count, "p50_ms": times.p50, "p99_ms": times.p99,
                   "p999_ms": times.p999})
        };
        let sample = |sample: &Sample| json!([sample.second, sample.kilobytes, sample.tokens, sample.bytes]);
        let changes = self.changes.iter().map(Duration::as_secs_f64);
        json!({
            "date": Instant(crate::mint::now()), "machine": machine(), "seconds": options.seconds,
            "rotation_seconds": options.rotation, "connections": options.connections, "rate": options.rate,
            "wrong": self.wrong, "faults": self.faults(),
            "kinds": self.counts.iter().map(kind).collect::<Vec<_>>(),
            "times": self.times().iter().map(times).collect::<Vec<_>>(),
            "memory": {"early_kb": self.growth.early, "late_kb": self.growth.late, "most_kb": self.growth.most},
            "changes_seconds": changes.collect::<Vec<_>>(), "fetches": self.fetches[0],
            "samples": {"fields": ["second", "kilobytes", "tokens", "token_bytes"],
                        "values": self.samples.iter().map(sample).collect::<Vec<_>>()},
        })
    }

    pub(super) fn markdown(&self, options: &Options) -> String {
        let date = serde_json::to_string(&Instant(crate::mint::now())).unwrap_or_default();
        let mut text = format!(
            "# {} seconds of good and hostile requests while keys rotate\n\n\
             Two real Envoys with one worker and one upstream each: the plugin in one, `jwt_authn` (its cache off, as it is by \
             default) with\n`rbac` in the other. {} connections are kept to each, and {} requests a second go to each: the same \
             ones, good and hostile. Each\nanswer of the plugin is held against the one that is right, with its code; what is \
             permitted, against the identity headers that\nthe upstream saw; and the upstream must not have seen what is \
             refused. Keys change every {} seconds: three are published, of\nwhich the middle one signs. From the change until \
             the proxy has asked for keys a second time, and so has dealt with the first\nanswer, a token of a key that comes \
             or goes may be permitted or refused; these are counted as \"keys changing\". A kind of request\nof which no \
             answer was held otherwise fails the run. `cargo xtask soak` writes this file, `soak.json` and the \
             picture.\n\n- Date: {}\n- Machine: {}\n",
            options.seconds,
            options.connections,
            options.rate,
            options.rotation,
            date.trim_matches('"'),
            machine(),
        );
        for line in self.summary() {
            let _ = writeln!(text, "- {line}");
        }
        for fault in self.faults() {
            let _ = writeln!(text, "- WRONG: {fault}");
        }
        let _ = write!(
            text,
            "\n![Memory of Envoy, second by second](soak.svg)\n\n\
             ## How long good requests took\n\nMilliseconds from the sending of a request to the end of its answer, the \
             same requests to both Envoys, one after\nthe other, neither always first. Each has one worker, which deals with \
             all the hostile requests besides, the same for both. They\nshare the machine with each other, the client and the \
             upstreams: compare the two, not with another run.\n\n{}\n\n## What was sent\n\n{}\n",
            times_table(&self.times(), presets::ASCII_MARKDOWN),
            kinds_table(&self.counts, presets::ASCII_MARKDOWN),
        );
        text
    }
}

fn kinds_table(counts: &[(&'static str, Count)], style: TableStyle) -> Table {
    let row = |(name, count): &(&str, Count)| {
        let Count {
            sent,
            permitted,
            refused,
            changing,
            abandoned: _,
        } = count;
        [
            (*name).to_owned(),
            sent.to_string(),
            permitted.to_string(),
            refused.to_string(),
            changing.to_string(),
        ]
    };
    table(
        &["what", "sent", "permitted", "refused", "keys changing"],
        counts.iter().map(row),
        style,
    )
}

fn times_table(times: &[(&'static str, Times)], style: TableStyle) -> Table {
    let row = |(name, times): &(&str, Times)| {
        let Times {
            count,
            p50,
            p99,
            p999,
        } = times;
        [
            (*name).to_owned(),
            count.to_string(),
            format!("{p50:.2}"),
            format!("{p99:.2}"),
            format!("{p999:.2}"),
        ]
    };
    table(
        &["requests", "count", "p50", "p99", "p99.9"],
        times.iter().map(row),
        style,
    )
}

fn table(header: &[&str; 5], rows: impl Iterator<Item = [String; 5]>, style: TableStyle) -> Table {
    let mut table = Table::new();
    table.load_style(style).set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::Times;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let times = Times::of((1..=1000).rev().map(|number| number * 1000).collect());
        assert_eq!(
            (times.count, times.p50, times.p99, times.p999),
            (1000, 500.0, 990.0, 999.0)
        );
        assert_eq!(Times::of(vec![]), Times::default());
    }
}
