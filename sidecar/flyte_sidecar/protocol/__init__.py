"""The wire contract as types, the only source of the schemas.

    params     what requests carry
    results    what answers and errors carry, and how they are encoded
    methods    the method table

Members are camelCase on the wire. Instants are RFC 3339 in UTC, durations are seconds.
"""

PROTOCOL_VERSION = "1.1"
"""MAJOR.MINOR: additions raise MINOR, anything else MAJOR."""
