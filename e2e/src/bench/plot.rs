//! The results as pictures: what each row adds, as bars; what it costs that one thing grows, and memory over time, as
//! lines.

use svg::Document;
use svg::node::element::{Circle, Polyline, Rectangle, Style, Text};

use super::Measured;
use super::report::Sweep;
use super::soak::Sample;

/// Sizes, in the units of the picture.
const WIDTH: f64 = 920.0;
const LABELS: f64 = 330.0;
const BARS: f64 = 480.0;
const LINE: f64 = 22.0;

/// Bars longer than this many microseconds are cut: they would make the others too small to see.
const LONGEST: f64 = 200.0;

/// Dark on light, and light on dark.
const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#24292f}.group{font-weight:600}.native{fill:#8c959f}\
                     .ours{fill:#1f6feb}polyline{fill:none;stroke:#1f6feb;stroke-width:2}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.native{fill:#6e7681}\
                     .ours{fill:#58a6ff}polyline{stroke:#58a6ff}}";

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

/// A panel for each thing that grows: its sizes from left to right, one step each, and what is added upwards. All panels
/// have one scale.
pub(super) fn lines(sweeps: &[Sweep]) -> String {
    const PANEL: f64 = 150.0;
    const LEFT: f64 = 60.0;
    const STEP: f64 = 220.0;
    let all = sweeps.iter().flat_map(|sweep| &sweep.points);
    let most = all.map(|(_, added)| *added).fold(1.0, f64::max);
    let title = "Processor time added to a request in Envoy, in microseconds, as one thing grows";
    let mut document = Document::new().add(Style::new(STYLE)).add(text(8.0, LINE, title));
    let mut top = LINE * 2.0;
    for sweep in sweeps {
        document = document.add(text(8.0, top, sweep.name).set("class", "group"));
        let place = |number: usize, added: f64| {
            let across = f64::from(u32::try_from(number).unwrap_or_default());
            let up = added.clamp(0.0, most) / most * (PANEL - LINE * 3.0);
            (across.mul_add(STEP, LEFT), top + PANEL - LINE - up)
        };
        let mut line = Vec::new();
        for (number, (size, added)) in sweep.points.iter().enumerate() {
            let (x, y) = place(number, *added);
            line.push(format!("{x:.1},{y:.1}"));
            let dot = Circle::new()
                .set("class", "ours")
                .set("r", 4)
                .set("cx", x)
                .set("cy", y);
            document = document
                .add(dot)
                .add(text(x - 14.0, y - 9.0, &format!("{added:.1}")))
                .add(text(x - 14.0, top + PANEL, &size.to_string()));
        }
        document = document.add(Polyline::new().set("points", line.join(" ")));
        top += PANEL + LINE;
    }
    document
        .set("viewBox", (0, 0, WIDTH, top))
        .set("role", "img")
        .set("aria-label", title)
        .to_string()
}

/// Envoy's memory, second by second, from nothing upwards.
pub(super) fn timeline(samples: &[Sample]) -> String {
    const HEIGHT: f64 = 160.0;
    const LEFT: f64 = 60.0;
    const WIDE: f64 = WIDTH - LEFT * 2.0;
    let title = "Memory of Envoy under mixed traffic, in megabytes";
    let megabytes = |sample: &Sample| f64::from(u32::try_from(sample.kilobytes).unwrap_or(u32::MAX)) / 1024.0;
    let most = samples.iter().map(megabytes).fold(1.0, f64::max);
    let steps = f64::from(u32::try_from(samples.len()).unwrap_or(u32::MAX)).max(2.0) - 1.0;
    let bottom = LINE * 2.0 + HEIGHT;
    let place = |(number, sample): (usize, &Sample)| {
        let across = f64::from(u32::try_from(number).unwrap_or_default()) / steps;
        let up = megabytes(sample) / most;
        format!(
            "{:.1},{:.1}",
            across.mul_add(WIDE, LEFT),
            up.mul_add(-HEIGHT, bottom)
        )
    };
    let line: Vec<String> = samples.iter().enumerate().map(place).collect();
    let end = samples.last().map_or(0, |sample| sample.second);
    Document::new()
        .add(Style::new(STYLE))
        .add(text(8.0, LINE, title))
        .add(text(8.0, LINE * 2.0, &format!("{most:.0}")))
        .add(text(8.0, bottom, "0"))
        .add(text(LEFT, bottom + LINE, "1 s"))
        .add(text(LEFT + WIDE - 20.0, bottom + LINE, &format!("{end} s")))
        .add(Polyline::new().set("points", line.join(" ")))
        .set("viewBox", (0, 0, WIDTH, bottom + LINE * 2.0))
        .set("role", "img")
        .set("aria-label", title)
        .to_string()
}

fn text(x: f64, y: f64, content: &str) -> Text {
    Text::new(content).set("x", x).set("y", y)
}

#[cfg(test)]
mod tests {
    use super::{Measured, Sample, Sweep, bars, lines, timeline};

    #[test]
    fn each_size_has_its_dot_and_all_panels_have_one_scale() {
        let sweep = |name, points: &[(usize, f64)]| Sweep {
            name,
            points: points.to_vec(),
        };
        let picture = lines(&[
            sweep("routes", &[(10, 9.0), (10_000, 9.5)]),
            sweep("bytes", &[(500, 9.0), (12_000, 18.0)]),
        ]);
        assert_eq!(picture.matches("<circle").count(), 4, "{picture}");
        assert_eq!(picture.matches("<polyline").count(), 2, "{picture}");
        assert!(picture.contains("10000") && picture.contains("18.0"), "{picture}");
    }

    #[test]
    fn memory_is_a_line_with_a_point_for_each_second() {
        let sample = |second| Sample {
            second,
            kilobytes: 1024 * second,
            tokens: 0,
            bytes: 0,
            bound: 0,
        };
        let picture = timeline(&[sample(1), sample(2), sample(3)]);
        assert!(picture.contains("60.0,150.7 460.0,97.3 860.0,44.0"), "{picture}");
        assert!(picture.contains("3 s"), "{picture}");
        timeline(&[]);
    }

    #[test]
    fn each_row_but_the_first_has_its_bar_and_long_ones_are_cut_and_say_so() {
        let row = |group: &'static str, name: &str, added: f64| Measured {
            group,
            name: name.to_owned(),
            median: added + 20.0,
            added,
            quartiles: (added, added),
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
