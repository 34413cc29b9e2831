"""Filters, orders and pages of ListActions and ListRuns, and how PostgreSQL refuses them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from tests.fake_runservice.actions import PHASES, Action, Refusal, Sort

DEFAULT_LIMIT = 50
MOST = 200

Test = Callable[[Action], bool]


class Filter(NamedTuple):
    function: str  # the name in the enumeration
    field: str
    values: tuple[str, ...]


class Query(NamedTuple):
    limit: int
    offset: int
    sort: Sort  # empty for the default order
    filters: tuple[Filter, ...]


def _task(give: Callable[[Action], str]) -> Callable[[Action], str | None]:
    return lambda action: give(action) if action.condition is None else None


def _nothing(action: Action) -> None:
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
    "created_by_subject": (_TEXT, _nothing),
    "trigger_task_name": (_TEXT, _nothing),
    "trigger_name": (_TEXT, _nothing),
    "trigger_revision": (_BIGINT, _nothing),
    "trigger_type": (_TEXT, _nothing),
    "task_project": (_TEXT, _task(lambda action: action.run.project)),
    "task_domain": (_TEXT, _task(lambda action: action.run.domain)),
    "task_name": (_TEXT, _task(lambda action: action.name)),
    "task_version": (_TEXT, _task(lambda action: "1")),
    "function_name": (_TEXT, lambda action: action.name),
    "created_at": (_TIME, lambda action: action.created_at),
    "updated_at": (_TIME, lambda action: action.updated_at),
    "ended_at": (_TIME, lambda action: action.ended_at),
    "duration_ms": (_BIGINT, lambda action: action.duration_ms),
}
COLUMN_FIELDS = frozenset(_COLUMNS) - {"name", "parent_name"}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "NOT_EQUAL": lambda value, wanted: value != wanted,
    "GREATER_THAN": lambda value, wanted: value > wanted,
    "GREATER_THAN_OR_EQUAL": lambda value, wanted: value >= wanted,
    "LESS_THAN": lambda value, wanted: value < wanted,
    "LESS_THAN_OR_EQUAL": lambda value, wanted: value <= wanted,
}
_LIKE = {
    "CONTAINS": "%{}%",
    "CONTAINS_CASE_INSENSITIVE": "%{}%",
    "ENDS_WITH": "%{}",
    "NOT_ENDS_WITH": "%{}",
}
_FUNCTIONS = frozenset({"EQUAL", *_COMPARE, *_LIKE, "VALUE_IN"})


def parse(
    limit: int, token: str, sort: Sort, filters: Iterable[Filter], fields: frozenset[str]
) -> Query:
    """Check a listing's request, in the order in which the service does."""
    if limit > MOST:
        raise Refusal("INVALID_ARGUMENT", f"invalid limit: {limit} (exceeds maximum of {MOST})")
    for field, _ in sort:
        if field not in COLUMN_FIELDS:
            raise Refusal("INVALID_ARGUMENT", f"invalid sort field: {field}")
    chosen = tuple(filters)
    for one in chosen:
        wrong = None
        if one.field not in fields:
            wrong = f"invalid filter field: {one.field}"
        elif one.function not in _FUNCTIONS:
            wrong = f"unsupported filter function: {one.function}"
        elif not one.values:
            wrong = f"filter {one.field} has no values"
        if wrong is not None:
            raise Refusal("INVALID_ARGUMENT", f"failed to convert filters: {wrong}")
    if token and re.fullmatch(r"\+?[0-9]{1,18}|-0+", token) is None:
        quoted = json.dumps(token, ensure_ascii=False)
        raise Refusal("INVALID_ARGUMENT", f"invalid token: {quoted}")
    return Query(limit or DEFAULT_LIMIT, int(token or 0), sort, chosen)


def compiled(query: Query, scope: Iterable[str | int]) -> list[Test]:
    """Make tests of the filters; `scope` are the values that the statement holds before them."""
    before = tuple(scope)
    for at, one in enumerate(query.filters, len(before) + 1):
        _check_argument(at, one)
    for one in query.filters:
        _check_operator(one)
    if any("\0" in value for value in before if isinstance(value, str)):
        raise no_nul("failed to list actions")
    return [_test(one) for one in query.filters]


def page(rows: Iterable[Action], query: Query, tests: list[Test]) -> list[Action]:
    """Take the query's rows, and one more where more follow."""
    for test in tests:
        rows = filter(test, rows)
    return list(islice(rows, query.offset, query.offset + query.limit + 1))


def order_by(actions: list[Action], sort: Sort) -> list[Action]:
    """Sort as the service does: ties go by run and id; NULL is the largest value."""
    tail: Sort = (("run_name", True), ("name", True))
    if not sort:
        sort = (("phase", True), ("created_at", False))
        tail = (("run_name", False), ("name", False))
    ordered = list(actions)
    for field, ascending in reversed((*sort, *tail)):
        give = _COLUMNS[field][1]
        ordered.sort(key=lambda row: _with_nulls(give(row)), reverse=not ascending)
    return ordered


def no_nul(doing: str, status: str = "INTERNAL") -> Refusal:
    """Refuse text that PostgreSQL cannot hold."""
    return Refusal(status, f'{doing}: pq: invalid byte sequence for encoding "UTF8": 0x00 (22021)')


def _with_nulls(value: Any) -> tuple[bool, Any]:
    return (value is None, 0 if value is None else value)


def _failed(message: str) -> Refusal:
    return Refusal("INTERNAL", f"failed to list actions: {message}")


def _check_argument(at: int, one: Filter) -> None:
    """Refuse what the database's driver cannot send."""
    many = len(one.values) > 1
    if one.function == "VALUE_IN" and not many:
        why = "pq: unable to convert string to array"
        raise _failed(f"sql: converting argument ${at} type: {why}")
    if many and one.function in ("EQUAL", *_COMPARE):
        why = "unsupported type []string, a slice of string"
        raise _failed(f"sql: converting argument ${at} type: {why}")


def _check_operator(one: Filter) -> None:
    kind = _COLUMNS[one.field][0]
    if kind == _TEXT or one.function not in _LIKE:
        return
    if one.function == "CONTAINS_CASE_INSENSITIVE":
        raise _failed(f"pq: function lower({kind}) does not exist (42883)")
    operator = "!~~" if one.function == "NOT_ENDS_WITH" else "~~"
    raise _failed(f"pq: operator does not exist: {kind} {operator} unknown (42883)")


def _test(one: Filter) -> Test:
    kind, give = _COLUMNS[one.field]
    if any("\0" in value for value in one.values):
        raise no_nul("failed to list actions")
    if one.function in _LIKE:
        words = one.values[0] if len(one.values) == 1 else f"[{' '.join(one.values)}]"
        likes = _like(_LIKE[one.function].format(words), one.function)
        return lambda action: (value := give(action)) is not None and likes(value)
    wanted = [_value(kind, value) for value in one.values]
    if one.function == "VALUE_IN":
        return lambda action: give(action) in wanted
    first = wanted[0]
    if one.function == "EQUAL":  # the commonest, and so the fastest
        return lambda action: bool(give(action) == first)
    compare = _COMPARE[one.function]
    return lambda action: (value := give(action)) is not None and compare(value, first)


def _value(kind: str, text: str) -> str | int | datetime:
    """Read a value as PostgreSQL would."""
    if kind == _TEXT:
        return text
    if kind == _TIME:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise _failed(f'pq: invalid input syntax for type {kind}: "{text}" (22007)') from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if re.fullmatch(r"\s*[+-]?[0-9]+\s*", text, re.ASCII) is None:
        raise _failed(f'pq: invalid input syntax for type {kind}: "{text}" (22P02)')
    number, most = int(text), 2 ** (31 if kind == _INTEGER else 63)
    if not -most <= number < most:
        raise _failed(f'pq: value "{text}" is out of range for type {kind} (22003)')
    return number


def _like(pattern: str, function: str) -> Callable[[str], bool]:
    """Give what LIKE does: % is any text, _ any character, a backslash takes the next as it is."""
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
    wanted = function != "NOT_ENDS_WITH"
    return lambda text: (found(text.lower() if fold else text) is not None) is wanted
