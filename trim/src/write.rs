//! A module written anew without the functions that are not used: those behind them move up.

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{CodeSection, ExportSection, FunctionSection, ImportSection, Module};
use wasmparser::{
    CodeSectionReader, CustomSectionReader, Export, FunctionSectionReader, ImportSectionReader, KnownCustom,
    Parser, TypeRef,
};

use crate::{Called, TrimError};

/// The module with the functions that are `used`, by their numbers, that are named as `called` says, and the exports that
/// `keep` names.
pub(crate) fn module(
    module: &[u8],
    called: Called,
    used: &[bool],
    keep: impl Fn(&str) -> bool,
) -> Result<Vec<u8>, TrimError> {
    let mut writer = Writer {
        called,
        numbers: numbers(used),
        next: 0,
        keep,
    };
    let mut written = Module::new();
    let done = writer.parse_core_module(&mut written, Parser::new(0), module);
    match done {
        Ok(()) => Ok(written.finish()),
        Err(Error::UserError(error)) => Err(error),
        Err(Error::ParseError(error)) => Err(error.into()),
        Err(error) => Err(TrimError::Unreadable(error.to_string())),
    }
}

/// The new number of each function that is used.
fn numbers(used: &[bool]) -> Vec<Option<u32>> {
    let mut next = 0_u32;
    let number = |is_used: &bool| {
        is_used.then(|| {
            let number = next;
            next = next.saturating_add(1);
            number
        })
    };
    used.iter().map(number).collect()
}

struct Writer<F> {
    called: Called,
    numbers: Vec<Option<u32>>,
    /// How many functions were seen: those that are imported come first.
    next: usize,
    keep: F,
}

impl<F> Writer<F> {
    fn is_used(&self, function: usize) -> bool {
        self.numbers.get(function).is_some_and(Option::is_some)
    }

    /// Counts a function, and says whether it is used.
    fn takes_next(&mut self) -> bool {
        let function = self.next;
        self.next = self.next.saturating_add(1);
        self.is_used(function)
    }
}

impl<F: Fn(&str) -> bool> Reencode for Writer<F> {
    type Error = TrimError;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<TrimError>> {
        let known = usize::try_from(self.called.at(function)).ok();
        let number = known.and_then(|function| self.numbers.get(function).copied().flatten());
        number.ok_or_else(|| {
            Error::UserError(TrimError::Unreadable(format!("there is no function {function}")))
        })
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: ImportSectionReader<'_>,
    ) -> Result<(), Error<TrimError>> {
        for import in section.into_imports() {
            let import = import?;
            let is_function = matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_));
            if !is_function || self.takes_next() {
                utils::parse_import(self, imports, import)?;
            }
        }
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error<TrimError>> {
        let mut function = self.next;
        for kind in section {
            let kind = kind?;
            if self.is_used(function) {
                functions.function(self.type_index(kind)?);
            }
            function = function.saturating_add(1);
        }
        Ok(())
    }

    fn parse_export(
        &mut self,
        exports: &mut ExportSection,
        export: Export<'_>,
    ) -> Result<(), Error<TrimError>> {
        match (self.keep)(export.name) {
            true => utils::parse_export(self, exports, export),
            false => Ok(()),
        }
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), Error<TrimError>> {
        for body in section {
            let body = body?;
            if self.takes_next() {
                utils::parse_function_body(self, code, body)?;
            }
        }
        Ok(())
    }

    /// Names of functions go by their numbers, and are no part of what is shipped.
    fn parse_custom_section(
        &mut self,
        module: &mut Module,
        section: CustomSectionReader<'_>,
    ) -> Result<(), Error<TrimError>> {
        match matches!(section.as_known(), KnownCustom::Name(_)) {
            true => Ok(()),
            false => utils::parse_custom_section(self, module, section),
        }
    }
}
