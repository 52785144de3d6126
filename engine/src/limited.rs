//! What a host cannot do, and what that means for a policy. ngx_wasm_module cannot remove a header from a request.

use scopegate_authz::RequestError;
use scopegate_document::UnixTime;

use crate::reply::Refusal;
use crate::{Decision, Engine, Request};

impl Engine {
    /// Why the policy cannot be kept where nothing can be removed from a request, in words for the operator; nothing
    /// where it can.
    #[must_use]
    pub fn fault_without_removal(&self) -> Option<String> {
        let names: Vec<&str> = self.authenticator.stripping().collect();
        (!names.is_empty()).then(|| {
            let names = names.join("`, `");
            format!(
                "this proxy cannot remove credentials from requests: write `forward_credential: true` for `{names}`, and \
                 have the proxy itself clear what the upstream must not see"
            )
        })
    }

    /// The refusal of a request that carries an identity header, for hosts that cannot remove it; nothing where it
    /// carries none.
    #[must_use]
    pub fn refuse_identity_header(&self, request: &Request<'_>, now: Option<UnixTime>) -> Option<Decision> {
        let mut names = request.headers.iter().map(|(name, _)| name);
        let is_spoofed = names.any(|name| self.identity.names(name));
        is_spoofed.then(|| self.misunderstood(request, now, RequestError::IdentityHeaderRefused))
    }

    /// The refusal of a request whose authority the host tells in two ways that differ.
    #[must_use]
    pub fn refuse_authority(&self, request: &Request<'_>, now: Option<UnixTime>) -> Decision {
        self.misunderstood(request, now, RequestError::MalformedRequest)
    }

    fn misunderstood(&self, request: &Request<'_>, now: Option<UnixTime>, error: RequestError) -> Decision {
        self.unrouted(request, now, Refusal::Request(error))
    }
}
