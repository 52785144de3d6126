//! The request as the host shows it, in bytes.

/// One request, as the host will forward it. Nothing in it is trusted, nothing need be UTF-8.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    /// The method.
    pub method: &'r [u8],
    /// The request target: path and query.
    pub path: &'r [u8],
    /// `:authority` or `Host`, where the host shows one.
    pub authority: Option<&'r [u8]>,
    /// The headers, pseudo-headers left out, in order, names as sent.
    pub headers: &'r [(&'r [u8], &'r [u8])],
    /// The id that joins both audit records and the reply; the caller of `decide` bounds and cleans it.
    pub id: &'r str,
}
