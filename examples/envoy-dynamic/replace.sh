#!/usr/bin/env bash
# Puts a bundle in force: `replace.sh BUNDLE`. It is copied under a name that says what it holds, and then the file that
# Envoy watches is moved into its place, as a whole. What Envoy cannot load it rejects, and keeps what it has.
set -euo pipefail
bundle="${1:?usage: replace.sh BUNDLE}"
live="$(cd "$(dirname "$0")" && pwd)/live"
mkdir -p "$live"

digest="$(sha256sum "$bundle" | cut -d ' ' -f 1)"
module="$live/$digest.wasm"
cp "$bundle" "$module.writing"
mv "$module.writing" "$module"

cat > "$live/scopegate.writing" <<EOF
{
  "version_info": "$digest",
  "resources": [
    {
      "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
      "name": "scopegate",
      "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
          "name": "scopegate",
          "failure_policy": "FAIL_CLOSED",
          "vm_config": {
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": "$module"}}
          }
        }
      }
    }
  ]
}
EOF
mv "$live/scopegate.writing" "$live/scopegate.json"
echo "$digest"
