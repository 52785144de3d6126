//! The root context: one policy in force, or none. A bad new configuration never loosens the old one.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use scopegate_authn::HostSignatures;
use scopegate_engine::Compiled;

use crate::baked::{self, Ready};
use crate::callout::Received;
use crate::clock::Time;
use crate::compile::compile;
use crate::environment::{self, Environment};
use crate::host::{self, HostError, Level};
use crate::log::{say, set_least};
use crate::metrics::Metrics;
use crate::opened::Opened;
use crate::policy::Policy;
use crate::proxy::Proxy;
use crate::question::Questions;
use crate::shared;
use crate::signatures::Envoy;
use crate::stream::Stream;
use crate::waiting::Over;

/// How often the root is called, in milliseconds. So long may the first request after a start, or after a rotation of
/// keys, wait before a fetch begins.
const TICK_MILLISECONDS: u32 = 100;

/// What all streams of a root share.
#[derive(Debug, Default)]
pub(crate) struct State {
    policy: RefCell<Option<Rc<Policy>>>,
    pub(crate) metrics: Metrics,
    pub(crate) questions: Questions,
    /// The host, once a request told which it is.
    proxy: Cell<Option<Proxy>>,
    /// The host's word on signatures, once a request told that it gives one.
    signatures: OnceCell<Rc<HostSignatures>>,
    served: Cell<u64>,
    ticks: Cell<bool>,
}

impl State {
    /// The policy in force; `None` before the first good configuration.
    pub(crate) fn policy(&self) -> Option<Rc<Policy>> {
        self.policy.borrow().clone()
    }

    /// The host. Asked by a request.
    pub(crate) fn proxy(&self) -> Result<Proxy, HostError> {
        if let Some(known) = self.proxy.get() {
            return Ok(known);
        }
        let proxy = Proxy::of_request()?;
        self.proxy.set(Some(proxy));
        if proxy == Proxy::Nginx {
            self.limit();
        }
        Ok(proxy)
    }

    /// From now on nothing is done that ngx_wasm_module would fail for.
    fn limit(&self) {
        self.metrics.limit();
        shared::limit();
    }

    /// The host's word on signatures. ngx_wasm_module has no such function, and traps where one asks for it: only a host
    /// that a request told to be Envoy is asked.
    pub(crate) fn host_signatures(&self) -> Option<&Rc<HostSignatures>> {
        let is_envoy = self.proxy.get() == Some(Proxy::Envoy);
        is_envoy.then(|| {
            self.signatures
                .get_or_init(|| Rc::new(HostSignatures::new(Box::new(Envoy))))
        })
    }

    /// Whether a request told that the host is NGINX.
    pub(crate) fn is_nginx(&self) -> bool {
        self.proxy.get() == Some(Proxy::Nginx)
    }

    /// Takes the answer to a question, and lets its request go on. `false` where nobody asked.
    pub(crate) fn answered(&self, token: u32) -> bool {
        let taken = match Time::now().believed() {
            Some(now) => self
                .questions
                .take(token, now)
                .map(|(stream, answer)| (stream, Some(answer))),
            None => self.questions.give_up(token).map(|stream| (stream, None)),
        };
        let Some((stream, answer)) = taken else {
            return false;
        };
        stream.answer(answer);
        true
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
    fn install(&self, ready: Ready) -> Result<(), Vec<String>> {
        let Ready {
            engine,
            notices,
            opened,
        } = ready;
        if Proxy::seems_nginx() {
            self.state.limit();
            engine
                .fault_without_removal()
                .map_or(Ok(()), |fault| Err(vec![fault]))?;
        }
        let has_ticks = self.start_ticking();
        if engine.authenticator().upstreams().next().is_some() {
            // Without ticks nothing is fetched; nothing but counting depends on them otherwise.
            has_ticks?;
        }
        set_least(opened.least.unwrap_or(Level::Info));
        let name = engine.policy().to_string();
        let replaced = self
            .state
            .policy
            .borrow_mut()
            .replace(Rc::new(Policy::new(engine, opened)));
        say(Level::Info, &format!("scopegate: the policy {name} is in force"));
        for notice in notices {
            let message = format!("scopegate: {}: {} ({})", notice.path, notice.message, notice.help);
            say(Level::Warn, &message);
        }
        // Whoever waited for the old policy is decided by the new one.
        resume(replaced.map(|policy| policy.waiting.all()).unwrap_or_default());
        Ok(())
    }

    /// Some hosts trap on a second period: it is set once, and never another.
    fn start_ticking(&self) -> Result<(), Vec<String>> {
        if self.state.ticks.get() {
            return Ok(());
        }
        let started = host::set_tick_period(TICK_MILLISECONDS);
        started.map_err(|error| vec![format!("{} answered {}", error.function, error.status)])?;
        self.state.ticks.set(true);
        Ok(())
    }
}

/// The policy that a configuration is, or that this bundle is.
fn policy(configuration: Vec<u8>) -> Result<Ready, Vec<String>> {
    if let Some(baked) = baked::policy(&configuration) {
        return baked;
    }
    let text = environment::policy(configuration)?;
    let Compiled { engine, notices } = compile(&text, &Environment)?;
    Ok(Ready {
        engine: Rc::new(engine),
        notices,
        opened: Opened::default(),
    })
}

fn resume(streams: Vec<Over>) {
    streams.iter().for_each(|(stream, source)| stream.resume(*source));
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, _headers: usize, _body: usize, _trailers: usize) {
        // A question that was put for a request that was held before is answered here.
        if self.state.answered(token) {
            return;
        }
        let time = Time::now();
        let Some(policy) = self.state.policy() else { return };
        let Some(now) = time.believed() else {
            return policy.documents.forget(token);
        };
        let received = Received::take();
        let desk = policy.desk(&self.state.metrics, time, now);
        let Some(id) = policy.documents.receive(desk, token, &received) else {
            return;
        };
        if !policy.documents.is_coming(desk, id) {
            resume(policy.waiting.released(id));
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let installed = match host::configuration() {
            Ok(text) => policy(text).and_then(|ready| self.install(ready)),
            Err(error) => Err(vec![format!("{} answered {}", error.function, error.status)]),
        };
        let Err(faults) = installed else { return true };
        for fault in &faults {
            say(
                Level::Error,
                &format!("scopegate: the policy is refused: {fault}"),
            );
        }
        let kept = match self.state.policy().is_some() {
            true => "scopegate: the policy before it stays in force",
            false => "scopegate: no policy is in force: every request is refused",
        };
        say(Level::Error, kept);
        false
    }

    fn on_tick(&mut self) {
        let time = Time::now();
        // In NGINX an answer comes whatever becomes of the question, and from here no request can be reached.
        let unanswered = match self.state.is_nginx() {
            true => Vec::new(),
            false => self.state.questions.tick(),
        };
        let Some(policy) = self.state.policy() else { return };
        let Some(now) = time.believed() else {
            // Without a clock nothing is fetched, and nobody waits for what is not fetched.
            return resume(policy.waiting.all());
        };
        let desk = policy.desk(&self.state.metrics, time, now);
        policy.tick(desk);
        resume(policy.waiting.tick(|id| policy.documents.is_coming(desk, id)));
        unanswered.iter().for_each(|stream| stream.answer(None));
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(context_id, Rc::clone(&self.state))))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
