//! What was expected beside what was seen, line by line.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use scopegate_harness::visible;

use crate::style::{Paint, Style};

/// The difference: what was expected has a minus, what was seen a plus, and what is in both neither. JSON is laid out
/// first, so that only the members that differ are marked.
pub(super) fn diff(expected: &str, seen: &str, style: Style) -> String {
    let laid_out = laid_out(expected).zip(laid_out(seen));
    let (expected, seen) = laid_out.unwrap_or_else(|| {
        let is_space_all = expected.split_whitespace().eq(seen.split_whitespace());
        let shown = |text: &str| match is_space_all {
            // Where only space differs, it must be seen.
            true => Value::from(text).to_string(),
            false => text.to_owned(),
        };
        (shown(expected), shown(seen))
    });
    let [expected, seen] = [expected, seen].map(|text| visible::lines(&text));
    let difference = TextDiff::from_lines(&expected, &seen);
    let mut text = String::new();
    for change in difference.iter_all_changes() {
        let line = change.value().trim_end_matches('\n');
        let line = match change.tag() {
            ChangeTag::Delete => Paint::Bad.paint(&format!("- {line}"), style),
            ChangeTag::Insert => Paint::Good.paint(&format!("+ {line}"), style),
            ChangeTag::Equal => format!("  {line}"),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// A JSON object or list, a member a line.
fn laid_out(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    let is_nested = value.is_object() || value.is_array();
    is_nested
        .then(|| serde_json::to_string_pretty(&value).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::diff;
    use crate::style::Style;

    #[test]
    fn only_what_differs_is_marked() {
        assert_eq!(diff("403", "401", Style::Plain), "- 403\n+ 401\n");
        assert_eq!(diff("a\nb", "a\nc", Style::Plain), "  a\n- b\n+ c\n");
        assert_eq!(diff("a ", "a", Style::Plain), "- \"a \"\n+ \"a\"\n");
        assert_eq!(diff("\u{1b}[2J", "b", Style::Plain), "- \\u{1b}[2J\n+ b\n");
        let (one, other) = (r#"{"a":1,"b":{"c":2}}"#, r#"{"a":1,"b":{"c":3}}"#);
        let marked = "  {\n    \"a\": 1,\n    \"b\": {\n-     \"c\": 2\n+     \"c\": 3\n    }\n  }\n";
        assert_eq!(diff(one, other, Style::Plain), marked);
    }

    #[test]
    fn colour_is_for_terminals() {
        let coloured = diff("403", "401", Style::Coloured);
        assert!(coloured.contains("\u{1b}[31m- 403\u{1b}[0m"), "{coloured:?}");
    }
}
