//! Scripts: which host functions are called in which callback, with what arguments.
//!
//! A line `on CALLBACK` or `on CALLBACK 2` (the second time) opens a section; `on CALLBACK *` stands for every time
//! that has no section of its own. A line in it is a call of a host function, `return NUMBER`, `trap`, or `print TEXT`.
//! Arguments: a number; `$name`; `"text"`; `[a=1, b=2]` for a map; `@N` for N bytes; `bad` for a place outside of
//! memory; `null` for no bytes. After a call: `> name` keeps the first number that the host wrote and prints the
//! name in its place, `masked` prints of what was written only that it was, `out=bad` has the host write outside of memory.

use crate::text;

/// A whole script.
#[derive(Debug, Default)]
pub(crate) struct Script {
    sections: Vec<Section>,
}

#[derive(Debug)]
struct Section {
    callback: String,
    /// Which time; `None` for every one.
    time: Option<u32>,
    lines: Vec<Line>,
}

/// One line of a section.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line {
    /// A call of a host function.
    Call(Call),
    /// What the callback returns.
    Return(u32),
    /// The end of the machine.
    Trap,
    /// A line through the standard output.
    Print(String),
    /// What is none of these.
    Wrong(String),
}

/// A call of a host function.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Call {
    pub(crate) function: String,
    pub(crate) arguments: Vec<Argument>,
    /// How the arguments are written in the script.
    pub(crate) written: String,
    /// The name for the first number that the host writes.
    pub(crate) keep: Option<String>,
    pub(crate) masked: bool,
    /// Whether the host is to write outside of memory.
    pub(crate) bad_out: bool,
}

/// An argument.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Argument {
    Number(u64),
    Variable(String),
    Bytes(Vec<u8>),
    OutOfMemory,
}

impl Script {
    pub(crate) fn parse(text: &str) -> Self {
        let mut script = Self::default();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match (line.strip_prefix("on "), script.sections.last_mut()) {
                (Some(head), _) => script.sections.push(Section::open(head)),
                (None, Some(section)) => section.lines.push(Line::parse(line)),
                (None, None) => {}
            }
        }
        script
    }

    /// What is done the n-th time in a callback.
    pub(crate) fn lines(&self, callback: &str, time: u32) -> Vec<Line> {
        let find = |wanted: Option<u32>| {
            let is_it = |section: &&Section| section.callback == callback && section.time == wanted;
            self.sections.iter().find(is_it)
        };
        find(Some(time))
            .or_else(|| find(None))
            .map(|section| section.lines.clone())
            .unwrap_or_default()
    }
}

impl Section {
    fn open(head: &str) -> Self {
        let (callback, time) = head.split_once(' ').unwrap_or((head, "1"));
        Self {
            callback: callback.to_owned(),
            time: time.parse().ok(),
            lines: Vec::new(),
        }
    }
}

impl Line {
    fn parse(line: &str) -> Self {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "trap" => Self::Trap,
            "print" => Self::Print(rest.to_owned()),
            "return" => {
                number(rest).map_or_else(|| Self::Wrong(line.to_owned()), |value| Self::Return(low(value)))
            }
            _ => Call::parse(word, rest).map_or_else(|| Self::Wrong(line.to_owned()), Self::Call),
        }
    }
}

impl Call {
    fn parse(function: &str, rest: &str) -> Option<Self> {
        let mut call = Self {
            function: function.to_owned(),
            ..Self::default()
        };
        let mut written = Vec::new();
        let words = words(rest);
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            match word {
                ">" => call.keep = Some(words.next()?.to_owned()),
                "masked" => call.masked = true,
                "out=bad" => {
                    call.bad_out = true;
                    written.push(word);
                }
                word => {
                    call.arguments.push(Argument::parse(word)?);
                    written.push(word);
                }
            }
        }
        call.written = written.join(", ");
        Some(call)
    }
}

impl Argument {
    fn parse(word: &str) -> Option<Self> {
        let inside = |open: char, close: char| word.strip_prefix(open)?.strip_suffix(close);
        if let Some(name) = word.strip_prefix('$') {
            return Some(Self::Variable(name.to_owned()));
        }
        if let Some(text) = inside('"', '"') {
            return Some(Self::Bytes(text::unescaped(text)));
        }
        if let Some(pairs) = inside('[', ']') {
            return Some(Self::Bytes(text::wire(pairs)));
        }
        if let Some(length) = word.strip_prefix('@') {
            return Some(Self::Bytes(vec![b'x'; length.parse().ok()?]));
        }
        match word {
            "bad" => Some(Self::OutOfMemory),
            "null" => Some(Self::Bytes(Vec::new())),
            word => number(word).map(Self::Number),
        }
    }
}

fn number(word: &str) -> Option<u64> {
    word.parse::<i64>()
        .map(i64::cast_unsigned)
        .or_else(|_| word.parse())
        .ok()
}

/// The low 32 bits.
pub(crate) fn low(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or_default()
}

/// Words separated by spaces; a text in quotation marks or brackets is one word.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut close, mut is_escaped) = (String::new(), None, false);
    for character in line.chars() {
        let ends = close == Some(character) && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        match (close, character) {
            (None, ' ') => words.push(std::mem::take(&mut word)),
            (close_now, character) => {
                word.push(character);
                close = match (close_now, character) {
                    (Some(_), _) if ends => None,
                    (None, '"') => Some('"'),
                    (None, '[') => Some(']'),
                    (close_now, _) => close_now,
                };
            }
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_found_by_its_callback_and_the_time() {
        let script =
            Script::parse("# words\non tick\n return 1\non tick 2\n trap\non tick *\n print all else\n");
        assert_eq!(script.lines("tick", 1), [Line::Return(1)]);
        assert_eq!(script.lines("tick", 2), [Line::Trap]);
        assert_eq!(script.lines("tick", 9), [Line::Print("all else".to_owned())]);
        assert_eq!(script.lines("done", 1), []);
    }

    #[test]
    fn arguments_are_numbers_names_texts_maps_and_places_outside_of_memory() {
        let script =
            Script::parse("on log\n  proxy_x -1 $q \"a b\\\"\" [a=1, b=2] @3 bad null > kept masked out=bad");
        let lines = script.lines("log", 1);
        let [Line::Call(call)] = &lines[..] else {
            panic!("{lines:?}");
        };
        assert_eq!(call.arguments[0], Argument::Number(u64::MAX));
        assert_eq!(call.arguments[1], Argument::Variable("q".to_owned()));
        assert_eq!(call.arguments[2], Argument::Bytes(b"a b\"".to_vec()));
        assert_eq!(call.arguments[3], Argument::Bytes(text::wire("a=1, b=2")));
        assert_eq!(call.arguments[4], Argument::Bytes(b"xxx".to_vec()));
        assert_eq!(call.arguments[5], Argument::OutOfMemory);
        assert_eq!(call.arguments[6], Argument::Bytes(Vec::new()));
        assert_eq!(
            (call.keep.as_deref(), call.masked, call.bad_out),
            (Some("kept"), true, true)
        );
    }

    #[test]
    fn what_is_no_call_is_said_to_be_wrong() {
        let script = Script::parse("on log\n proxy_x what\n return no");
        assert!(matches!(
            script.lines("log", 1)[..],
            [Line::Wrong(_), Line::Wrong(_)]
        ));
    }
}
