//! Bundles in the wasmtime host as an executor: each policy is made part of the module before it decides, and the module is
//! given no configuration.

use std::fmt::Display;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use scopegate_bundle::{Baker, BundleError, Options, Proxies};
use scopegate_document::json;
use scopegate_host_tests::{Module, Profile};

use crate::exchange::{Answer, Request};
use crate::executor::{Executor, ExecutorError, Prepared, Session, Setup};
use crate::upstream::Rule;
use crate::wasm::WasmSession;

/// The number of codes that bundles of one plugin have: with the compiler of policies, and without.
const CODES: usize = 2;

/// The plugin, of which a bundle is made for each policy.
#[derive(Debug)]
pub struct Bundled {
    baker: Baker,
    /// The codes that these bundles have, each compiled once.
    codes: Mutex<Vec<Module>>,
    proxy: Profile,
}

impl Bundled {
    /// Takes in the plugin's module in the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is none that bundles are made of.
    pub fn from_file(path: &Path) -> Result<Self, ExecutorError> {
        let name = path.display().to_string();
        let plugin = std::fs::read(path);
        Self::from_bytes(plugin.map_err(|error| unloadable(&name, &error))?, &name)
    }

    /// Takes in the plugin's module, which messages call `name`.
    ///
    /// # Errors
    /// When it is none that bundles are made of.
    pub fn from_bytes(plugin: Vec<u8>, name: &str) -> Result<Self, ExecutorError> {
        Ok(Self {
            baker: Baker::new(plugin)
                .map_err(|error| unloadable(name, &error))?
                .for_tests(),
            codes: Mutex::default(),
            proxy: Profile::Envoy,
        })
    }

    /// The bundles in a host that behaves like this proxy; like Envoy where nothing is said.
    #[must_use]
    pub fn in_proxy(self, proxy: Profile) -> Self {
        Self { proxy, ..self }
    }

    /// The bundle of a policy, as bytes.
    ///
    /// # Errors
    /// When the policy is refused.
    pub fn bytes(&self, policy: &[u8], options: &Options) -> Result<Vec<u8>, BundleError> {
        let document = json::parse(policy).map_err(|error| BundleError::Policy(vec![error.to_string()]))?;
        self.baker.bake(&document, options)
    }

    fn module(&self, policy: &[u8]) -> Result<Module, BundleError> {
        let options = Options {
            open: Vec::new(),
            proxies: match self.proxy {
                Profile::Envoy => Proxies::Envoy,
                Profile::Nginx | Profile::Spec => Proxies::Any,
            },
            by: concat!("scopegate ", env!("CARGO_PKG_VERSION")).to_owned(),
            at: None,
        };
        let bytes = self.bytes(policy, &options)?;
        let codes = || self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = codes().clone();
        if let Some(module) = known.iter().find_map(|code| code.with_data_of(&bytes)) {
            return Ok(module);
        }
        let module = Module::shared(&bytes).map_err(|error| BundleError::Machine(error.to_string()))?;
        if known.len() < CODES {
            codes().push(module.clone());
        }
        Ok(module)
    }
}

fn unloadable(name: &str, cause: &dyn Display) -> ExecutorError {
    ExecutorError::Failed(format!("cannot load `{name}`\n  {cause}"))
}

fn failed(error: BundleError) -> ExecutorError {
    ExecutorError::Failed(error.to_string())
}

impl Executor for Bundled {
    fn name(&self) -> &str {
        "bundle"
    }

    fn open(&self, setup: &Setup) -> Result<Box<dyn Session + '_>, ExecutorError> {
        let module = self.module(&setup.policy).map_err(failed)?;
        Ok(Box::new(self.session(&module, setup)?))
    }

    fn prepare<'e>(&'e self, setup: &'e Setup) -> Result<Box<dyn Prepared + 'e>, ExecutorError> {
        Ok(Box::new(Made {
            module: self.module(&setup.policy).map_err(failed)?,
            executor: self,
            setup,
        }))
    }
}

impl Bundled {
    fn session(&self, module: &Module, setup: &Setup) -> Result<BundleSession<'_>, ExecutorError> {
        Ok(BundleSession {
            executor: self,
            session: WasmSession::of_bundle(module, self.proxy, setup)?,
        })
    }
}

/// The bundle of a policy, ready to be started.
struct Made<'e> {
    module: Module,
    executor: &'e Bundled,
    setup: &'e Setup,
}

impl Prepared for Made<'_> {
    fn open(&self) -> Result<Box<dyn Session + '_>, ExecutorError> {
        Ok(Box::new(self.executor.session(&self.module, self.setup)?))
    }
}

/// A bundle at work.
struct BundleSession<'e> {
    executor: &'e Bundled,
    session: WasmSession,
}

impl Session for BundleSession<'_> {
    fn decide(&mut self, request: &Request) -> Result<Answer, ExecutorError> {
        self.session.decide(request)
    }

    fn answer(&mut self, upstream: &str, rules: Vec<Rule>) -> Result<(), ExecutorError> {
        self.session.answer(upstream, rules)
    }

    fn advance(&mut self, seconds: u64) -> Result<(), ExecutorError> {
        self.session.advance(seconds)
    }

    /// Another policy is another bundle. Of a policy that is refused none can be made, and the old one stays.
    fn reconfigure(&mut self, policy: &[u8]) -> Result<bool, ExecutorError> {
        match self.executor.module(policy) {
            Ok(module) => self.session.replace(&module).map(|()| true),
            Err(BundleError::Policy(_)) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}
