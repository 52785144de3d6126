//! Texts that somebody else wrote, for terminals and logs: what would move a cursor, hide a word or turn the direction of
//! writing is shown as an escape. Nothing here knows what a text is about.

/// The text in lines, each character of them visible.
#[must_use]
pub fn lines(text: &str) -> String {
    escaped(text, |character| character == '\n')
}

/// The text on one line.
#[must_use]
pub fn line(text: &str) -> String {
    escaped(text, |_| false)
}

/// The text with as many bytes, what is not visible replaced: places in it stay where they are.
#[must_use]
pub fn in_place(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match (
            is_hidden(character) && !matches!(character, '\n' | '\r' | '\t'),
            character.len_utf8(),
        ) {
            (false, _) => shown.push(character),
            (true, 3) => shown.push(char::REPLACEMENT_CHARACTER),
            (true, bytes) => shown.extend(std::iter::repeat_n('?', bytes)),
        }
    }
    shown
}

/// JSON with the same meaning, each character of it visible; its lines stay lines. Only texts in it can hold what is hidden.
#[must_use]
pub fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match is_hidden(character) && character != '\n' {
            true => shown.push_str(&format!("\\u{:04x}", u32::from(character))),
            false => shown.push(character),
        }
    }
    shown
}

fn escaped(text: &str, is_kept: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match is_hidden(character) && !is_kept(character) {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    shown
}

/// Controls (C0, C1), marks of the direction of writing, separators of lines, and characters of no width.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::{in_place, json, line, lines};

    #[test]
    fn what_would_not_be_seen_is_shown() {
        for (text, shown) in [
            ("a\u{1b}[31mb", "a\\u{1b}[31mb"),
            ("\0\u{7f}\u{9b}\r", "\\u{0}\\u{7f}\\u{9b}\\r"),
            (
                "a\u{202e}b\u{2066}\u{200b}\u{feff}\u{2028}",
                "a\\u{202e}b\\u{2066}\\u{200b}\\u{feff}\\u{2028}",
            ),
            ("Grüße, 世界 `x`", "Grüße, 世界 `x`"),
        ] {
            assert_eq!(lines(text), shown);
            assert_eq!(line(text), shown);
            assert_eq!(in_place(text).len(), text.len());
            assert!(!in_place(text).contains(['\u{1b}', '\u{9b}', '\u{202e}']));
        }
        assert_eq!(
            (lines("a\nb"), line("a\nb")),
            ("a\nb".to_owned(), "a\\nb".to_owned())
        );
        assert_eq!(
            json("{\n\"a\": \"\u{9b}1m\u{202e}\"}"),
            "{\n\"a\": \"\\u009b1m\\u202e\"}"
        );
        assert_eq!(in_place("a\n\tb\u{1b}\u{202e}"), "a\n\tb?\u{fffd}");
    }
}
