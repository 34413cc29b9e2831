"""Made by `make schemas`."""

SCHEMA_HASH = "7b0bd78f5a408101"
"""Differs where the schemas differ."""
