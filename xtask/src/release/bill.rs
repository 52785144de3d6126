//! What a product consists of: the bill of materials, which a tool of cargo's makes from the manifests; what would differ from
//! one run or folder to the next is taken out.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::command::{self, Failure, on};
use crate::tools;
use crate::workspace::Workspace;

use super::folder::Draft;
use super::stage::Stage;
use super::{Product, json, licenses};

/// The folder of the bills of materials.
pub(super) const BILLS: &str = "sbom";
/// The folder of the licences of dependencies.
pub(super) const LICENSES: &str = "licenses";

/// Adds both for one product.
pub(super) fn add(workspace: &Workspace, draft: &Draft, product: &Product) -> Result<(), Failure> {
    let stage = Stage::new(workspace, product.folder)?;
    let bill = bill(workspace, &stage, product)?;
    draft.folder(BILLS)?;
    draft.write(
        &format!("{BILLS}/{}.cdx.json", product.package),
        &format!("{bill:#}\n"),
    )?;
    draft.folder(LICENSES)?;
    let texts = licenses::texts(workspace, &stage, product, &bill)?;
    draft.write(&format!("{LICENSES}/{}.txt", product.package), &texts)
}

/// The bill of materials: CycloneDX 1.5, in JSON.
fn bill(workspace: &Workspace, stage: &Stage, product: &Product) -> Result<Value, Failure> {
    let mut tool = Command::new(tools::CYCLONEDX.path(workspace)?);
    tool.current_dir(&workspace.root)
        .args([
            "cyclonedx",
            "--quiet",
            "--format",
            "json",
            "--spec-version",
            "1.5",
        ])
        .args(["--target", &product.target, "--manifest-path"])
        .arg(&stage.manifest);
    let message = format!("listing what {} consists of", product.package);
    command::with_progress(&message, || command::output(&mut tool))?;
    let file = stage
        .manifest
        .with_file_name(format!("{}.cdx.json", product.package));
    without_chance(&on(&file, fs::read_to_string(&file))?, &stage.root)
}

/// The document without its number, its time, and the folder that it was made in.
fn without_chance(text: &str, folder: &Path) -> Result<Value, Failure> {
    let folder = folder
        .to_str()
        .ok_or("the target folder's name is not in UTF-8")?;
    let mut bill = json("cargo cyclonedx", &text.replace(&format!("{folder}/"), "/"))?;
    if let Some(members) = bill.as_object_mut() {
        members.remove("serialNumber");
    }
    if let Some(metadata) = bill
        .get_mut("metadata")
        .and_then(|metadata| metadata.as_object_mut())
    {
        metadata.remove("timestamp");
    }
    Ok(bill)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::without_chance;

    #[test]
    fn a_bill_is_the_same_at_another_time_and_in_another_folder() {
        let bill = |number: &str, folder: &str| {
            let text = format!(
                r#"{{"serialNumber": "{number}", "metadata": {{"timestamp": "{number}"}}, "ref": "path+file://{folder}/cli#1"}}"#
            );
            without_chance(&text, Path::new(folder)).unwrap()
        };
        assert_eq!(bill("1", "/a/b"), bill("2", "/c"));
        assert_eq!(bill("1", "/a/b")["ref"], "path+file:///cli#1");
    }
}
