"""Verbs and backends, as for verbs about a single event."""

from __future__ import annotations

from tests.cli.answering.conftest import backend, deployment, local, verb

__all__ = ["backend", "deployment", "local", "verb"]
