//! In what one transcript differs from another.

/// The lines in which two texts differ: `-` Envoy's, `+` those of this host.
pub(crate) fn diff(expected: &str, seen: &str) -> String {
    let (mut left, mut right): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), seen.lines().collect());
    let mut out = Vec::new();
    while let (Some(one), Some(other)) = (left.first().copied(), right.first().copied()) {
        if one == other {
            left.remove(0);
            right.remove(0);
            continue;
        }
        // The nearest line that both have ends the difference.
        let near = (0..left.len() + right.len()).find_map(|distance| {
            (0..=distance).find_map(|at| {
                let both = left.get(at).zip(right.get(distance - at));
                both.filter(|(one, other)| one == other)
                    .map(|_| (at, distance - at))
            })
        });
        let (from_left, from_right) = near.unwrap_or((left.len(), right.len()));
        out.extend(left.drain(..from_left).map(|line| format!("- {line}")));
        out.extend(right.drain(..from_right).map(|line| format!("+ {line}")));
    }
    out.extend(left.iter().map(|line| format!("- {line}")));
    out.extend(right.iter().map(|line| format!("+ {line}")));
    out.join("\n")
}
