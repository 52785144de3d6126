//! One test under all profiles: what a module says and does in each, and where they differ.

use std::fmt;

use crate::StartError;
use crate::builder::HostBuilder;
use crate::host::Host;
use crate::module::Module;
use crate::profile::Profile;

/// What happened under one profile, line by line: host calls and log lines in their order, then what the script gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// The profile.
    pub profile: Profile,
    /// Each call and each logged line.
    pub lines: Vec<String>,
    /// What the script gave, as `Debug` shows it; or why the host could not be started.
    pub result: String,
}

/// The same script under several profiles. It is printed as the differences from the first one, `-` for what only that
/// one has and `+` for what the other has in its place.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// A transcript for each profile, that of Envoy first.
    pub transcripts: Vec<Transcript>,
}

/// A place where another profile does something else than Envoy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The other profile.
    pub profile: Profile,
    /// How many lines are the same before it.
    pub after: usize,
    /// The lines of Envoy that the other has not.
    pub envoy: Vec<String>,
    /// The lines that the other has in their place.
    pub other: Vec<String>,
}

impl Comparison {
    /// Runs a script in a new host under each profile. `prepare` sets up the host and is called once for each; a clock
    /// that it gives should be a new virtual one each time.
    ///
    /// ```no_run
    /// use scopegate_host_tests::{Clock, Comparison, Module, Request};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let module = Module::from_file("filter.wasm")?;
    /// let compared = Comparison::run(
    ///     &module,
    ///     |host| host.configuration("{}").clock(Clock::virtual_at(1_790_000_000)),
    ///     |host| host.request(Request::get("api.example.com", "/a%2Fb")).outcome,
    /// );
    /// assert!(compared.differences().is_empty(), "{compared}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn run<T: fmt::Debug>(
        module: &Module,
        mut prepare: impl FnMut(HostBuilder) -> HostBuilder,
        mut script: impl FnMut(&mut Host) -> T,
    ) -> Self {
        let profiles = [Profile::Envoy, Profile::Nginx, Profile::Spec];
        let transcripts = profiles.map(|profile| {
            let builder = prepare(Host::builder(module)).profile(profile).trace_values();
            transcript(profile, builder.build(), &mut script)
        });
        Self {
            transcripts: transcripts.into(),
        }
    }

    /// Where the other profiles differ from Envoy, in order.
    #[must_use]
    pub fn differences(&self) -> Vec<Difference> {
        let Some((envoy, others)) = self.transcripts.split_first() else {
            return Vec::new();
        };
        let all = others.iter().flat_map(|other| {
            let (ours, theirs) = (envoy.with_result(), other.with_result());
            differences(other.profile, &ours, &theirs)
        });
        all.collect()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let differences = self.differences();
        if differences.is_empty() {
            return writeln!(f, "no difference between the profiles");
        }
        for difference in differences {
            writeln!(f, "{:?}, after {} lines:", difference.profile, difference.after)?;
            difference
                .envoy
                .iter()
                .try_for_each(|line| writeln!(f, "- {line}"))?;
            difference
                .other
                .iter()
                .try_for_each(|line| writeln!(f, "+ {line}"))?;
        }
        Ok(())
    }
}

impl Transcript {
    fn with_result(&self) -> Vec<&str> {
        let lines = self.lines.iter().map(String::as_str);
        lines.chain([self.result.as_str()]).collect()
    }
}

fn transcript<T: fmt::Debug>(
    profile: Profile,
    host: Result<Host, StartError>,
    script: &mut impl FnMut(&mut Host) -> T,
) -> Transcript {
    let mut host = match host {
        Ok(host) => host,
        Err(error) => {
            return Transcript {
                profile,
                lines: Vec::new(),
                result: error.to_string(),
            };
        }
    };
    let given = script(&mut host);
    // What was logged is among the calls, as is every other thing that the module could do.
    let mut lines: Vec<String> = host.trace().iter().map(ToString::to_string).collect();
    lines.extend(host.failure().map(ToString::to_string));
    Transcript {
        profile,
        lines,
        result: format!("{given:?}"),
    }
}

/// Above this many cells the lines are compared one by one and not aligned.
const MAX_CELLS: usize = 4_000_000;

/// The runs of lines that are not common to both, by a longest common subsequence.
fn differences(profile: Profile, ours: &[&str], theirs: &[&str]) -> Vec<Difference> {
    let common = match ours.len().saturating_mul(theirs.len()) <= MAX_CELLS {
        true => common(ours, theirs),
        false => Vec::new(),
    };
    let ends = [(ours.len(), theirs.len())];
    let (mut at, mut found) = ((0, 0), Vec::new());
    for (position, (left, right)) in common.into_iter().chain(ends).enumerate() {
        let part = |lines: &[&str], from: usize, to: usize| -> Vec<String> {
            let lines = lines.get(from..to).unwrap_or_default();
            lines.iter().map(ToString::to_string).collect()
        };
        let (envoy, other) = (part(ours, at.0, left), part(theirs, at.1, right));
        if !envoy.is_empty() || !other.is_empty() {
            found.push(Difference {
                profile,
                after: position,
                envoy,
                other,
            });
        }
        at = (left.saturating_add(1), right.saturating_add(1));
    }
    found
}

/// The positions of a longest common subsequence in both.
fn common(ours: &[&str], theirs: &[&str]) -> Vec<(usize, usize)> {
    // The length of the longest one from each pair of positions on.
    let width = theirs.len().saturating_add(1);
    let mut lengths = vec![0_u32; ours.len().saturating_add(1).saturating_mul(width)];
    let cell = |left: usize, right: usize| left.saturating_mul(width).saturating_add(right);
    let at = |lengths: &[u32], left, right| lengths.get(cell(left, right)).copied().unwrap_or_default();
    for (left, our) in ours.iter().enumerate().rev() {
        for (right, their) in theirs.iter().enumerate().rev() {
            let longest = match our == their {
                true => at(&lengths, left + 1, right + 1).saturating_add(1),
                false => at(&lengths, left + 1, right).max(at(&lengths, left, right + 1)),
            };
            if let Some(length) = lengths.get_mut(cell(left, right)) {
                *length = longest;
            }
        }
    }
    let (mut left, mut right, mut found) = (0, 0, Vec::new());
    while let (Some(our), Some(their)) = (ours.get(left), theirs.get(right)) {
        if our == their {
            found.push((left, right));
            (left, right) = (left + 1, right + 1);
        } else if at(&lengths, left + 1, right) >= at(&lengths, left, right + 1) {
            left += 1;
        } else {
            right += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Difference, differences};
    use crate::profile::Profile;

    #[test]
    fn what_differs_is_shown_where_it_is_and_what_is_common_is_not() {
        let found = differences(Profile::Nginx, &["a", "b", "c", "d"], &["a", "x", "y", "c"]);
        let difference = |after, envoy: &[&str], other: &[&str]| Difference {
            profile: Profile::Nginx,
            after,
            envoy: envoy.iter().map(ToString::to_string).collect(),
            other: other.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(
            found,
            [difference(1, &["b"], &["x", "y"]), difference(2, &["d"], &[])]
        );
        assert_eq!(differences(Profile::Spec, &["a"], &["a"]), []);
        assert_eq!(
            differences(Profile::Spec, &[], &["a"]),
            [Difference {
                profile: Profile::Spec,
                ..difference(0, &[], &["a"])
            }]
        );
    }
}
