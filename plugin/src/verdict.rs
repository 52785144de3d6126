//! What was decided, as the host shows it to access logs and to later filters.

use scopegate_engine::{Decision, Property as Named};

use crate::host::{self, HostError, Level, NOT_FOUND};
use crate::log::say;
use crate::proxy::Proxy;

/// The variable by which NGINX knows that a request is let through. It must be declared: a request that nobody decided
/// on goes on there when its callouts have ended, and what it meets then is up to the configuration.
const NGINX_VERDICT: &str = "ngx\0scopegate";

/// A property: its name in Envoy, its name for filters in NGINX, and the variable there.
#[derive(Debug, Clone, Copy)]
struct Property {
    envoy: &'static str,
    wasmx: &'static str,
    variable: &'static str,
}

macro_rules! property {
    ($name:literal) => {
        Property {
            envoy: concat!("scopegate.", $name),
            wasmx: concat!("wasmx\0scopegate_", $name),
            variable: concat!("ngx\0scopegate_", $name),
        }
    };
}

/// Shows the code, the route, and what the policy names beside them.
pub(crate) fn show(proxy: Proxy, decision: &Decision, named: &[Named]) -> Result<(), HostError> {
    set(proxy, property!("code"), decision.code)?;
    let route = decision.route.as_deref().unwrap_or_default();
    set(proxy, property!("route"), route)?;
    if let Some(code) = decision.would_deny {
        set(proxy, property!("would_deny"), code)?;
    }
    let mut values = named.iter().map(|one| value(decision, *one));
    values.try_for_each(|(property, value)| value.map_or(Ok(()), |value| set(proxy, property, value)))
}

/// A property that the policy names, and its value; none of what the caller does not have, or was not proved.
fn value(decision: &Decision, named: Named) -> (Property, Option<&str>) {
    let caller = decision.caller.as_ref();
    match named {
        Named::Layer => (property!("layer"), Some(decision.layer.name())),
        Named::Provider => (property!("provider"), caller.map(|caller| &*caller.provider)),
        Named::Subject => (
            property!("subject"),
            caller.and_then(|caller| caller.subject.as_deref()),
        ),
        Named::Client => (
            property!("client"),
            caller.and_then(|caller| caller.client.as_deref()),
        ),
        Named::Tenant => (
            property!("tenant"),
            caller.and_then(|caller| caller.tenant.as_deref()),
        ),
    }
}

/// Says that the request is let through, where the host asks for that. The last that is done.
pub(crate) fn allow(proxy: Proxy) -> Result<(), HostError> {
    if proxy == Proxy::Envoy {
        return Ok(());
    }
    let allowed = host::set_property(NGINX_VERDICT, "allow");
    if allowed.is_err() {
        say(
            Level::Error,
            "scopegate: the configuration of NGINX lacks `set $scopegate \"\";`",
        );
    }
    allowed
}

/// Envoy: `scopegate.code`. NGINX: `wasmx.scopegate_code` for filters, and the variable `$scopegate_code` where the
/// configuration declares it.
fn set(proxy: Proxy, property: Property, value: &str) -> Result<(), HostError> {
    match proxy {
        Proxy::Envoy => host::set_property(property.envoy, value),
        Proxy::Nginx => {
            host::set_property(property.wasmx, value)?;
            match host::set_property(property.variable, value) {
                Err(HostError {
                    status: NOT_FOUND, ..
                }) => Ok(()),
                set => set,
            }
        }
    }
}
