"""Hosts and ports, as they are written in addresses and URLs."""

from __future__ import annotations


def bracketed(host: str) -> str:
    """Return a host as it is written before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def join_host_port(host: str, port: int) -> str:
    """Return ``host:port``."""
    return f"{bracketed(host)}:{port}"
