"""Calls of Flyte's services: transport, TLS, retries, error translation, conversion of messages."""
