//! Random rules of access.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::conditions;
use crate::draw::{once_in, one, shuffled, some, word};
use crate::policies::{ACTORS, AUTHENTICATION_METHODS, CLIENTS, CONTEXTS, Conditions, instant, names};

/// Who may pass, and what must hold for them.
pub(crate) fn access(
    rng: &mut Rng,
    (providers, scopes): (&[&str], &[&str]),
    parameters: &[&str],
    known: &mut Conditions,
) -> Value {
    if once_in(rng, 4) {
        return json!("public");
    }
    if providers.len() == 1 && once_in(rng, 8) {
        return json!("authenticated");
    }
    let mut access = json!({});
    if providers.len() > 1 || once_in(rng, 5) {
        access["providers"] = json!(shuffled(rng, providers, 1, 2));
    }
    if once_in(rng, 4) {
        access["authenticated"] = json!(true);
    } else {
        access["scopes"] = requirement(rng, scopes, 2);
    }
    let own = access["providers"].as_array().map_or(providers.to_vec(), |own| {
        providers
            .iter()
            .copied()
            .filter(|name| own.contains(&json!(name)))
            .collect()
    });
    who(rng, &own, &mut access);
    step_up(rng, &mut access);
    conditions::circumstances(rng, &mut access);
    if once_in(rng, 8) {
        access["windows"] = conditions::windows(rng);
    }
    if once_in(rng, 4) {
        let expression = conditions::expression(rng, parameters, 2);
        access["when"] = json!(expression.to_string());
        known.push((expression.to_string(), expression));
    }
    if !parameters.is_empty() && once_in(rng, 2) {
        access["tenant"] = json!(format!("{{{}}}", word(rng, parameters)));
    }
    access
}

/// `clients` and `actors`: names, or mappings where the route has several providers.
fn who(rng: &mut Rng, providers: &[&str], access: &mut Value) {
    if once_in(rng, 6) {
        access["clients"] = named(rng, providers, "client", &CLIENTS);
    }
    if once_in(rng, 3) {
        let mut actors = json!({"allow": named(rng, providers, "subject", &ACTORS)});
        if once_in(rng, 2) {
            actors["max_depth"] = json!(rng.u32(1..4));
        }
        if once_in(rng, 3) {
            actors["required"] = json!(rng.bool());
        }
        access["actors"] = actors;
    }
}

/// At least one entry for each provider.
fn named(rng: &mut Rng, providers: &[&str], field: &str, values: &[&str]) -> Value {
    let [provider] = providers else {
        let entries = |provider: &&str, rng: &mut Rng| -> Vec<Value> {
            let values = some(rng, values, 1, 2).into_iter();
            values
                .map(|value| json!({"provider": provider, field: value}))
                .collect()
        };
        return providers
            .iter()
            .flat_map(|provider| entries(provider, rng))
            .collect();
    };
    let _ = provider;
    json!(some(rng, values, 1, 2))
}

fn step_up(rng: &mut Rng, access: &mut Value) {
    if once_in(rng, 6) {
        access["acr"] = json!(shuffled(rng, &CONTEXTS, 1, 2));
    }
    if once_in(rng, 6) {
        access["amr"] = json!({word(rng, &["all", "any"]): some(rng, &AUTHENTICATION_METHODS, 1, 2)});
    }
    if once_in(rng, 6) {
        access["max_auth_age"] = json!(word(rng, &["10m", "1h", "7d"]));
    }
}

/// Enforced, or tried for a while.
pub(crate) fn mode(rng: &mut Rng) -> Value {
    if once_in(rng, 3) {
        return json!("enforce");
    }
    let mut shadow = json!({"until": instant(rng)});
    if once_in(rng, 2) {
        shadow["layers"] = one(
            rng,
            &[
                json!(["authorization"]),
                json!(["authentication", "authorization"]),
                json!(["authorization", "authentication"]),
            ],
        )
        .clone();
    }
    json!({"shadow": shadow})
}

fn requirement(rng: &mut Rng, scopes: &[&str], depth: usize) -> Value {
    let mut requirement = json!({});
    for kind in some(rng, &["all", "any", "none"], 1, 2) {
        let mut items: Vec<Value> = names(rng, scopes, 1, 3).into_iter().map(Value::from).collect();
        if depth > 0 && once_in(rng, 3) {
            items.push(self::requirement(rng, scopes, depth - 1));
            rng.shuffle(&mut items);
        }
        requirement[kind] = json!(items);
    }
    requirement
}
