#!/bin/sh
# Answers an event from a shell: ask the sidecar a line, read a line.
#
#   approve.sh RUN NAME PAYLOAD
#
# PAYLOAD is JSON: true, 0.5, '"blue"'. Needs jq.
set -eu

run=$1 name=$2 payload=$3

event() { jq -cn --arg run "$run" --arg name "$name" "$@"; }

{
  event '{jsonrpc: "2.0", id: 1, method: "events.get", params: {runName: $run, name: $name}}'
  event --argjson payload "$payload" '{jsonrpc: "2.0", id: 2, method: "events.signal",
    params: {runName: $run, name: $name, payload: $payload}}'
} | flyte-sidecar | jq -r '
  if .error then "\(.error.data.kind): \(.error.message)\n" | halt_error(1)
  elif .result == null then "there is no such event"
  else "\(.result.name): \(.result.prompt) -> \(.result.phase) \(.result.payload)"
  end'
