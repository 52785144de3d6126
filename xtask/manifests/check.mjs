// Holds Kubernetes manifests against the schemas of their resources: the validators that are made of the real CRDs tell
// wrong values, and their types tell fields that do not exist, which a cluster would drop in silence.
//
//     node check.mjs FILE...      one line for each document; exit 1 where one is wrong

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import ts from "typescript";
import { parseAllDocuments } from "yaml";

const PACKAGES = {
  "extensions.istio.io": "@kubernetes-models/istio",
  "networking.istio.io": "@kubernetes-models/istio",
  "gateway.envoyproxy.io": "@kubernetes-models/envoy-gateway",
};

const here = dirname(fileURLToPath(import.meta.url));

function moduleOf({ apiVersion, kind }) {
  const [group] = apiVersion.split("/");
  const name = PACKAGES[group];
  if (name === undefined) throw new Error(`no schema is known for \`${apiVersion}\``);
  return `${name}/${apiVersion}/${kind}`;
}

async function wrongValues(path, manifest) {
  const { [manifest.kind]: Model } = await import(path);
  try {
    new Model(manifest).validate();
    return [];
  } catch (error) {
    return [error.message];
  }
}

function unknownFields(path, manifest) {
  const type = `I${manifest.kind}`;
  const file = join(here, "manifest.ts");
  const text = `import type { ${type} } from "${path}";\nexport const manifest: ${type} = ${JSON.stringify(manifest)};\n`;
  const options = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, getSourceFile } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, ...more) =>
    name === file ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2022) : getSourceFile(name, ...more);
  const program = ts.createProgram([file], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "));
}

let wrong = 0;
for (const file of process.argv.slice(2)) {
  for (const document of parseAllDocuments(readFileSync(file, "utf8"))) {
    const manifest = document.toJS();
    const path = moduleOf(manifest);
    const faults = [...document.errors.map(String), ...(await wrongValues(path, manifest)), ...unknownFields(path, manifest)];
    console.log(`${faults.length === 0 ? "ok" : "WRONG"} ${file}: ${manifest.apiVersion} ${manifest.kind}`);
    faults.forEach((fault) => console.log(`  ${fault}`));
    wrong += faults.length;
  }
}
process.exit(wrong === 0 ? 0 : 1);
