"""Decoding params into the struct that a handler takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, TypeVar

from msgspec import DecodeError, Raw, Struct, ValidationError, defstruct, json, structs

from flyte_sidecar.errors import InvalidParams
from flyte_sidecar.rpc.canonical_ids import canonical_integer
from flyte_sidecar.rpc.error_messages import invalid_params
from flyte_sidecar.rpc.unpaired_surrogates import HALF, UNPAIRED, replace_surrogates

T = TypeVar("T")

ABSENT = Raw(b"")
"""The value of a member that a message does not have."""

IGNORED = ("workDoneToken", "partialResultToken", "_meta")
"""Members that LSP and MCP clients add to the params of any method."""

MAX_LIST_BYTES = 1 << 16
"""Largest size in bytes of a list in which the invalid item is searched for."""


def params_decoder(shape: type[T]) -> Callable[[Raw], T]:
    """Return a decoder for the params of a method, which are an object or absent.

    The decoder raises InvalidParams with a JSON Pointer to the invalid member.
    """
    # It compiles the shape at its first use, where a `json.Decoder` would delay the start.
    decode: Callable[[bytes | Raw], T] = partial(json.decode, type=shape)

    def decode_params(raw: Raw) -> T:
        try:
            return decode(b"{}" if raw is ABSENT else raw)
        except (DecodeError, RecursionError):
            # Everything rare is handled here, to keep the usual case fast.
            return _decode_leniently(shape, decode, bytes(raw) or b"{}")

    return decode_params


def _decode_leniently(shape: Any, decode: Callable[[bytes], T], text: bytes) -> T:
    """Decode params in any of the forms that clients send."""
    members = _members(shape)
    # Real clients send these instead of omitting the params.
    if text.translate(None, b" \t\r\n") in (b"null", b"[]", b"[null]"):
        text = b"{}"
    replaced = replace_surrogates(text)
    try:
        split = map(bytes, structs.astuple(_splitter(shape)(replaced)))
        values = dict(zip(members, split, strict=False))  # without the ignored members
        if replaced != text:
            _refuse_unpaired(values)
        for name, exact in members.items():
            values[name] = (
                values[name] if exact else canonical_integer(values[name]) or values[name]
            )
        plain = (b'"%b":%b' % (name.encode(), value) for name, value in values.items() if value)
        return decode(b"{" + b",".join(plain) + b"}")
    except ValidationError as error:
        raise invalid_params(str(error), list(members)) from None
    except DecodeError as error:
        raise InvalidParams(str(error), path="") from None
    except RecursionError:
        raise InvalidParams("the params are nested too deeply", path="") from None


def _refuse_unpaired(values: dict[str, bytes]) -> None:
    for name, value in values.items():
        if UNPAIRED in value:
            # A value that is not a string may be a list of strings. A huge list is not searched.
            listed = value[:1] == b"[" and len(value) <= MAX_LIST_BYTES
            items = json.decode(value, type=list[Raw]) if listed else []
            at = next((f"/{n}" for n, item in enumerate(items) if UNPAIRED in bytes(item)), "")
            raise InvalidParams(f"`{name}` {HALF}", path=f"/{name}{at}")


@cache
def _members(shape: Any) -> dict[str, bool]:
    """Return the names of the params, and whether the JSON of each is kept as it is."""
    fields = structs.fields(shape)
    return {one.encode_name: getattr(one.type, "__origin__", one.type) is Raw for one in fields}


@cache
def _splitter(shape: Any) -> Callable[[bytes], Struct]:
    """Return a decoder that splits params into JSON texts: known members, then ignored ones."""
    names = [*_members(shape), *IGNORED]
    fields = [(f"member{number}", Raw, ABSENT) for number in range(len(names))]
    split = defstruct(
        shape.__name__,
        fields,
        rename={f"member{number}": name for number, name in enumerate(names)},
        forbid_unknown_fields=shape.__struct_config__.forbid_unknown_fields,
    )
    return json.Decoder(split).decode
