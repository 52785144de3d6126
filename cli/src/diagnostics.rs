//! What is wrong with a file, shown: for people with the offending text underlined, for machines as JSON.

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report,
    Severity as Weight,
};
use serde_json::{Value, json};

use scopegate_engine::source::{Diagnostic, Severity, SourceFile};

use scopegate_harness::visible;

use crate::style::Style;

/// How wide human output is.
const WIDTH: usize = 100;

/// The diagnostics for people.
pub(crate) fn human(files: &[SourceFile], diagnostics: &[Diagnostic], style: Style) -> String {
    let one = |diagnostic: &Diagnostic| {
        let shown = rendered(&report(files, diagnostic), style);
        shown.unwrap_or_else(|| format!("{}\n", visible::line(&diagnostic.message)))
    };
    diagnostics.iter().map(one).collect()
}

/// A report with the text that it is about underlined.
pub(crate) fn rendered(report: &Report, style: Style) -> Option<String> {
    let theme = match style {
        Style::Coloured => GraphicalTheme::unicode(),
        Style::Plain => GraphicalTheme::unicode_nocolor(),
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(WIDTH)
        .with_context_lines(1);
    let mut text = String::new();
    handler.render_report(&mut text, report.as_ref()).ok()?;
    Some(text)
}

/// A file that a report underlines something in: its places stay, and nothing in it reaches the terminal that is not text.
pub(crate) fn shown(file: &SourceFile) -> NamedSource<String> {
    NamedSource::new(visible::line(&file.name), visible::in_place(&file.text))
}

/// How many of the diagnostics are errors, and how many warnings.
pub(crate) fn counts(diagnostics: &[Diagnostic]) -> (usize, usize) {
    let of = |severity| {
        let same = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity);
        same.count()
    };
    (of(Severity::Error), of(Severity::Warning))
}

/// All that is to say about files, for machines: one object.
pub(crate) fn object(files: &[SourceFile], diagnostics: &[Diagnostic]) -> Value {
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let (errors, warnings) = counts(diagnostics);
    json!({
        "files": names,
        "diagnostics": json(files, diagnostics),
        "summary": {"errors": errors, "warnings": warnings},
    })
}

/// The diagnostics for machines.
fn json(files: &[SourceFile], diagnostics: &[Diagnostic]) -> Value {
    let one = |diagnostic: &Diagnostic| {
        let location = diagnostic.location.map(|place| {
            json!({
                "file": files.get(place.file).map(|file| file.name.clone()),
                "line": place.line,
                "column": place.column,
                "offset": place.offset,
                "length": place.length,
            })
        });
        json!({
            "code": diagnostic.code,
            "severity": diagnostic.severity,
            "path": diagnostic.path,
            "message": diagnostic.message,
            "help": diagnostic.help,
            "location": location,
        })
    };
    diagnostics.iter().map(one).collect()
}

/// Warnings and errors about a secret: the text that they are about is not shown.
const SECRETS: [&str; 2] = ["key_secret_inline", "key_private"];

/// Where something stands, as in `policy.yaml:3:7`.
fn place(files: &[SourceFile], diagnostic: &Diagnostic) -> Option<String> {
    let place = diagnostic.location?;
    let file = files.get(place.file)?;
    Some(format!("{}:{}:{}", file.name, place.line, place.column))
}

fn report(files: &[SourceFile], diagnostic: &Diagnostic) -> Report {
    let message = match diagnostic.path.as_str() {
        "" => diagnostic.message.clone(),
        path => format!("{path}: {}", diagnostic.message),
    };
    let is_secret = SECRETS.contains(&diagnostic.code.as_str());
    let message = match place(files, diagnostic).filter(|_| is_secret) {
        Some(place) => format!("{message} ({place})"),
        None => message,
    };
    let weight = match diagnostic.severity {
        Severity::Error => Weight::Error,
        Severity::Warning => Weight::Warning,
    };
    let described = MietteDiagnostic::new(visible::line(&message))
        .with_code(diagnostic.code.clone())
        .with_severity(weight)
        .with_help(visible::lines(&diagnostic.help));
    let place = diagnostic
        .location
        .filter(|_| !is_secret)
        .and_then(|place| Some((place, files.get(place.file)?)));
    match place {
        Some((place, file)) => {
            let label = LabeledSpan::new(Some("here".to_owned()), place.offset, place.length);
            Report::new(described.with_label(label)).with_source_code(shown(file))
        }
        None => Report::new(described),
    }
}
