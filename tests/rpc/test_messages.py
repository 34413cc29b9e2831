"""Decoding messages into requests, and the members that errors point to."""

from __future__ import annotations

import json
import sys
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from flyte_sidecar.errors import InvalidParams
from flyte_sidecar.protocol.params import GetParams, InitializeParams, ListParams, Params
from flyte_sidecar.rpc.decode_params import IGNORED, params_decoder
from flyte_sidecar.rpc.framing import Malformed
from flyte_sidecar.rpc.messages import MAX_BATCH_ENTRIES, Envelope, decode_entry, decode_message


def refused(shape: type[Any], params: bytes) -> InvalidParams:
    with pytest.raises(InvalidParams) as caught:
        params_decoder(shape)(Raw(params))
    assert len(caught.value.message) < 500
    return caught.value


@pytest.mark.parametrize("params", [b"null", b"[]", b"[null]", b" [ null ] ", b"{}", b""])
def test_params_may_be_absent_in_every_form_that_clients_send(params: bytes) -> None:
    if params:
        assert params_decoder(Params)(Raw(params)) == Params()
        assert refused(GetParams, params).data == {"path": "/runName"}
    message = b'{"jsonrpc":"2.0","id":1,"method":"x"' + (b',"params":' + params if params else b"")
    envelope = decode_message(message + b"}")
    assert isinstance(envelope, Envelope)
    assert params_decoder(Params)(envelope.params) == Params()


@pytest.mark.parametrize(
    "params", [b"[1]", b"[{}]", b"1", b'"x"', b"true", b"[null,null]", b"[[]]"]
)
def test_params_that_are_not_an_object_are_refused(params: bytes) -> None:
    assert refused(Params, params).data == {"path": ""}


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ('{"runName":"r","limit":0}', "/limit"),
        ('{"runName":"r","limit":1.5}', "/limit"),
        ('{"runName":"r","phases":["A",1]}', "/phases/1"),
        ('{"runName":"r","phases":["PAUSED","paused"]}', "/phases/1"),
        ('{"runName":"r","phases":["UNKNOWN_12","PAUSED\\n"]}', "/phases/1"),
        ('{"runName":"r","a/b~c":1}', "/a~1b~0c"),
        ('{"runName":"r","":1}', "/"),
        ('{"runName":"r","a.b[0]":1}', "/a.b[0]"),
        ('{"runName":"r","x - at `$.y":1}', "/x - at `$.y"),
        ('{"runName":"r","x` - at `$.limit":1}', "/x` - at `$.limit"),
        ('{"runName":"r","x` y\\n":1}', "/x` y\n"),
        ('{"runName":1}', "/runName"),
        ('{"runname":"r"}', "/runname"),
        ('{"limit":1}', "/runName"),
    ],
)
def test_an_error_points_to_the_invalid_param(params: str, path: str) -> None:
    assert refused(ListParams, params.encode()).data == {"path": path}


@settings(max_examples=200)
@given(st.text(max_size=30).filter(lambda name: name not in IGNORED))
def test_an_error_points_to_any_unknown_param(name: str) -> None:
    pointer = refused(InitializeStrict, json.dumps({name: 1}).encode()).data["path"]
    assert pointer == "/" + name.replace("~", "~0").replace("/", "~1")


class InitializeStrict(Params, frozen=True, kw_only=True):
    """Has no members of its own."""

    timeout_seconds: None = None


@pytest.mark.parametrize(
    "value",
    [b"0", b"-1", b"-0.0", b'"1"', b"true", b"1e400", b"1" * 5000, b"[]", b"{}"],
)
def test_a_timeout_that_is_not_a_positive_number_is_refused(value: bytes) -> None:
    assert refused(Params, b'{"timeoutSeconds":%b}' % value).data == {"path": "/timeoutSeconds"}


@pytest.mark.parametrize("value", [b"1e-9", b"1e308", b"1", b"null"])
def test_any_positive_timeout_is_accepted(value: bytes) -> None:
    params_decoder(Params)(Raw(b'{"timeoutSeconds":%b}' % value))


@pytest.mark.parametrize("number", [b"1" * 30, b"1" * 10_000, b"1e999", b"-1e999999999"])
def test_an_error_points_to_a_number_that_is_too_large(number: bytes) -> None:
    assert refused(ListParams, b'{"runName":"r","limit":%b}' % number).data == {"path": "/limit"}


def test_lsp_methods_ignore_what_they_do_not_know() -> None:
    params = b'{"processId":5,"capabilities":{"deep":[{"x":1}]},"clientInfo":{"y":null},"z":[]}'
    assert params_decoder(InitializeParams)(Raw(params)).process_id == 5


def test_the_error_about_a_long_name_is_short() -> None:
    name = b"n" * (1 << 20)
    assert refused(Params, b'{"%b":1}' % name).data == {"path": "/" + name.decode()}


@pytest.mark.parametrize("around", [(b"", b""), (b'{"id":1,"params":', b"}"), (b"[", b"]")])
def test_any_nesting_depth_is_answered(around: tuple[bytes, bytes]) -> None:
    start, end = around
    limit = sys.getrecursionlimit()
    for depth in [*range(limit - 60, limit + 5), 100_000]:
        message = decode_message(start + b"[" * depth + b"]" * depth + end)
        if isinstance(message, Envelope):
            with pytest.raises(InvalidParams):
                params_decoder(Params)(message.params)
        elif isinstance(message, list):
            assert isinstance(decode_entry(message[0]), Malformed)
        else:
            assert message.error.kind in ("parse_error", "invalid_request")


@pytest.mark.parametrize("message", [b"1", b'"x"', b"null", b"true", b"1e5", b'{"method":1}'])
def test_json_that_is_not_a_request_is_an_invalid_request(message: bytes) -> None:
    found = decode_message(message)
    assert isinstance(found, Malformed)
    assert (found.error.kind, found.id, found.fatal) == ("invalid_request", None, False)


@pytest.mark.parametrize(
    "message", [b"{", b"{]", b'{"id":1,}', b"\xff", b'{"a":"\x01"}', b"{}x", b"", b"[1,", b"[1}"]
)
def test_what_is_not_json_is_a_parse_error(message: bytes) -> None:
    found = decode_message(message)
    assert isinstance(found, Malformed)
    assert (found.error.kind, found.fatal) == ("parse_error", False)


@pytest.mark.parametrize(
    ("message", "request_id"),
    [
        (b'{"id":7,"method":"x"', b"7"),
        (b'{"method":"\xff","id":"x"}', b'"x"'),
        (b'{"id":3,"method":4}', b"3"),
        (b'{"method":"x","params":{"id":1},"id":2,}', b"2"),
        (b'{"id":7}}', b"7"),
        (b'{"id":"a"1,"method":"x"}', None),
        (b'{"id":[1],"method":5}', None),
        (b'{"id":1.0,"method":5}', b"1.0"),
        (b'{"id":"%b","method":5}' % (b"x" * 1023), None),
        (b'{"jsonrpc":2,"method":"x","id":"y"}', b'"y"'),
        (b'{"jsonrpc":2,"method":"x","id":"y"} x', b'"y"'),
        (b'{"id":1,"method":5,"id":2}', b"2"),
    ],
)
def test_the_id_is_recovered_from_a_malformed_message(
    message: bytes, request_id: bytes | None
) -> None:
    found = decode_message(message)
    assert isinstance(found, Malformed)
    assert found.id == request_id


def test_a_batch_has_1_to_1000_entries() -> None:
    def array(count: int) -> Any:
        return decode_message(b" [" + b",".join([b"[1,2]"] * count) + b"] ")

    assert array(0).error.kind == "invalid_request"
    assert len(array(1)) == 1
    assert len(array(MAX_BATCH_ENTRIES)) == MAX_BATCH_ENTRIES == 1000
    assert [bytes(entry) for entry in array(2)] == [b"[1,2]", b"[1,2]"]
    assert array(MAX_BATCH_ENTRIES + 1).error.kind == "invalid_request"
    assert array(MAX_BATCH_ENTRIES + 1).id is None


@pytest.mark.parametrize("piece", [b"1,", b"[],", b'"",', b"{},"])
def test_a_hostile_array_is_refused_in_bounded_memory(piece: bytes) -> None:
    message = b"[" + piece * ((16 << 20) // len(piece)) + b"1]"
    tracemalloc.start()
    found = decode_message(message)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(found, Malformed)
    assert found.error.kind == "invalid_request"
    assert peak < 1 << 20


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"payload":NaN}}', 'the string "NaN"'),
        (b'{"id":1,"params":[Infinity]}', 'the string "Infinity"'),
        (b'{"id":1,"params":-Infinity}', 'the string "-Infinity"'),
        (b"{", "one complete JSON text per line"),
        (b'"jsonrpc": "2.0",', "one complete JSON text per line"),
        (b"}", "one complete JSON text per line"),
        (b'{"id":1} {"id":2}', "one complete JSON text per line"),
    ],
)
def test_a_parse_error_says_what_is_expected(message: bytes, expected: str) -> None:
    found = decode_message(message)
    assert isinstance(found, Malformed)
    assert found.error.kind == "parse_error"
    assert expected in found.error.message


def test_a_syntax_error_within_an_object_is_not_blamed_on_line_framing() -> None:
    found = decode_message(b'{"id":1,"params":[1,]}')
    assert isinstance(found, Malformed)
    assert "line" not in found.error.message


@pytest.mark.parametrize(
    ("message", "kind", "request_id"),
    [
        (rb'{"jsonrpc":"2.0","id":"\udc00","method":"x"}', "invalid_request", None),
        (rb'{"jsonrpc":"2.0","id":1,"method":"x\uD800"}', "invalid_request", b"1"),
        (rb'{"jsonrpc":"\ud800","id":1,"method":"x"}', "invalid_request", b"1"),
        (rb'{"jsonrpc":"2.0","id":1,"method":"x","y":"\ud800",}', "parse_error", b"1"),
    ],
)
def test_an_unpaired_surrogate_is_refused_in_ids_and_methods(
    message: bytes, kind: str, request_id: bytes | None
) -> None:
    found = decode_message(message)
    assert isinstance(found, Malformed)
    assert (found.error.kind, found.id) == (kind, request_id)


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_unpaired_surrogate_in_params_is_left_to_the_method(wrapped: bool) -> None:
    message = rb'{"jsonrpc":"2.0","id":"\ud83d\ude00","method":"x","params":{"a":"\\ud800\ud800"}}'
    if wrapped:
        (entry,) = decode_message(b"[%b]" % message)
        found = decode_entry(entry)
    else:
        found = decode_message(message)
    assert isinstance(found, Envelope)
    assert bytes(found.id) == rb'"\ud83d\ude00"'
    assert bytes(found.params) == rb'{"a":"\\ud800\ud800"}'


@pytest.mark.parametrize("where", [b'"\\ud800":1', b'"x":"\\udfff"', b'"x":["\\ud800\\ud800"]'])
def test_an_unpaired_surrogate_in_an_ignored_member_is_ignored(where: bytes) -> None:
    found = decode_message(b'{"jsonrpc":"2.0","id":1,"method":"x",%b}' % where)
    assert isinstance(found, Envelope)
    assert found.method == "x"


@pytest.mark.parametrize("member", ['"result":5', '"error":{}', '"result":null'])
@pytest.mark.parametrize(
    "extra", ["", '"jsonrpc":2,', '"method":null,', '"id":[],', '"x":"\\ud800",']
)
def test_a_malformed_response_is_still_a_response(member: str, extra: str) -> None:
    found = decode_message(f"{{{extra}{member}}}".encode())
    assert isinstance(found, Envelope)
    assert found.method is None


HOSTILE = 16 << 20


@pytest.mark.parametrize(
    "message",
    [
        b'{"id":1,"method":"x","params":"' + rb"\ud800" * (HOSTILE // 6) + b'"}',
        b'{"id":1,"method":"x","params":"' + rb"\\" * (HOSTILE // 2) + rb'\ud800"}',
        b'{"id":1,"method":"x","params":"' + rb"\ud83d\ude00" * (HOSTILE // 12) + rb'\ud800"}',
        b"{" + b" " * HOSTILE,
        b'{"method":5,"id":' + b"1" * HOSTILE + b"}",
        b'{"id":"' + b"a" * HOSTILE + b'"1,',
        b"[" + b" " * HOSTILE,
    ],
    ids=["halves", "backslashes", "pairs", "blanks", "digits", "a long id", "an array"],
)
def test_a_hostile_message_takes_no_longer_than_its_length_warrants(message: bytes) -> None:
    decode_message(message)
