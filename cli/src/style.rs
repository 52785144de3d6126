//! Whether output is coloured: on a terminal, unless `NO_COLOR` is set to anything (<https://no-color.org>).

use std::io::IsTerminal as _;

use anstyle::AnsiColor;

/// Whether output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Colours.
    Coloured,
    /// None.
    Plain,
}

/// What a colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Worth a look.
    Weak,
    /// A heading.
    Strong,
}

impl Paint {
    /// The text in this colour, where there is colour.
    pub(crate) fn paint(self, text: &str, style: Style) -> String {
        if style == Style::Plain {
            return text.to_owned();
        }
        let colour = match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Weak => AnsiColor::Yellow.on_default(),
            Self::Strong => anstyle::Style::new().bold(),
        };
        format!("{colour}{text}{colour:#}")
    }
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
