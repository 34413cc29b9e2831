"""The pending events of a backend, kept current for as long as somebody looks at them.

live_events      the events, by callbacks, with reconnects
backend_state    whether they are up to date
pending_index    the events by key and by name, within a limit in bytes
parent_tasks     the tasks that created them
reconnecting     when they are read again after an error
background       tasks whose failures are logged
"""
