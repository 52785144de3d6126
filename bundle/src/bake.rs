//! Making a bundle: the plugin's module takes in a policy, and its memory becomes part of a new module.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use scopegate_engine::digest;
use scopegate_trim::{Cut, Proxies};
use serde_json::Value;
use wasm_encoder::{CustomSection, Encode as _, Section as _};
use wasmtime::{Extern, Module, Val};
use wasmtime_wizer::{InstanceState, SnapshotVal, ValType, Wizer};

use crate::describe::{Form, first_line};
use crate::host::{ASK_FUEL, BAKE_FUEL, Haste, Machine, Started, engine};
use crate::inline::{InlineSecret, inline_secrets};
use crate::manifest::{self, Built, Manifest, Open, PluginFacts, PolicyFacts};
use crate::module::{self, INTEGRITY, MANIFEST, POLICY, ReadError};

/// The function by which a module takes in a policy.
const BAKE: &str = "scopegate_bake";

/// The function that stands in the place of `_initialize` in a bundle: all is initialised.
const WAKE: &str = "scopegate_wake";

/// The function by which a module compiles the text of a policy.
const COMPILE: &str = "scopegate_compile";

/// The function that stands in its place where there is nothing left to compile: it refuses.
const REFUSE: &str = "scopegate_refuse";

/// Levels of the log from here on are faults (Proxy-Wasm ABI 0.2.1, `proxy_log_level_t`).
const ERROR: u32 = 4;

/// Why a bundle cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The module is none that bundles are made of.
    #[error("this module is no plugin that bundles are made of: {0}")]
    Plugin(String),
    /// The policy is refused.
    #[error("the policy is refused: {}", .0.join("; "))]
    Policy(Vec<String>),
    /// Secrets stand in the policy, and would stand in the bundle.
    #[error("a bundle keeps no secret: {}", shown(.0))]
    Secrets(Vec<InlineSecret>),
    /// The machine on which it is made failed.
    #[error("cannot make the bundle: {0}")]
    Machine(String),
}

/// How a bundle is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What a proxy's configuration may set.
    pub open: Vec<Open>,
    /// The proxies that it is for: the callbacks that only others need are left out.
    pub proxies: Proxies,
    /// The tool that makes it, with its version.
    pub by: String,
    /// The time to be recorded, in Unix seconds; none by default, so that the same input gives the same bytes.
    pub at: Option<u64>,
}

/// Makes bundles of one plugin, which is compiled once.
pub struct Baker {
    wizer: Wizer,
    plugin: Vec<u8>,
    engine: wasmtime::Engine,
    /// The plugin, changed so that its memory can be read.
    module: Module,
    facts: PluginFacts,
    takes_secrets: bool,
}

impl std::fmt::Debug for Baker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Baker")
            .field("plugin", &self.facts)
            .finish_non_exhaustive()
    }
}

impl Baker {
    /// Takes in the plugin's module.
    ///
    /// # Errors
    /// It is none, it is a bundle already, or it cannot be compiled here.
    pub fn new(plugin: Vec<u8>) -> Result<Self, BundleError> {
        let fault = |error: wasmtime::Error| BundleError::Plugin(first_line(&error));
        let read =
            module::read(&plugin).map_err(|error: ReadError| BundleError::Plugin(error.to_string()))?;
        if ![BAKE, WAKE, COMPILE, REFUSE]
            .iter()
            .all(|name| read.exports(name))
        {
            let what = match read.is_bundle() {
                true => "it is a bundle, with a policy of its own",
                false => "it takes in no policy",
            };
            return Err(BundleError::Plugin(what.to_owned()));
        }
        let mut wizer = Wizer::new();
        wizer.init_func(BAKE).func_rename("_initialize", WAKE);
        let (_, instrumented) = wizer.instrument(&plugin).map_err(fault)?;
        let engine = engine(Haste::None).map_err(|error| BundleError::Machine(first_line(&error)))?;
        let module = Module::new(&engine, &instrumented).map_err(fault)?;
        let mut started =
            Started::new(&engine, &module, Machine::new(Vec::new(), Vec::new()), ASK_FUEL).map_err(fault)?;
        let described = crate::describe::describe(&mut started);
        let described = described.map_err(|error| BundleError::Plugin(error.to_string()))?;
        Ok(Self {
            facts: PluginFacts {
                version: described.plugin,
                digest: module::digest(&plugin),
            },
            wizer,
            plugin,
            engine,
            module,
            takes_secrets: false,
        })
    }

    /// Makes bundles of policies that secrets stand in, too: for tests, whose keys are nobody's.
    #[must_use]
    pub fn for_tests(self) -> Self {
        Self {
            takes_secrets: true,
            ..self
        }
    }

    /// Makes the bundle of a policy.
    ///
    /// # Errors
    /// The policy is refused, secrets stand in it, or the machine failed.
    pub fn bake(&self, policy: &Value, options: &Options) -> Result<Vec<u8>, BundleError> {
        let secrets = inline_secrets(policy);
        if !self.takes_secrets && !secrets.is_empty() {
            return Err(BundleError::Secrets(secrets));
        }
        let mut open = options.open.clone();
        open.sort_unstable();
        open.dedup();
        let text = digest::canonical(policy);
        let names: Vec<&str> = open.iter().map(|open| open.name()).collect();
        let machine = Machine::new(
            text.clone().into_bytes(),
            Value::from(names).to_string().into_bytes(),
        );
        let fault = |error: wasmtime::Error| BundleError::Machine(first_line(&error));
        let mut started = Started::new(&self.engine, &self.module, machine, BAKE_FUEL).map_err(fault)?;
        if let Err(error) = started.call(BAKE) {
            let faults = faults(&started);
            return Err(match faults.is_empty() {
                true => fault(error),
                false => BundleError::Policy(faults),
            });
        }
        // Before anything else runs in it: the module has sealed its memory.
        let (context, _) = self.wizer.instrument(&self.plugin).map_err(fault)?;
        let bytes = ready(self.wizer.snapshot(&context, &mut started)).map_err(fault)?;
        let described = crate::describe::describe(&mut started);
        let described = described.map_err(|error| BundleError::Machine(error.to_string()))?;
        let manifest = self.manifest(policy, open, described.form, options);
        let bytes = cut(manifest.form, options.proxies)
            .apply(&bytes)
            .map_err(|error| BundleError::Machine(error.to_string()))?;
        Ok(with_sections(bytes, &manifest, &text))
    }

    fn manifest(&self, policy: &Value, open: Vec<Open>, form: Option<Form>, options: &Options) -> Manifest {
        let text = |path: &str| policy.pointer(path).and_then(Value::as_str).map(str::to_owned);
        Manifest {
            bundle: manifest::VERSION,
            policy: PolicyFacts {
                format: text("/scopegate").unwrap_or_default(),
                name: text("/metadata/name"),
                version: text("/metadata/version"),
                digest: digest::of(policy),
            },
            form: form.unwrap_or(Form::Document),
            open,
            upstreams: manifest::upstreams(policy),
            secrets: manifest::secrets(policy),
            plugin: self.facts.clone(),
            built: Built {
                by: options.by.clone(),
                at: options.at,
            },
        }
    }
}

/// What a bundle goes without: what its proxies do not need, and the compiler, unless its policy is compiled where it starts.
fn cut(form: Form, proxies: Proxies) -> Cut<'static> {
    Cut {
        proxies,
        closed: &[COMPILE, REFUSE],
        replaced: match form {
            Form::Compiled => Some((COMPILE, REFUSE)),
            Form::Document => None,
        },
    }
}

fn shown(secrets: &[InlineSecret]) -> String {
    let lines: Vec<String> = secrets.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

fn faults(started: &Started) -> Vec<String> {
    let lines = started.store.data().log.iter();
    let faults = lines.filter(|(level, _)| *level >= ERROR);
    faults.map(|(_, line)| line.clone()).collect()
}

/// The module with what a bundle says of itself behind it, and the digest of all before at the very end.
fn with_sections(mut bytes: Vec<u8>, manifest: &Manifest, policy: &str) -> Vec<u8> {
    let manifest = serde_json::to_value(manifest).unwrap_or_default();
    append(&mut bytes, MANIFEST, digest::canonical(&manifest).as_bytes());
    append(&mut bytes, POLICY, policy.as_bytes());
    let digest = module::digest(&bytes);
    append(&mut bytes, INTEGRITY, digest.as_bytes());
    bytes
}

fn append(bytes: &mut Vec<u8>, name: &str, data: &[u8]) {
    let section = CustomSection {
        name: name.into(),
        data: data.into(),
    };
    bytes.push(section.id());
    section.encode(bytes);
}

/// What a future comes to that waits for nothing.
fn ready<T>(future: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(wasmtime::Error::msg("the module waits for something")),
    }
}

/// What is read of a machine when its memory is written down. What is not there stands as nothing: the names are those
/// that were given to the module just before.
impl InstanceState for Started {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&mut self.store, name);
        let value = global.map(|global| global.get(&mut self.store));
        match value {
            Some(Val::I64(value)) => SnapshotVal::I64(value),
            Some(Val::F32(value)) => SnapshotVal::F32(value),
            Some(Val::F64(value)) => SnapshotVal::F64(value),
            Some(Val::V128(value)) => SnapshotVal::V128(value.as_u128()),
            Some(Val::I32(value)) => SnapshotVal::I32(value),
            Some(_) | None => SnapshotVal::I32(0),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        let memory = self
            .instance
            .get_export(&mut self.store, name)
            .and_then(Extern::into_memory);
        contents(memory.map(|memory| memory.data(&self.store)).unwrap_or_default());
    }
}
