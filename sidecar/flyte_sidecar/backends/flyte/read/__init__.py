"""Reads: single events, pages of events, and runs."""
