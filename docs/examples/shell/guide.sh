#!/usr/bin/env bash
# The examples of docs/clients/shell.md, one after the other. Needs jq.
set -eo pipefail

flyte-sidecar create training-7 deploy --prompt 'Deploy the model?' >/dev/null
flyte-sidecar create training-7 rate --type float >/dev/null
flyte-sidecar create training-8 deploy --prompt 'Deploy the other model?' >/dev/null
flyte-sidecar signal training-7 rate 0.5 >/dev/null

# region wait
rate=$(flyte-sidecar wait training-7 rate --timeout 10m)
echo "the rate is $rate"
# endregion

# region list
flyte-sidecar pending --json |
  jq -r 'select(.expectedType == "bool") | "\(.runName) \(.name): \(.prompt)"'
# endregion

# region many
flyte-sidecar approve --all --run 'training-*' --name deploy --yes
# endregion

# region status
if flyte-sidecar reject training-7 deploy; then
  echo rejected
else
  echo "not rejected: exit status $?"
fi
# endregion

# region call
event=$(flyte-sidecar call events.get '{"runName": "training-7", "name": "deploy"}')
jq -r .phase <<<"$event"
# endregion

# region requests
for name in deploy rate; do
  jq -nc --arg name "$name" \
    '{jsonrpc: "2.0", id: $name, method: "events.get", params: {runName: "training-7", $name}}'
done |
  flyte-sidecar |
  jq -r '"\(.id): \(.result.payload)"' |
  sort
# endregion
