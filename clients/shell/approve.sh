#!/usr/bin/env bash
# Approves every pending event of a name, in every run: approve.sh NAME. Needs jq.
# The exit status is not 0 if events cannot be listed or one of them cannot be approved.
set -euo pipefail

flyte-sidecar pending --json |
  jq -c --arg name "$1" '
    select(.name == $name and .expectedType == "bool")
    | {runName, actionName, org, project, domain, payload: true}
    | {jsonrpc: "2.0", id: tojson, method: "events.signal", params: .}' |
  flyte-sidecar |
  jq -rs '
    (.[].result | values | "approved \(.name) of \(.runName)"),
    (map(.error | values | "\(.data.kind): \(.message)\n") | select(. != []) | add | halt_error(1))'
