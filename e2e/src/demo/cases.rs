//! The requests of the demo: what is allowed, and each kind of thing that must not be.

use scopegate_harness::keys::Algorithm;
use scopegate_harness::tokens::TokenSpec;
use serde_json::{Value, json};

use crate::http1::{Field, Message};
use crate::mint::{Mint, MintError};

/// A request and what is due.
pub(super) struct Case {
    pub(super) title: &'static str,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) headers: Vec<Field>,
    pub(super) expected: Expected,
}

/// What is due.
pub(super) enum Expected {
    /// It reaches the upstream, which is told who is calling.
    Forwarded {
        route: &'static str,
        subject: Option<&'static str>,
    },
    /// It does not.
    Refused { status: u16, code: &'static str },
}

impl Case {
    /// The request as it is sent; its number is its request id.
    pub(super) fn bytes(&self, number: usize) -> Vec<u8> {
        let mut headers = self.headers.clone();
        headers.push((b"x-request-id".to_vec(), id(number).into_bytes()));
        Message::request(
            self.method.as_bytes(),
            self.path.as_bytes(),
            Some(b"api.example.com"),
            &headers,
            b"",
            &[],
        )
    }
}

/// The request id of a case, by which its audit records are found.
pub(super) fn id(number: usize) -> String {
    format!("demo-{number}")
}

/// Every case, in the order of the table.
pub(super) fn all(mint: &Mint) -> Result<Vec<Case>, MintError> {
    let mut cases = allowed(mint)?;
    cases.extend(authentication(mint)?);
    cases.extend(authorization(mint)?);
    Ok(cases)
}

const ORDERS: &str = "/tenants/acme/orders";

fn reader() -> Value {
    json!({"sub": "anna", "client_id": "orders-web", "scope": "orders:read", "tid": "acme"})
}

fn allowed(mint: &Mint) -> Result<Vec<Case>, MintError> {
    let reader = mint.token(Algorithm::ES256, &reader())?;
    let writer = json!({"sub": "bert", "scp": ["orders:read", "orders:write"], "tid": "acme"});
    let writer = mint.token(Algorithm::RS256, &writer)?;
    let mut spoofed = bearer(&reader);
    spoofed.push((b"X-Auth-Subject".to_vec(), b"root".to_vec()));
    spoofed.push((b"x_auth_tenant".to_vec(), b"other".to_vec()));
    let to = |route, subject| Expected::Forwarded { route, subject };
    let health = vec![(b"x-auth-subject".to_vec(), b"root".to_vec())];
    Ok(vec![
        case(
            "a reader lists orders",
            "GET",
            ORDERS,
            bearer(&reader),
            to("orders.list", Some("anna")),
        ),
        case(
            "a writer creates one",
            "POST",
            ORDERS,
            bearer(&writer),
            to("orders.create", Some("bert")),
        ),
        case(
            "a reader who says to be root",
            "GET",
            ORDERS,
            spoofed,
            to("orders.list", Some("anna")),
        ),
        case(
            "nobody, on a public route",
            "GET",
            "/healthz",
            vec![],
            to("health", None),
        ),
        case(
            "nobody who says to be root",
            "GET",
            "/healthz",
            health,
            to("health", None),
        ),
    ])
}

fn authentication(mint: &Mint) -> Result<Vec<Case>, MintError> {
    let spoiled = |spec| mint.spoiled(Algorithm::ES256, &reader(), spec);
    let expired = spoiled(TokenSpec {
        expires_in: "-1m".parse().ok(),
        ..TokenSpec::default()
    })?;
    let none = TokenSpec {
        alg: Some("none".to_owned()),
        ..TokenSpec::default()
    };
    let critical = spoiled(TokenSpec {
        crit: Some(vec!["b64".to_owned()]),
        ..TokenSpec::default()
    })?;
    let mut elsewhere = reader();
    if let Some(audience) = elsewhere.as_object_mut() {
        audience.insert("aud".to_owned(), json!("https://api.example.com/ledger"));
    }
    let good = mint.token(Algorithm::ES256, &reader())?;
    let mut twice = bearer(&good);
    twice.extend(bearer(&good));
    let get = |title, headers, status, code| {
        case(title, "GET", ORDERS, headers, Expected::Refused { status, code })
    };
    Ok(vec![
        get("no token", vec![], 401, "credential_missing"),
        get("an expired token", bearer(&expired), 401, "token_expired"),
        get(
            "signed by a stranger",
            bearer(&mint.forged(Algorithm::ES256, &reader())?),
            401,
            "signature_invalid",
        ),
        get(
            "algorithm `none`",
            bearer(&spoiled(none)?),
            401,
            "algorithm_not_allowed",
        ),
        get(
            "for another audience",
            bearer(&mint.token(Algorithm::ES256, &elsewhere)?),
            401,
            "audience_mismatch",
        ),
        get(
            "an unknown critical header",
            bearer(&critical),
            401,
            "critical_header",
        ),
        get("two tokens", twice, 400, "credential_multiple"),
    ])
}

fn authorization(mint: &Mint) -> Result<Vec<Case>, MintError> {
    let reader = mint.token(Algorithm::ES256, &reader())?;
    let kiosk =
        json!({"sub": "k-7", "client_id": "kiosk", "scope": "orders:read orders:write", "tid": "acme"});
    let kiosk = mint.token(Algorithm::ES256, &kiosk)?;
    let refused = |status, code| Expected::Refused { status, code };
    let (other, up) = ("/tenants/other/orders", "/tenants/acme%2F..%2Fother/orders");
    Ok(vec![
        case(
            "a reader writes",
            "POST",
            ORDERS,
            bearer(&reader),
            refused(403, "scope_missing"),
        ),
        case(
            "a kiosk with a writer's token",
            "POST",
            ORDERS,
            bearer(&kiosk),
            refused(403, "scope_missing"),
        ),
        case(
            "another tenant's orders",
            "GET",
            other,
            bearer(&reader),
            refused(403, "tenant_mismatch"),
        ),
        case(
            "what no route names",
            "GET",
            "/tenants/acme/invoices",
            bearer(&reader),
            refused(403, "no_route"),
        ),
        case(
            "an encoded way out",
            "GET",
            up,
            bearer(&reader),
            refused(400, "ambiguous_path"),
        ),
    ])
}

fn case(
    title: &'static str,
    method: &'static str,
    path: &'static str,
    headers: Vec<Field>,
    expected: Expected,
) -> Case {
    Case {
        title,
        method,
        path,
        headers,
        expected,
    }
}

fn bearer(token: &str) -> Vec<Field> {
    vec![(b"authorization".to_vec(), format!("Bearer {token}").into_bytes())]
}
