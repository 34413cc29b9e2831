"""Reads: events, actions, pages of events, and runs."""
