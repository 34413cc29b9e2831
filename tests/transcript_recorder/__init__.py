"""Records conversations with a real sidecar into `conformance/recorded/`, for `make generate`.

A transcript is JSON lines. The first line has the member `about`. Every other line has one member,
`client` or `sidecar`: the message that it sent. Values that differ between two recordings (ids of
events, timestamps, cursors, the user) are replaced by constant ones.
"""
