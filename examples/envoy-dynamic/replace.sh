#!/usr/bin/env bash
# Puts a bundle in force: `replace.sh BUNDLE [KEY]`. What `scopegate inspect` refuses is not published; with the public key
# KEY neither is what was not signed by it. `$SCOPEGATE` is the command, where it is not on the PATH. The bundle is copied under a name that says what it holds, and then the file that
# Envoy watches is moved into its place, as a whole. What Envoy cannot load it rejects, and keeps what it has.
set -euo pipefail
bundle="${1:?usage: replace.sh BUNDLE [KEY]}"
"${SCOPEGATE:-scopegate}" inspect "$bundle" ${2:+--verify "$2"} > /dev/null
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
