"""Calls of Flyte's services: transports, TLS, error translation, conversion of messages."""
