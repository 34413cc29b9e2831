"""Recovering the id of a message that cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyte_sidecar.rpc.canonical_ids import canonical_id
from flyte_sidecar.rpc.recover_id import MAX_ID_BYTES, IdFinder, recover_id

KEYS = st.one_of(st.sampled_from(["id", "method", "params", 'a"b', "\\", "{", "I\x00"]), st.text())
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=20),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
IDS = st.one_of(
    st.none(), st.integers(), st.text(max_size=50), st.sampled_from(['id":1', "\\", ""])
)
SPLITS = st.lists(st.integers(1, 9), max_size=60)


def feed(data: bytes, sizes: list[int]) -> bytes | None:
    finder, at = IdFinder(), 0
    for size in sizes:
        finder.feed(data[at : at + size])
        at += size
    return finder.feed(data[at:])


@settings(max_examples=400)
@given(
    st.lists(st.tuples(KEYS.filter(lambda key: key != "id"), VALUES), max_size=5),
    IDS,
    st.lists(st.tuples(KEYS.filter(lambda key: key != "id"), VALUES), max_size=3),
    st.booleans(),
    st.sampled_from([None, 1, "\t"]),
    SPLITS,
)
def test_the_id_at_the_top_of_any_object_is_found(
    before: list[Any],
    request_id: Any,
    after: list[Any],
    ascii_: bool,
    indent: Any,
    sizes: list[int],
) -> None:
    request = {**dict(before), "id": request_id, **dict(after)}
    data = json.dumps(request, ensure_ascii=ascii_, indent=indent).encode()
    found = feed(data, sizes)
    assert found is not None
    assert json.loads(found) == request_id
    assert recover_id(data) == found


@settings(max_examples=200)
@given(VALUES, SPLITS)
def test_an_object_without_an_id_has_none(value: Any, sizes: list[int]) -> None:
    if isinstance(value, dict):
        value.pop("id", None)
    assert feed(json.dumps(value).encode(), sizes) is None or isinstance(value, list)


FRAGMENTS = st.lists(
    st.one_of(
        st.sampled_from(list(b'{}[],:"\\id0 nul\x00\xff')).map(lambda b: bytes([b])),
        st.sampled_from([b'"id"', b'"id":', b'{"id":1', b'"\\u0069d":', b"01", b"\x01"]),
    ),
    max_size=40,
).map(b"".join)


@settings(max_examples=600)
@given(FRAGMENTS, SPLITS)
def test_an_id_recovered_from_garbage_is_valid_however_it_is_split(
    data: bytes, sizes: list[int]
) -> None:
    found = feed(data, sizes)
    assert found == recover_id(data)
    if found is not None:
        assert isinstance(json.loads(found), str | int | None)


@pytest.mark.parametrize(
    "value",
    [
        b"01",
        b"1.5",
        b"1e-3",
        b"-",
        b'"a"1',
        b'1"a"',
        b'"a""b"',
        b"1 2",
        b"{}1",
        b"true",
        b"[1]",
        b"{}",
        b'"a\x01"',
        b'"\\q"',
        b'"\xff"',
        b'"\\ud800"',
    ],
)
def test_an_invalid_id_is_not_echoed(value: bytes) -> None:
    assert recover_id(b'{"id":' + value + b',"x":') is None
    assert canonical_id(value) is None


@pytest.mark.parametrize("one", [b'"' + b"a" * MAX_ID_BYTES * 2 + b'"', b"1" * MAX_ID_BYTES * 2])
def test_a_huge_id_is_not_echoed_in_part(one: bytes) -> None:
    data = b'{"id":' + one + b',"x":1}'
    assert recover_id(data) is None
    assert feed(data, [7] * 600) is None


@pytest.mark.parametrize(
    "data",
    [
        b'{"method":"x" "id":1,"id":2,',
        b'{"params":"id":5,"id":1,',
        b'{"params":{"a":[1}],"id":5},"id":1,',
        b'{"params":]},"id":5,',
        b'{,"id":5,',
        b'{"a","id":5,',
        b'{"a":,"id":5,',
        b'{1:2,"id":5,',
        b'{"a":tru,"id":5,',
        b'{"a":{}{},"id":5,',
        b'x{"id":5,',
        b'[{"id":5},',
        b'"a"{"id":5,',
        b'{"id":5',
        b'{"id":5"x":1}',
        b'{"id":[1,2],"id":5}',
    ],
)
def test_no_id_is_recovered_after_a_syntax_error(data: bytes) -> None:
    assert recover_id(data) is None
    assert feed(data, [1] * len(data)) is None


NESTED = (
    b'{"jsonrpc":"2.0","method":"m","params":{"id":"in","a":[{"id":"in"},"\\"id\\":1"]},"id":"out"}'
)


@settings(max_examples=400, deadline=None)
@given(
    st.integers(0, len(NESTED) - 1),
    st.integers(0, 2),
    st.sampled_from([bytes([b]) for b in b'{}[],:"\\x \x00']),
)
def test_a_syntax_error_never_makes_another_id_the_id_of_the_request(
    at: int, width: int, instead: bytes
) -> None:
    found = recover_id(NESTED[:at] + instead + NESTED[at + width :])
    assert found in (None, b'"out"') or (found.startswith(b'"') and b"in" not in found)


def test_all_ways_to_write_an_id_have_one_canonical_form() -> None:
    assert (
        canonical_id(b"1.0")
        == canonical_id(b"1")
        == canonical_id(b"10e-1")
        == canonical_id(b"0.01e2")
        == b"1"
    )
    assert canonical_id(b"-0") == canonical_id(b"0.000") == b"0"
    assert canonical_id(b"1e3") == b"1000"
    assert canonical_id(b"-12.0") == b"-12"
    assert (
        canonical_id(b"1.5")
        is canonical_id(b"1e999999999")
        is canonical_id(b"1e" + b"9" * 100_000)
        is None
    )
    assert canonical_id(rb'"\u0061\/"') == canonical_id(b'"a/"') == b'"a/"'
    assert canonical_id('"é"'.encode()) == canonical_id(rb'"\u00e9"')
    assert canonical_id(b'"1"') != canonical_id(b"1")


N = 16 << 20


@pytest.mark.parametrize(
    "data",
    [
        b'"' * N,
        b'{"a":' + b'"' * N,
        b"{" + b"," * N,
        b"[" * N,
        b'{"x":1}' + b"}" * N,
        b"[[" + b'"",' * (N // 3),
        b'{"a":"' + b'\\"' * (N // 2),
        b'{"a":' + b"[" * N,
        b'{"a":' + b'["' * (N // 2),
    ],
    ids=[
        *("quotes", "quotes in an object", "commas", "opening", "closing", "below", "escapes"),
        *("depth", "depth and strings"),
    ],
)
def test_the_search_in_a_hostile_message_is_limited(data: bytes) -> None:
    assert recover_id(data) is None
