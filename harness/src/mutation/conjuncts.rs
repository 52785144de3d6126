//! The parts of an expression that must all be true. Nothing here knows what they mean.

/// `expression` without each of its parts, where it is `a && b && ..` and nothing weaker holds it together: the part
/// that is left out, and the rest.
pub(super) fn without_each(expression: &str) -> Vec<(String, String)> {
    let Some(parts) = parts(expression).filter(|parts| parts.len() > 1) else {
        return Vec::new();
    };
    let without = |at: usize| {
        let rest = parts.iter().enumerate().filter(|(other, _)| *other != at);
        rest.map(|(_, part)| part.as_str())
            .collect::<Vec<_>>()
            .join(" && ")
    };
    let each = parts.iter().enumerate();
    each.map(|(at, part)| (part.clone(), without(at))).collect()
}

/// The parts between `&&` that stand in no parentheses and no text; nothing where `||` or `?` stands among them.
fn parts(expression: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    let mut characters = expression.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '(' | '[' | '{') => depth = depth.saturating_add(1),
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, '|' | '?') if depth == 0 => return None,
            (None, '&') if depth == 0 && characters.peek() == Some(&'&') => {
                characters.next();
                parts.push(String::new());
                continue;
            }
            (None, _) => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(character);
        }
    }
    Some(parts.into_iter().map(|part| part.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::without_each;

    #[test]
    fn each_part_is_left_out_once() {
        let text = r#"a.b in c && (d || e) && f == "x && y""#;
        let expected = [
            ("a.b in c", r#"(d || e) && f == "x && y""#),
            ("(d || e)", r#"a.b in c && f == "x && y""#),
            (r#"f == "x && y""#, "a.b in c && (d || e)"),
        ];
        let expected = expected.map(|(part, rest)| (part.to_owned(), rest.to_owned()));
        assert_eq!(without_each(text), expected);
    }

    #[test]
    fn what_something_weaker_holds_together_stays_whole() {
        for text in [
            "a",
            "a || b && c",
            "a && b ? c : d",
            r#""a && b""#,
            "[a && b]",
            "",
        ] {
            assert_eq!(without_each(text), [], "{text}");
        }
    }
}
