//! A real NGINX with ngx_wasm_module: named by the environment, started on loopback, and ended with its handle. How it is
//! configured is said by those who start it.

pub mod executor;
mod process;

pub use process::{Nginx, NginxError, find, quoted};
