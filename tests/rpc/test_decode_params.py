"""Decoding params."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from msgspec import Raw, structs

from flyte_sidecar.errors import InvalidParams
from flyte_sidecar.protocol.methods import METHODS
from flyte_sidecar.protocol.params import (
    AbortManyParams,
    CreateParams,
    GetParams,
    InitializeParams,
    ListParams,
    Params,
    SignalParams,
)
from flyte_sidecar.rpc.decode_params import ABSENT, IGNORED, params_decoder

TARGET = b'"runName":"r","name":"n"'
EVENT_ID = b'{"runName":"r","actionName":"a"}'
VALID = {"events": b"[%b]" % EVENT_ID}
"""Valid values of required params that are no strings."""


def read(shape: type[Any], params: bytes) -> Any:
    return params_decoder(shape)(Raw(params) if params else ABSENT)


def refused(shape: type[Any], params: bytes) -> InvalidParams:
    with pytest.raises(InvalidParams) as caught:
        read(shape, params)
    return caught.value


@pytest.mark.parametrize("number", [b"10.0", b"1e1", b"100e-1", b"0.1E+2", b"10"])
def test_a_number_without_a_fraction_is_an_integer(number: bytes) -> None:
    assert read(ListParams, b'{"runName":"r","limit":%b}' % number).limit == 10
    assert read(InitializeParams, b'{"processId":%b,"x":1.5}' % number).process_id == 10


@pytest.mark.parametrize("number", [b"10.5", b"1e-1", b"1001.0", b"1e999999999", b"0.0", b'"10"'])
def test_other_numbers_are_refused_as_limit(number: bytes) -> None:
    error = refused(ListParams, b'{"runName":"r","limit":%b}' % number)
    assert error.data == {"path": "/limit"}


@pytest.mark.parametrize("number", [b"3.0", b"1e3", b"-0.0", b"1e400"])
@pytest.mark.parametrize("more", [b"", b',"_meta":{}', b',"timeoutSeconds":1.0'])
def test_a_payload_keeps_its_text(number: bytes, more: bytes) -> None:
    found = read(SignalParams, b'{%b,"payload":%b%b}' % (TARGET, number, more))
    assert bytes(found.payload) == number


@pytest.mark.parametrize(
    ("event", "pointer", "message"),
    [
        (b'{"runName":"r"}', "/events/1/actionName", "`actionName` is required at /events/1"),
        (b'{"runName":1,"actionName":"a"}', "/events/1/runName", None),
        (b'{"runName":"r","actionName":"a","run_name":1}', "/events/1/run_name", None),
        (b'{"runName":"r","actionName":"a","x/` - at `$.y`":1}', None, "unknown param"),
        (b'"a"', "/events/1", None),
        (rb'{"runName":"r","actionName":"\ud800"}', "/events/1", None),
    ],
)
def test_an_error_points_at_the_member_of_an_item(
    event: bytes, pointer: str | None, message: str | None
) -> None:
    error = refused(AbortManyParams, b'{"events":[%b,%b]}' % (EVENT_ID, event))
    assert pointer in (None, error.data["path"])
    assert error.message.startswith(message or "")


@pytest.mark.parametrize("number", [0, 1001])
def test_a_request_names_one_event_to_a_thousand(number: int) -> None:
    events = b",".join([EVENT_ID] * number)
    assert refused(AbortManyParams, b'{"events":[%b]}' % events).data == {"path": "/events"}


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("name", IGNORED)
def test_members_that_clients_add_are_ignored_by_every_method(method: Any, name: str) -> None:
    needed = [one.encode_name for one in structs.fields(method.params) if one.required]
    known = [b'"%b":%b' % (one.encode(), VALID.get(one, b'"x"')) for one in needed]
    for value in (b"null", b'{"x":[1]}', rb'"\ud800"', b"1.0"):
        added = b'"%b":%b' % (name.encode(), value)
        plain = read(method.params, b"{%b}" % b",".join(known))
        found = read(method.params, b"{%b}" % b",".join([added, *known]))
        assert plainly(found) == plainly(plain)


def plainly(found: Any) -> dict[str, Any]:
    members = structs.asdict(found).items()
    return {name: bytes(one) if isinstance(one, Raw) else one for name, one in members}


def with_defaults(params: Any) -> Any:
    """Replace null by the default, as the handlers do."""
    defaults = {one.name: one.default for one in structs.fields(params)}
    nulls = [name for name in defaults if getattr(params, name) is None]
    return structs.replace(params, **{name: defaults[name] for name in nulls})


@pytest.mark.parametrize(
    ("shape", "params"),
    [
        (ListParams, b'{"runName":"r","limit":null,"phases":null,"details":null,"parent":null}'),
        (GetParams, b'{"runName":"r","name":null,"org":null,"timeoutSeconds":null}'),
        (CreateParams, b'{%b,"prompt":null,"expectedType":null,"group":null}' % TARGET),
        (InitializeParams, b'{"processId":null}'),
    ],
)
def test_null_for_an_optional_param_is_the_same_as_omitting_it(shape: Any, params: bytes) -> None:
    left = {name: value for name, value in json.loads(params).items() if value is not None}
    assert with_defaults(read(shape, params)) == read(shape, json.dumps(left).encode())


@pytest.mark.parametrize(
    ("shape", "params", "path"),
    [
        (SignalParams, rb'{"payload":"a\udc00","runName":"r"}', "/payload"),
        (SignalParams, rb'{"payload":["\ud800"],"runName":"r"}', "/payload/0"),
        (GetParams, rb'{"runName":"\uD83D","name":"n"}', "/runName"),
        (ListParams, rb'{"runName":"\ud83d\ude00","phases":["A","\ud800"]}', "/phases/1"),
        (CreateParams, rb'{"runName":"r","name":"n","prompt":"\\\ud800"}', "/prompt"),
        (GetParams, rb'{"runName":"r","\ud800":1}', "/\ufffd"),
    ],
)
def test_an_error_points_to_an_unpaired_surrogate(shape: Any, params: bytes, path: str) -> None:
    error = refused(shape, params)
    assert error.data == {"path": path}
    assert "JSON" not in error.message


def test_complete_characters_are_accepted_in_any_spelling() -> None:
    texts = rb"\ud83d\ude00 \\ud800 \uFfFd \u00e9"
    found = read(CreateParams, b'{%b,"prompt":"%b","_meta":0}' % (TARGET, texts))
    assert found.prompt == "\U0001f600 \\ud800 \ufffd \u00e9"


@pytest.mark.parametrize("params", [b"[1,2]", b'"x"', b"1"])
def test_the_error_of_positional_params_asks_for_names(params: bytes) -> None:
    assert "by name" in refused(GetParams, params).message


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("runname", "runName"),
        ("run_name", "runName"),
        ("actioName", "actionName"),
        ("nmae", "name"),
    ],
)
def test_the_error_of_an_unknown_param_suggests_a_similar_one(name: str, meant: str) -> None:
    message = refused(GetParams, b'{%b,"%b":1}' % (TARGET, name.encode())).message
    assert message == f"unknown param {name!r}; did you mean {meant!r}?"


def test_a_param_that_is_missing_is_named() -> None:
    for params in (b"{}", b"null", b"[]", b""):
        error = refused(GetParams, params)
        assert (error.message, error.data) == ("`runName` is required", {"path": "/runName"})


N = 4 << 20


@pytest.mark.parametrize(
    "params",
    [
        b'{"x` - at `$%b":1}' % (b"[" * N),
        b'{"%b":1}' % (b"` - at `$" * (N // 8)),
        b'{"%b":1}' % (b"`" * N),
        b'{"%b":1}' % (b"/~" * N),
        b'{"runName":"r","name":"n","expectedType":"` - at `$%b"}' % (b"." * N),
        b'{"runName":"r","name":"n","expectedType":"%b"}' % (b" - at `$[" * (N // 8)),
        b'{"runName":"%b"}' % (b"`" * N),
        b'{"runName":%b}' % (b"1" * N),
        b'{"runName":%be-1}' % (b"10" * N),
        b'{"timeoutSeconds":1%b.0}' % (b"0" * N),
        b"[%b1]" % (b" " * N),
        b'{"_meta":%b1%b}' % (b"[" * 500, b"]" * 500),
        rb'{"runName":[%b"\ud800"]}' % (b"1," * (N // 2)),
        b"{%b}" % b",".join(b'"_meta":%d' % n for n in range(N // 16)),
    ],
)
def test_hostile_params_take_no_longer_than_their_length_warrants(params: bytes) -> None:
    for shape in (CreateParams, Params, InitializeParams):
        with suppress(InvalidParams):
            read(shape, params)
