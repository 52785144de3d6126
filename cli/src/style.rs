//! Whether output is coloured: on a terminal, unless `NO_COLOR` is set to anything (<https://no-color.org>).

use std::io::IsTerminal as _;

/// Whether output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Colours.
    Coloured,
    /// None.
    Plain,
}

pub(crate) fn for_stdout() -> Style {
    style(std::io::stdout().is_terminal())
}

pub(crate) fn for_stderr() -> Style {
    style(std::io::stderr().is_terminal())
}

fn style(is_terminal: bool) -> Style {
    let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if is_terminal && !is_refused {
        Style::Coloured
    } else {
        Style::Plain
    }
}
