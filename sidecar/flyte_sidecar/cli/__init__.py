"""The command `flyte-sidecar`.

main          parses the arguments and runs a verb
arguments     the options and verbs
serve, call, watch, pending, schema, demo, doctor
              the verbs, each a function of that name
terminal, standard_streams, logs
              output that is safe for terminals, stdin and stdout in any state, logging
"""
