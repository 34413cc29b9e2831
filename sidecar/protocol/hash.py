"""Made by `make generate`."""

SCHEMA_HASH = "27a87a494822fe67"
"""Differs where the schemas differ."""
