"""Filters, orders and pages of ListActions and ListRuns, with PostgreSQL's errors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from tests.fake_runservice.actions import PHASES, Action, Sort, StatusError

DEFAULT_LIMIT = 50
MAXIMUM = 200

Predicate = Callable[[Action], bool]


class Filter(NamedTuple):
    function: str  # the name in the enumeration
    field: str
    values: tuple[str, ...]


class ListQuery(NamedTuple):
    limit: int
    offset: int
    sort: Sort  # empty for the default order
    filters: tuple[Filter, ...]


def _of_task(read: Callable[[Action], str]) -> Callable[[Action], str | None]:
    return lambda action: read(action) if action.condition is None else None


def _null(action: Action) -> None:
    return None


_TEXT, _INTEGER, _BIGINT, _TIME = "text", "integer", "bigint", "timestamp with time zone"

_COLUMNS: dict[str, tuple[str, Callable[[Action], Any]]] = {
    "project": (_TEXT, lambda action: action.run.project),
    "domain": (_TEXT, lambda action: action.run.domain),
    "run_name": (_TEXT, lambda action: action.run.name),
    "name": (_TEXT, lambda action: action.id),
    "parent_name": (_TEXT, lambda action: action.parent or None),
    "phase": (_INTEGER, lambda action: PHASES[action.phase]),
    "action_type": (_INTEGER, lambda action: action.type),
    "run_source": (_TEXT, lambda action: ""),
    "created_by_subject": (_TEXT, _null),
    "trigger_task_name": (_TEXT, _null),
    "trigger_name": (_TEXT, _null),
    "trigger_revision": (_BIGINT, _null),
    "trigger_type": (_TEXT, _null),
    "task_project": (_TEXT, _of_task(lambda action: action.run.project)),
    "task_domain": (_TEXT, _of_task(lambda action: action.run.domain)),
    "task_name": (_TEXT, _of_task(lambda action: action.name)),
    "task_version": (_TEXT, _of_task(lambda action: "1")),
    "function_name": (_TEXT, lambda action: action.name),
    "created_at": (_TIME, lambda action: action.created_at),
    "updated_at": (_TIME, lambda action: action.updated_at),
    "ended_at": (_TIME, lambda action: action.ended_at),
    "duration_ms": (_BIGINT, lambda action: action.duration_ms),
}
COLUMN_FIELDS = frozenset(_COLUMNS) - {"name", "parent_name"}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "NOT_EQUAL": lambda value, operand: value != operand,
    "GREATER_THAN": lambda value, operand: value > operand,
    "GREATER_THAN_OR_EQUAL": lambda value, operand: value >= operand,
    "LESS_THAN": lambda value, operand: value < operand,
    "LESS_THAN_OR_EQUAL": lambda value, operand: value <= operand,
}
_LIKE = {
    "CONTAINS": "%{}%",
    "CONTAINS_CASE_INSENSITIVE": "%{}%",
    "ENDS_WITH": "%{}",
    "NOT_ENDS_WITH": "%{}",
}
_FUNCTIONS = frozenset({"EQUAL", *_COMPARE, *_LIKE, "VALUE_IN"})


def parse_query(
    limit: int, token: str, sort: Sort, filters: Iterable[Filter], fields: frozenset[str]
) -> ListQuery:
    """Return the query of a request, checked in the same order as by the service."""
    if limit > MAXIMUM:
        raise StatusError(
            "INVALID_ARGUMENT", f"invalid limit: {limit} (exceeds maximum of {MAXIMUM})"
        )
    for field, _ in sort:
        if field not in COLUMN_FIELDS:
            raise StatusError("INVALID_ARGUMENT", f"invalid sort field: {field}")
    chosen = tuple(filters)
    for filter_ in chosen:
        wrong = None
        if filter_.field not in fields:
            wrong = f"invalid filter field: {filter_.field}"
        elif filter_.function not in _FUNCTIONS:
            wrong = f"unsupported filter function: {filter_.function}"
        elif not filter_.values:
            wrong = f"filter {filter_.field} has no values"
        if wrong is not None:
            raise StatusError("INVALID_ARGUMENT", f"failed to convert filters: {wrong}")
    if token and re.fullmatch(r"\+?[0-9]{1,18}|-0+", token) is None:
        quoted = json.dumps(token, ensure_ascii=False)
        raise StatusError("INVALID_ARGUMENT", f"invalid token: {quoted}")
    return ListQuery(limit or DEFAULT_LIMIT, int(token or 0), sort, chosen)


def compile_filters(query: ListQuery, scope: Iterable[str | int]) -> list[Predicate]:
    """Return predicates for the filters; `scope` are the values that precede them in the SQL."""
    before = tuple(scope)
    for at, filter_ in enumerate(query.filters, len(before) + 1):
        _check_argument(at, filter_)
    for filter_ in query.filters:
        _check_operator(filter_)
    if any("\0" in value for value in before if isinstance(value, str)):
        raise no_nul("failed to list actions")
    return [_predicate(filter_) for filter_ in query.filters]


def page(rows: Iterable[Action], query: ListQuery, predicates: list[Predicate]) -> list[Action]:
    """Return the rows of the page, and one more if more follow."""
    for predicate in predicates:
        rows = filter(predicate, rows)
    return list(islice(rows, query.offset, query.offset + query.limit + 1))


def order_by(actions: list[Action], sort: Sort) -> list[Action]:
    """Sort as the service does: ties by run and id; NULL is the largest value."""
    tail: Sort = (("run_name", True), ("name", True))
    if not sort:
        sort = (("phase", True), ("created_at", False))
        tail = (("run_name", False), ("name", False))
    ordered = list(actions)
    for field, ascending in reversed((*sort, *tail)):
        read = _COLUMNS[field][1]
        ordered.sort(key=lambda row: _with_nulls(read(row)), reverse=not ascending)
    return ordered


def no_nul(doing: str, status: str = "INTERNAL") -> StatusError:
    """Return the error for text with a NUL, which PostgreSQL does not support."""
    return StatusError(
        status, f'{doing}: pq: invalid byte sequence for encoding "UTF8": 0x00 (22021)'
    )


def _with_nulls(value: Any) -> tuple[bool, Any]:
    return (value is None, 0 if value is None else value)


def _failed(message: str) -> StatusError:
    return StatusError("INTERNAL", f"failed to list actions: {message}")


def _check_argument(at: int, filter_: Filter) -> None:
    """Raise the error of the database's driver for values that it cannot send."""
    many = len(filter_.values) > 1
    if filter_.function == "VALUE_IN" and not many:
        why = "pq: unable to convert string to array"
        raise _failed(f"sql: converting argument ${at} type: {why}")
    if many and filter_.function in ("EQUAL", *_COMPARE):
        why = "unsupported type []string, a slice of string"
        raise _failed(f"sql: converting argument ${at} type: {why}")


def _check_operator(filter_: Filter) -> None:
    kind = _COLUMNS[filter_.field][0]
    if kind == _TEXT or filter_.function not in _LIKE:
        return
    if filter_.function == "CONTAINS_CASE_INSENSITIVE":
        raise _failed(f"pq: function lower({kind}) does not exist (42883)")
    operator = "!~~" if filter_.function == "NOT_ENDS_WITH" else "~~"
    raise _failed(f"pq: operator does not exist: {kind} {operator} unknown (42883)")


def _predicate(filter_: Filter) -> Predicate:
    kind, read = _COLUMNS[filter_.field]
    if any("\0" in value for value in filter_.values):
        raise no_nul("failed to list actions")
    if filter_.function in _LIKE:
        text = filter_.values[0] if len(filter_.values) == 1 else f"[{' '.join(filter_.values)}]"
        likes = _like(_LIKE[filter_.function].format(text), filter_.function)
        return lambda action: (value := read(action)) is not None and likes(value)
    operands = [_value(kind, value) for value in filter_.values]
    if filter_.function == "VALUE_IN":
        return lambda action: read(action) in operands
    first = operands[0]
    if filter_.function == "EQUAL":  # the most frequent one, so the fastest
        return lambda action: bool(read(action) == first)
    compare = _COMPARE[filter_.function]
    return lambda action: (value := read(action)) is not None and compare(value, first)


def _value(kind: str, text: str) -> str | int | datetime:
    """Parse a value as PostgreSQL does."""
    if kind == _TEXT:
        return text
    if kind == _TIME:
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            raise _failed(f'pq: invalid input syntax for type {kind}: "{text}" (22007)') from None
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    if re.fullmatch(r"\s*[+-]?[0-9]+\s*", text, re.ASCII) is None:
        raise _failed(f'pq: invalid input syntax for type {kind}: "{text}" (22P02)')
    number, most = int(text), 2 ** (31 if kind == _INTEGER else 63)
    if not -most <= number < most:
        raise _failed(f'pq: value "{text}" is out of range for type {kind} (22003)')
    return number


def _like(pattern: str, function: str) -> Callable[[str], bool]:
    """Return a predicate for LIKE: % is any text, _ any character, a backslash escapes the next."""
    fold = function == "CONTAINS_CASE_INSENSITIVE"
    source, escaped = "", False
    for letter in pattern.lower() if fold else pattern:
        if escaped or letter not in "%_\\":
            source, escaped = source + re.escape(letter), False
        elif letter == "\\":
            escaped = True
        else:
            source += ".*" if letter == "%" else "."
    if escaped:
        raise _failed("pq: LIKE pattern must not end with escape character (22025)")
    found = re.compile(source, re.DOTALL).fullmatch
    expected = function != "NOT_ENDS_WITH"
    return lambda text: (found(text.lower() if fold else text) is not None) is expected
