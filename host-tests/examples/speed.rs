//! How long it takes to open a host for a module, and to take a request through it.
//!
//! `cargo run -p scopegate-host-tests --example speed -- MODULE [CONFIGURATION [ROUNDS]]`

use std::error::Error;
use std::time::{Duration, Instant};

use scopegate_host_tests::{Clock, Host, Module, Request};

/// How often each thing is done unless told otherwise.
const ROUNDS: u32 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments
        .next()
        .ok_or("usage: speed MODULE [CONFIGURATION [ROUNDS]]")?;
    let configuration = arguments
        .next()
        .map(std::fs::read)
        .transpose()?
        .unwrap_or_default();
    let rounds = arguments
        .next()
        .map(|text| text.parse())
        .transpose()?
        .unwrap_or(ROUNDS);

    let (module, loading) = timed(|| Module::from_file(&path));
    let module = module?;
    println!("load the module               {loading:>12.1?}");
    let builder = || {
        Host::builder(&module)
            .clock(Clock::virtual_at(1_790_000_000))
            .configuration(&configuration)
    };
    let mut host = builder().build()?;
    println!("configured                    {}", host.configured());
    println!("memory                        {} bytes", host.memory_bytes());
    let opening = mean(rounds, || drop(builder().build()));
    println!("open a host                   {opening:>12.1?}");
    let bare = mean(rounds, || drop(Host::builder(&module).build()));
    println!("open a host, no configuration {bare:>12.1?}");
    let request = || Request::get("api.example.com", "/orders");
    let asking = mean(rounds, || drop(host.request(request())));
    println!("take a request through it     {asking:>12.1?}");
    println!("fuel of a request             {}", host.request(request()).fuel);
    Ok(())
}

fn mean(rounds: u32, mut work: impl FnMut()) -> Duration {
    let ((), all) = timed(|| (0..rounds).for_each(|_| work()));
    all.checked_div(rounds).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "this measures")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}
