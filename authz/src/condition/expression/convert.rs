//! Texts and numbers read as times and numbers (CEL specification, "Standard Definitions").

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};

use super::vocabulary::Part;

/// The longest length of time, in seconds: ten thousand years, as in CEL.
const DURATION_SECONDS: i64 = 315_576_000_000;

/// Digits of a number of a length of time: more are more than ten thousand years in nanoseconds.
const DURATION_DIGITS: usize = 18;

/// Nanoseconds of the units of a length of time; of two that fit, the longer name comes first.
const UNITS: [(&str, i128); 6] = [
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
];

const SECOND: i128 = 1_000_000_000;

/// A time that CEL has: of the years 1 to 9999.
pub(super) fn in_range(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (1..=9999).contains(&time.year()).then_some(time)
}

/// A time in Unix seconds.
pub(super) fn unix(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_secs(seconds).and_then(in_range)
}

/// A time as RFC 3339 writes it. A leap second is none: no arithmetic here knows them.
pub(super) fn timestamp(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    in_range(time).filter(|time| time.nanosecond() < 1_000_000_000)
}

/// A length of time within the range of CEL.
pub(super) fn checked(length: TimeDelta) -> Option<TimeDelta> {
    (length.num_seconds().saturating_abs() <= DURATION_SECONDS).then_some(length)
}

/// A length of time as in `1h30m`, `-1.5s`.
pub(super) fn duration(text: &str) -> Option<TimeDelta> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (whole, after) = digits(rest)?;
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after)?,
            None => ("", after),
        };
        let (name, unit) = UNITS.into_iter().find(|(name, _)| after.starts_with(name))?;
        let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let number = number(whole)?
            .checked_mul(scale)?
            .checked_add(number(fraction)?)?;
        total = total.checked_add(number.checked_mul(unit)?.checked_div(scale)?)?;
        rest = after.strip_prefix(name)?;
    }
    let total = total.checked_mul(sign)?;
    let seconds = i64::try_from(total.div_euclid(SECOND)).ok()?;
    let nanoseconds = u32::try_from(total.rem_euclid(SECOND)).ok()?;
    TimeDelta::new(seconds, nanoseconds).and_then(checked)
}

/// The digits that a text begins with, at least one, and the rest.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    (1..=DURATION_DIGITS)
        .contains(&end)
        .then(|| text.split_at_checked(end))
        .flatten()
}

fn number(digits: &str) -> Option<i128> {
    match digits {
        "" => Some(0),
        digits => digits.parse().ok(),
    }
}

/// The whole part of a number, where it is one of 64 bits.
pub(super) fn whole(number: f64) -> Option<i64> {
    /// 2^63, the first number that is too large.
    const END: f64 = 9_223_372_036_854_775_808.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range was looked at, and the fraction is cut on purpose"
    )]
    let whole = number as i64;
    (-END..END).contains(&number).then_some(whole)
}

/// A number as JSON writes it, or with a sign and leading zeros.
pub(super) fn double(text: &str) -> Option<f64> {
    let number: f64 = serde_json::from_str(text).ok()?;
    let is_bare = text.bytes().all(|byte| !byte.is_ascii_whitespace());
    is_bare.then_some(number)
}

/// A part of a time that shows `local` as if it were UTC. Counted as in CEL: months and days of the year from 0, days of
/// the month from 0 or from 1, days of the week from Sunday, 0.
pub(super) fn part(part: Part, local: DateTime<Utc>) -> i64 {
    let unsigned = match part {
        Part::Year => return i64::from(local.year()),
        Part::Month => local.month0(),
        Part::Date => local.day(),
        Part::DayOfMonth => local.day0(),
        Part::DayOfWeek => local.weekday().num_days_from_sunday(),
        Part::DayOfYear => local.ordinal0(),
        Part::Hours => local.hour(),
        Part::Minutes => local.minute(),
        Part::Seconds => local.second(),
    };
    i64::from(unsigned)
}

/// A length of time in whole hours, minutes or seconds.
pub(super) fn length(part: Part, length: TimeDelta) -> Option<i64> {
    match part {
        Part::Hours => Some(length.num_hours()),
        Part::Minutes => Some(length.num_minutes()),
        Part::Seconds => Some(length.num_seconds()),
        Part::Year | Part::Month | Part::Date | Part::DayOfMonth | Part::DayOfWeek | Part::DayOfYear => None,
    }
}
