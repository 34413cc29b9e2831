"""The strings that name an event where code looks one up.

These are the names in ``Event.get("...")`` and ``Condition.get("...")`` of `flyte.remote` and
`flyte_sidecar`, and in ``client.request("events.signal", name="...")`` of `flyte_sidecar.client`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from flyte_sidecar.lsp.source.calls import Call, arguments, callee_at, find_call
from flyte_sidecar.lsp.source.syntax import Path, Span
from flyte_sidecar.lsp.source.values import Values

CLASSES = ("Condition", "Event")
MAX_LOOKBACK = 1 << 10
"""How many bytes before a half-typed name its call may begin."""

_TARGETS = frozenset(
    f"{target}.get{version}"
    for target in (
        *("flyte.remote.Condition", "flyte.remote._condition.Condition"),
        *("flyte.remote.Event", "flyte.remote._event.Event"),
        *("flyte_sidecar.Event", "flyte_sidecar.event.Event"),
    )
    for version in ("", ".aio")
)
_METHOD = rb"['\"]events\.(?:get|wait|signal|abort)['\"]"
_REQUEST = re.compile(rb"\.[ \t]*(request)(?=[ \t]*\(\s*%b)" % _METHOD)
_OPEN_STRING = rb"[uUrR]?(?P<quote>['\"]{3}|['\"])(?P<name>(?:(?!(?P=quote))[^\\\r\n])*)\Z"
_HALF_TYPED = re.compile(
    rb"\.[ \t]*(?P<method>get)(?:[ \t]*\.[ \t]*aio)?[ \t]*\(\s*(?:name\s*=\s*)?%b" % _OPEN_STRING
)
_HALF_TYPED_REQUEST = re.compile(
    rb"\.[ \t]*(?P<method>request)[ \t]*\(\s*%b[^()]*?\bname\s*=\s*%b" % (_METHOD, _OPEN_STRING)
)
_REST = re.compile(rb"([\w.-]*)((['\"])\3{2}|['\"])")


class Reference(Struct, frozen=True):
    """A string that names an event: its value, or None if it is not certain, and its content.

    `span` excludes the quotes.
    """

    name: str | None
    span: Span


def find_references(values: Values) -> list[Reference]:
    """Return the references of a file in their order."""
    found = [
        reference for call in _calls(values) if (reference := _reference(values, call)) is not None
    ]
    return sorted(found, key=lambda reference: reference.span.start)


def half_typed_reference(values: Values, offset: int) -> Reference | None:
    """Return the name that is being typed before an offset, in a string that has no end yet."""
    start = max(offset - MAX_LOOKBACK, 0)
    before = values.syntax.data[start:offset]
    found = _HALF_TYPED.search(before) or _HALF_TYPED_REQUEST.search(before)
    if found is None:
        return None
    first = start + found.start("name")
    path = values.syntax.path_before(start + found.start("method"), first, found["quote"])
    callee = callee_at(values.syntax, path)
    if callee is None or not _looks_up(values, callee.names, path):
        return None
    end = offset
    rest = _REST.match(values.syntax.data, offset)
    if rest is not None and rest[2] == found["quote"]:
        end = rest.end(1)
    name = values.syntax.data[first:end].decode("utf-8", "replace")
    return Reference(name, Span(first, end))


def _calls(values: Values) -> Iterator[Call]:
    """Yield the calls that may contain references."""
    names = {alias for name in CLASSES for alias in values.names.aliases(name)}
    getting = (re.compile(rb"%b\s*\.\s*(get)\b" % re.escape(name.encode())) for name in names)
    for pattern in (*getting, _REQUEST):
        for found in pattern.finditer(values.syntax.data):
            call = find_call(values.syntax, found.start(1))
            if call is not None:
                yield call


def _reference(values: Values, call: Call) -> Reference | None:
    if not _looks_up(values, call.names, call.path):
        return None
    parameters = ("method",) if call.names[-1] == "request" else ("name",)
    node = arguments(values.syntax, call, parameters).values.get("name")
    if node is None or node.type != "string":
        return None
    start, end = node.child(0), node.child(node.child_count - 1)
    if start is None or end is None or end.type != "string_end":
        return None
    return Reference(values.text(node, call.path), Span(start.end_byte, end.start_byte))


def _looks_up(values: Values, names: tuple[str, ...], path: Path) -> bool:
    """Return whether a called name is a method that takes the name of an event."""
    return names[-1] == "request" or not _TARGETS.isdisjoint(values.names.targets(names, path))
