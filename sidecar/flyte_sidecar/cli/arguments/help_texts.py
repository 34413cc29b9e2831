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
  124  the time of --timeout is over
"""

EXAMPLES = """\
examples:
  flyte-sidecar demo
      show two processes that share a store: one waits, the other answers
  flyte-sidecar pending
      list the events that wait for an answer
  flyte-sidecar watch r1
      print the events of run r1, then every change
  flyte-sidecar watch --json | jq -r '.params.event.prompt // empty'
      print the prompts of all pending events, as they arrive
  flyte-sidecar call events.create '{"runName": "r1", "name": "deploy"}'
      send one request
  flyte-sidecar <requests.jsonl
      send the requests in a file, one JSON text per line
"""

MORE = 'Run "flyte-sidecar VERB --help" for the arguments of a verb.\n'
