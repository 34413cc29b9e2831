"""The command `flyte-sidecar`.

main          parses the arguments and runs a verb
arguments     the verbs and options
verbs         what each verb does
completion    what a shell completes
opened        the events of the backend that the options select
terminal, standard_streams, logs
              output that is safe for terminals, stdin and stdout in any state, logging
"""
