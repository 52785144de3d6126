//! The matrix of a file as cases: every caller asks every request, and a cell that is not listed fails.

use crate::faults::{self, nearest};
use crate::format::{Allow, ExpectSpec, MatrixSpec, OneOrMany};
use crate::suite::loader::Loader;
use crate::suite::{Case, Kind, NOBODY, Step};

impl Loader<'_> {
    pub(super) fn matrix(&mut self, matrix: MatrixSpec) -> Vec<Case> {
        let MatrixSpec {
            callers,
            request,
            cells,
        } = matrix;
        let mut cases = Vec::new();
        self.add(faults::callers(&callers));
        self.add(faults::every_request(&request));
        self.add(faults::bytes(&request, "matrix.request"));
        self.add(faults::peer(&request, "matrix.request"));
        if cells.is_empty() {
            let message = "the matrix has no cells".to_owned();
            self.fault(
                "matrix.cells".to_owned(),
                message,
                "write a row for each request: `GET /orders: {reader: allow}`",
            );
        }
        for (row, listed) in &cells {
            let path = format!("matrix.cells.{row}");
            let line = self.source.locate(&path).map(|place| place.line);
            let Some((method, target)) = row.split_once(' ') else {
                self.fault(
                    path,
                    format!("`{row}` is no request"),
                    "write a method and a path: `GET /orders`",
                );
                continue;
            };
            for unknown in listed.keys().filter(|caller| !callers.contains(caller)) {
                let message = format!("`{unknown}` is none of the matrix's callers");
                let help = format!("add it to `callers`; {}", nearest(unknown, &callers, "there"));
                self.fault(format!("{path}.{unknown}"), message, &help);
            }
            for caller in &callers {
                let mut request = request.clone();
                request.method = Some(method.to_owned());
                request.path = Some(target.to_owned());
                request.token = (caller != NOBODY).then(|| OneOrMany::One(caller.clone()));
                let expect = listed.get(caller).map_or_else(unlisted, |cell| expect_cell(cell));
                cases.push(Case {
                    name: format!("{row} as {caller}"),
                    line,
                    path: path.clone(),
                    kind: Kind::Cell(caller.clone()),
                    steps: vec![Step::Send(Box::new(request), Box::new(expect))],
                    envoy: None,
                });
            }
        }
        cases
    }
}

fn expect_cell(cell: &str) -> ExpectSpec {
    if let Some(code) = cell.strip_prefix("would_deny:") {
        return ExpectSpec {
            would_deny: Some(code.trim().to_owned()),
            ..ExpectSpec::default()
        };
    }
    match (cell, cell.strip_prefix("allow:")) {
        ("allow", _) => ExpectSpec {
            allow: Some(Allow::Any(true)),
            ..ExpectSpec::default()
        },
        (_, Some(route)) => ExpectSpec {
            allow: Some(Allow::Route(route.trim().to_owned())),
            ..ExpectSpec::default()
        },
        (code, None) => ExpectSpec {
            deny: Some(code.to_owned()),
            ..ExpectSpec::default()
        },
    }
}

/// What no answer can fulfil: nothing is left unsaid in a matrix.
fn unlisted() -> ExpectSpec {
    ExpectSpec::default()
}
