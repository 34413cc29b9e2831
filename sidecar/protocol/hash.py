"""Made by `make generate`."""

SCHEMA_HASH = "584e3703b1376723"
"""Differs where the schemas differ."""
