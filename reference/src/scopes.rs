//! What a caller may be said to hold, and what a route asks for.

use serde_json::Value;

use crate::value::{authorization, instant, list, members, providers, strings, text, texts};
use crate::windows;
use crate::{Caller, Reference, Wrong};

/// A set of scopes, as a list without duplicates.
pub(crate) type Scopes = Vec<String>;

/// What a caller holds.
#[derive(Debug)]
pub(crate) struct Held {
    /// What counts for `all` and `any`, sorted.
    pub(crate) effective: Scopes,
    /// "`none` looks at the scopes before the cut."
    pub(crate) before_the_cut: Scopes,
}

/// "**Effective scopes** = (close(token scopes + scopes of roles) cut by ceilings) + close(live grants)".
pub(crate) fn held(reference: &Reference<'_>, route: &str, caller: &Caller, now: i64) -> Held {
    let policy = reference.policy;
    let own = close(policy, [caller.scopes.clone(), of_roles(policy, caller)].concat());
    let granted = close(policy, granted(reference, route, caller, now));
    let mut cut: Scopes = own
        .iter()
        .filter(|scope| is_let_through(policy, caller, scope))
        .cloned()
        .collect();
    if reference.wrong == Some(Wrong::ClosedAfterTheCut) {
        cut = close(policy, cut);
    }
    let effective = union(cut, &granted);
    let before_the_cut = match reference.wrong {
        Some(Wrong::NoneAfterTheCut) => effective.clone(),
        _ => union(own, &granted),
    };
    Held {
        effective,
        before_the_cut,
    }
}

fn union(mut one: Scopes, other: &[String]) -> Scopes {
    one.extend(other.iter().cloned());
    one.sort();
    one.dedup();
    one
}

/// "the catalogue: every scope a rule names must be here; others are dropped".
fn catalogue(policy: &Value) -> Scopes {
    let names = members(authorization(policy), "scopes").into_iter();
    names.map(|(name, _)| name.to_owned()).collect()
}

/// "`close` follows `implies`".
fn close(policy: &Value, scopes: Scopes) -> Scopes {
    let catalogue = catalogue(policy);
    let mut closed: Scopes = Vec::new();
    let mut open = scopes;
    while let Some(scope) = open.pop() {
        if catalogue.contains(&scope) && !closed.contains(&scope) {
            let entry = authorization(policy)
                .get("scopes")
                .and_then(|scopes| scopes.get(&scope));
            let implied = entry
                .and_then(|entry| texts(entry, "implies"))
                .unwrap_or_default();
            open.extend(expand(policy, &implied));
            closed.push(scope);
        }
    }
    closed
}

/// "`orders:*` covers exactly one more segment": the scopes of the catalogue that the names stand for.
fn expand(policy: &Value, names: &[String]) -> Scopes {
    let mut all = Vec::new();
    for name in names {
        all.extend(catalogue(policy).into_iter().filter(|scope| covers(name, scope)));
    }
    all
}

fn covers(written: &str, scope: &str) -> bool {
    match written.strip_suffix('*') {
        Some("") => true,
        Some(start) => scope
            .strip_prefix(start)
            .is_some_and(|rest| !rest.is_empty() && !rest.contains(':')),
        None => written == scope,
    }
}

/// "scopes of roles".
fn of_roles(policy: &Value, caller: &Caller) -> Scopes {
    let roles = authorization(policy).get("roles").unwrap_or(&Value::Null);
    let of_role = |role: &String| expand(policy, &texts(roles, role).unwrap_or_default());
    caller.roles.iter().flat_map(of_role).collect()
}

/// "Several ceilings that apply: the intersection." "With one scope-carrying provider and no ceiling, the catalogue
/// is the ceiling".
fn is_let_through(policy: &Value, caller: &Caller, scope: &str) -> bool {
    let ceilings = list(authorization(policy), "ceilings").iter();
    let mut applying = ceilings.filter(|ceiling| selects(ceiling, caller));
    applying.all(|ceiling| {
        texts(ceiling, "scopes")
            .unwrap_or_default()
            .iter()
            .any(|name| covers(name, scope))
    })
}

/// "Caller selectors always name the `provider`, plus subject, client or tenant."
fn selects(selector: &Value, caller: &Caller) -> bool {
    let agrees =
        |name: &str, value: Option<&str>| text(selector, name).is_none_or(|wanted| value == Some(wanted));
    agrees("provider", Some(&caller.provider))
        && agrees("subject", caller.subject.as_deref())
        && agrees("client", caller.client.as_deref())
        && agrees("tenant", caller.tenant.as_deref())
}

/// "A live grant counts on the routes it names and in its windows only."
fn granted(reference: &Reference<'_>, route: &str, caller: &Caller, now: i64) -> Scopes {
    let policy = reference.policy;
    let late = i64::from(reference.wrong == Some(Wrong::GrantsEndLate));
    let mut scopes = Vec::new();
    for grant in list(authorization(policy), "grants") {
        let is_live = instant(grant, "until").is_none_or(|until| now < until.saturating_add(late));
        let on_route = texts(grant, "routes").is_none_or(|routes| routes.iter().any(|id| id == route));
        let in_window =
            grant.get("windows").is_none() || windows::contain(reference, list(grant, "windows"), now);
        let is_to_caller = grant
            .get("caller")
            .is_some_and(|selector| selects(selector, caller));
        if is_live && on_route && in_window && is_to_caller {
            scopes.extend(expand(policy, &texts(grant, "scopes").unwrap_or_default()));
        }
    }
    scopes
}

/// One way to satisfy a requirement: "a branch of the requirement in disjunctive form".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Branch {
    pub(crate) needs: Scopes,
    pub(crate) refuses: Scopes,
}

impl Branch {
    fn lacking(&self, held: &Held) -> usize {
        self.needs
            .iter()
            .filter(|scope| !held.effective.contains(scope))
            .count()
    }

    fn is_refused(&self, held: &Held) -> bool {
        self.refuses
            .iter()
            .any(|scope| held.before_the_cut.contains(scope))
    }

    fn and(&self, other: &Self) -> Self {
        let join = |one: &[String], other: &[String]| {
            let mut joined = one.to_vec();
            joined.extend(other.iter().filter(|scope| !one.contains(scope)).cloned());
            joined
        };
        Self {
            needs: join(&self.needs, &other.needs),
            refuses: join(&self.refuses, &other.refuses),
        }
    }
}

/// Why a requirement does not hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// "scope_forbidden (a `none`)".
    Forbidden,
    /// "the whole branch ... that lacks fewest, the first on a tie".
    Missing(Scopes),
}

/// "`scopes` -> scope_forbidden / scope_missing".
pub(crate) fn check(reference: &Reference<'_>, requirement: &Value, held: &Held) -> Result<(), Lack> {
    let branches = holding(reference, requirement);
    let open: Vec<&Branch> = branches
        .iter()
        .filter(|branch| !branch.is_refused(held))
        .collect();
    let least = open.iter().map(|branch| branch.lacking(held)).min();
    match open.iter().find(|branch| Some(branch.lacking(held)) == least) {
        None => Err(Lack::Forbidden),
        Some(_) if least == Some(0) => Ok(()),
        Some(branch) => Err(Lack::Missing(branch.needs.clone())),
    }
}

/// The ways in which a requirement holds: "`all` | `any` | `none`, and nested", all that are written together.
fn holding(reference: &Reference<'_>, requirement: &Value) -> Vec<Branch> {
    let mut parts = vec![each(reference, items(reference, requirement, "all"), true)];
    if requirement.get("any").is_some() {
        let ways: Vec<Vec<Branch>> = each_way(reference, &items(reference, requirement, "any"), true);
        parts.push(match reference.wrong {
            Some(Wrong::AnyIsAll) => together(&ways),
            _ => ways.concat(),
        });
    }
    parts.push(each(reference, items(reference, requirement, "none"), false));
    together(&parts)
}

/// The ways in which a requirement does not hold.
fn failing(reference: &Reference<'_>, requirement: &Value) -> Vec<Branch> {
    let mut ways = each_way(reference, &items(reference, requirement, "all"), false).concat();
    if requirement.get("any").is_some() {
        ways.extend(each(reference, items(reference, requirement, "any"), false));
    }
    ways.extend(each_way(reference, &items(reference, requirement, "none"), true).concat());
    ways
}

/// The items of a list; a name with `*` stands for all that it covers.
fn items(reference: &Reference<'_>, requirement: &Value, name: &str) -> Vec<Value> {
    let mut items = Vec::new();
    for item in list(requirement, name) {
        match item.as_str() {
            Some(_) => {
                let names = strings(std::slice::from_ref(item));
                items.extend(expand(reference.policy, &names).into_iter().map(Value::from));
            }
            None => items.push(item.clone()),
        }
    }
    items
}

fn each(reference: &Reference<'_>, items: Vec<Value>, holds: bool) -> Vec<Branch> {
    together(&each_way(reference, &items, holds))
}

fn each_way(reference: &Reference<'_>, items: &[Value], holds: bool) -> Vec<Vec<Branch>> {
    let way = |item: &Value| match (item.as_str(), holds) {
        (Some(scope), true) => vec![Branch {
            needs: vec![scope.to_owned()],
            refuses: Vec::new(),
        }],
        (Some(scope), false) => vec![Branch {
            needs: Vec::new(),
            refuses: vec![scope.to_owned()],
        }],
        (None, true) => holding(reference, item),
        (None, false) => failing(reference, item),
    };
    items.iter().map(way).collect()
}

/// Every choice of one way from each.
fn together(parts: &[Vec<Branch>]) -> Vec<Branch> {
    let mut all = vec![Branch::default()];
    for ways in parts {
        all = all
            .iter()
            .flat_map(|so_far| ways.iter().map(|way| so_far.and(way)))
            .collect();
    }
    all
}

/// The providers of a route: "`providers` may be left out only if the policy has one."
pub(crate) fn route_providers(policy: &Value, access: &Value) -> Vec<String> {
    texts(access, "providers").unwrap_or_else(|| providers(policy))
}
