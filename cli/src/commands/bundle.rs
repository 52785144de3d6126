//! `scopegate bundle`: the plugin and a policy in one file.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use scopegate_bundle::{
    Baker, BundleError, InlineSecret, Inspection, Open, Options, Proxies, SignatureError,
};
use scopegate_document::PolicyError;
use scopegate_engine::source::{self, Diagnostic, Source, Unreadable};
use serde_json::json;

use scopegate_oci::Pushed;

use super::check::Format;
use super::publish::Publish;
use crate::secrets::CheckedSecrets;
use crate::{Exit, Failure, diagnostics, files, module, output, style};

/// The time that builds are told to record (<https://reproducible-builds.org/specs/source-date-epoch>).
const BUILD_TIME: &str = "SOURCE_DATE_EPOCH";

/// Makes one file of the plugin and a policy: proxies load it as it is, and need no configuration
#[derive(Debug, Args)]
#[command(
    after_help = "The same policy and the same plugin give the same bytes. The policy is checked first, and compiled: a proxy has\n\
                  it at once. What the proxy's configuration may set is what `--open` names, and nothing else, ever:\n  \
                  {\"upstreams\": {\"idp\": \"outbound|443||idp.example.com\"}, \"log_level\": \"warn\"}\n\n\
                  Secrets that the policy takes from the environment are taken from the proxy's, when it starts. A policy that a secret\n\
                  stands in makes no bundle.\n\n\
                  Examples:\n  scopegate bundle policy.yaml -o orders.wasm\n  \
                  scopegate bundle authentication.yaml authorization.yaml -o orders.wasm --open upstreams,log_level\n  \
                  openssl genpkey -algorithm ed25519 -out secret.pem && openssl pkey -in secret.pem -pubout -out public.pem\n  \
                  scopegate bundle policy.yaml -o orders.wasm --sign secret.pem && scopegate inspect orders.wasm --verify public.pem\n  \
                  scopegate bundle policy.yaml -o orders.wasm --oci images --push registry.example/policies/orders:1.4\n\n\
                  Exit status: 0 made; 2 the policy, the module or the key is wrong; 3 a file cannot be read or written."
)]
pub(crate) struct Bundle {
    /// The policy: one file, or several that are joined
    #[arg(required = true, value_name = "POLICY")]
    policy: Vec<PathBuf>,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// What the proxy's configuration may set
    #[arg(long, value_enum, value_name = "FIELD", value_delimiter = ',')]
    open: Vec<OpenField>,
    /// The proxies that it is for: what is for Envoy alone is called less often, and would crash NGINX
    #[arg(long, value_enum, value_name = "PROXY", default_value_t)]
    proxy: Proxy,
    /// Signs it with this key: Ed25519, in PEM (PKCS #8), DER or raw form
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// Writes the signature into this file, and leaves it out of the module
    #[arg(long, value_name = "FILE", requires = "sign")]
    signature: Option<PathBuf>,
    /// The plugin's module, in place of the one in the command or, where none is in it, the one that was built
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    #[command(flatten)]
    publish: Publish,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What the proxy's configuration may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum OpenField {
    /// The proxy's names of the upstreams that the policy names: its configuration then decides who serves keys,
    /// introspection and revocation
    Upstreams,
    /// The least level of the plugin's own lines: info, warn, error
    LogLevel,
}

impl From<OpenField> for Open {
    fn from(field: OpenField) -> Self {
        match field {
            OpenField::Upstreams => Self::Upstreams,
            OpenField::LogLevel => Self::LogLevel,
        }
    }
}

/// The proxies that a bundle is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Proxy {
    /// All that the plugin runs in
    #[default]
    Any,
    /// Envoy, Istio, Envoy Gateway
    Envoy,
}

impl From<Proxy> for Proxies {
    fn from(proxy: Proxy) -> Self {
        match proxy {
            Proxy::Any => Self::Any,
            Proxy::Envoy => Self::Envoy,
        }
    }
}

impl Bundle {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let (source, warnings) = match self.checked() {
            Err(unreadable) if self.format == Format::Json => {
                let shown = diagnostics::object(&unreadable.files, &unreadable.diagnostics);
                output::write(&format!("{shown}\n"))?;
                return Ok(Failure::Unreadable(unreadable).exit());
            }
            checked => checked?,
        };
        let registry = self.publish.registry()?;
        let plugin = module::find(self.wasm.as_deref())?;
        let (module, made) = self.make(&source, plugin.bytes()?)?;
        eprint!(
            "{}",
            diagnostics::human(source.files(), &warnings, style::for_stderr())
        );
        if self.format == Format::Human {
            eprintln!("plugin: {}, {}", plugin.name(), plugin_digest(&made));
        }
        let pushed = self.publish.publish(registry.as_ref(), &module, &made)?;
        self.print(&made, pushed.as_ref())?;
        Ok(Exit::Fine)
    }

    /// The policy, where no secret stands in it and `scopegate check` finds no error, and the warnings.
    fn checked(&self) -> Result<(Source, Vec<Diagnostic>), Unreadable> {
        let source = source::load(&self.policy)?;
        let secrets = scopegate_bundle::inline_secrets(source.document());
        if !secrets.is_empty() {
            return Err(Unreadable {
                files: source.files().to_vec(),
                diagnostics: secrets
                    .into_iter()
                    .map(|secret| refused(&source, secret))
                    .collect(),
                missing_file: false,
            });
        }
        match source.compile(&CheckedSecrets) {
            Ok((_, warnings)) => Ok((source, warnings)),
            Err(diagnostics) => Err(Unreadable {
                files: source.files().to_vec(),
                diagnostics,
                missing_file: false,
            }),
        }
    }

    /// Makes the bundle, looks at it as anybody would, and writes it.
    fn make(&self, source: &Source, plugin: Vec<u8>) -> Result<(Vec<u8>, Inspection), Failure> {
        let options = Options {
            open: self.open.iter().copied().map(Open::from).collect(),
            proxies: self.proxy.into(),
            by: concat!("scopegate ", env!("CARGO_PKG_VERSION")).to_owned(),
            at: build_time()?,
        };
        let baked = Baker::new(plugin).and_then(|baker| baker.bake(source.document(), &options));
        let mut bytes = baked.map_err(failure)?;
        if let Some(key) = &self.sign {
            let signed = signed(&bytes, key)?;
            match &self.signature {
                Some(beside) => files::write(beside, &signature(&signed)?)?,
                None => bytes = signed,
            }
        }
        let made = scopegate_bundle::inspect(&bytes).map_err(|error| Failure::Invalid(error.to_string()))?;
        files::write(&self.output, &bytes)?;
        Ok((bytes, made))
    }

    fn print(&self, made: &Inspection, pushed: Option<&Pushed>) -> Result<(), Failure> {
        let digest = made
            .bundle
            .as_ref()
            .map(|(manifest, _)| manifest.policy.digest.as_str());
        let path = self.output.display().to_string();
        output::write(&match self.format {
            Format::Human => format!(
                "{path}: {} bytes, policy {}\n{}\n{}",
                made.bytes,
                digest.unwrap_or_default(),
                made.digest,
                pushed
                    .map(|pushed| format!("{}\n", pushed.reference))
                    .unwrap_or_default()
            ),
            Format::Json => {
                let image = pushed.map(|pushed| pushed.reference.as_str());
                let object = json!({
                    "file": path, "bytes": made.bytes, "digest": made.digest, "policy": digest,
                    "plugin": plugin_digest(made), "image": image,
                });
                format!("{object}\n")
            }
        })
    }
}

/// The digest of the module that the bundle was made from.
fn plugin_digest(made: &Inspection) -> &str {
    let manifest = made.bundle.as_ref().map(|(manifest, _)| manifest);
    manifest.map_or("none", |manifest| &manifest.plugin.digest)
}

/// A secret that stands in the policy, with its place.
fn refused(source: &Source, secret: InlineSecret) -> Diagnostic {
    let (code, message, help) = match secret.is_shared {
        true => (
            "key_secret_inline",
            "a shared secret stands in the policy, and whoever has a bundle has what is in it",
            "use `keys: [{kid, alg, secret: {env: NAME}}]`, and make a new secret",
        ),
        false => (
            "key_private",
            "a private key stands in the policy, and whoever has a bundle has what is in it",
            "publish the public members only, and replace the key: it is no longer private",
        ),
    };
    source.diagnostic(PolicyError::new(code, secret.path, message, help))
}

fn build_time() -> Result<Option<u64>, Failure> {
    let Some(text) = std::env::var_os(BUILD_TIME) else {
        return Ok(None);
    };
    let seconds = text.to_str().and_then(|text| text.parse().ok());
    let fault = || Failure::Invalid(format!("`{BUILD_TIME}` is no number of seconds since 1970"));
    seconds.ok_or_else(fault).map(Some)
}

fn signed(bytes: &[u8], key: &Path) -> Result<Vec<u8>, Failure> {
    scopegate_bundle::sign(bytes, &files::read(key)?).map_err(|error| at_key(&error, key))
}

fn signature(signed: &[u8]) -> Result<Vec<u8>, Failure> {
    scopegate_bundle::signature_of(signed).map_err(|error| Failure::Invalid(error.to_string()))
}

/// What is wrong with a signature or its key, with the file that the key is in.
pub(super) fn at_key(error: &SignatureError, key: &Path) -> Failure {
    Failure::Invalid(match error {
        SignatureError::Key(_) => format!("`{}`: {error}", key.display()),
        SignatureError::Missing
        | SignatureError::Wrong
        | SignatureError::Malformed
        | SignatureError::Module(_) => error.to_string(),
    })
}

fn failure(error: BundleError) -> Failure {
    match error {
        BundleError::Plugin(_) | BundleError::Policy(_) | BundleError::Secrets(_) => {
            Failure::Invalid(error.to_string())
        }
        BundleError::Machine(_) => Failure::Environment(
            error.to_string(),
            "build the plugin anew with `cargo xtask wasm`".to_owned(),
        ),
    }
}
