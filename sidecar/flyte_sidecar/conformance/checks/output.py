"""What the server has written to stdout during all other checks."""

from __future__ import annotations

from flyte_sidecar.conformance.check import Group
from flyte_sidecar.conformance.connection import Connection
from flyte_sidecar.conformance.failures import Violation

OUTPUT = Group("output", source="JSON-RPC 5")


def _expect_empty(observed: list[str]) -> None:
    if observed:
        more = f" (and {len(observed) - 1} others)" if len(observed) > 1 else ""
        raise Violation(f"{observed[0]}{more}")


@OUTPUT.must("only-messages", "stdout has nothing but messages, in UTF-8", source="RFC 8259, 8.1")
def _only_messages(server: Connection) -> None:
    _expect_empty(server.observations.noise)


@OUTPUT.must("form", "every message has the members that it must have, and their types")
def _form(server: Connection) -> None:
    _expect_empty(server.observations.malformed)


@OUTPUT.must("one-response-each", "no response arrives that belongs to no request")
def _one_response_each(server: Connection) -> None:
    _expect_empty(server.observations.extra)
