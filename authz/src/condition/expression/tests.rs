//! What expressions mean, what is refused, and what they may cost.

use std::net::IpAddr;

use scopegate_document::UnixTime;
use serde_json::{Map, Value as Json, json};

use super::error::ErrorKind;
use super::evaluate::Evaluation;
use super::limits::{COMPREHENSIONS, DEPTH, PARTS, SOURCE_BYTES, STEPS};
use super::{Allowed, Condition, ConditionFault, Facts, Reads};

#[cfg(not(target_arch = "wasm32"))]
mod oracle;
#[cfg(not(target_arch = "wasm32"))]
mod properties;
#[cfg(not(target_arch = "wasm32"))]
mod writer;

/// 2026-11-23T09:30:15Z, a Monday.
const NOW: UnixTime = UnixTime(1_795_426_215);

/// Everything that facts borrow from.
struct World {
    claims: Map<String, Json>,
    scopes: Vec<String>,
    roles: Vec<String>,
    actors: Vec<String>,
    source: Option<IpAddr>,
}

impl World {
    fn new() -> Self {
        let claims = json!({
            "dept": "sales", "level": 3, "ratio": 0.5, "huge": 18_446_744_073_709_551_615_u64, "on": true, "none": null,
            "groups": ["blue", "green"], "numbers": [1, 2.0, 3], "mixed": [1, "a", null], "empty": [],
            "realm": {"roles": ["admin"], "zone": {"id": 7}}, "https://x/y": "z", "since": "2026-01-01T00:00:00Z",
            "auth": 1_795_426_000, "in": 1, "text7": "7",
        });
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        Self {
            claims: claims.as_object().expect("an object").clone(),
            scopes: texts(&["orders:read", "orders:write"]),
            roles: texts(&["clerk", "viewer"]),
            actors: texts(&["gateway", "batch"]),
            source: Some("::ffff:192.0.2.7".parse().expect("an address")),
        }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            method: "GET",
            host: Some("api.example.com"),
            path: Some("/tenants/acme/orders"),
            parameters: &[("tenant", "acme"), ("id", "7")],
            query: &[("format", "csv"), ("twice", "1"), ("twice", "1"), ("empty", "")],
            headers: &[
                (b"x-region", b" eu-1 "),
                (b"X-Twice", b"a"),
                (b"x-twice", b"b"),
                (b"x-bytes", b"\xff"),
                (b"cookie", b"secret"),
            ],
            now: NOW,
            source: self.source,
            provider: "corp",
            subject: Some("anna"),
            client: None,
            tenant: Some("acme"),
            scopes: &self.scopes,
            roles: &self.roles,
            actors: &self.actors,
            issued_at: Some(NOW.minus(60)),
            expires_at: Some(UnixTime(i64::MAX)),
            authenticated_at: None,
            claims: &self.claims,
            policy_name: Some("orders-api"),
            policy_version: None,
        }
    }
}

fn compile(source: &str) -> Result<Condition, ConditionFault> {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<String>>();
    let headers = names(&["X-Region", "x-twice", "x-bytes", "x-absent"]);
    let parameters = names(&["tenant", "id"]);
    Condition::compile(
        source,
        &Allowed {
            headers: &headers,
            parameters: &parameters,
        },
    )
}

/// Whether it holds, or why it cannot be evaluated.
fn evaluate(source: &str) -> Result<bool, ErrorKind> {
    let condition = compile(source).unwrap_or_else(|fault| panic!("{source}: {fault:?}"));
    condition
        .evaluate(&World::new().facts())
        .map_err(|error| error.kind)
}

/// Expressions that hold in [`World`].
const THESE_HOLD: &[&str] = &[
    // What the documentation shows.
    r#"request.hour_utc >= 6 && !("contractor" in caller.roles)"#,
    // The request.
    r#"request.method == "GET""#,
    r#"request.host == "api.example.com""#,
    r#"request.path.startsWith("/tenants/")"#,
    r#"request.params.tenant == caller.tenant"#,
    r#"request.params["id"] == "7" && int(request.params.id) == 7"#,
    r#"request.query.format in ["csv", "json"]"#,
    r#"request.query["empty"] == """#,
    r#"request.headers["x-region"].startsWith("eu-")"#,
    r#"request.headers["X-Region"] == "eu-1""#,
    r#"request.time == timestamp("2026-11-23T10:30:15+01:00")"#,
    r#"request.time < timestamp("2027-01-01T00:00:00Z") && request.time > timestamp(0)"#,
    r#"request.hour_utc == 9 && request.weekday_utc == "mon""#,
    r#"request.weekday_utc in ["mon", "tue"]"#,
    r#"request.source == "192.0.2.7""#,
    // The caller.
    r#"caller.provider == "corp" && caller.subject == "anna""#,
    r#""orders:read" in caller.scopes && size(caller.scopes) == 2"#,
    r#"caller.roles[0] == "clerk" && caller.actors == ["gateway", "batch"]"#,
    r#"request.time - caller.issued_at == duration("1m")"#,
    r#"caller.issued_at + duration("2m") > request.time"#,
    r#"caller.claims.dept == "sales" && caller.claims["dept"] == "sales""#,
    r#"caller.claims["https://x/y"] == "z" && "https://x/y" in caller.claims"#,
    r#"caller.claims.realm.zone.id == 7 && "admin" in caller.claims.realm.roles"#,
    r#"caller.claims.level >= 2 && caller.claims.level == 3.0 && caller.claims.ratio < 1"#,
    r#"caller.claims.huge > 9223372036854775807"#,
    r#"caller.claims.none == null && caller.claims.on"#,
    r#"caller.claims.numbers == [1, 2, 3]"#,
    r#"timestamp(caller.claims.since).getFullYear() == 2026"#,
    r#"request.time - timestamp(caller.claims.auth) < duration("10m")"#,
    r#"policy.name == "orders-api""#,
    // Absence.
    r#"has(caller.subject) && !has(caller.client) && !has(policy.version)"#,
    r#"!has(caller.claims.email) && has(caller.claims.none) && has(caller.claims.realm.zone)"#,
    r#"has(request.query.format) && !has(request.query.dry_run)"#,
    r#""x-region" in request.headers && !("x-absent" in request.headers)"#,
    r#"!has(caller.client) || caller.client == "web""#,
    r#"has(request.host) ? request.host != "" : false"#,
    // Lists.
    r#"caller.roles.exists(role, role.startsWith("cl"))"#,
    r#"caller.scopes.all(scope, scope.startsWith("orders:"))"#,
    r#"caller.claims.groups.exists_one(group, group == "blue")"#,
    r#"caller.roles.filter(role, role != "viewer") == ["clerk"]"#,
    r#"caller.roles.map(role, "r:" + role) == ["r:clerk", "r:viewer"]"#,
    r#"caller.roles.map(role, role == "clerk", role + "!") == ["clerk!"]"#,
    r#"caller.claims.empty.all(x, x == 1) && !caller.claims.empty.exists(x, x == 1)"#,
    r#"caller.roles.exists(role, caller.claims.groups.exists(group, group != role))"#,
    r#"[1, 2] + [3] == [1, 2, 3] && 3 in [1, 2] + [3] && !(4 in [])"#,
    r#"size([1, 2, 3]) == 3 && [1, 2, 3,].size() == 3"#,
    // Texts.
    r#""abc".contains("b") && "abc".endsWith("bc") && "ab" + "c" == "abc" && "abc" < "abd""#,
    r#"size("żółw") == 4 && "é" == "\u00e9""#,
    r#"r"\d" == "\\d" && "\x41\101\U00000041" == "AAA" && '"' == "\"" && """a"b""" == 'a"b'"#,
    "'''one\ntwo''' == \"one\\ntwo\" // a comment",
    r#"string(7) == "7" && string(true) == "true" && int("-7") == -7 && double("1.5") == 1.5"#,
    // Numbers.
    "1 + 2 * 3 == 7 && (1 + 2) * 3 == 9 && 7 / 2 == 3 && -7 / 2 == -3 && -7 % 2 == -1",
    "0x1F == 31 && 1e3 == 1000.0 && .5 == 0.5 && 1.5e-1 == 0.15 && 007 == 7",
    "-9223372036854775808 < 0 && - 1 == -1 && --1 == 1 && !!true",
    "int(1.9) == 1 && int(-1.9) == -1 && double(2) == 2.0 && int(timestamp(5)) == 5",
    "2.0 > 1.5 && true > false",
    // Times.
    r#"request.time.getHours() == 9 && request.time.getHours("Europe/Berlin") == 10"#,
    r#"request.time.getDayOfWeek("America/New_York") == 1 && request.time.getMinutes("+05:30") == 0"#,
    r#"request.time.getMonth() == 10 && request.time.getDate() == 23 && request.time.getDayOfMonth() == 22"#,
    r#"request.time.getDayOfYear() == 326 && request.time.getSeconds() == 15"#,
    r#"duration("1h30m").getMinutes() == 90 && duration("-1.5s") < duration("0s") && duration("90m").getHours() == 1"#,
    r#"timestamp("2027-07-01T23:30:00+02:00").getHours() == 21"#,
    // What decides first ends it.
    "true || 1 / 0 == 1",
    "!(false && 1 / 0 == 1)",
    "true ? true : 1 / 0 == 1",
    "request.method != \"GET\" || request.hour_utc == 9",
];

#[test]
fn these_hold() {
    for source in THESE_HOLD {
        assert_eq!(evaluate(source), Ok(true), "{source}");
    }
}

/// Expressions that do not hold in [`World`].
const THESE_DO_NOT: &[&str] = &[
    "false",
    r#"request.method == "get""#,
    r#""orders" in caller.scopes"#,
    r#"caller.claims.dept == 3"#,
    r#"caller.claims.level == "3""#,
    r#"caller.claims.mixed == [1, "a"]"#,
    r#"caller.claims.none == false"#,
    r#"caller.claims.realm == caller.claims.groups"#,
    r#"caller.claims.realm != caller.claims.realm"#,
    r#"[] == [1]"#,
    "1.0 / 3.0 == 0.3333",
    r#"caller.claims.level == 3.5 || caller.claims.ratio == 1"#,
];

#[test]
fn these_do_not_hold() {
    for source in THESE_DO_NOT {
        assert_eq!(evaluate(source), Ok(false), "{source}");
    }
}

#[test]
fn an_error_is_never_a_yes_whatever_stands_around_it() {
    let error = "caller.claims.absent == 1";
    for around in [
        "ERROR",
        "!(ERROR)",
        "ERROR || true",
        "true && ERROR",
        "ERROR && false",
        "!(ERROR && false)",
        "!(ERROR || true)",
        "false || ERROR || true",
        "(ERROR) == true",
        "(ERROR) != (ERROR)",
        "(ERROR) ? true : true",
        "true ? ERROR : true",
        "[1, 2].exists(x, ERROR)",
        "[1, 2].exists(x, x == 2 || ERROR || true)",
        "[1, 2].all(x, x == 1 ? true : ERROR)",
        "!([1, 2].all(x, ERROR))",
        "[1, 2].exists_one(x, ERROR)",
        "size([1].filter(x, ERROR)) == 0",
        "size([1].map(x, ERROR)) == 1",
        "(ERROR) in [true, false]",
        "true in [ERROR, true]",
        "true in [true, ERROR]",
        "has(caller.claims.absent.b)",
        "!has(caller.claims.absent.b)",
    ] {
        let source = around.replace("ERROR", error);
        assert_eq!(evaluate(&source), Err(ErrorKind::Absent), "{source}");
    }
}

#[test]
fn errors_say_what_and_where() {
    for (source, kind, place) in [
        (r#"caller.client == "web""#, ErrorKind::Absent, "at character 8"),
        (r#"policy.version == "1""#, ErrorKind::Absent, "at character 8"),
        (
            r#"request.headers["x-absent"] == """#,
            ErrorKind::Absent,
            "at character 16",
        ),
        (
            r#"request.query.dry_run == "1""#,
            ErrorKind::Absent,
            "at character 15",
        ),
        (
            r#"request.query.twice == "1""#,
            ErrorKind::Repeated,
            "at character 15",
        ),
        (
            r#"!has(request.query.twice)"#,
            ErrorKind::Repeated,
            "at character 20",
        ),
        (
            r#"request.headers["x-twice"] == "a""#,
            ErrorKind::Repeated,
            "at character 16",
        ),
        (
            r#"request.headers["x-bytes"] == "a""#,
            ErrorKind::Unreadable,
            "at character 16",
        ),
        (
            "caller.authenticated_at < request.time",
            ErrorKind::Absent,
            "at character 8",
        ),
        (
            "caller.expires_at > request.time",
            ErrorKind::TooLarge,
            "at character 8",
        ),
        ("1 / 0 == 1", ErrorKind::DivisionByZero, "at character 3"),
        ("1 % 0 == 1", ErrorKind::DivisionByZero, "at character 3"),
        ("1.0 / 0.0 > 1.0", ErrorKind::DivisionByZero, "at character 5"),
        ("1e308 * 10.0 > 1.0", ErrorKind::TooLarge, "at character 7"),
        (
            "9223372036854775807 + 1 > 0",
            ErrorKind::TooLarge,
            "at character 21",
        ),
        (
            "-9223372036854775808 / -1 > 0",
            ErrorKind::TooLarge,
            "at character 22",
        ),
        (
            "-(-9223372036854775808) > 0",
            ErrorKind::TooLarge,
            "at character 1",
        ),
        ("int(1e30) > 0", ErrorKind::TooLarge, "at character 1"),
        ("int(\"x\") > 0", ErrorKind::Unreadable, "at character 1"),
        ("double(\" 1\") > 0.0", ErrorKind::Unreadable, "at character 1"),
        (
            "timestamp(\"9999-12-31T23:59:59Z\") + duration(\"1s\") > request.time",
            ErrorKind::TooLarge,
            "at character 35",
        ),
        (
            "timestamp(caller.claims.dept) > request.time",
            ErrorKind::Unreadable,
            "at character 1",
        ),
        (
            "caller.roles[2] == \"a\"",
            ErrorKind::NoSuchElement,
            "at character 13",
        ),
        (
            "caller.roles[-1] == \"a\"",
            ErrorKind::NoSuchElement,
            "at character 13",
        ),
        ("caller.claims.dept", ErrorKind::WrongType, "at character 15"),
        (
            "caller.claims.dept + 1 == 2",
            ErrorKind::WrongType,
            "at character 20",
        ),
        (
            "caller.claims.level + caller.claims.ratio > 1",
            ErrorKind::WrongType,
            "at character 21",
        ),
        ("caller.claims.dept < 1", ErrorKind::WrongType, "at character 20"),
        (
            "caller.claims.dept.x == 1",
            ErrorKind::WrongType,
            "at character 20",
        ),
        (
            "caller.claims.realm.exists(x, x == 1)",
            ErrorKind::WrongType,
            "at character 15",
        ),
        ("1 in caller.claims.dept", ErrorKind::WrongType, "at character 3"),
        (
            "caller.claims.on &&\n  caller.claims.\n  absent",
            ErrorKind::Absent,
            "at line 3, character 3",
        ),
        (
            "'é' == 'é' && 1 / 0 == 1",
            ErrorKind::DivisionByZero,
            "at character 17",
        ),
    ] {
        let condition = compile(source).unwrap_or_else(|fault| panic!("{source}: {fault:?}"));
        let error = condition.evaluate(&World::new().facts()).expect_err(source);
        assert_eq!(
            (error.kind, error.position.to_string().as_str()),
            (kind, place),
            "{source}"
        );
        assert!(error.to_string().ends_with(place));
    }
}

#[test]
fn faults_say_where_and_what_would_be_right() {
    for (source, offset, message, help) in [
        // Names.
        ("requst.method == \"GET\"", 0, "no variable `requst`", "`request`"),
        (
            "claims.dept == 1",
            0,
            "no variable `claims`",
            "write `caller.claims`",
        ),
        (
            "request.metod == \"GET\"",
            8,
            "`request` has no member `metod`",
            "`method`",
        ),
        (
            "caller.department == \"x\"",
            7,
            "no member `department`",
            "`caller.claims.department`",
        ),
        (
            "request.params.tennant == \"x\"",
            15,
            "no parameter `tennant`",
            "`tenant`",
        ),
        (
            "request.headers[\"cookie\"] == \"\"",
            16,
            "may not read the header `cookie`",
            "authorization.conditions.headers",
        ),
        (
            "has(request.headers.cookie)",
            20,
            "may not read the header `cookie`",
            "authorization.conditions.headers",
        ),
        (
            "\"cookie\" in request.headers",
            0,
            "may not read the header `cookie`",
            "headers: [cookie]",
        ),
        (
            "request.headers[caller.subject] == \"\"",
            23,
            "names that are written out",
            "in quotes",
        ),
        (
            "request.query[request.method] == \"\"",
            22,
            "names that are written out",
            "in quotes",
        ),
        (
            "request.path.startswith(\"/a\")",
            13,
            "no function `startswith`",
            "`startsWith`",
        ),
        (
            "request.path.matches(\"a*\")",
            13,
            "no function `matches`",
            "no regular expressions",
        ),
        (
            "exists(caller.roles, r, true)",
            0,
            "no function `exists`",
            "behind a list",
        ),
        (
            "startsWith(request.path, \"/\")",
            0,
            "not called this way",
            "x.startsWith(..)",
        ),
        ("request.path.int() == 1", 13, "not called this way", "int(x)"),
        // Types.
        (
            "request.method == 1",
            15,
            "`==` does not go between a text and a whole number",
            "quotes",
        ),
        (
            "request.method",
            8,
            "true or false, and this is a text",
            "compare it",
        ),
        ("request", 0, "`request` is no value", "method, host"),
        (
            "request.params == caller.claims",
            8,
            "`request.params` is no value",
            "request.params.tenant",
        ),
        ("caller.tenant == null", 14, "does not go between", "has(..)"),
        ("1 == 1.0", 2, "does not go between", "fraction"),
        ("1 + 1.0 == 2.0", 2, "does not go between", "fraction"),
        (
            "request.time == \"2026-01-01T00:00:00Z\"",
            13,
            "between a time and a text",
            "go together",
        ),
        (
            "!request.method",
            9,
            "`!` turns true or false, and this is a text",
            "compare",
        ),
        ("-request.method == 1", 0, "`-` turns a number", "`!`"),
        (
            "request.method && true",
            8,
            "`&&` joins what is true or false",
            "compare",
        ),
        ("\"a\" in \"abc\"", 4, "`in` does not go between", "contains"),
        ("1 in caller.roles", 2, "`in` does not go between", "go together"),
        (
            "caller.roles.contains(\"a\")",
            7,
            "`contains` does not take a list",
            "`in`",
        ),
        (
            "caller.roles == \"clerk\"",
            13,
            "between a list and a text",
            "go together",
        ),
        (
            "caller.roles < caller.roles",
            13,
            "does not go between",
            "go together",
        ),
        ("true ? 1 : \"a\"", 5, "things of one type", "same type"),
        (
            "request.method.exists(x, true)",
            8,
            "a list should be here",
            "caller.scopes",
        ),
        (
            "caller.claims.exists(x, true)",
            7,
            "a list should be here",
            "caller.scopes",
        ),
        (
            "caller.roles.exists(x, x)",
            23,
            "what is asked of each element is true or false",
            "compare",
        ),
        (
            "caller.roles.exists(1, true)",
            13,
            "takes the name of a variable",
            "caller.roles.exists(role",
        ),
        (
            "caller.roles.all(x, true, true)",
            13,
            "takes the name of a variable",
            "caller.roles.all(role",
        ),
        (
            "caller.roles.exists(caller, true)",
            13,
            "has a meaning already",
            "name of its own",
        ),
        (
            "caller.roles.exists(x, caller.roles.exists(x, true))",
            36,
            "has a meaning already",
            "name of its own",
        ),
        ("request.method.x == 1", 15, "asks for a member", "have members"),
        ("request.weekday_utc != \"monday\"", 23, "never `monday`", "mon"),
        ("request.weekday_utc in [\"Mon\"]", 24, "never `Mon`", "mon"),
        ("has(request)", 0, "asks for one member", "has(caller.claims"),
        (
            "has(caller.claims[\"a\"])",
            0,
            "asks for one member",
            "in caller.claims",
        ),
        ("size() == 0", 0, "another number of arguments", "one argument"),
        ("\"a\".size(1) == 0", 4, "another number of arguments", "size()"),
        (
            "timestamp(\"2026-11-23\") < request.time",
            10,
            "`2026-11-23` is not a time",
            "RFC 3339",
        ),
        (
            "timestamp(\"2026-06-30T23:59:60Z\") < request.time",
            10,
            "is not a time",
            "RFC 3339",
        ),
        (
            "duration(\"10\") < duration(\"1d\")",
            9,
            "`10` is not a length of time",
            "`1h30m`",
        ),
        (
            "request.time.getHours(\"Berlin\") == 1",
            22,
            "no time zone `Berlin`",
            "`Europe/Berlin`",
        ),
        (
            "request.time.getHours(caller.tenant) == 1",
            29,
            "must be written out",
            "quotes",
        ),
        (
            "request.method.getHours() == 1",
            8,
            "`getHours` is a part of a time",
            "types",
        ),
        // Syntax.
        ("", 0, "here is the end", "hour_utc"),
        ("request.method =", 15, "`=` means nothing", "`==`"),
        ("true & true", 5, "`&` means nothing", "`&&`"),
        ("true true", 5, "here is `true`", "hour_utc"),
        ("(true", 5, "here is the end, where `)`", "hour_utc"),
        ("[1, 2", 5, "where `,`", "hour_utc"),
        ("size(\"a\",) == 1", 9, "here is `)`", "hour_utc"),
        ("\"abc", 0, "the text has no end", "close it"),
        ("\"a\nb\" == \"\"", 0, "the text has no end", "close it"),
        ("\"\\q\" == \"\"", 1, "an escape that stands for nothing", "`r`"),
        (
            "\"\\ud800\" == \"\"",
            1,
            "an escape that stands for nothing",
            "`r`",
        ),
        ("b\"a\" == b\"a\"", 0, "`b` before a text", "alone"),
        ("1u == 1u", 0, "unsigned number", "without the `u`"),
        ("1x == 1", 0, "`1x` is no number", "digits"),
        ("0x == 1", 0, "`0x` is no number", "hexadecimal"),
        ("1e == 1.0", 0, "`1e` is no number", "digits"),
        ("1e400 == 1.0", 0, "`1e400` is no number", "digits"),
        ("18446744073709551616 == 1", 0, "too large", "9223372036854775807"),
        ("9223372036854775808 == 1", 0, "too large", "9223372036854775807"),
        ("{\"a\": 1} == 1", 0, "mappings cannot be written", "`?:`"),
        ("if == 1", 0, "reserved word", "another name"),
        ("in == 1", 0, "`in` has nothing before it", "list"),
        ("caller.in == 1", 7, "here is `in`", "hour_utc"),
        (
            "request.`method` == \"\"",
            8,
            "means nothing here",
            "caller.claims",
        ),
        ("#", 0, "`#` means nothing", "CEL"),
        ("é", 0, "`é` means nothing", "CEL"),
    ] {
        let fault = compile(source).map(|_| ()).expect_err(source);
        assert!(fault.message.contains(message), "{source}: {fault:?}");
        assert!(fault.help.contains(help), "{source}: {fault:?}");
        assert_eq!(fault.offset, offset, "{source}: {fault:?}");
        assert!(!fault.message.contains('\n') && !fault.help.is_empty());
    }
}

#[test]
fn a_fault_becomes_one_of_the_policy_with_its_place() {
    let fault = compile("true &&\n requst").map(|_| ()).expect_err("a fault");
    let error = fault.into_policy_error("routes[0].access.when");
    assert_eq!(error.code, "invalid_condition");
    assert_eq!(
        error.to_string(),
        "routes[0].access.when: there is no variable `requst` (at line 2, character 2) (did you mean `request`? If not, \
         start with `request`, `caller` or `policy`; texts are quoted)"
    );
}

#[test]
fn a_condition_says_what_it_reads() {
    let reads = |source: &str| compile(source).expect(source).reads();
    assert_eq!(
        reads("request.method == \"GET\" && has(caller.claims.x)"),
        Reads::default()
    );
    for (source, wanted) in [
        (
            "request.params.id == \"7\"",
            Reads {
                parameters: true,
                ..Reads::default()
            },
        ),
        (
            "has(request.query.x)",
            Reads {
                query: true,
                ..Reads::default()
            },
        ),
        (
            "\"x-region\" in request.headers",
            Reads {
                headers: true,
                ..Reads::default()
            },
        ),
        (
            "has(request.source)",
            Reads {
                source: true,
                ..Reads::default()
            },
        ),
        (
            "\"a\" in caller.scopes",
            Reads {
                scopes: true,
                ..Reads::default()
            },
        ),
        (
            "size(caller.actors) == 0",
            Reads {
                actors: true,
                ..Reads::default()
            },
        ),
        (
            "has(caller.authenticated_at)",
            Reads {
                authenticated_at: true,
                ..Reads::default()
            },
        ),
    ] {
        assert_eq!(reads(source), wanted, "{source}");
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let refused = |source: String, part: &str| {
        let fault = compile(&source).map(|_| ()).expect_err(part);
        assert!(fault.message.contains(part), "{fault:?}");
    };
    refused(" ".repeat(SOURCE_BYTES + 1), "bytes");
    assert!(compile(&format!("true{}", " ".repeat(SOURCE_BYTES - 4))).is_ok());
    refused(vec!["1"; PARTS].join("<"), "nested more than");
    refused(format!("1 in [{}]", vec!["1"; PARTS].join(",")), "parts");
    let all = format!("true{}", "&&true".repeat(600));
    assert!(compile(&all).is_ok());
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("!", ""),
        ("-", ""),
        ("true?1:", ""),
        ("size(", ")"),
        ("a[", "]"),
        ("has(", ")"),
    ] {
        for levels in [DEPTH + 1, 500, SOURCE_BYTES / open.len()] {
            let source = format!("{}true{}", open.repeat(levels), close.repeat(levels));
            let source = source
                .get(..SOURCE_BYTES.min(source.len()))
                .unwrap_or_default()
                .to_owned();
            let fault = compile(&source).map(|_| ()).expect_err(open);
            assert!(fault.message.contains("nested more than"), "{open}: {fault:?}");
        }
    }
    for chain in [".a", "[0]", "+1", ".size()", " in x", "==1"] {
        refused(format!("caller.claims{}", chain.repeat(500)), "nested more than");
    }
    let brackets = DEPTH - 1;
    assert!(compile(&format!("{}true{}", "(".repeat(brackets), ")".repeat(brackets))).is_ok());
    let nested = "caller.roles.exists(a, caller.roles.exists(b, caller.roles.exists(c, true)))";
    assert_eq!(COMPREHENSIONS, 2);
    refused(nested.to_owned(), "more than 2 deep");
}

/// A world as large as a token of 16 KiB makes it.
fn largest() -> World {
    let mut world = World::new();
    world.roles = (0..8_000).map(|_| "r".to_owned()).collect();
    world.claims.insert("list".to_owned(), json!(vec![0; 8_000]));
    world.claims.insert("text".to_owned(), json!("t".repeat(16_000)));
    world
}

#[test]
fn an_expression_may_look_at_every_element_of_the_largest_token() {
    let world = largest();
    for source in [
        "!(\"x\" in caller.roles)",
        "caller.roles.all(role, role == \"r\")",
        "!caller.claims.list.exists(x, x == 1)",
        "size(caller.claims.list.filter(x, x == 0)) == 8000",
        "caller.claims.text.contains(\"t\") && !caller.claims.text.contains(\"tx\")",
        "caller.claims.list == caller.claims.list && caller.claims.text == caller.claims.text + \"\"",
    ] {
        let condition = compile(source).expect(source);
        let mut evaluation = Evaluation::new(&[world.facts()][0]).holds(&condition.root);
        assert_eq!(evaluation.as_mut().copied(), Ok(true), "{source}");
    }
}

#[test]
fn no_expression_takes_more_than_its_steps() {
    let world = largest();
    let facts = world.facts();
    for (source, kind) in [
        (
            "caller.roles.all(a, caller.roles.all(b, a == b))",
            ErrorKind::TooMuchWork,
        ),
        (
            "caller.claims.list.all(a, caller.claims.list == caller.claims.list)",
            ErrorKind::TooMuchWork,
        ),
        (
            "caller.roles.all(a, caller.claims.text.contains(\"tx\") || true)",
            ErrorKind::TooMuchWork,
        ),
        (
            "caller.roles.map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a) == []",
            ErrorKind::TooMuchWork,
        ),
        (
            "size([caller.claims.text].map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a)) == 1",
            ErrorKind::TooLarge,
        ),
        (
            "caller.roles.all(a, caller.roles + caller.roles != [])",
            ErrorKind::TooMuchWork,
        ),
        (
            "caller.roles.all(a, !(\"x\" in caller.roles))",
            ErrorKind::TooMuchWork,
        ),
    ] {
        let condition = compile(source).expect(source);
        let mut evaluation = Evaluation::new(&facts);
        let outcome = evaluation.holds(&condition.root).map_err(|error| error.kind);
        assert_eq!(outcome, Err(kind), "{source}");
        // The step that goes over the limit is the last; none of them alone is long.
        assert!(
            evaluation.steps() <= STEPS + 2 * 16_000,
            "{source}: {}",
            evaluation.steps()
        );
    }
}
