"""Decoding params into the struct that a handler takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, TypeVar

from msgspec import DecodeError, Raw, Struct, ValidationError, defstruct, json, structs

from flyte_sidecar.errors import InvalidParams
from flyte_sidecar.rpc.canonical_ids import canonical_integer
from flyte_sidecar.rpc.error_messages import invalid_params
from flyte_sidecar.rpc.unpaired_surrogates import HAS_SURROGATE, UNPAIRED, replace_surrogates

T = TypeVar("T")

ABSENT = Raw(b"")
"""The value of a member that a message does not have."""

IGNORED = ("workDoneToken", "partialResultToken", "_meta")
"""Members that LSP and MCP clients add to the params of any method."""

MAX_LIST_BYTES = 1 << 16
"""Size of a list in bytes; the invalid item of a longer list is not searched for."""


def params_decoder(shape: type[T]) -> Callable[[Raw], T]:
    """Return a decoder for the params of a method, which are an object or absent.

    The decoder raises InvalidParams with a JSON Pointer to the invalid member.
    """
    # msgspec compiles the shape at the first call; a `json.Decoder` would compile it at start-up.
    decode: Callable[[bytes | Raw], T] = partial(json.decode, type=shape)

    def decode_params(raw: Raw) -> T:
        try:
            return decode(b"{}" if raw is ABSENT else raw)
        except (DecodeError, RecursionError):
            # Unusual forms are handled in a second attempt, to keep the usual case fast.
            return _decode_leniently(shape, decode, bytes(raw) or b"{}")

    return decode_params


def _decode_leniently(shape: Any, decode: Callable[[bytes], T], text: bytes) -> T:
    """Decode params in any of the forms that clients send."""
    members = _members(shape)
    # Some clients send these instead of omitting the params.
    if text.translate(None, b" \t\r\n") in (b"null", b"[]", b"[null]"):
        text = b"{}"
    replaced = replace_surrogates(text)
    try:
        split = map(bytes, structs.astuple(_splitter(shape)(replaced)))
        values = dict(zip(members, split, strict=False))  # without the ignored members
        if replaced != text:
            _reject_surrogates(values)
        for name, verbatim in members.items():
            if not verbatim:
                values[name] = canonical_integer(values[name]) or values[name]
        plain = (b'"%b":%b' % (name.encode(), value) for name, value in values.items() if value)
        return decode(b"{" + b",".join(plain) + b"}")
    except ValidationError as error:
        raise invalid_params(str(error), list(members)) from None
    except DecodeError as error:
        raise InvalidParams(str(error), path="") from None
    except RecursionError:
        raise InvalidParams("the params are nested too deeply", path="") from None


def _reject_surrogates(values: dict[str, bytes]) -> None:
    for name, value in values.items():
        if UNPAIRED in value:
            # The surrogate may be in an item of a list. A long list is not searched.
            search = value[:1] == b"[" and len(value) <= MAX_LIST_BYTES
            items = json.decode(value, type=list[Raw]) if search else []
            item = next((f"/{n}" for n, text in enumerate(items) if UNPAIRED in bytes(text)), "")
            raise InvalidParams(f"`{name}` {HAS_SURROGATE}", path=f"/{name}{item}")


@cache
def _members(shape: Any) -> dict[str, bool]:
    """Return the names of the params, and whether each is decoded by its handler."""
    fields = structs.fields(shape)
    return {f.encode_name: getattr(f.type, "__origin__", f.type) is Raw for f in fields}


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
