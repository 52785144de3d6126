//! What can be loosened of proofs: what a provider's credentials must be, and which of them count no longer.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::derive::{Derived, text};
use super::edit::{Edit, Place};
use super::names;
use super::routes::FAR;
use super::seen;
use crate::keys::Algorithm;

/// The longest that a policy may say, and longer than tests wait.
const LONG: &str = "7d";

pub(super) fn derive(derived: &mut Derived<'_>, described: &[&Value]) {
    let providers = Place::of(&["authentication", "providers"]);
    for (at, provider) in derived.items(&providers).iter().enumerate() {
        let place = providers.item(at);
        tokens(derived, &place, provider, described);
        binding(derived, &place);
        certificates(derived, &place, provider, described);
        answers(derived, &place, provider);
        for at in 0..derived.items(&place.field("keys")).len() {
            let hint = "advance the clock beyond its end: `expect: {deny: api_key_expired}`";
            let expires = place.field("keys").item(at).field("expires");
            derived.remove("keys", expires, "the key never ends", hint);
        }
        let hint = "expect that the upstream sees no credential: `upstream: {authorization: null}`";
        let forwarded = place.field("forward_credential");
        let change = "the upstream gets the credential";
        // A certificate belongs to the connection, and goes nowhere.
        if text(provider, "type") != "mtls" {
            let edits = vec![Edit::Set(forwarded, json!(true))];
            derived.add("forward_credential", &place, change, hint, edits);
        }
    }
    revocation(derived);
    let hint = "send a request with that header, and expect what the upstream sees under its name";
    derived.remove_each(
        "identity_headers",
        &Place::of(&["authentication", "identity_headers"]),
        hint,
    );
}

fn tokens(derived: &mut Derived<'_>, place: &Place, provider: &Value, described: &[&Value]) {
    let widened = |field: &str, more: BTreeSet<String>| {
        let listed = names::listed(provider, field);
        json!(listed.union(&more).collect::<Vec<_>>())
    };
    // No two providers may claim one caller.
    let unclaimed = |field: &str, seen: BTreeSet<String>, nobodys: &str| {
        let others = derived.items(&Place::of(&["authentication", "providers"])).iter();
        let others = others.filter(|other| text(other, "type") == text(provider, "type"));
        let others = others.filter(|other| text(other, "name") != text(provider, "name"));
        let claimed: BTreeSet<String> = others.flat_map(|other| names::listed(other, field)).collect();
        let mut free: BTreeSet<String> = seen.difference(&claimed).cloned().collect();
        free.insert(nobodys.to_owned());
        free
    };
    let domains = unclaimed(
        "trust_domains",
        seen::trust_domains(described),
        names::TRUST_DOMAIN,
    );
    let dns_names = unclaimed(
        "dns_names",
        seen::texts_under("dns_sans", described),
        names::DNS_NAME,
    );
    let mut audiences = seen::texts_under("aud", described);
    audiences.insert(names::AUDIENCE.to_owned());
    let is_symmetric = |name: &&str| name.parse().is_ok_and(Algorithm::is_symmetric);
    let listed = derived
        .items(&place.field("algorithms"))
        .iter()
        .filter_map(Value::as_str);
    let secrets = listed.filter(is_symmetric).count() > 0;
    let is_svid = text(provider, "profile") == "spiffe";
    let fits = |algorithm: &&Algorithm| match is_svid {
        // JWT-SVID section 2.1.
        true => ["RS", "PS", "ES"]
            .iter()
            .any(|kind| algorithm.name().starts_with(kind)),
        false => algorithm.is_symmetric() == secrets,
    };
    let all = Algorithm::ALL.iter().filter(fits);
    let all: Vec<&str> = all.map(|algorithm| algorithm.name()).collect();
    for (field, value, change, hint) in [
        (
            "audiences",
            widened("audiences", audiences),
            "any audience will do",
            "send a token for another audience: `expect: {deny: audience_mismatch}`",
        ),
        (
            "trust_domains",
            widened("trust_domains", domains),
            "any trust domain will do",
            "send a caller of another trust domain, and expect that it is nobody",
        ),
        (
            "dns_names",
            widened("dns_names", dns_names),
            "any DNS name will do",
            "send a certificate with another name: `expect: {deny: peer_unidentified}`",
        ),
        (
            "algorithms",
            json!(all),
            "any algorithm will do",
            "send a token that names another algorithm (`alg: RS256`): `expect: {deny: algorithm_not_allowed}`",
        ),
        (
            "max_lifetime",
            json!("unlimited"),
            "a token may live for ever",
            "send a token that lives longer: `expect: {deny: lifetime_too_long}`",
        ),
        (
            "clock_skew",
            json!("5m"),
            "clocks may differ by five minutes",
            "send a token that ended two minutes ago: `expect: {deny: token_expired}`",
        ),
        (
            "profile",
            json!("jwt"),
            "any JWT will do",
            "send a token of another kind (`header: {typ: JWT}`, or without a claim that the profile asks for)",
        ),
    ] {
        derived.replace(field, place.field(field), value, change, hint);
    }
    let hint = "send a token without it, or with another value";
    derived.remove_each("require", &place.field("require").field("claims"), hint);
    let hint = "fail the fetch of the keys, advance the clock beyond `max_stale`: `expect: {deny: keys_unavailable}`";
    let stale = place.field("keys").field("max_stale");
    derived.replace("keys", stale, json!(LONG), "old keys serve for ever", hint);
}

fn binding(derived: &mut Derived<'_>, place: &Place) {
    let (bound, dpop) = (place.field("binding"), place.field("dpop"));
    if !matches!(
        bound.get(derived.document).and_then(Value::as_str),
        None | Some("none")
    ) {
        let hint = "send a token that is bound to nothing: `expect: {deny: binding_mismatch}`";
        let edits = vec![Edit::Remove(dpop.clone()), Edit::Remove(bound.clone())];
        derived.add("binding", &bound, "tokens are bound to nothing", hint, edits);
    }
    let hint = "send a proof without a nonce: `expect: {deny: proof_nonce}`";
    derived.remove("dpop", dpop.field("nonce"), "proofs need no nonce", hint);
    let hint = "send a proof that is too old (`issued_in: -2m`): `expect: {deny: proof_invalid}`";
    derived.replace(
        "dpop",
        dpop.field("max_age"),
        json!("5m"),
        "proofs may be five minutes old",
        hint,
    );
    let hint = "send a proof by a key of another algorithm: `expect: {deny: proof_invalid}`";
    derived.remove(
        "dpop",
        dpop.field("algorithms"),
        "proofs may be of any algorithm",
        hint,
    );
}

fn certificates(derived: &mut Derived<'_>, place: &Place, provider: &Value, described: &[&Value]) {
    if text(provider, "type") != "mtls" {
        return;
    }
    let verifies = place.field("proxy_verifies");
    if provider.get("proxy_verifies").and_then(Value::as_bool) != Some(true) {
        let hint = "send a certificate that the proxy did not verify: `peer: {.., verified: false}`";
        let edits = vec![Edit::Set(verifies, json!(true))];
        derived.add(
            "proxy_verifies",
            place,
            "certificates need not be verified",
            hint,
            edits,
        );
    }
    let hops = place.field("forwarded_by");
    if hops.get(derived.document).is_some() {
        // A hop is never a caller: who sends no certificate of somebody else's stays one.
        let mut all = names::listed(provider, "forwarded_by");
        all.extend(seen::forwarders(described));
        all.insert(names::HOP.to_owned());
        let hint = "let another peer pass on a certificate: `headers: {x-forwarded-client-cert: ..}`";
        derived.replace("forwarded_by", hops, json!(all), "any hop is believed", hint);
    }
}

fn answers(derived: &mut Derived<'_>, place: &Place, provider: &Value) {
    if text(provider, "type") != "introspection" {
        return;
    }
    let hint = "let the upstream answer about a token of another issuer: `expect: {deny: issuer_unknown}`";
    derived.remove("issuer", place.field("issuer"), "any issuer will do", hint);
    let hint = "advance the clock by that much, answer otherwise, and expect the new answer";
    derived.replace(
        "cache",
        place.field("cache"),
        json!("1h"),
        "an answer serves for an hour",
        hint,
    );
}

fn revocation(derived: &mut Derived<'_>) {
    let place = Place::of(&["authentication", "revocation"]);
    for list in ["tokens", "subjects", "keys", "clients"] {
        for at in 0..derived.items(&place.field(list)).len() {
            let entry = place.field(list).item(at);
            let hint = "send what was revoked: `expect: {deny: token_revoked}` or `key_revoked`";
            let since = entry.field("issued_before");
            derived.remove("revocation", entry, "it counts again", hint);
            let hint = "send what was issued since, and expect that it passes";
            let change = "what was issued since is revoked too";
            derived.replace("revocation", since, json!(FAR), change, hint);
        }
    }
    let hint = "let the upstream revoke a token, and send it: `expect: {deny: token_revoked}`";
    derived.remove("revocation", place.field("feed"), "the feed is not read", hint);
    let hint =
        "fail the feed, advance the clock beyond `max_stale`: `expect: {deny: revocation_unavailable}`";
    let stale = place.field("feed").field("max_stale");
    derived.replace(
        "revocation",
        stale,
        json!(LONG),
        "an old feed serves for ever",
        hint,
    );
    for at in 0..derived.items(&place.field("status_lists")).len() {
        let list = place.field("status_lists").item(at);
        let hint = "send a token whose bit of the list is set: `expect: {deny: token_revoked}`";
        derived.remove("revocation", list.clone(), "the list is not read", hint);
        let hint =
            "fail the list, advance the clock beyond `max_stale`: `expect: {deny: revocation_unavailable}`";
        let stale = list.field("max_stale");
        derived.replace(
            "revocation",
            stale,
            json!(LONG),
            "an old list serves for ever",
            hint,
        );
        optional(derived, &place.field("status_lists"), at);
    }
}

/// Whether tokens that point at no list pass: the other way round, in all lists of the provider.
fn optional(derived: &mut Derived<'_>, lists: &Place, at: usize) {
    let items = derived.items(lists);
    let provider = |at: usize| items.get(at).map(|list| text(list, "provider"));
    let same: Vec<usize> = (0..items.len())
        .filter(|other| provider(*other) == provider(at))
        .collect();
    if same.first() != Some(&at) {
        return;
    }
    let of = |at: &usize| lists.item(*at).field("optional");
    let is_optional = of(&at).get(derived.document).and_then(Value::as_bool) == Some(true);
    let (change, hint) = match is_optional {
        true => (
            "tokens without a `status` are refused",
            "send a token without a `status`, and expect that it passes",
        ),
        false => (
            "tokens without a `status` pass",
            "send a token without a `status`: `expect: {deny: claim_missing}`",
        ),
    };
    let edits = same.iter().map(|at| Edit::Set(of(at), json!(!is_optional)));
    derived.add("revocation", &lists.item(at), change, hint, edits.collect());
}
