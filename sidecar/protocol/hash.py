"""Made by `make generate`."""

SCHEMA_HASH = "41b853a7266d58fd"
"""Differs where the schemas differ."""
