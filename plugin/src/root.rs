//! The root context: one policy in force, or none. A bad new configuration never loosens the old one.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use scopegate_document::PolicyError;
use scopegate_engine::{Compiled, Engine};

use crate::environment::Environment;
use crate::host::{self, Level};
use crate::metrics::Metrics;
use crate::stream::Stream;

/// What all streams of a root share.
#[derive(Debug, Default)]
pub(crate) struct State {
    engine: RefCell<Option<Rc<Engine>>>,
    pub(crate) metrics: Metrics,
    served: Cell<u64>,
}

impl State {
    /// The policy in force; `None` before the first good configuration.
    pub(crate) fn engine(&self) -> Option<Rc<Engine>> {
        self.engine.borrow().clone()
    }

    /// A number that no other stream of this root has.
    pub(crate) fn next_number(&self) -> u64 {
        let number = self.served.get();
        self.served.set(number.wrapping_add(1));
        number
    }
}

/// The root context.
#[derive(Debug)]
pub(crate) struct Root {
    state: Rc<State>,
}

impl Root {
    pub(crate) const fn new(state: Rc<State>) -> Self {
        Self { state }
    }

    /// Puts the policy in force, or says why not.
    fn install(&self, text: &[u8]) -> Result<(), Vec<String>> {
        let Compiled { engine, notices } = Engine::from_json(text, &Environment).map_err(shown)?;
        let policy = engine.policy().to_string();
        *self.state.engine.borrow_mut() = Some(Rc::new(engine));
        say(
            Level::Info,
            &format!("scopegate: the policy {policy} is in force"),
        );
        for notice in notices {
            let message = format!("scopegate: {}: {} ({})", notice.path, notice.message, notice.help);
            say(Level::Warn, &message);
        }
        Ok(())
    }
}

fn shown(errors: Vec<PolicyError>) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// A line for the operator. Where even the log fails there is nobody to tell, and nothing is loosened.
fn say(level: Level, message: &str) {
    let _ = host::log(level, message);
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let installed = match host::configuration() {
            Ok(text) => self.install(&text),
            Err(error) => Err(vec![format!("{} answered {}", error.function, error.status)]),
        };
        let Err(faults) = installed else { return true };
        for fault in &faults {
            say(
                Level::Error,
                &format!("scopegate: the policy is refused: {fault}"),
            );
        }
        let kept = match self.state.engine().is_some() {
            true => "scopegate: the policy before it stays in force",
            false => "scopegate: no policy is in force: every request is refused",
        };
        say(Level::Error, kept);
        false
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(Rc::clone(&self.state))))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
