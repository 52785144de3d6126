//! What it costs to start and to be there: processor time until Envoy is ready, and memory, for some policies and some
//! numbers of workers.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use scopegate_bundle::{Baker, Options, Proxies};
use serde_json::Value;

use super::native::one_call_module;
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
    /// Milliseconds on the clock until it was ready.
    pub wall: f64,
    /// Megabytes of memory once it was ready.
    pub megabytes: f64,
}

/// How often each is started; the least counts, because nothing makes a start cheaper than it is.
const TRIES: u32 = 3;

/// Starts Envoy with nothing, and with policies of several sizes.
pub(super) fn measure(program: &Path, module: &Path) -> Result<Vec<Started>, BenchError> {
    let mut started = Vec::new();
    let folder = tempfile::tempdir()?;
    let floor = plugin(&one_call_module(folder.path())?, "", &BTreeMap::new());
    started.push(start(program, "Wasm, one host call", vec![floor], 1)?);
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
        proxies: Proxies::Envoy,
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

#[expect(
    clippy::disallowed_methods,
    reason = "how long a start takes is what is measured"
)]
fn start(program: &Path, name: &str, filters: Vec<Value>, workers: u32) -> Result<Started, BenchError> {
    let listener = Listener::new("bench", filters).answering_at_once().plain();
    let bootstrap = bootstrap(&[listener], SocketAddr::from(([127, 0, 0, 1], 9)));
    let mut best = [f64::MAX; 3];
    for _ in 0..TRIES {
        let clock = Instant::now();
        let envoy = Envoy::start_with_workers(program, &bootstrap, Path::new("."), &[], workers)?;
        let wall = clock.elapsed().as_secs_f64() * 1e3;
        let time = process::processor_time(envoy.id())?.as_secs_f64() * 1e3;
        let memory =
            f64::from(u32::try_from(process::resident_kilobytes(envoy.id())?).unwrap_or(u32::MAX)) / 1024.0;
        for (best, one) in best.iter_mut().zip([time, wall, memory]) {
            *best = best.min(one);
        }
    }
    let [milliseconds, wall, megabytes] = best;
    Ok(Started {
        name: name.to_owned(),
        workers,
        milliseconds,
        wall,
        megabytes,
    })
}
