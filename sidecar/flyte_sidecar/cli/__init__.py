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
in_process_client
              a sidecar in the same process, for verbs that make one request
logins, terminal_login_prompt
              logins at a deployment
event_filter, search
              which events are meant: by patterns and age, by words
listings      the pages of listings
event_table, table, times, quantities, prompt_text, markdown
              how events are shown
output, terminal
              results on stdout, and text that is safe for terminals
standard_streams, logs
              stdin and stdout in any state, logging
"""
