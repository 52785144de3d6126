//! The clients through which callers of a route may come.

use scopegate_document::PolicyError;

use super::Named;
use crate::compile::empty_list;
use crate::scopes::selector::CallerFacts;
use crate::section::{ClientItem, ClientOf};

/// The clients of a route: each with the provider that vouches for it.
#[derive(Debug)]
pub(crate) struct Clients(Vec<(String, String)>);

impl Clients {
    /// Compiles the list at `path`; each provider of the route needs a client, or nobody of it could pass.
    pub(crate) fn compile(
        items: &[ClientItem],
        providers: &[String],
        path: &str,
        faults: &mut Vec<PolicyError>,
    ) -> Self {
        let before = faults.len();
        if items.is_empty() {
            faults.push(empty_list(path));
        }
        let mut clients = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match named(item).resolve(providers, &format!("{path}[{index}]")) {
                Ok(client) => clients.push(client),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.len() == before {
            let has_none = |provider: &&String| !clients.iter().any(|(of, _)| of == *provider);
            let shut = providers.iter().filter(has_none);
            faults.extend(shut.map(|provider| client_missing(provider, path)));
        }
        Self(clients)
    }

    /// Whether the caller comes through one of them.
    pub(crate) fn allow(&self, caller: &CallerFacts<'_>) -> bool {
        let fits = |(provider, client): &(String, String)| {
            provider == caller.provider && Some(client.as_str()) == caller.client
        };
        self.0.iter().any(fits)
    }
}

fn named(item: &ClientItem) -> Named<'_> {
    let (provider, name) = match item {
        ClientItem::Name(name) => (None, name),
        ClientItem::Of(ClientOf { provider, client }) => (Some(provider.as_str()), client),
    };
    Named {
        provider,
        name,
        what: "client",
    }
}

fn client_missing(provider: &str, path: &str) -> PolicyError {
    PolicyError::new(
        "client_missing",
        path,
        format!("no client of `{provider}` is listed, so none of its callers could pass"),
        format!("add `{{provider: {provider}, client: ...}}`, or take the provider from the route"),
    )
}
