"""The embedded store: one SQLite file, shared by any number of processes.

file       opening it safely
mounts     which file systems a store may be on
ownership  who may change a store: its owner alone
header     judging a file before SQLite opens it
failures   what SQLite and the system raise, as the errors of the contract
schema     its tables, and how an older store is brought up to date
rows       events to rows and back
documents  reading events where some of them are damaged
reader     queries that answer at once, on the event loop
writer     a thread that commits changes, many at a time
changes    telling waiters what any process has changed
backend    all of it together, as an EventBackend
"""

from flyte_sidecar.backends.local.backend import LocalBackend

__all__ = ["LocalBackend"]
