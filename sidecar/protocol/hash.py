"""Made by `make generate`."""

SCHEMA_HASH = "c2c72a32ecc20912"
"""Differs where the schemas differ."""
