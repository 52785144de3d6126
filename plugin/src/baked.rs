//! A policy that is part of the module: a bundle. It was read and compiled once, when the bundle was made, and the memory
//! of the module was written to a file; a proxy that loads that file has it at once.
//!
//! What makes a bundle gives the policy where a proxy gives the configuration, answers no question about the time, chance
//! or the environment, and then stops the module for good. So nothing of that machine, and nothing random, can be baked in.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use scopegate_authn::{Notice, Secrets};
use scopegate_engine::{Compiled, Engine};
use serde_json::{Value, json};

use crate::compile::compile;
use crate::environment::Environment;
use crate::host::{self, Level};
use crate::log::say;
use crate::opened::{Field, Opened};

thread_local! {
    /// The policy of this bundle; nothing in a module that is none.
    static BAKED: OnceCell<Baked> = const { OnceCell::new() };
}

/// A policy that was put into the module, and what a proxy may set.
struct Baked {
    form: Form,
    name: Value,
    open: Vec<Field>,
}

/// How a policy stands in a bundle.
enum Form {
    /// Ready to decide.
    Compiled(Rc<Engine>, Vec<Notice>),
    /// As its text: it takes secrets from the environment of the proxy, which are nobody's business before.
    Document(Vec<u8>),
}

impl Form {
    const fn name(&self) -> &'static str {
        match self {
            Self::Compiled(..) => "compiled",
            Self::Document(_) => "document",
        }
    }
}

/// A policy ready to be put in force.
pub(crate) struct Ready {
    pub(crate) engine: Rc<Engine>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) opened: Opened,
}

/// The policy of this bundle, with what `configuration` sets; nothing in a module that is no bundle.
pub(crate) fn policy(configuration: &[u8]) -> Option<Result<Ready, Vec<String>>> {
    BAKED.with(|baked| baked.get().map(|baked| baked.ready(configuration)))
}

impl Baked {
    fn ready(&self, configuration: &[u8]) -> Result<Ready, Vec<String>> {
        let (engine, notices) = match &self.form {
            Form::Compiled(engine, notices) => (Rc::clone(engine), notices.clone()),
            Form::Document(text) => {
                let Compiled { engine, notices } = compile(text, &Environment)?;
                (Rc::new(engine), notices)
            }
        };
        let known: Vec<&str> = engine.authenticator().upstreams().collect();
        let opened = Opened::read(configuration, &self.open, &known)?;
        Ok(Ready {
            engine,
            notices,
            opened,
        })
    }

    /// # Errors
    /// What is wrong with the policy, or with the list of open fields.
    fn from_host() -> Result<Self, Vec<String>> {
        let read = |read: Result<Vec<u8>, host::HostError>| {
            read.map_err(|error| vec![format!("{} answered {}", error.function, error.status)])
        };
        let open = Field::list(&read(host::vm_configuration())?).map_err(|fault| vec![fault])?;
        let text = read(host::configuration())?;
        let secrets = Missing::default();
        let compiled = compile(&text, &secrets);
        if !secrets.was_asked.get() {
            let Compiled { engine, notices } = compiled?;
            return Ok(Self {
                name: engine.policy().clone(),
                form: Form::Compiled(Rc::new(engine), notices),
                open,
            });
        }
        // Whatever else is wrong with it is known before it is somewhere in force.
        let Compiled { engine, .. } = compile(&text, &Placeholders)?;
        Ok(Self {
            name: engine.policy().clone(),
            form: Form::Document(text),
            open,
        })
    }
}

/// The environment where bundles are made: empty, and it remembers that it was asked.
#[derive(Default)]
struct Missing {
    was_asked: Cell<bool>,
}

impl Secrets for Missing {
    fn get(&self, _: &str) -> Option<String> {
        self.was_asked.set(true);
        None
    }
}

/// Something in the place of every secret: long enough for any, and in force nowhere.
struct Placeholders;

impl Secrets for Placeholders {
    fn get(&self, _: &str) -> Option<String> {
        Some("A".repeat(86))
    }
}

/// Makes a bundle of this module: takes in the policy. What goes wrong is said in the log, and ends the module.
#[cfg_attr(
    not(target_family = "wasm"),
    expect(dead_code, reason = "called where bundles are made only")
)]
fn bake() {
    let baked = Baked::from_host();
    let faults = match baked {
        Ok(baked) => match BAKED.with(|place| place.set(baked)) {
            Ok(()) => return,
            Err(_) => vec!["there is a policy already".to_owned()],
        },
        Err(faults) => faults,
    };
    for fault in faults {
        say(Level::Error, &fault);
    }
    std::process::abort();
}

/// Says in the log what this module is: a line of JSON.
#[cfg_attr(
    not(target_family = "wasm"),
    expect(dead_code, reason = "called by those who look into a module only")
)]
fn describe() {
    let module = BAKED.with(|baked| {
        let baked = baked.get();
        let open = baked.map(|baked| baked.open.iter().map(|field| field.name()).collect::<Vec<_>>());
        json!({
            "plugin": env!("CARGO_PKG_VERSION"),
            "policy": baked.map(|baked| &baked.name),
            "form": baked.map(|baked| baked.form.name()),
            "open": open,
        })
    });
    say(Level::Info, &module.to_string());
}

/// What is called in a module by others than proxies.
#[cfg(target_family = "wasm")]
#[expect(unsafe_code, reason = "functions are exported by their names")]
mod exports {
    #[unsafe(no_mangle)]
    extern "C" fn scopegate_bake() {
        super::bake();
        crate::seal::close();
    }

    /// In a bundle this is `_initialize`, the first function that runs: everything was initialised before.
    #[unsafe(no_mangle)]
    extern "C" fn scopegate_wake() {
        crate::seal::check();
    }

    #[unsafe(no_mangle)]
    extern "C" fn scopegate_describe() {
        super::describe();
    }
}
