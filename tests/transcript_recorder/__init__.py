"""Exchanges with a real sidecar, recorded into `schemas/transcripts/` by `make generate`.

A file is JSON lines. Each line is an object with one member: `about` (the first line: what is
shown), `client` (a message that the client sent) or `sidecar` (one that it was sent), in the
order in which they went. What differs from one recording to the next (ids of events, instants,
cursors, who answered) is replaced by what would do as well.
"""
