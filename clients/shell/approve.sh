#!/bin/sh
# Approves every pending event of a name, in whatever run: approve.sh NAME. Needs jq.
set -eu

flyte-sidecar pending --json |
  jq -c --arg name "$1" '
    select(.name == $name and .expectedType == "bool")
    | {runName, actionName, org, project, domain, payload: true}
    | {jsonrpc: "2.0", id: .actionName, method: "events.signal", params: .}' |
  flyte-sidecar |
  jq -r 'if .error then "\(.error.data.kind): \(.error.message)\n" | halt_error(1)
    else .result | "approved \(.name) of \(.runName)" end'
