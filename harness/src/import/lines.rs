//! Where something stands in the original: the line of a field, looked for after the name of its test.

/// The lines of a file.
pub(super) struct Lines<'a>(Vec<&'a str>);

impl<'a> Lines<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self(source.lines().collect())
    }

    /// The first line, from 1, that names `field`; of a test, after the line with its name.
    pub(super) fn of(&self, test: Option<&str>, field: &str) -> Option<usize> {
        let is_name = |line: &str| test.is_some_and(|test| has_word(line, "name") && line.contains(test));
        let start = match test {
            Some(_) => self.0.iter().position(|line| is_name(line))?,
            None => 0,
        };
        let mut after = self.0.iter().enumerate().skip(start);
        let found = after.find(|(_, line)| has_word(line, field)).map(|(at, _)| at);
        Some(found.unwrap_or(start).saturating_add(1))
    }
}

fn has_word(line: &str, word: &str) -> bool {
    let code = line.split('#').next().unwrap_or_default();
    let mut words = code.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    words.any(|found| found == word)
}
