//! Modules that differ in their data alone, as those do that were initialised before and written down: the code is compiled
//! once, and what a module starts with is laid into the memory of each machine.

use std::sync::Arc;

use wasm_encoder::{DataCountSection, DataSection, MemorySection, MemoryType, RawSection, SectionId};
use wasmparser::{BinaryReaderError, DataKind, Operator, Parser, Payload};

/// A module taken apart.
pub(crate) struct Parts {
    /// Its code: the module without the data that it starts with, and without memory.
    pub(crate) code: Vec<u8>,
    pub(crate) image: Arc<Image>,
}

/// What a module starts with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Image {
    /// The pages of its memory.
    pub(crate) pages: u64,
    /// What stands in it, and where.
    pub(crate) data: Vec<(usize, Vec<u8>)>,
}

/// Takes a module apart; nothing where it is none that can be: it has several memories, or data at a place that is not a
/// plain number.
pub(crate) fn take_apart(bytes: &[u8]) -> Option<Parts> {
    parts(bytes).ok().flatten()
}

fn parts(bytes: &[u8]) -> Result<Option<Parts>, BinaryReaderError> {
    let mut code = wasm_encoder::Module::new();
    let mut image = Image {
        pages: 0,
        data: Vec::new(),
    };
    let (passive, active) = data(bytes)?;
    let Some(active) = active else { return Ok(None) };
    image.data = active;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        let Some((id, range)) = payload.as_section() else {
            continue;
        };
        if let Payload::MemorySection(reader) = &payload {
            let mut memories = reader.clone().into_iter();
            let (Some(memory), None) = (memories.next().transpose()?, memories.next()) else {
                return Ok(None);
            };
            image.pages = memory.initial;
            let mut section = MemorySection::new();
            section.memory(MemoryType {
                minimum: 0,
                maximum: memory.maximum,
                memory64: memory.memory64,
                shared: memory.shared,
                page_size_log2: memory.page_size_log2,
            });
            code.section(&section);
        } else if let Payload::DataCountSection { .. } = payload {
            let count = u32::try_from(passive.len()).unwrap_or(u32::MAX);
            code.section(&DataCountSection { count });
        } else if let Payload::DataSection(_) = payload {
            let mut section = DataSection::new();
            for data in &passive {
                section.passive(data.iter().copied());
            }
            code.section(&section);
        } else if id != u8::from(SectionId::Custom) {
            let data = bytes.get(range).unwrap_or_default();
            code.section(&RawSection { id, data });
        }
    }
    Ok(Some(Parts {
        code: code.finish(),
        image: Arc::new(image),
    }))
}

type Active = Vec<(usize, Vec<u8>)>;

/// The data of a module: what its code may lay into memory itself, and what stands there from the beginning. Nothing of the
/// second kind where it comes before some of the first: numbers of the first would change.
fn data(bytes: &[u8]) -> Result<(Vec<Vec<u8>>, Option<Active>), BinaryReaderError> {
    let (mut passive, mut active) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(bytes) {
        let Payload::DataSection(reader) = payload? else {
            continue;
        };
        for data in reader {
            let data = data?;
            match data.kind {
                DataKind::Passive if active.is_empty() => passive.push(data.data.to_vec()),
                DataKind::Passive => return Ok((passive, None)),
                DataKind::Active {
                    memory_index: 0,
                    offset_expr,
                } => {
                    let mut operators = offset_expr.get_operators_reader();
                    let Operator::I32Const { value } = operators.read()? else {
                        return Ok((passive, None));
                    };
                    let place = usize::try_from(value.cast_unsigned()).unwrap_or(usize::MAX);
                    active.push((place, data.data.to_vec()));
                }
                DataKind::Active { .. } => return Ok((passive, None)),
            }
        }
    }
    Ok((passive, Some(active)))
}
