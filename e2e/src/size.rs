//! The size of the module and what it imports, held against what was promised.

use std::fs;
use std::path::Path;

use scopegate_host_tests::Module;

/// The most that the module may weigh, in bytes, as the compiler makes it: 1.5 MB without the expressions of `when`, which
/// take about 120,000, nor the tables of keys, which take 31,000, and some to spare. With them it may weigh 2.5 MB.
const BUDGET: u64 = 1_750_000;

/// Shows size and imports; true if both keep what was promised.
///
/// # Errors
/// The module cannot be read or is none.
pub fn run(path: &Path) -> Result<bool, String> {
    let size = fs::metadata(path)
        .map_err(|error| format!("`{}`: {error}", path.display()))?
        .len();
    let module = Module::from_file(path).map_err(|error| error.to_string())?;
    let imports: Vec<String> = module
        .imports()
        .iter()
        .map(|import| format!("{}.{}", import.module, import.name))
        .collect();
    println!("{size} bytes of {BUDGET}");
    for import in &imports {
        println!("{import}");
    }
    let foreign: Vec<_> = imports.iter().filter(|import| !known(import)).collect();
    for import in &foreign {
        eprintln!("error: the module imports `{import}`, which some hosts lack");
    }
    if size > BUDGET {
        eprintln!("error: the module is larger than its budget");
    }
    Ok(size <= BUDGET && foreign.is_empty())
}

/// What every host has. `proxy_get_log_level` stops NGINX from loading a module (its arity differs there).
fn known(import: &str) -> bool {
    let proxy = import.starts_with("env.proxy_") && !import.ends_with("proxy_get_log_level");
    proxy || import.starts_with("wasi_snapshot_preview1.")
}
