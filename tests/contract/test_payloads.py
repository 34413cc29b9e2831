"""The payload table of the contract, through a backend and back."""

from __future__ import annotations

import asyncio
import itertools
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw, json

from sidecar.errors import InvalidParams, PayloadTypeMismatch
from sidecar.events.payload import same
from sidecar.methods import BEYOND_ALL, read_payload
from sidecar.protocol.results import encode
from tests.contract.harness import Client

BIG = 2**53 + 1
TYPES = ("bool", "int", "float", "str")

ACCEPTED: list[tuple[str, str, Any]] = [
    ("bool", "true", True),
    ("bool", "false", False),
    ("int", "0", 0),
    ("int", "-0", 0),
    ("int", str(2**63 - 1), 2**63 - 1),
    ("int", str(-(2**63)), -(2**63)),
    ("int", str(BIG), BIG),
    ("int", f'"{BIG}"', BIG),
    ("int", f'"{-(2**63)}"', -(2**63)),
    ("int", '"0"', 0),
    ("float", "3", 3.0),
    ("float", "3.0", 3.0),
    ("float", "-0.0", -0.0),
    ("float", "5e-324", 5e-324),
    ("float", "1.7976931348623157e308", 1.7976931348623157e308),
    ("float", str(2**53), 2.0**53),
    ("float", str(2**60), 2.0**60),
    ("float", '"NaN"', math.nan),
    ("float", '"Infinity"', math.inf),
    ("float", '"-Infinity"', -math.inf),
    ("str", '""', ""),
    ("str", '"x"', "x"),
    ("str", r'"a\u0000b"', "a\0b"),
    ("str", r'"\ud83d\ude00"', "\U0001f600"),
    ("str", '"NaN"', "NaN"),
    ("str", '"5"', "5"),
]

REFUSED: list[tuple[str, str]] = [
    *(("bool", text) for text in ("0", "1", "1.0", '"true"', '""')),
    *(("int", text) for text in ("true", "1.0", "1.5", "1e3", str(2**63), str(-(2**63) - 1))),
    *(("int", f'"{text}"') for text in ("", "+1", "01", "-0", " 1", "1 ", "1.0", "0x1", "1_0")),
    *(("int", f'"{text}"') for text in (2**63, -(2**63) - 1, "١", "NaN")),
    *(("float", text) for text in ("true", str(BIG), str(-BIG), "1e400", "-1e400", "1" * 400)),
    *(("float", f'"{text}"') for text in ("1.5", "nan", "inf", "+Infinity", "")),
    *(("str", text) for text in ("true", "1", "1.5")),
]


def shown(value: Any) -> str:
    return repr(value)[:30]


@pytest.mark.parametrize(("declared", "text", "value"), ACCEPTED, ids=shown)
async def test_an_accepted_payload_comes_back_as_it_was_sent(
    client: Client, declared: str, text: str, value: Any
) -> None:
    await client.make("q", declared)
    told = await client.signal("q", read_payload(Raw(text.encode())))
    kept = await client.get("q")
    assert kept == told or value != value
    assert type(told.payload) is type(value)
    assert kept is not None
    assert same(kept.payload, value)
    assert str(kept.payload) == str(value)  # the sign of a zero too
    assert (kept.phase, kept.pending, kept.expected_type) == ("SUCCEEDED", False, declared)


@pytest.mark.parametrize(("declared", "text"), REFUSED, ids=shown)
async def test_a_payload_of_another_type_is_refused_and_the_event_still_waits(
    client: Client, declared: str, text: str
) -> None:
    event = await client.make("q", declared)
    with pytest.raises(PayloadTypeMismatch) as refused:
        await client.signal("q", read_payload(Raw(text.encode())))
    assert refused.value.data == {"expectedType": declared}
    assert await client.get("q") == event


@pytest.mark.parametrize("text", ["null", "{}", "[]", "[1]", '{"a": 1}', r'"\ud800"', "[[", ""])
def test_what_is_no_scalar_is_no_payload(text: str) -> None:
    with pytest.raises(InvalidParams) as refused:
        read_payload(Raw(text.encode()))
    assert refused.value.data == {"path": "/payload"}


@pytest.mark.parametrize("text", ["1e400", "-1e400", " 1e999"])
def test_a_number_that_no_double_holds_is_still_a_number(text: str) -> None:
    assert read_payload(Raw(text.encode())) == BEYOND_ALL


@pytest.mark.parametrize("declared", TYPES)
@pytest.mark.parametrize("claimed", TYPES)
async def test_payload_type_must_equal_the_declared_one(
    client: Client, claimed: str, declared: str
) -> None:
    values: dict[str, Any] = {"bool": True, "int": 3, "float": 3.5, "str": "x"}
    value = values[declared]
    await client.make("q", declared)
    if claimed == declared:
        assert (await client.signal("q", value, claimed)).payload == value
    else:
        with pytest.raises(PayloadTypeMismatch) as refused:
            await client.signal("q", value, claimed)
        assert refused.value.data["expectedType"] == declared


@pytest.mark.parametrize(
    ("declared", "value", "wire"),
    [
        ("int", 2**53 - 1, str(2**53 - 1)),
        ("int", -(2**53) + 1, str(-(2**53) + 1)),
        ("int", 2**53, f'"{2**53}"'),
        ("int", -(2**53), f'"{-(2**53)}"'),
        ("float", 3, "3.0"),
        ("float", 1e300, "1e300"),
        ("float", -0.0, "-0.0"),
        ("float", math.nan, '"NaN"'),
        ("float", math.inf, '"Infinity"'),
        ("float", -math.inf, '"-Infinity"'),
        ("str", "a\0b", r'"a\u0000b"'),
    ],
)
async def test_results_carry_numbers_in_a_form_that_every_json_reader_keeps(
    client: Client, declared: str, value: Any, wire: str
) -> None:
    await client.make("q", declared)
    told = encode(await client.signal("q", value))
    assert f'"payload":{wire},'.encode() in told
    page = encode(await client.page())
    assert f'"payload":{wire},'.encode() in page


async def test_a_string_of_3_mb_comes_back_whole(client: Client) -> None:
    text = "a\0\U0001f600é" * 400_000
    await client.make("q", "str")
    await client.signal("q", text)
    kept = await client.get("q")
    assert kept is not None
    assert kept.payload == text
    assert (await client.signal("q", text)) == kept


async def test_every_unicode_character_comes_back(client: Client) -> None:
    text = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
    await client.make("q", "str")
    await client.signal("q", text)
    kept = await client.get("q")
    assert kept is not None
    assert kept.payload == text


async def test_half_a_character_is_refused(client: Client) -> None:
    await client.make("q", "str")
    with pytest.raises(PayloadTypeMismatch):
        await client.signal("q", "\ud800")


places = itertools.count()

PAYLOADS = st.one_of(
    st.tuples(st.just("int"), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.just("float"), st.floats(allow_nan=True, allow_infinity=True)),
    st.tuples(st.just("str"), st.text()),
    st.tuples(st.just("bool"), st.booleans()),
)


@given(st.lists(PAYLOADS, min_size=1, max_size=20))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_payload_goes_there_over_the_wire_and_back(
    client: Client, payloads: list[tuple[str, Any]]
) -> None:
    async def round_trip(declared: str, value: Any) -> None:
        name = f"q{next(places)}"
        await client.make(name, declared)
        told = await client.signal(name, value)
        kept = await client.get(name)
        assert kept is not None
        for event in (told, kept):
            assert type(event.payload) is type(value)
            assert same(event.payload, value)
        wire = json.decode(encode(kept))["payload"]
        again = await client.signal(name, read_payload(Raw(json.encode(wire))))
        assert same(again.payload, value)

    async def body() -> None:
        await asyncio.gather(*(round_trip(*one) for one in payloads))
        await client.close()

    asyncio.run(body())
