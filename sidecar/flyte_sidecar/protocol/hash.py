"""Made by `make generate`."""

SCHEMA_HASH = "8fb08f5337d636ea"
"""Differs where the schemas differ."""
