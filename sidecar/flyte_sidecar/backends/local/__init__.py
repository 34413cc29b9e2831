"""The embedded store: one SQLite file, shared by any number of processes.

open_file          opening the store safely
mounts             which file systems a store may be on
ownership          which users may own a store's files
header_check       checking a file before SQLite opens it
error_translation  errors of SQLite and the operating system -> errors of the contract
migrations         the schema of the tables, and its migrations
rows               events to rows and back
damaged_events     reading rows of which some are damaged
processes          identifying a process, and whether it still runs
event_owners       the processes that own events, and which of them are gone
queries            the SQL of reads
reader             reads of single events and of changes, on the event loop
listings           listings of events and runs, whose pages are linked by `cursors`
writer             a thread that commits mutations, many in one commit
mutations          create, signal, abort, time out: each INSERT and UPDATE of an event
lease_renewal      renews the lease of a process that owns pending events
change_feed        delivers the changes of any process to waits and watches
backend            combines these modules into an EventBackend
"""

from flyte_sidecar.backends.local.backend import LocalBackend

__all__ = ["LocalBackend"]
