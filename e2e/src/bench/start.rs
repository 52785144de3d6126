//! What it costs to start and to be there: processor time until Envoy is ready, and memory, for some policies and some
//! numbers of workers.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use scopegate_bundle::{Baker, Options};
use serde_json::Value;

use super::policies::{PROVIDER, with_routes};
use super::{BenchError, process};
use crate::envoy::Envoy;
use crate::envoy::bootstrap::{Listener, bootstrap, plugin};
use crate::mint::Mint;
use scopegate_harness::keys::Algorithm;

/// An Envoy that was started.
#[derive(Debug, Clone)]
pub struct Started {
    /// What it was started with.
    pub name: String,
    /// Its workers.
    pub workers: u32,
    /// Milliseconds of processor time until it was ready.
    pub milliseconds: f64,
    /// Megabytes of memory once it was ready.
    pub megabytes: f64,
}

/// How often each is started; the least counts, because nothing makes a start cheaper than it is.
const TRIES: u32 = 3;

/// Starts Envoy with nothing, and with policies of several sizes.
pub(super) fn measure(program: &Path, module: &Path) -> Result<Vec<Started>, BenchError> {
    let mut started = Vec::new();
    for workers in [1, 4, 16] {
        started.push(start(program, "no filter", vec![], workers)?);
        started.push(start(
            program,
            "scopegate, 23 routes",
            guard(module, 23)?,
            workers,
        )?);
    }
    for routes in [1_000, 10_000] {
        let name = format!("scopegate, {routes} routes");
        started.push(start(program, &name, guard(module, routes)?, 1)?);
        let folder = tempfile::tempdir()?;
        let name = format!("a bundle, {routes} routes");
        started.push(start(program, &name, bundle(module, routes, folder.path())?, 1)?);
    }
    Ok(started)
}

fn guard(module: &Path, routes: usize) -> Result<Vec<Value>, BenchError> {
    Ok(vec![plugin(
        module,
        &policy(routes)?.to_string(),
        &BTreeMap::new(),
    )])
}

/// The same policy as part of the module, in a file in this folder.
fn bundle(module: &Path, routes: usize, folder: &Path) -> Result<Vec<Value>, BenchError> {
    let options = Options {
        open: Vec::new(),
        by: "bench".to_owned(),
        at: None,
    };
    let policy = policy(routes)?;
    let made = Baker::new(std::fs::read(module)?).and_then(|baker| baker.bake(&policy, &options));
    let path = folder.join("bundle.wasm");
    std::fs::write(&path, made.map_err(io::Error::other)?)?;
    Ok(vec![plugin(&path, "", &BTreeMap::new())])
}

fn policy(routes: usize) -> Result<Value, BenchError> {
    let mut policy = with_routes(routes);
    Mint::install(&mut policy, PROVIDER, &[Algorithm::ES256])?;
    Ok(policy)
}

fn start(program: &Path, name: &str, filters: Vec<Value>, workers: u32) -> Result<Started, BenchError> {
    let listener = Listener::new("bench", filters).answering_at_once().plain();
    let bootstrap = bootstrap(&[listener], SocketAddr::from(([127, 0, 0, 1], 9)));
    let mut best: Option<(f64, f64)> = None;
    for _ in 0..TRIES {
        let envoy = Envoy::start_with_workers(program, &bootstrap, Path::new("."), &[], workers)?;
        let time = process::processor_time(envoy.id())?.as_secs_f64() * 1e3;
        let memory =
            f64::from(u32::try_from(process::resident_kilobytes(envoy.id())?).unwrap_or(u32::MAX)) / 1024.0;
        best = Some(best.map_or((time, memory), |(least, small)| {
            (least.min(time), small.min(memory))
        }));
    }
    let (milliseconds, megabytes) = best.unwrap_or_default();
    Ok(Started {
        name: name.to_owned(),
        workers,
        milliseconds,
        megabytes,
    })
}
