//! docs/testing.md: every test file in it runs, and every command in it is one.

use std::fs;
use std::path::Path;

use crate::common::{run, stderr, stdout};

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/testing.md")).unwrap()
}

/// The blocks of one language, in order.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = page.split(&fence).skip(1);
    parts
        .map(|part| part.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_test_file_on_the_page_passes() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/rest-api-tenants");
    for file in ["policy.yaml", "jwks.json"] {
        fs::copy(shipped.join(file), folder.path().join(file)).unwrap();
    }
    let mut ran = 0;
    for block in blocks(&page(), "yaml") {
        let named = block.lines().next().and_then(|line| line.strip_prefix("# "));
        match named {
            Some("callers.yaml") => fs::write(folder.path().join("callers.yaml"), &block).unwrap(),
            // A part of a file, about another policy than that of the page.
            Some(_) => {}
            None => {
                let path = folder.path().join("a.test.yaml");
                fs::write(&path, &block).unwrap();
                let output = run(&["test", "--engine", "both", path.to_str().unwrap()], "");
                assert_eq!(
                    output.status.code(),
                    Some(0),
                    "{block}\n{}{}",
                    stdout(&output),
                    stderr(&output)
                );
                ran += 1;
            }
        }
    }
    assert_eq!(ran, 5);
}

#[test]
fn every_command_on_the_page_is_one() {
    let help =
        stdout(&run(&["test", "--help"], "")) + &stdout(&run(&["import", "plugin-tester", "--help"], ""));
    for block in blocks(&page(), "console") {
        for line in block.lines().filter_map(|line| line.strip_prefix("$ scopegate ")) {
            for word in line
                .split(['#', '>'])
                .next()
                .unwrap()
                .split(' ')
                .filter(|word| word.starts_with("--"))
            {
                assert!(help.contains(word), "`{word}` of `{line}` is no option");
            }
        }
    }
}
