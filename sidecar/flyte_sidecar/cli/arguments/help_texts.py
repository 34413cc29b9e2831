"""The texts of the help that belong to no verb. The manual page contains them too."""

DESCRIPTION = """\
See and answer the events of Flyte workflow runs: at a shell with the verbs
below, or from any language. Without a verb, flyte-sidecar is a long-lived
process that speaks JSON-RPC 2.0 on stdin and stdout, one JSON text per line or
with LSP headers.
"""

EXIT_STATUS = """\
exit status:
  0    done
  1    rejected or failed; stderr has the kind of the error and a message
  2    the arguments are invalid
  124  --timeout has expired
"""

EXAMPLES = """\
examples:
  flyte-sidecar pending
      list the events that wait for an answer
  flyte-sidecar answer
      answer one of them at the terminal
  flyte-sidecar approve r1 deploy
      answer the event deploy of run r1 with yes
  rate=$(flyte-sidecar wait r1 rate --timeout 10m)
      wait for the answer to the event rate, and use it
  flyte-sidecar watch --json | jq -r '.params.event.prompt // empty'
      print the prompts of all pending events, as they arrive
  flyte-sidecar call events.list '{"runName": "r1"}'
      send one request
  flyte-sidecar <requests.jsonl
      send the requests in a file, one JSON text per line
"""

MORE = 'Run "flyte-sidecar VERB --help" for the arguments of a verb.\n'
