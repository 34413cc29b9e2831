"""The embedded store: one SQLite file, shared by any number of processes.

file       opening it safely
header     judging a file before SQLite opens it
failures   what SQLite and the system raise, as the errors of the contract
schema     its tables, and how an older store is brought up to date
rows       events to rows and back
reader     queries that answer at once, on the event loop
writer     a thread that commits changes, many at a time
changes    telling waiters what any process has changed
backend    all of it together, as an EventBackend
"""

from sidecar.backends.local.backend import LocalBackend

__all__ = ["LocalBackend"]
