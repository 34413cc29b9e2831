"""Calls of the RunService: transports, TLS, errors, and messages to and from events."""
