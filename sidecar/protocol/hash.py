"""Made by `make generate`."""

SCHEMA_HASH = "f081e1459e9899d8"
"""Differs where the schemas differ."""
