"""Answers or aborts all pending events that match: `approve`, `reject` and `abort` with `--all`.

arguments     the options, and the choice of events that they are
action        what is done to each event
choosing      lists the events
confirming    shows the events, and asks whether to do it
performing    does it, for exactly these events
reporting     prints one result for each event, and a summary
"""
