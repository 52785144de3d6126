//! The types of functions.

use super::{Checked, Checker, not_as_wanted};
use crate::compile::suggest;
use crate::condition::expression::convert;
use crate::condition::expression::error::ConditionFault;
use crate::condition::expression::node::{Constant, Kind};
use crate::condition::expression::syntax::{Comprehension, Expr, ExprKind, Literal};
use crate::condition::expression::types::Type;
use crate::condition::expression::vocabulary::{Called, FUNCTIONS, Function, Part};
use crate::condition::zone::Zone;

impl Checker<'_> {
    pub(super) fn call(&mut self, at: usize, name: &str, is_member: bool, arguments: &[Expr]) -> Checked {
        let found = FUNCTIONS.iter().find(|(known, ..)| *known == name);
        let Some((_, called, function)) = found else {
            return Err(unknown(at, name));
        };
        match (called, is_member) {
            (Called::Alone, true) => {
                return Err(called_wrongly(at, name, &format!("{name}(x)")));
            }
            (Called::On, false) => {
                return Err(called_wrongly(at, name, &format!("x.{name}(..)")));
            }
            _ => {}
        }
        if let Function::Part(part) = function {
            return self.clock(at, name, *part, arguments);
        }
        let wanted = match function {
            Function::Contains | Function::StartsWith | Function::EndsWith => 2,
            _ => 1,
        };
        if arguments.len() != wanted {
            return Err(wrong_count(
                at,
                name,
                wanted.saturating_sub(usize::from(is_member)),
            ));
        }
        if let Some(folded) = self.fold(at, *function, arguments)? {
            return Ok(folded);
        }
        let mut nodes = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let (node, found) = self.check(argument)?;
            if !takes(*function, &found) {
                let message = format!("`{name}` does not take {found}");
                return Err(ConditionFault::new(
                    argument.at,
                    message,
                    what_it_takes(*function),
                ));
            }
            nodes.push(node);
        }
        Ok((self.node(at, Kind::Call(*function, nodes)), result(*function)))
    }

    /// Times that are written out are read here, once.
    fn fold(
        &self,
        at: usize,
        function: Function,
        arguments: &[Expr],
    ) -> Result<Option<(crate::condition::expression::node::Node, Type)>, ConditionFault> {
        let [argument] = arguments else {
            return Ok(None);
        };
        let ExprKind::Literal(Literal::Text(text)) = &argument.kind else {
            return Ok(None);
        };
        let (constant, kind, help) = match function {
            Function::ToTimestamp => (
                convert::timestamp(text).map(Constant::Timestamp),
                Type::Timestamp,
                "write RFC 3339 with an offset, as in `2026-12-01T00:00:00Z`",
            ),
            Function::ToDuration => (
                convert::duration(text).map(Constant::Duration),
                Type::Duration,
                "write numbers and units, as in `90s`, `10m`, `1h30m`",
            ),
            _ => return Ok(None),
        };
        match constant {
            Some(constant) => Ok(Some((self.node(at, Kind::Constant(constant)), kind))),
            None => {
                let message = format!("`{}` is not {kind}", text.escape_debug());
                Err(ConditionFault::new(argument.at, message, help))
            }
        }
    }

    /// `time.getHours()`, or `time.getHours("Europe/Berlin")`.
    fn clock(&mut self, at: usize, name: &str, part: Part, arguments: &[Expr]) -> Checked {
        let (time, zone) = match arguments {
            [time] => (time, None),
            [time, zone] => (time, Some(zone)),
            _ => return Err(wrong_count(at, name, 1)),
        };
        let (node, found) = self.check(time)?;
        let of_duration = matches!(part, Part::Hours | Part::Minutes | Part::Seconds) && zone.is_none();
        match found {
            Type::Timestamp | Type::Dynamic => {}
            Type::Duration if of_duration => {}
            other => {
                let who = format!("`{name}` is a part of");
                return Err(not_as_wanted(time.at, &who, &Type::Timestamp, &other));
            }
        }
        let zone = match zone {
            None => Zone::UTC,
            Some(zone) => find_zone(zone)?,
        };
        let kind = match found {
            Type::Duration => Kind::Call(Function::Part(part), vec![node]),
            _ => Kind::Clock(part, node.into(), zone),
        };
        Ok((self.node(at, kind), Type::Int))
    }
}

fn find_zone(expression: &Expr) -> Result<Zone, ConditionFault> {
    let ExprKind::Literal(Literal::Text(name)) = &expression.kind else {
        let help = "write its name in quotes, as in `\"Europe/Berlin\"`";
        return Err(ConditionFault::new(
            expression.at,
            "a time zone must be written out",
            help,
        ));
    };
    Zone::find(name).ok_or_else(|| {
        let message = format!("there is no time zone `{}`", name.escape_debug());
        ConditionFault::new(expression.at, message, Zone::help(name))
    })
}

fn takes(function: Function, found: &Type) -> bool {
    use Type::{Bool, Claims, Double, Dynamic, Int, List, Text, Timestamp};
    match function {
        Function::Size => matches!(found, Text | List(_) | Claims | Dynamic),
        Function::Contains | Function::StartsWith | Function::EndsWith => matches!(found, Text | Dynamic),
        Function::ToInt => matches!(found, Int | Double | Text | Timestamp | Dynamic),
        Function::ToDouble => matches!(found, Int | Double | Text | Dynamic),
        Function::ToText => matches!(found, Int | Bool | Text | Dynamic),
        Function::ToTimestamp => matches!(found, Int | Text | Timestamp | Dynamic),
        Function::ToDuration => matches!(found, Text | Type::Duration | Dynamic),
        Function::Part(_) => false,
    }
}

const fn what_it_takes(function: Function) -> &'static str {
    match function {
        Function::Size => "it counts the characters of a text or the elements of a list",
        Function::Contains | Function::StartsWith | Function::EndsWith => {
            "it looks into a text; an element of a list is found by `in`"
        }
        Function::ToInt => "it takes a number, a text or a time",
        Function::ToDouble => "it takes a number or a text",
        Function::ToText => "it takes a whole number, true or false, or a text",
        Function::ToTimestamp => "it takes a text, as in `2026-12-01T00:00:00Z`, or Unix seconds",
        Function::ToDuration => "it takes a text, as in `1h30m`",
        Function::Part(_) => "it takes a time",
    }
}

const fn result(function: Function) -> Type {
    match function {
        Function::Size | Function::ToInt | Function::Part(_) => Type::Int,
        Function::Contains | Function::StartsWith | Function::EndsWith => Type::Bool,
        Function::ToDouble => Type::Double,
        Function::ToText => Type::Text,
        Function::ToTimestamp => Type::Timestamp,
        Function::ToDuration => Type::Duration,
    }
}

fn unknown(at: usize, name: &str) -> ConditionFault {
    let help = match name {
        "matches" => {
            "there are no regular expressions here; use `startsWith`, `endsWith`, `contains`, or `in [..]`"
                .into()
        }
        _ if Comprehension::named(name).is_some() => {
            format!("write it behind a list, as in `caller.roles.{name}(..)`")
        }
        _ => {
            let names: Vec<&str> = FUNCTIONS.iter().map(|(name, ..)| *name).collect();
            suggest(
                name,
                names.iter().copied(),
                &format!("the functions are {}", names.join(", ")),
            )
        }
    };
    ConditionFault::new(
        at,
        format!("there is no function `{}`", name.escape_debug()),
        help,
    )
}

fn called_wrongly(at: usize, name: &str, right: &str) -> ConditionFault {
    ConditionFault::new(
        at,
        format!("`{name}` is not called this way"),
        format!("write `{right}`"),
    )
}

fn wrong_count(at: usize, name: &str, wanted: usize) -> ConditionFault {
    let help = match wanted {
        0 => format!("write `{name}()`"),
        1 => "give it one argument".to_owned(),
        _ => format!("give it {wanted} arguments"),
    };
    ConditionFault::new(at, format!("`{name}` has another number of arguments"), help)
}
