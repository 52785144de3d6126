//! Hours of the week in which something holds.

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, Timelike, Weekday};
use serde_json::Value;

use crate::value::{text, texts};
use crate::{Reference, Wrong};

/// "windows: ... any of".
pub(crate) fn contain(reference: &Reference<'_>, windows: &[Value], now: i64) -> bool {
    let late = i64::from(reference.wrong == Some(Wrong::WindowsEndLate));
    windows
        .iter()
        .any(|window| contains(window, late, now).unwrap_or(false))
}

/// "`days` default all; from inclusive, to exclusive, `to` <= `from` runs over midnight (the day is that of `from`);
/// `to: "24:00"` allowed".
fn contains(window: &Value, late: i64, now: i64) -> Option<bool> {
    let local = local(text(window, "zone").unwrap_or("UTC"), now)?;
    let minutes = i64::from(local.hour())
        .checked_mul(60)?
        .checked_add(i64::from(local.minute()))?;
    // "Days alone are whole days."
    let (from, to) = (
        text(window, "from").unwrap_or("00:00"),
        text(window, "to").unwrap_or("24:00"),
    );
    let (from, to) = (of_day(from)?, of_day(to)?.checked_add(late)?);
    let today = names_day(window, local.weekday());
    let yesterday = names_day(window, local.weekday().pred());
    Some(if to > from {
        today && minutes >= from && minutes < to
    } else {
        (today && minutes >= from) || (yesterday && minutes < to)
    })
}

fn names_day(window: &Value, day: Weekday) -> bool {
    let name = day.to_string().to_lowercase();
    texts(window, "days").is_none_or(|days| days.contains(&name))
}

/// Minutes since midnight.
fn of_day(written: &str) -> Option<i64> {
    let (hours, minutes) = written.split_once(':')?;
    hours
        .parse::<i64>()
        .ok()?
        .checked_mul(60)?
        .checked_add(minutes.parse().ok()?)
}

/// "`zone` default UTC, IANA name or `+01:00`". Of the named zones, those whose rules are written below.
fn local(zone: &str, now: i64) -> Option<NaiveDateTime> {
    let utc = chrono::DateTime::from_timestamp(now, 0)?.naive_utc();
    let hours = match zone {
        "UTC" => 0,
        "Europe/Berlin" => {
            if is_summer_in_europe(utc)? {
                2
            } else {
                1
            }
        }
        "America/New_York" => {
            if is_summer_in_america(utc)? {
                -4
            } else {
                -5
            }
        }
        "Asia/Tokyo" => 9,
        _ => return local_of_offset(zone, utc),
    };
    utc.checked_add_signed(chrono::TimeDelta::try_hours(hours)?)
}

fn local_of_offset(zone: &str, utc: NaiveDateTime) -> Option<NaiveDateTime> {
    let (sign, rest) = match (zone.strip_prefix('+'), zone.strip_prefix('-')) {
        (Some(rest), _) => (1, rest),
        (_, Some(rest)) => (-1, rest),
        _ => return None,
    };
    utc.checked_add_signed(chrono::TimeDelta::try_minutes(of_day(rest)?.checked_mul(sign)?)?)
}

/// From 01:00 UTC of the last Sunday of March to 01:00 UTC of the last Sunday of October.
fn is_summer_in_europe(utc: NaiveDateTime) -> Option<bool> {
    let last_sunday = |month: u32| {
        let end = NaiveDate::from_ymd_opt(utc.year(), month, 31)?;
        end.checked_sub_days(Days::new(u64::from(end.weekday().num_days_from_sunday())))
    };
    let begins = last_sunday(3)?.and_hms_opt(1, 0, 0)?;
    let ends = last_sunday(10)?.and_hms_opt(1, 0, 0)?;
    Some(begins <= utc && utc < ends)
}

/// From 02:00 standard time of the second Sunday of March to 02:00 summer time of the first Sunday of November.
fn is_summer_in_america(utc: NaiveDateTime) -> Option<bool> {
    let sunday =
        |month: u32, nth: u8| NaiveDate::from_weekday_of_month_opt(utc.year(), month, Weekday::Sun, nth);
    let begins = sunday(3, 2)?.and_hms_opt(7, 0, 0)?;
    let ends = sunday(11, 1)?.and_hms_opt(6, 0, 0)?;
    Some(begins <= utc && utc < ends)
}
