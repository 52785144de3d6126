//! Windows of time: the hours of some days, by the clock on a wall.

use scopegate_document::{PolicyError, UnixTime};

use super::zone::{Local, Zone};
use crate::compile::empty_list;
use crate::section::{Day, Window};

/// Seconds of a minute.
const MINUTE: i64 = 60;

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// Some windows, of which any will do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Windows {
    windows: Vec<Open>,
}

#[derive(Debug, Clone)]
struct Open {
    /// Whether it begins on that day; Sunday is the first.
    days: [bool; 7],
    /// Seconds after midnight.
    from: i64,
    /// Seconds after midnight; where that is no later than `from`, of the day after.
    to: i64,
    zone: Zone,
}

impl Windows {
    /// Compiles the windows at `path`; faults are added to `faults`.
    pub(crate) fn compile(windows: &[Window], path: &str, faults: &mut Vec<PolicyError>) -> Self {
        if windows.is_empty() {
            faults.push(empty_list(path));
        }
        let at = |index| format!("{path}[{index}]");
        let compiled = windows.iter().enumerate();
        let compiled = compiled.filter_map(|(index, window)| Open::compile(window, &at(index), faults));
        Self {
            windows: compiled.collect(),
        }
    }

    /// Whether any of them is open at `now`.
    pub(crate) fn contains(&self, now: UnixTime) -> bool {
        self.windows.iter().any(|window| window.contains(now))
    }
}

impl Open {
    fn compile(window: &Window, path: &str, faults: &mut Vec<PolicyError>) -> Option<Self> {
        let Window { days, from, to, zone } = window;
        let (from, to) = match (from, to) {
            (Some(from), Some(to)) => {
                let from = time(from, false, &format!("{path}.from"), faults);
                (from, time(to, true, &format!("{path}.to"), faults))
            }
            (None, None) if days.is_some() => (Some(0), Some(i64::from(DAY).saturating_mul(MINUTE))),
            _ => {
                faults.push(half_a_window(path));
                (None, None)
            }
        };
        let days = compile_days(days.as_deref(), path, faults);
        let zone = match zone {
            None => Some(Zone::UTC),
            Some(name) => Zone::find(name).or_else(|| {
                faults.push(unknown_zone(name, path));
                None
            }),
        };
        Some(Self {
            days: days?,
            from: from?,
            to: to?,
            zone: zone?,
        })
    }

    fn contains(&self, now: UnixTime) -> bool {
        let Local { weekday, second } = self.zone.local(now);
        let begins_on = |weekday: i64| {
            let index = usize::try_from(weekday.rem_euclid(7)).ok();
            index
                .and_then(|index| self.days.get(index))
                .copied()
                .unwrap_or_default()
        };
        match self.from < self.to {
            true => begins_on(weekday) && (self.from..self.to).contains(&second),
            false => {
                (begins_on(weekday) && second >= self.from)
                    || (begins_on(weekday.saturating_sub(1)) && second < self.to)
            }
        }
    }
}

fn compile_days(days: Option<&[Day]>, path: &str, faults: &mut Vec<PolicyError>) -> Option<[bool; 7]> {
    let Some(days) = days else {
        return Some([true; 7]);
    };
    if days.is_empty() {
        faults.push(empty_list(&format!("{path}.days")));
        return None;
    }
    Some(Day::ALL.map(|day| days.contains(&day)))
}

/// A time of day, in seconds after midnight. The end of a window may be the end of its day.
fn time(text: &str, is_end: bool, path: &str, faults: &mut Vec<PolicyError>) -> Option<i64> {
    let minutes = match text {
        "24:00" if is_end => Some(DAY),
        _ => minutes(text).filter(|minutes| *minutes < DAY),
    };
    if minutes.is_none() {
        faults.push(PolicyError::new(
            "invalid_value",
            path,
            format!("`{}` is no time of day", text.escape_debug()),
            match is_end {
                true => "write hours and minutes, as in `18:00`; `24:00` is the end of the day",
                false => "write hours and minutes, as in `08:00`; a day begins at `00:00`",
            },
        ));
    }
    minutes.map(|minutes| i64::from(minutes).saturating_mul(MINUTE))
}

/// `HH:MM` in minutes, whatever the hours.
pub(super) fn minutes(text: &str) -> Option<u16> {
    let &[ten_hours, hour, b':', ten_minutes, minute] = text.as_bytes() else {
        return None;
    };
    let number = |tens: u8, ones: u8| {
        let digit = |byte: u8| char::from(byte).to_digit(10);
        let value = digit(tens)?.saturating_mul(10).saturating_add(digit(ones)?);
        u16::try_from(value).ok()
    };
    let (hours, minutes) = (number(ten_hours, hour)?, number(ten_minutes, minute)?);
    (minutes < 60).then(|| hours.saturating_mul(60).saturating_add(minutes))
}

fn half_a_window(path: &str) -> PolicyError {
    PolicyError::new(
        "invalid_value",
        path,
        "a window needs both its beginning and its end, or days alone",
        "write `from` and `to`, as in `{days: [mon, fri], from: \"08:00\", to: \"18:00\"}`",
    )
}

fn unknown_zone(name: &str, path: &str) -> PolicyError {
    PolicyError::new(
        "unknown_zone",
        format!("{path}.zone"),
        format!("there is no time zone `{}`", name.escape_debug()),
        Zone::help(name),
    )
}

#[cfg(test)]
mod tests {
    use scopegate_document::{Instant, UnixTime};
    use serde_json::{Value, json};

    use super::Windows;

    fn compile(windows: Value) -> Result<Windows, Vec<String>> {
        let windows: Vec<crate::section::Window> = serde_json::from_value(windows).expect("windows");
        let mut faults = Vec::new();
        let compiled = Windows::compile(&windows, "windows", &mut faults);
        match faults.is_empty() {
            true => Ok(compiled),
            false => Err(faults.iter().map(ToString::to_string).collect()),
        }
    }

    fn at(instant: &str) -> UnixTime {
        instant.parse::<Instant>().expect(instant).0
    }

    fn is_open(windows: Value, instant: &str) -> bool {
        compile(windows).expect("no faults").contains(at(instant))
    }

    #[test]
    fn a_window_is_open_from_its_beginning_until_before_its_end() {
        let office = json!([{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "18:00"}]);
        // 2026-11-23 is a Monday.
        for (instant, open) in [
            ("2026-11-23T07:59:59Z", false),
            ("2026-11-23T08:00:00Z", true),
            ("2026-11-23T17:59:59Z", true),
            ("2026-11-23T18:00:00Z", false),
            ("2026-11-22T12:00:00Z", false),
            ("2026-11-27T12:00:00Z", true),
            ("2026-11-28T12:00:00Z", false),
        ] {
            assert_eq!(is_open(office.clone(), instant), open, "{instant}");
        }
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_begins_on() {
        let night = json!([{"days": ["fri"], "from": "22:00", "to": "06:00"}]);
        // 2026-11-27 is a Friday.
        for (instant, open) in [
            ("2026-11-27T21:59:59Z", false),
            ("2026-11-27T22:00:00Z", true),
            ("2026-11-28T05:59:59Z", true),
            ("2026-11-28T06:00:00Z", false),
            ("2026-11-28T22:00:00Z", false),
            ("2026-11-27T05:00:00Z", false),
        ] {
            assert_eq!(is_open(night.clone(), instant), open, "{instant}");
        }
        let saturday_night = json!([{"days": ["sat"], "from": "22:00", "to": "06:00"}]);
        assert!(is_open(saturday_night, "2026-11-29T03:00:00Z"));
        let a_whole_day = json!([{"days": ["fri"], "from": "12:00", "to": "12:00"}]);
        assert!(is_open(a_whole_day.clone(), "2026-11-28T11:59:59Z"));
        assert!(!is_open(a_whole_day, "2026-11-28T12:00:00Z"));
    }

    #[test]
    fn a_window_may_end_with_its_day_and_days_alone_are_whole() {
        let late = json!([{"days": ["fri"], "from": "18:00", "to": "24:00"}]);
        assert!(is_open(late.clone(), "2026-11-27T23:59:59Z"));
        assert!(!is_open(late, "2026-11-28T00:00:00Z"));
        let weekend = json!([{"days": ["sat", "sun"]}]);
        assert!(is_open(weekend.clone(), "2026-11-28T00:00:00Z"));
        assert!(is_open(weekend.clone(), "2026-11-29T23:59:59Z"));
        assert!(!is_open(weekend, "2026-11-30T00:00:00Z"));
    }

    #[test]
    fn windows_follow_the_clock_on_the_wall_through_summer_time() {
        let berlin = json!([{"from": "08:00", "to": "18:00", "zone": "Europe/Berlin"}]);
        for (instant, open) in [
            ("2026-01-15T07:00:00Z", true),
            ("2026-01-15T06:59:59Z", false),
            ("2026-07-15T06:00:00Z", true),
            ("2026-07-15T16:00:00Z", false),
            ("2026-03-28T06:30:00Z", false),
            ("2026-03-29T06:30:00Z", true),
            ("2026-10-24T06:30:00Z", true),
            ("2026-10-25T06:30:00Z", false),
        ] {
            assert_eq!(is_open(berlin.clone(), instant), open, "{instant}");
        }
        let fixed = json!([{"from": "08:00", "to": "18:00", "zone": "+01:00"}]);
        assert!(!is_open(fixed, "2026-07-15T06:00:00Z"));
        // It is still Sunday in Los Angeles.
        let sunday = json!([{"days": ["sun"], "zone": "America/Los_Angeles"}]);
        assert!(is_open(sunday, "2026-11-23T07:59:59Z"));
    }

    #[test]
    fn any_window_will_do() {
        let two = json!([{"from": "08:00", "to": "09:00"}, {"from": "10:00", "to": "11:00"}]);
        assert!(is_open(two.clone(), "2026-11-23T10:30:00Z"));
        assert!(!is_open(two, "2026-11-23T09:30:00Z"));
    }

    #[test]
    fn faults_say_what_would_be_right() {
        for (windows, part) in [
            (json!([]), "windows: `windows` is empty"),
            (json!([{}]), "windows[0]: a window needs both"),
            (json!([{"from": "08:00"}]), "windows[0]: a window needs both"),
            (
                json!([{"days": [], "from": "08:00", "to": "09:00"}]),
                "windows[0].days: `days` is empty",
            ),
            (
                json!([{"from": "8:00", "to": "09:00"}]),
                "windows[0].from: `8:00` is no time of day",
            ),
            (
                json!([{"from": "24:00", "to": "09:00"}]),
                "windows[0].from: `24:00` is no time of day",
            ),
            (
                json!([{"from": "08:00", "to": "24:01"}]),
                "windows[0].to: `24:01` is no time of day",
            ),
            (
                json!([{"from": "08:00", "to": "08:60"}]),
                "windows[0].to: `08:60` is no time of day",
            ),
            (
                json!([{"from": "08:00", "to": "09:00", "zone": "Berlin"}]),
                "windows[0].zone: there is no time zone `Berlin` (write `Europe/Berlin`)",
            ),
        ] {
            let faults = compile(windows.clone()).map(|_| ()).expect_err(part);
            assert!(
                faults.iter().any(|fault| fault.starts_with(part)),
                "{windows}: {faults:?}"
            );
        }
    }
}
