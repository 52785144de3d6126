//! Random expressions that are worth evaluating.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};

/// Writes expressions whose types go together, from bytes that choose.
struct Writer(std::vec::IntoIter<u8>);

impl Writer {
    fn choose<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[usize::from(self.0.next().unwrap_or_default()) % from.len()]
    }

    fn boolean(&mut self, depth: u8) -> String {
        let forms = [
            "true", "N", "I", "C", "A", "!", "T", "T", "V", "D", "L", "L", "H", "?", "E", "E", "S", "Z", "Y",
        ];
        let Some(depth) = depth.checked_sub(1) else {
            return self
                .choose(&["true", "false", "caller.claims.a", "has(caller.claims.b)"])
                .to_owned();
        };
        let order = |writer: &mut Self| writer.choose(&["==", "!=", "<", "<=", ">", ">="]);
        match self.choose(&forms) {
            "N" => format!("{} {} {}", self.int(depth), order(self), self.int(depth)),
            "I" => format!(
                "{} in [{}, {}]",
                self.int(depth),
                self.int(depth),
                self.dynamic(depth)
            ),
            "C" | "A" => {
                let joins = self.choose(&["&&", "||"]);
                format!("({} {joins} {})", self.boolean(depth), self.boolean(depth))
            }
            "!" => format!("!({})", self.boolean(depth)),
            "T" => format!("{} {} {}", self.text(depth), order(self), self.text(depth)),
            "V" => format!("{} == {}", self.dynamic(depth), self.dynamic(depth)),
            "D" => format!("{} {} {}", self.double(depth), order(self), self.double(depth)),
            "L" => format!("{} in {}", self.text(depth), self.list(depth)),
            "H" => format!(
                "has({}.{})",
                self.choose(&["caller.claims", "caller.claims.a"]),
                self.choose(&["a", "b"])
            ),
            "?" => format!(
                "({} ? {} : {})",
                self.boolean(depth),
                self.boolean(depth),
                self.boolean(depth)
            ),
            "E" => {
                let asks = self.choose(&["exists", "all", "exists_one"]);
                format!(
                    "{}.{asks}(x, x {} {})",
                    self.list(depth),
                    self.choose(&["==", "!=", "<"]),
                    self.text(depth)
                )
            }
            "S" => format!(
                "{}.{}({})",
                self.text(depth),
                self.choose(&["contains", "startsWith", "endsWith"]),
                self.text(depth)
            ),
            "Z" => format!("{} {} {}", self.time(depth), order(self), self.time(depth)),
            "Y" => format!("{} {} {}", self.length(depth), order(self), self.length(depth)),
            other => other.to_owned(),
        }
    }

    fn int(&mut self, depth: u8) -> String {
        let Some(depth) = depth.checked_sub(1) else {
            return self
                .choose(&[
                    "0",
                    "1",
                    "-2",
                    "7",
                    "0x1F",
                    "request.hour_utc",
                    "9223372036854775807",
                ])
                .to_owned();
        };
        match self.choose(&["A", "A", "S", "I", "G", "G", "N", "?"]) {
            "A" => {
                let operator = self.choose(&["+", "-", "*", "/", "%"]);
                format!("({} {operator} {})", self.int(depth), self.int(depth))
            }
            "S" => format!(
                "size({})",
                if depth % 2 == 0 {
                    self.text(depth)
                } else {
                    self.list(depth)
                }
            ),
            "I" => format!(
                "int({})",
                if depth % 2 == 0 {
                    self.double(depth)
                } else {
                    self.time(depth)
                }
            ),
            "G" => {
                let parts = [
                    "FullYear",
                    "Month",
                    "Date",
                    "DayOfMonth",
                    "DayOfWeek",
                    "DayOfYear",
                    "Hours",
                    "Seconds",
                ];
                let zones = [
                    "",
                    "\"Europe/Berlin\"",
                    "\"America/New_York\"",
                    "\"+05:30\"",
                    "\"UTC\"",
                ];
                format!(
                    "({}).get{}({})",
                    self.time(depth),
                    self.choose(&parts),
                    self.choose(&zones)
                )
            }
            "N" => format!("-({})", self.int(depth)),
            _ => format!(
                "({} ? {} : {})",
                self.boolean(depth),
                self.int(depth),
                self.int(depth)
            ),
        }
    }

    fn double(&mut self, depth: u8) -> String {
        match depth.checked_sub(1) {
            None => self
                .choose(&["0.0", "1.5", "-2.25", "1e3", ".5", "double(7)"])
                .to_owned(),
            Some(depth) => {
                let operator = self.choose(&["+", "-", "*", "/"]);
                format!("({} {operator} {})", self.double(depth), self.double(depth))
            }
        }
    }

    fn text(&mut self, depth: u8) -> String {
        match (depth.checked_sub(1), self.choose(&["+", "S", "B", "L"])) {
            (Some(depth), "+") => format!("({} + {})", self.text(depth), self.text(depth)),
            (Some(depth), "S") => format!("string({})", self.int(depth)),
            (Some(depth), "B") => format!("string({})", self.boolean(depth)),
            _ => self
                .choose(&[
                    "\"\"",
                    "\"a\"",
                    "'cl'",
                    "r\"b\\\"",
                    "\"\\u00e9\"",
                    "caller.subject",
                    "caller.roles[0]",
                    "request.path",
                ])
                .to_owned(),
        }
    }

    fn list(&mut self, depth: u8) -> String {
        match (depth.checked_sub(1), self.choose(&["+", "F", "M", "L", "R", "R"])) {
            (Some(depth), "+") => format!("({} + {})", self.list(depth), self.list(depth)),
            (Some(depth), "F") => format!("{}.filter(y, y != {})", self.list(depth), self.text(depth)),
            (Some(depth), "M") => format!("{}.map(y, y + {})", self.list(depth), self.text(depth)),
            (Some(depth), "L") => format!("[{}, {}]", self.text(depth), self.text(depth)),
            _ => self
                .choose(&["caller.roles", "caller.scopes", "caller.claims.list", "[]"])
                .to_owned(),
        }
    }

    fn dynamic(&mut self, depth: u8) -> String {
        match (depth.checked_sub(1), self.choose(&["I", "T", "C", "D"])) {
            (Some(depth), "I") => self.int(depth),
            (Some(depth), "T") => format!("[{}]", self.text(depth)),
            (Some(depth), "D") => self.double(depth),
            _ => self
                .choose(&[
                    "caller.claims.a",
                    "caller.claims.b",
                    "caller.claims.c",
                    "caller.claims.a.b",
                ])
                .to_owned(),
        }
    }

    fn time(&mut self, depth: u8) -> String {
        match (depth.checked_sub(1), self.choose(&["+", "-", "T"])) {
            (Some(depth), "+") => format!("({} + {})", self.time(depth), self.length(depth)),
            (Some(depth), "-") => format!("({} - {})", self.time(depth), self.length(depth)),
            _ => self
                .choose(&[
                    "request.time",
                    "caller.issued_at",
                    "timestamp(\"2027-07-01T21:30:00.5Z\")",
                    "timestamp(1900000000)",
                ])
                .to_owned(),
        }
    }

    fn length(&mut self, depth: u8) -> String {
        match (depth.checked_sub(1), self.choose(&["+", "-", "T", "L"])) {
            (Some(depth), "+") => format!("({} + {})", self.length(depth), self.length(depth)),
            (Some(depth), "-") => format!("({} - {})", self.length(depth), self.length(depth)),
            (Some(depth), "T") => format!("({} - {})", self.time(depth), self.time(depth)),
            _ => self
                .choose(&[
                    "duration(\"1h30m\")",
                    "duration(\"-1.5s\")",
                    "duration(\"250ms\")",
                ])
                .to_owned(),
        }
    }
}

/// Expressions that mostly compile, and often hold or do not.
pub(super) fn expressions() -> impl Strategy<Value = String> {
    (vec(any::<u8>(), 60), 0..5_u8).prop_map(|(bytes, depth)| Writer(bytes.into_iter()).boolean(depth))
}
