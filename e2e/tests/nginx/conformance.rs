//! The conformance module in a real NGINX: what it prints there is what the transcripts of `conformance/` say.

use std::env;
use std::path::{Path, PathBuf};

use scopegate_conformance::cases::{self, Proxy};
use scopegate_conformance::recorded::Recorded;
use scopegate_conformance::skips;
use scopegate_e2e::conformance::nginx;
use scopegate_e2e::nginx::find;

/// The module without the functions that ngx_wasm_module does not link.
fn module() -> PathBuf {
    let named = env::var_os("SCOPEGATE_CONFORMANCE_NGINX_WASM").map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let built = "target/wasm32-wasip1/release/scopegate_conformance_nginx.wasm";
    let module = named.unwrap_or_else(|| root.join(built));
    assert!(
        module.is_file(),
        "`{}` is absent: run `cargo xtask conformance`",
        module.display()
    );
    module
}

#[test]
fn the_transcripts_are_those_of_a_real_nginx() {
    let program = match find() {
        Ok(program) => program,
        Err(error) => {
            skips::not_run("the_transcripts_are_those_of_a_real_nginx", &error.to_string());
            return;
        }
    };
    let module = module();
    let mut recorded = Recorded::of(Proxy::Nginx);
    for case in cases::of(Proxy::Nginx).unwrap() {
        let transcript = nginx::run(&program, &module, &case).unwrap();
        recorded.compare(&case, &transcript);
    }
    recorded.assert_same();
}
