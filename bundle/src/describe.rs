//! What a module says of itself when it is asked: not a section that somebody wrote, but the engine that decides.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasmtime::{Engine, Module};

use crate::Open;
use crate::host::{ASK_FUEL, Haste, Machine, Started, engine};
use crate::module::ReadError;

/// The function by which a module is asked.
pub(crate) const FUNCTION: &str = "scopegate_describe";

/// How a policy stands in a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Compiled: the proxy starts with it at once.
    Compiled,
    /// As its text, compiled when the proxy starts: it takes secrets from the proxy's environment.
    Document,
}

/// What a module says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Described {
    /// The version of the plugin.
    pub plugin: String,
    /// Name, version and digest of the policy in force, as audit records show them.
    pub policy: Option<Value>,
    /// How that policy stands in it.
    pub form: Option<Form>,
    /// What a proxy may set.
    pub open: Option<Vec<Open>>,
}

/// Starts a module and asks it.
pub(crate) fn ask(bytes: &[u8]) -> Result<Described, ReadError> {
    let setup = |error: wasmtime::Error| ReadError::Silent(first_line(&error));
    let engine: Engine = engine(Haste::Great).map_err(setup)?;
    let module = Module::new(&engine, bytes).map_err(setup)?;
    let mut started =
        Started::new(&engine, &module, Machine::new(Vec::new(), Vec::new()), ASK_FUEL).map_err(setup)?;
    describe(&mut started)
}

/// Asks a module that was started.
pub(crate) fn describe(started: &mut Started) -> Result<Described, ReadError> {
    let failed = |error: wasmtime::Error| ReadError::Silent(first_line(&error));
    started.call(FUNCTION).map_err(failed)?;
    let lines = &started.store.data().log;
    let described = lines.last().and_then(|(_, line)| serde_json::from_str(line).ok());
    described.ok_or_else(|| ReadError::Silent("it says nothing that can be read".to_owned()))
}

/// The first line of what the engine of this machine says: the rest is a trace of calls.
pub(crate) fn first_line(error: &wasmtime::Error) -> String {
    let text = error.root_cause().to_string();
    text.lines().next().unwrap_or_default().to_owned()
}
