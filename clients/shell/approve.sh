#!/usr/bin/env bash
# Approves all pending events of type bool with a name, in all runs. Needs jq.
# The exit status is not 0 if the listing or an approval fails.
# FLYTE_SIDECAR is the command of the sidecar, if it is not on the PATH.
set -euo pipefail
: "${1:?usage: approve.sh NAME}"
flyte-sidecar() { command "${FLYTE_SIDECAR:-flyte-sidecar}" "$@"; }

flyte-sidecar pending --json |
  jq -c --arg name "$1" '
    select(.name == $name and .expectedType == "bool")
    | {runName, actionName, org, project, domain, payload: true}
    | {jsonrpc: "2.0", id: tojson, method: "events.signal", params: .}' |
  flyte-sidecar |
  jq -rs '
    (.[].result | values | "approved \(.name) of \(.runName)"),
    (map(.error | values | "\(.data.kind): \(.message)\n") | select(. != []) | add | halt_error(1))'
