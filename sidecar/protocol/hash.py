"""Made by `make generate`."""

SCHEMA_HASH = "063a99687e252437"
"""Differs where the schemas differ."""
