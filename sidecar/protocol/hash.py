"""Made by `make schemas`."""

SCHEMA_HASH = "615d53eaea4e1b46"
"""Differs where the schemas differ."""
