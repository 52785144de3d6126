//! A finished module without the callbacks that its proxies need not call, and without the code that only these reach.
//!
//! A proxy calls each callback that a module exports, on each request, also where it does nothing there. And it compiles
//! all of the code before it serves. Which callbacks a proxy needs stands here; what they do is the module's business.

#![forbid(unsafe_code)]

mod replaced;
mod used;
mod write;

/// The callbacks that every proxy needs of the plugin.
const NEEDED: [&str; 10] = [
    "proxy_on_memory_allocate",
    "proxy_on_context_create",
    "proxy_on_vm_start",
    "proxy_on_configure",
    "proxy_on_tick",
    "proxy_on_request_headers",
    "proxy_on_request_body",
    "proxy_on_request_trailers",
    "proxy_on_http_call_response",
    "proxy_on_delete",
];

/// Those that ngx_wasm_module calls without looking whether they are there; where one is not, the worker of NGINX crashes.
const NEEDED_IN_NGINX: [&str; 4] = [
    "proxy_on_response_headers",
    "proxy_on_response_body",
    "proxy_on_log",
    "proxy_on_done",
];

/// The proxies that a module is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Proxies {
    /// All that the plugin runs in.
    #[default]
    Any,
    /// Envoy, and what is built on it: Istio, Envoy Gateway. They leave out a callback that is not there.
    Envoy,
}

impl Proxies {
    /// Whether these proxies need an export of the plugin. All that is no callback is needed by somebody.
    pub fn need(self, export: &str) -> bool {
        let is_callback = export.starts_with("proxy_on_");
        !is_callback || NEEDED.contains(&export) || (self == Self::Any && NEEDED_IN_NGINX.contains(&export))
    }

    /// The proxies that a module with these exports is for.
    pub fn of<'e>(exports: impl IntoIterator<Item = &'e str>) -> Self {
        let exports: Vec<&str> = exports.into_iter().collect();
        match NEEDED_IN_NGINX.iter().all(|needed| exports.contains(needed)) {
            true => Self::Any,
            false => Self::Envoy,
        }
    }
}

/// Why nothing can be cut from a module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrimError {
    /// It is no module, or not a whole one.
    #[error("the module cannot be read: {0}")]
    Unreadable(String),
    /// It lacks a function that is replaced, or the one that should take its place does not fit.
    #[error("the module cannot be trimmed: {0}")]
    Unfit(String),
}

impl From<wasmparser::BinaryReaderError> for TrimError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Unreadable(format!("{} at byte {}", error.message(), error.offset()))
    }
}

/// The module without the callbacks that `proxies` do not need, and without the functions that only these use, nor their
/// names. What is left does what it did, and the same module gives the same bytes.
///
/// # Errors
/// It is no module.
pub fn trim(module: &[u8], proxies: Proxies) -> Result<Vec<u8>, TrimError> {
    Cut {
        proxies,
        ..Cut::default()
    }
    .apply(module)
}

/// What is cut from a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cut<'n> {
    /// The proxies that it is for.
    pub proxies: Proxies,
    /// Exports that are needed no more, by their names. Who calls these functions inside the module still does.
    pub closed: &'n [&'n str],
    /// An exported function that is called no more, and the one that is called in its place, by their names. What only the
    /// first reaches goes.
    pub replaced: Option<(&'n str, &'n str)>,
}

impl Cut<'_> {
    /// The module without what is cut, nor what only that reaches. The same module gives the same bytes.
    ///
    /// # Errors
    /// It is no module; or a function that is replaced is not there, or not of the same type as the other.
    pub fn apply(&self, module: &[u8]) -> Result<Vec<u8>, TrimError> {
        let called = match self.replaced {
            Some((old, new)) => Some(replaced::functions(module, old, new)?),
            None => None,
        };
        let called = Called(called);
        let keep = |export: &str| self.proxies.need(export) && !self.closed.contains(&export);
        let used = used::functions(module, called, keep)?;
        write::module(module, called, &used, keep)
    }
}

/// Which function is called where one is named.
#[derive(Debug, Clone, Copy)]
struct Called(Option<(u32, u32)>);

impl Called {
    fn at(self, function: u32) -> u32 {
        match self.0 {
            Some((old, new)) if old == function => new,
            Some(_) | None => function,
        }
    }
}
