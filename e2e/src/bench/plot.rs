//! The results as a picture: what each row adds, as bars.

use svg::Document;
use svg::node::element::{Rectangle, Style, Text};

use super::Measured;

/// Sizes, in the units of the picture.
const WIDTH: f64 = 920.0;
const LABELS: f64 = 330.0;
const BARS: f64 = 480.0;
const LINE: f64 = 22.0;

/// Bars longer than this many microseconds are cut: they would make the others too small to see.
const LONGEST: f64 = 200.0;

/// Dark on light, and light on dark.
const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#24292f}.group{font-weight:600}.native{fill:#8c959f}\
                     .ours{fill:#1f6feb}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.native{fill:#6e7681}\
                     .ours{fill:#58a6ff}}";

/// One bar for each row but the first, which is what the others add to.
pub(super) fn bars(rows: &[Measured]) -> String {
    let rows = rows.get(1..).unwrap_or_default();
    let mut document = Document::new().add(Style::new(STYLE));
    let (mut y, mut group) = (LINE, "");
    for row in rows {
        if row.group != group {
            group = row.group;
            y += LINE / 2.0;
            document = document.add(text(8.0, y, group).set("class", "group"));
            y += LINE;
        }
        let length = row.added.clamp(0.0, LONGEST) / LONGEST * BARS;
        let class = if row.group.starts_with("Scopegate") {
            "ours"
        } else {
            "native"
        };
        let bar = Rectangle::new()
            .set("class", class)
            .set("x", LABELS)
            .set("y", y - 12.0)
            .set("width", length.max(1.0))
            .set("height", 15);
        let more = if row.added > LONGEST { " (cut)" } else { "" };
        let figure = format!("{:.1} us{more}", row.added);
        document =
            document
                .add(text(20.0, y, &row.name))
                .add(bar)
                .add(text(LABELS + length + 6.0, y, &figure));
        y += LINE;
    }
    let title = "Processor time added to a request in Envoy, in microseconds";
    document
        .add(text(8.0, y + LINE / 2.0, title))
        .set("viewBox", (0, 0, WIDTH, y + LINE))
        .set("role", "img")
        .set("aria-label", title)
        .to_string()
}

fn text(x: f64, y: f64, content: &str) -> Text {
    Text::new(content).set("x", x).set("y", y)
}

#[cfg(test)]
mod tests {
    use super::{Measured, bars};

    #[test]
    fn each_row_but_the_first_has_its_bar_and_long_ones_are_cut_and_say_so() {
        let row = |group: &'static str, name: &str, added: f64| Measured {
            group,
            name: name.to_owned(),
            median: added + 20.0,
            range: (added, added),
            added,
            ratio: 1.0,
        };
        let picture = bars(&[
            row("floor", "no filter", 0.0),
            row("Envoy's own filters", "jwt_authn", 40.0),
            row("Scopegate, a token seen before", "RS256 & more", 400.0),
        ]);
        assert_eq!(picture.matches("<rect").count(), 2, "{picture}");
        assert!(
            picture.contains("RS256 &amp; more") && picture.contains("400.0 us (cut)"),
            "{picture}"
        );
    }
}
