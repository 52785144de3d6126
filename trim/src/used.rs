//! Which functions of a module are used: what an export that stays reaches, what starts it, and what its tables hold. Which
//! of the functions in a table is called is known to nobody before it is, so all of these stay.

use wasmparser::{
    ConstExpr, ElementItems, ExternalKind, FunctionBody, Operator, OperatorsReader, Parser, Payload, TypeRef,
};

use crate::{Called, TrimError};

/// What is read of a module.
#[derive(Default)]
struct Found {
    /// The number of functions that are imported: they are numbered first.
    imported: usize,
    /// The functions that each function with a body names.
    named: Vec<Vec<u32>>,
    /// The functions that are used whoever calls.
    roots: Vec<u32>,
}

/// Whether each function is used, by its number, where the exports stay that `keep` names, and that is called which `called`
/// says.
pub(crate) fn functions(
    module: &[u8],
    called: Called,
    keep: impl Fn(&str) -> bool,
) -> Result<Vec<bool>, TrimError> {
    let mut found = Found::default();
    for payload in Parser::new(0).parse_all(module) {
        found.note(&payload?, &keep)?;
    }
    Ok(found.reached(called))
}

impl Found {
    fn note(&mut self, payload: &Payload<'_>, keep: impl Fn(&str) -> bool) -> Result<(), TrimError> {
        if let Payload::ImportSection(reader) = payload {
            for import in reader.clone().into_imports() {
                let is_function = matches!(import?.ty, TypeRef::Func(_) | TypeRef::FuncExact(_));
                self.imported = self.imported.saturating_add(usize::from(is_function));
            }
        } else if let Payload::ExportSection(reader) = payload {
            for export in reader.clone() {
                let export = export?;
                let is_function = matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact);
                if is_function && keep(export.name) {
                    self.roots.push(export.index);
                }
            }
        } else if let Payload::StartSection { func, .. } = payload {
            self.roots.push(*func);
        } else if let Payload::GlobalSection(reader) = payload {
            for global in reader.clone() {
                self.constant(&global?.init_expr)?;
            }
        } else if let Payload::ElementSection(reader) = payload {
            for element in reader.clone() {
                self.element(element?.items)?;
            }
        } else if let Payload::CodeSectionEntry(body) = payload {
            self.named.push(named(body)?);
        }
        Ok(())
    }

    fn element(&mut self, items: ElementItems<'_>) -> Result<(), TrimError> {
        match items {
            ElementItems::Functions(functions) => {
                for function in functions {
                    self.roots.push(function?);
                }
            }
            ElementItems::Expressions(_, expressions) => {
                for expression in expressions {
                    self.constant(&expression?)?;
                }
            }
        }
        Ok(())
    }

    fn constant(&mut self, expression: &ConstExpr<'_>) -> Result<(), TrimError> {
        collect(expression.get_operators_reader(), &mut self.roots)
    }

    /// Whether each function is reached from one that is used.
    fn reached(mut self, called: Called) -> Vec<bool> {
        let mut used = vec![false; self.imported.saturating_add(self.named.len())];
        while let Some(function) = self.roots.pop() {
            let Ok(function) = usize::try_from(called.at(function)) else {
                continue;
            };
            let Some(is_used) = used.get_mut(function) else {
                continue;
            };
            if std::mem::replace(is_used, true) {
                continue;
            }
            let body = function.checked_sub(self.imported);
            self.roots
                .extend(body.and_then(|body| self.named.get(body)).into_iter().flatten());
        }
        used
    }
}

/// The functions that a body calls or takes a reference of.
fn named(body: &FunctionBody<'_>) -> Result<Vec<u32>, TrimError> {
    let mut named = Vec::new();
    collect(body.get_operators_reader()?, &mut named)?;
    named.sort_unstable();
    named.dedup();
    Ok(named)
}

fn collect(mut operators: OperatorsReader<'_>, named: &mut Vec<u32>) -> Result<(), TrimError> {
    while !operators.eof() {
        let operator = operators.read()?;
        if let Operator::Call { function_index }
        | Operator::ReturnCall { function_index }
        | Operator::RefFunc { function_index } = operator
        {
            named.push(function_index);
        }
    }
    Ok(())
}
