"""Builds installations of the command that need no Python: one folder, for one platform."""
