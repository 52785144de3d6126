//! The published JSON Schemas: equal to what the command prints, and, by a validator that is none of ours, true of
//! every policy and test file there is and of no broken one.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::{run, stdout};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn published(name: &str) -> Value {
    let text = std::fs::read_to_string(root().join("schemas").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A validator that is none of ours.
struct Validator {
    schemas: boon::Schemas,
    index: boon::SchemaIndex,
}

impl Validator {
    fn of(name: &str) -> Self {
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        let place = format!("https://example.com/{name}");
        compiler.add_resource(&place, published(name)).unwrap();
        let index = compiler.compile(&place, &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn faults(&self, document: &Value) -> Option<String> {
        self.schemas
            .validate(document, self.index)
            .err()
            .map(|fault| format!("{fault:#}"))
    }
}

fn yaml(path: &Path) -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The policies and the test files of these folders.
fn documents(folders: &[&str]) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let entries = |path: &Path| {
        std::fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
    };
    let folders = folders.iter().flat_map(|folder| entries(&root().join(folder)));
    let files = folders
        .filter(|path| path.is_dir())
        .flat_map(|path| entries(&path).collect::<Vec<_>>());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let files: Vec<PathBuf> = files.filter(|path| name(path).ends_with(".yaml")).collect();
    files
        .into_iter()
        .partition(|path| !name(path).ends_with(".test.yaml"))
}

#[test]
fn what_is_published_is_what_the_command_prints() {
    for (name, arguments) in [
        ("policy.schema.json", &["schema"][..]),
        ("test.schema.json", &["schema", "--tests"]),
    ] {
        let printed = stdout(&run(arguments, ""));
        let file = root().join("schemas").join(name);
        if std::env::var_os("SCOPEGATE_BLESS").is_some() {
            std::fs::create_dir_all(root().join("schemas")).unwrap();
            std::fs::write(&file, &printed).unwrap();
        }
        let published = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            published == printed,
            "schemas/{name} is old: `scopegate {} > schemas/{name}`",
            arguments.join(" ")
        );
    }
}

#[test]
fn every_policy_and_every_test_file_is_valid() {
    let (policies, tests) = documents(&["policies", "corpus"]);
    assert!(policies.len() > 30 && tests.len() > 30);
    for (schema, files) in [("policy.schema.json", policies), ("test.schema.json", tests)] {
        let validator = Validator::of(schema);
        for file in files {
            assert_eq!(validator.faults(&yaml(&file)), None, "{}", file.display());
        }
    }
}

#[test]
fn what_the_command_refuses_for_its_shape_the_schema_refuses() {
    let test = json!({"policy": "p.yaml", "tests": [{"name": "a", "request": {"path": "/"}, "expect": {"allow": true}}]});
    let policy = yaml(&root().join("policies/rest-api-tenants/policy.yaml"));
    let changes: [(&str, &Value, &str, Value); 16] = [
        ("test.schema.json", &test, "", json!([])),
        ("test.schema.json", &test, "/tests/0/request/methd", json!("GET")),
        ("test.schema.json", &test, "/tests/0/expect/allow", json!(7)),
        ("test.schema.json", &test, "/tests/0/expect/status", Value::Null),
        (
            "test.schema.json",
            &test,
            "/tests/0/expect/upstream",
            json!({"x-a": {"contains": "a", "equals": "b"}}),
        ),
        ("test.schema.json", &test, "/tests/0/name", json!(1)),
        (
            "test.schema.json",
            &test,
            "/tokens",
            json!({"a": {"expires_in": "soon"}}),
        ),
        (
            "test.schema.json",
            &test,
            "/tokens",
            json!({"a": {"signature": "bend"}}),
        ),
        ("test.schema.json", &test, "/keys", json!({"a": {"kid": "x"}})),
        ("test.schema.json", &test, "/matrix", json!({"callers": ["none"]})),
        ("policy.schema.json", &policy, "/scopegate", json!("v9")),
        (
            "policy.schema.json",
            &policy,
            "/authorization/routes/1/acces",
            json!({}),
        ),
        (
            "policy.schema.json",
            &policy,
            "/authorization/routes/1/access",
            json!("everybody"),
        ),
        (
            "policy.schema.json",
            &policy,
            "/authentication/providers/0/type",
            json!("password"),
        ),
        (
            "policy.schema.json",
            &policy,
            "/authentication/providers/0/max_lifetime",
            json!("an hour"),
        ),
        (
            "policy.schema.json",
            &policy,
            "/authentication/providers/0/algorithms",
            json!(["none"]),
        ),
    ];
    for (schema, document, place, value) in changes {
        let validator = Validator::of(schema);
        let mut broken = document.clone();
        assert_eq!(validator.faults(&broken), None);
        match place.rsplit_once('/') {
            None => broken = value.clone(),
            Some((parent, name)) => {
                let parent = broken.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                parent.insert(name.to_owned(), value.clone());
            }
        }
        assert!(
            validator.faults(&broken).is_some(),
            "{schema} takes `{value}` at `{place}`"
        );
    }
}
