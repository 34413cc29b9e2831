"""The wire contract as types, the only source of the schemas.

params     params of requests
results    results, notifications and errors, and their encoding
methods    the method table

Members are camelCase on the wire. Timestamps are RFC 3339 in UTC; durations are in seconds.
"""

PROTOCOL_VERSION = "1.4"
"""MAJOR.MINOR: additions raise MINOR, anything else MAJOR."""
