//! `scopegate inspect`: what is in a module, from the file alone.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use scopegate_bundle::{Form, Inspection, Manifest, Proxies, SignatureError, redacted};
use scopegate_harness::visible;
use serde_json::{Value, json};

use super::bundle::at_key;
use super::check::Format;
use crate::style::{Paint, Style};
use crate::{Exit, Failure, files, output, style};

/// Shows what is in a bundle: the policy, its digest, the plugin, what it imports, who signed it
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is taken from the network or another file. The module's own engine is asked which policy it has; a file\n\
                  that was cut off or damaged, or says two things, is refused. All that is shown is what the file says of itself:\n\
                  whoever changes a file can make its digest anew. Who made it, only `--verify` tells.\n\n\
                  Examples:\n  scopegate inspect orders.wasm\n  scopegate inspect orders.wasm --policy > policy.json\n  \
                  scopegate inspect orders.wasm --verify public.pem --format json\n\n\
                  Exit status: 0 it is what it says; 1 it is not signed with the key given; 2 the file is damaged, changed,\n\
                  or another module; 3 a file cannot be read."
)]
pub(crate) struct Inspect {
    /// The module: a bundle, or the plugin itself
    #[arg(value_name = "FILE")]
    module: PathBuf,
    /// Prints the policy alone, in JSON
    #[arg(long)]
    policy: bool,
    /// Requires that it was signed with the secret key of this public one: Ed25519, in PEM, DER or raw form
    #[arg(long, value_name = "KEY")]
    verify: Option<PathBuf>,
    /// The signature, where it does not stand in the module
    #[arg(long, value_name = "FILE", requires = "verify")]
    signature: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What is known of the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signature {
    Absent,
    Unverified,
    Verified,
}

impl Signature {
    const fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Unverified => "unverified",
            Self::Verified => "verified",
        }
    }
}

impl Inspect {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let bytes = files::read(&self.module)?;
        let path = visible::line(&self.module.display().to_string());
        // Whoever asks for a signature is told of that first: nothing else in an unsigned file counts.
        if let Some(key) = &self.verify {
            let beside = self.signature.as_deref().map(files::read).transpose()?;
            match scopegate_bundle::verify(&bytes, &files::read(key)?, beside.as_deref()) {
                Ok(()) => {}
                Err(error @ (SignatureError::Missing | SignatureError::Wrong)) => {
                    eprintln!("error: `{path}`: {error}");
                    return Ok(Exit::Findings);
                }
                Err(error @ SignatureError::Key(_)) => return Err(at_key(&error, key)),
                Err(error @ (SignatureError::Malformed | SignatureError::Module(_))) => {
                    return Err(Failure::Invalid(format!("`{path}`: {error}")));
                }
            }
        }
        let found = scopegate_bundle::inspect(&bytes);
        let found = found.map_err(|error| {
            let error = visible::line(&error.to_string());
            Failure::Invalid(format!("`{path}`: {error}"))
        })?;
        let signature = match (&self.verify, found.is_signed) {
            (Some(_), _) => Signature::Verified,
            (None, true) => Signature::Unverified,
            (None, false) => Signature::Absent,
        };
        output::write(&match (self.policy, self.format) {
            (true, _) => policy(&found).ok_or_else(|| {
                Failure::Invalid(format!("`{path}` is the plain plugin: there is no policy in it"))
            })?,
            (false, Format::Json) => format!("{}\n", visible::json(&object(&found, signature).to_string())),
            (false, Format::Human) => human(&found, signature, style::for_stdout()),
        })?;
        Ok(Exit::Fine)
    }
}

fn policy(found: &Inspection) -> Option<String> {
    let (_, policy) = found.bundle.as_ref()?;
    Some(format!("{}\n", visible::json(&format!("{:#}", redacted(policy)))))
}

fn object(found: &Inspection, signature: Signature) -> Value {
    let bundle = found.bundle.as_ref();
    json!({
        "bytes": found.bytes,
        "code_bytes": found.code_bytes,
        "data_bytes": found.data_bytes,
        "digest": found.digest,
        "plugin": found.plugin,
        "abi": found.abi,
        "proxies": match found.proxies {
            Proxies::Any => "any",
            Proxies::Envoy => "envoy",
        },
        "imports": found.imports,
        "signature": signature.name(),
        "manifest": bundle.map(|(manifest, _)| manifest),
        "policy": bundle.map(|(_, policy)| redacted(policy)),
    })
}

fn human(found: &Inspection, signature: Signature, style: Style) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        let name = Paint::Strong.paint(&format!("{name:<10}"), style);
        let _ = writeln!(text, "{name} {}", visible::line(value));
    };
    match &found.bundle {
        Some((manifest, _)) => rows(manifest, &mut row),
        None => {
            row(
                "policy",
                "none: this is the plain plugin, which takes its policy from the proxy's configuration",
            );
            row("plugin", &found.plugin);
        }
    }
    row("abi", &format!("Proxy-Wasm {}", found.abi));
    let proxies = match found.proxies {
        Proxies::Any => "any",
        Proxies::Envoy => "Envoy, Istio, Envoy Gateway; NGINX would crash",
    };
    row("proxies", proxies);
    let names: Vec<&str> = found.imports.iter().map(|import| import.name.as_str()).collect();
    row("imports", &names.join(" "));
    row(
        "size",
        &format!(
            "{} bytes: {} of code, {} of data",
            found.bytes, found.code_bytes, found.data_bytes
        ),
    );
    row("file", &found.digest);
    row(
        "signature",
        match signature {
            Signature::Absent => "none",
            Signature::Unverified => "not checked: there is one, and `--verify KEY` tells whose",
            Signature::Verified => "made with the key given",
        },
    );
    text
}

fn rows(manifest: &Manifest, row: &mut impl FnMut(&str, &str)) {
    let facts = &manifest.policy;
    let name = facts.name.as_deref().unwrap_or("without a name");
    let version = facts.version.as_deref().map(|version| format!(" {version}"));
    row("policy", &format!("{name}{}", version.unwrap_or_default()));
    row("digest", &facts.digest);
    let form = match manifest.form {
        Form::Compiled => "compiled: a proxy starts with it at once",
        Form::Document => "compiled when a proxy starts: it takes secrets from the proxy's environment",
    };
    row("form", &format!("{}, {form}", facts.format));
    let open: Vec<&str> = manifest.open.iter().map(|open| open.name()).collect();
    row(
        "open",
        &list(&open, "nothing: the proxy's configuration is empty"),
    );
    let upstreams: Vec<&str> = manifest.upstreams.iter().map(String::as_str).collect();
    row("upstreams", &list(&upstreams, "none"));
    let secrets: Vec<&str> = manifest.secrets.iter().map(String::as_str).collect();
    row("secrets", &list(&secrets, "none"));
    row(
        "plugin",
        &format!("{} {}", manifest.plugin.version, manifest.plugin.digest),
    );
    let at = manifest.built.at.map(|at| format!(" at {at}"));
    row(
        "built by",
        &format!("{}{}", manifest.built.by, at.unwrap_or_default()),
    );
}

fn list(names: &[&str], none: &str) -> String {
    match names {
        [] => none.to_owned(),
        names => names.join(" "),
    }
}
