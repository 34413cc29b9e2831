"""Made by `make schemas`."""

SCHEMA_HASH = "078f94a9e51505ff"
"""Differs where the schemas differ."""
