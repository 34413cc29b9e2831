"""The tree of errors and its registry."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from flyte_sidecar import client, errors
from flyte_sidecar.errors import ERRORS, AlreadySignalled, EventError, SidecarError


def subclasses(of: type[SidecarError]) -> Iterator[type[SidecarError]]:
    for cls in of.__subclasses__():
        if cls.__module__ == errors.__name__:
            yield cls
            yield from subclasses(cls)


def test_the_registry_has_every_error_with_a_kind() -> None:
    assert set(ERRORS) == {cls for cls in subclasses(SidecarError) if "kind" in vars(cls)}
    assert len({cls.kind for cls in ERRORS}) == len({cls.code for cls in ERRORS}) == len(ERRORS)


def test_every_error_belongs_to_a_family_except_two() -> None:
    alone = [cls.kind for cls in ERRORS if SidecarError in cls.__bases__]
    assert alone == ["internal_error", "too_many_waits"]


def test_the_tree_at_the_top_of_the_module_is_true() -> None:
    tree = errors.__doc__ or ""
    lines = re.findall(r"^([│ ]*)[├└]── (\w+) +(?:(-?\d+)( \*)?( +retryable)?)?", tree, re.M)
    path: list[type[SidecarError]] = [SidecarError]
    for indent, name, code, outcome, retryable in lines:
        error: type[SidecarError] = getattr(errors, name)
        del path[len(indent) // 4 + 1 :]
        assert error.__bases__ == (path[-1],)
        path.append(error)
        assert (error in ERRORS) == bool(code)
        if code:
            assert (error.code, error.reports_outcome, error.retryable) == (
                int(code),
                bool(outcome),
                bool(retryable),
            )
    assert len(lines) == len({*subclasses(SidecarError)})


def test_a_client_raises_the_error_of_a_response() -> None:
    data = {"kind": "already_signalled", "retryable": False, "event": {"name": "q"}}
    error = client._error({"code": 1007, "message": "answered", "data": data})
    assert isinstance(error, AlreadySignalled)
    assert isinstance(error, EventError)
    assert (str(error), error.data) == ("answered", {"event": {"name": "q"}})


@pytest.mark.parametrize("data", [{"kind": "new", "retryable": True, "more": 1}, {"kind": "new"}])
def test_an_unknown_kind_is_a_plain_error(data: dict[str, object]) -> None:
    error = client._error({"code": 1099, "message": "new", "data": data})
    assert type(error) is SidecarError
    assert (error.kind, error.code, error.retryable) == ("new", 1099, "retryable" in data)


def test_an_error_without_data_is_a_plain_error() -> None:
    error = client._error({"code": -32000, "message": "no data"})
    assert (type(error), error.kind, error.code) == (SidecarError, "", -32000)
