"""Made by `make schemas`."""

SCHEMA_HASH = "c27bb5a973ba287e"
"""Differs where the schemas differ."""
