//! "Access of a guarded route; checks in this order, first that fails denies".

use std::net::IpAddr;

use serde_json::Value;

use crate::condition;
use crate::scopes::{self, Lack};
use crate::selection::Chosen;
use crate::value::{list, text, texts};
use crate::{Asked, Caller, Challenge, Reference, Request, Wrong, actors, step_up, windows};

/// Why a caller may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The stable code.
    pub code: &'static str,
    /// What the caller is told to come back with.
    pub challenge: Challenge,
}

fn denied(code: &'static str) -> Denial {
    Denial {
        code,
        challenge: Challenge::default(),
    }
}

/// The effective scopes of a caller who may, or the first check that fails.
pub(crate) fn authorize(
    reference: &Reference<'_>,
    asked: &Asked<'_>,
    caller: &Caller,
    now: i64,
) -> Result<Vec<String>, Denial> {
    let Asked { request, route, .. } = asked;
    let access = route.rules.get("access").unwrap_or(&Value::Null);
    let must = |holds: bool, code: &'static str| if holds { Ok(()) } else { Err(denied(code)) };
    let providers = scopes::route_providers(reference.policy, access);
    must(providers.contains(&caller.provider), "provider_not_allowed")?;
    must(is_allowed_client(access, caller), "client_not_allowed")?;
    must(
        actors::may_act(reference, access.get("actors"), caller),
        "actor_not_allowed",
    )?;
    must(is_of_tenant(access, route, caller), "tenant_mismatch")?;
    let held = scopes::held(reference, &route.id, caller, now);
    check_scopes(reference, access, &held)?;
    if !step_up::is_strong_enough(reference, access, caller, now) {
        return Err(Denial {
            code: "step_up_required",
            challenge: step_up::challenge(access),
        });
    }
    let in_window =
        access.get("windows").is_none() || windows::contain(reference, list(access, "windows"), now);
    must(in_window, "outside_window")?;
    must(is_from_source(access, request), "source_not_allowed")?;
    must(
        condition::equalities_hold(reference, access, asked),
        "condition_false",
    )?;
    match condition::holds(reference, access, asked, caller, &held, now) {
        Some(holds) => must(holds, "condition_false")?,
        // "an error is a deny (`condition_error`), never a skip."
        None if reference.wrong == Some(Wrong::ErrorsAreFalse) => return Err(denied("condition_false")),
        None => return Err(denied("condition_error")),
    }
    Ok(held.effective)
}

/// "`clients: [orders-web]` (plain names where the route has one provider; else `{provider, client}`)".
fn is_allowed_client(access: &Value, caller: &Caller) -> bool {
    let Some(client) = caller.client.as_deref() else {
        return access.get("clients").is_none();
    };
    let names = |item: &Value| match item.as_str() {
        Some(name) => name == client,
        None => text(item, "provider") == Some(&caller.provider) && text(item, "client") == Some(client),
    };
    access.get("clients").is_none() || list(access, "clients").iter().any(names)
}

/// "`tenant: "{tenant}"`: the caller's tenant must equal the path parameter".
fn is_of_tenant(access: &Value, route: &Chosen<'_>, caller: &Caller) -> bool {
    let Some(written) = text(access, "tenant") else {
        return true;
    };
    let name = written.trim_start_matches('{').trim_end_matches('}');
    caller.tenant.is_some() && caller.tenant.as_deref() == route.parameter(name)
}

fn check_scopes(reference: &Reference<'_>, access: &Value, held: &scopes::Held) -> Result<(), Denial> {
    let Some(requirement) = access.get("scopes") else {
        return Ok(());
    };
    scopes::check(reference, requirement, held).map_err(|lack| match lack {
        Lack::Forbidden => denied("scope_forbidden"),
        Lack::Missing(scope) => Denial {
            code: "scope_missing",
            challenge: Challenge {
                scope,
                ..Challenge::default()
            },
        },
    })
}

/// "`sources: [10.0.0.0/8, "2001:db8::/32"]` (peer address the host names; unknown = deny)".
fn is_from_source(access: &Value, request: &Request) -> bool {
    let Some(networks) = texts(access, "sources") else {
        return true;
    };
    request
        .source
        .is_some_and(|source| networks.iter().any(|network| is_in(network, source)))
}

/// Whether an address is in a network: the first bits are the same. An IPv4 address in IPv6's clothes is an IPv4
/// address.
fn is_in(network: &str, address: IpAddr) -> bool {
    let (base, length) = network.split_once('/').unwrap_or((network, ""));
    let Ok(base) = base.parse::<IpAddr>() else {
        return false;
    };
    let (base, address) = (bits(base), bits(address));
    let length = length.parse().unwrap_or(base.len());
    base.len() == address.len() && base.iter().take(length).eq(address.iter().take(length))
}

fn bits(address: IpAddr) -> Vec<bool> {
    let octets = match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let of_octet = |octet: u8| {
        (0..8u32)
            .rev()
            .map(move |place| octet.checked_shr(place).is_some_and(|bit| bit & 1 == 1))
    };
    octets.into_iter().flat_map(of_octet).collect()
}
