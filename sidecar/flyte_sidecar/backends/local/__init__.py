"""The embedded store: one SQLite file, shared by any number of processes.

file               opening the store safely
mounts             which file systems a store may be on
ownership          who may change a store: its owner alone
header             checking a file before SQLite opens it
error_translation  errors of SQLite and of the system, as the errors of the contract
tables             the schema and its migrations
rows               events to rows and back
documents          reading events where some of them are damaged
queries            the SQL that reads are composed of
reader             reads of single events that return immediately, on the event loop
listings           the same for listings, whose pages are linked by `cursors`
writer             a thread that commits mutations, many in one commit
mutations          create, signal, abort, expire: each INSERT and UPDATE of an event
change_feed        what any process has changed, for waits and watches
backend            all of it together, as an EventBackend
"""

from flyte_sidecar.backends.local.backend import LocalBackend

__all__ = ["LocalBackend"]
