//! The record of host calls: which, by which context, about what, with which answer. Never a value.

/// One call from the module into the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCall {
    /// The function, such as `proxy_get_header_map_value` or `fd_write`.
    pub function: &'static str,
    /// The context it was called for.
    pub context: u32,
    /// What it was about: the name of a header, the path of a property, a length. Never a value.
    pub about: String,
    /// The status it returned; for WASI an error number. `None` where the call failed the module.
    pub status: Option<i32>,
}

/// The calls so far.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) enabled: bool,
    pub(crate) calls: Vec<HostCall>,
    pub(crate) count: usize,
}
