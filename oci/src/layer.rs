//! A module as the one file of a container's layer. The same module gives the same bytes: no times, no owners, no names
//! of a machine.

use std::io::{self, Write as _};

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

/// The name under which proxies' control planes look for a module in a layer.
const FILE: &str = "plugin.wasm";

/// "Unknown", as the operating system of a gzip member (RFC 1952 section 2.3.1).
const NO_SYSTEM: u8 = 255;

/// A layer, and the same before it was compressed.
pub(crate) struct Layer {
    pub(crate) archive: Vec<u8>,
    pub(crate) compressed: Vec<u8>,
}

/// The layer that holds `module` as `plugin.wasm`.
pub(crate) fn of(module: &[u8]) -> io::Result<Layer> {
    let archive = archive(module)?;
    let compressed = compress(&archive)?;
    Ok(Layer { archive, compressed })
}

fn archive(module: &[u8]) -> io::Result<Vec<u8>> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(u64::try_from(module.len()).map_err(io::Error::other)?);
    let mut builder = Builder::new(Vec::new());
    builder.append_data(&mut header, FILE, module)?;
    builder.into_inner()
}

fn compress(archive: &[u8]) -> io::Result<Vec<u8>> {
    let builder = GzBuilder::new().mtime(0).operating_system(NO_SYSTEM);
    let mut encoder = builder.write(Vec::new(), Compression::best());
    encoder.write_all(archive)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::of;

    #[test]
    fn a_layer_holds_the_module_under_the_name_that_is_looked_for_and_nothing_else() {
        let layer = of(b"\0asm module").unwrap();
        let mut archive = tar::Archive::new(GzDecoder::new(layer.compressed.as_slice()));
        let mut files = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.path().unwrap().display().to_string(), bytes)
        });
        assert_eq!(
            files.next(),
            Some(("plugin.wasm".to_owned(), b"\0asm module".to_vec()))
        );
        assert_eq!(files.next(), None);
    }

    #[test]
    fn the_same_module_gives_the_same_layer() {
        assert_eq!(
            of(b"module").unwrap().compressed,
            of(b"module").unwrap().compressed
        );
        assert_ne!(
            of(b"module").unwrap().compressed,
            of(b"another").unwrap().compressed
        );
    }
}
