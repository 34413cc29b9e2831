"""The command `flyte-sidecar`.

main          parses the arguments and runs a verb
arguments     the verbs and options
verbs         what each verb does
answering     verbs about one event
bulk          verbs about all events that match
inbox, notify the live list of waiting events, and notifications
checks        the checks of `doctor`
completion    what a shell completes
opened        the events of the backend that the options select
event_filter, page_limits, missing
              which events are listed, how many at once, and which are missing
event_table, table, prompt_text, markdown
              how events are shown
terminal, standard_streams, logs
              output that is safe for terminals, stdin and stdout in any state, logging
"""
