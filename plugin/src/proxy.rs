//! Which host this is, told by what it does. ngx_wasm_module differs where it matters: it removes no header, resumes no
//! request from the root, and goes on with a request whose callouts have ended.

use crate::host::{self, HostError};

/// A host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// Envoy, and whatever takes properties of any name.
    Envoy,
    /// NGINX with ngx_wasm_module.
    Nginx,
}

/// A property that ngx_wasm_module keeps, and shows again.
const NGINX_MARK: &str = "wasmx\0scopegate_host";

/// What ngx_wasm_module answers where a property of a request is asked for outside of one; others say that there is none.
const INTERNAL_FAILURE: u32 = 10;

impl Proxy {
    /// Tells the host by what a request may set. A host that is neither is an error: nothing is let through there.
    pub(crate) fn of_request() -> Result<Self, HostError> {
        let Err(refused) = host::set_property("scopegate.host", "envoy") else {
            return Ok(Self::Envoy);
        };
        // Envoy would keep this, and show nothing of it.
        let shown = host::set_property(NGINX_MARK, "nginx").and_then(|()| host::property(NGINX_MARK));
        match shown {
            Ok(Some(value)) if value == b"nginx" => Ok(Self::Nginx),
            Ok(_) | Err(_) => Err(refused),
        }
    }

    /// Whether this seems to be NGINX, told without a request. Nothing is decided by it that a request would not decide
    /// anew.
    pub(crate) fn seems_nginx() -> bool {
        matches!(host::property(NGINX_MARK), Err(error) if error.status == INTERNAL_FAILURE)
    }
}
