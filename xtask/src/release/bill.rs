//! What a product consists of: the bill of materials, which a tool of cargo's makes from the manifests; what would differ from
//! one run or folder to the next is taken out.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::command::{self, Failure, on};
use crate::tools;
use crate::workspace::Workspace;

use super::folder::Draft;
use super::stage::Stage;
use super::tree::{self, Edges, Package};
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
    let mut bill = without_chance(&on(&file, fs::read_to_string(&file))?, &stage.root)?;
    keep_built(&mut bill, &tree::packages(workspace, product, Edges::Built)?);
    Ok(bill)
}

/// Leaves only what is built. The tool follows cargo's metadata, where a feature that would add to an optional package, if that
/// were there, seems to ask for it.
fn keep_built(bill: &mut Value, built: &BTreeSet<Package>) {
    let text = |value: &Value, member: &str| value.get(member).and_then(Value::as_str).map(str::to_owned);
    let mut removed = BTreeSet::new();
    if let Some(components) = list_in(bill, "components") {
        components.retain(|component| {
            let package = text(component, "name").zip(text(component, "version"));
            let is_built = package.is_some_and(|package| built.contains(&package));
            if !is_built {
                removed.extend(text(component, "bom-ref"));
            }
            is_built
        });
    }
    let Some(dependencies) = list_in(bill, "dependencies") else {
        return;
    };
    dependencies.retain(|entry| text(entry, "ref").is_none_or(|name| !removed.contains(&name)));
    for entry in dependencies {
        if let Some(names) = list_in(entry, "dependsOn") {
            names.retain(|name| name.as_str().is_none_or(|name| !removed.contains(name)));
        }
    }
}

fn list_in<'a>(value: &'a mut Value, member: &str) -> Option<&'a mut Vec<Value>> {
    value.get_mut(member).and_then(Value::as_array_mut)
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

    use serde_json::json;

    use super::{keep_built, without_chance};

    #[test]
    fn what_is_not_built_is_in_no_list_of_the_bill() {
        let mut bill = json!({
            "components": [
                {"bom-ref": "r#a@1", "name": "a", "version": "1"},
                {"bom-ref": "r#a@2", "name": "a", "version": "2"},
            ],
            "dependencies": [{"ref": "r#x", "dependsOn": ["r#a@1", "r#a@2"]}, {"ref": "r#a@2"}, {"ref": "r#a@1"}],
        });
        keep_built(&mut bill, &[("a".to_owned(), "1".to_owned())].into());
        let expected = json!({
            "components": [{"bom-ref": "r#a@1", "name": "a", "version": "1"}],
            "dependencies": [{"ref": "r#x", "dependsOn": ["r#a@1"]}, {"ref": "r#a@1"}],
        });
        assert_eq!(bill, expected);
    }

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
