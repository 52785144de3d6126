//! The numbers of two exported functions, one of which takes the place of the other.

use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

use crate::TrimError;

/// What is read of a module.
#[derive(Default)]
struct Found {
    /// The type of each function, by its number.
    types: Vec<u32>,
    old: Option<u32>,
    new: Option<u32>,
}

/// The numbers of the functions that are exported as `old` and as `new`.
///
/// # Errors
/// One of them is not there, or they are not of the same type.
pub(crate) fn functions(module: &[u8], old: &str, new: &str) -> Result<(u32, u32), TrimError> {
    let mut found = Found::default();
    for payload in Parser::new(0).parse_all(module) {
        found.note(&payload?, old, new)?;
    }
    let missing = |name: &str| TrimError::Unfit(format!("no function is exported as `{name}`"));
    let numbers = (
        found.old.ok_or_else(|| missing(old))?,
        found.new.ok_or_else(|| missing(new))?,
    );
    match found.type_of(numbers.0) == found.type_of(numbers.1) {
        true => Ok(numbers),
        false => Err(TrimError::Unfit(format!(
            "`{new}` cannot take the place of `{old}`: it is called in another way"
        ))),
    }
}

impl Found {
    fn note(&mut self, payload: &Payload<'_>, old: &str, new: &str) -> Result<(), TrimError> {
        if let Payload::ImportSection(reader) = payload {
            for import in reader.clone().into_imports() {
                if let TypeRef::Func(kind) | TypeRef::FuncExact(kind) = import?.ty {
                    self.types.push(kind);
                }
            }
        } else if let Payload::FunctionSection(reader) = payload {
            for kind in reader.clone() {
                self.types.push(kind?);
            }
        } else if let Payload::ExportSection(reader) = payload {
            for export in reader.clone() {
                let export = export?;
                let function = matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact)
                    .then_some(export.index);
                if export.name == old {
                    self.old = function;
                } else if export.name == new {
                    self.new = function;
                }
            }
        }
        Ok(())
    }

    fn type_of(&self, function: u32) -> Option<u32> {
        let function = usize::try_from(function).ok()?;
        self.types.get(function).copied()
    }
}
