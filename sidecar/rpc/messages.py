"""Messages to requests."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from msgspec import DecodeError, Raw, Struct, ValidationError, defstruct, json, structs

from sidecar.errors import InvalidParams, InvalidRequest, ParseError
from sidecar.rpc.framing import Malformed
from sidecar.rpc.salvage import salvage_id

T = TypeVar("T")

MAX_BATCH = 1000

ABSENT = Raw(b"")
"""Stands for a member that the message does not have."""


class Envelope(Struct, frozen=True):
    """The members of any JSON-RPC message; unknown ones are ignored."""

    jsonrpc: str = ""
    id: Raw = ABSENT
    method: str | None = None
    params: Raw = ABSENT
    result: Raw = ABSENT
    error: Raw = ABSENT


_decode_envelope = json.Decoder(Envelope).decode


def read(message: bytes) -> Envelope | list[Raw] | Malformed:
    """Give a message's members, or a batch's entries."""
    try:
        if not message.isascii():
            message.decode()
        return _decode_envelope(message)
    except ValidationError as error:
        if message.lstrip()[:1] == b"[":
            return _entries(message)
        return Malformed(InvalidRequest(f"not a request: {error}"), salvage_id(message))
    except (DecodeError, UnicodeDecodeError) as error:
        return Malformed(ParseError(_not_json(error)), salvage_id(message))
    except RecursionError:
        return Malformed(ParseError("the message is nested too deeply"), salvage_id(message))


def read_entry(entry: Raw) -> Envelope | Malformed:
    """Give the members of one entry of a batch."""
    try:
        return _decode_envelope(entry)
    except ValidationError as error:
        return Malformed(InvalidRequest(f"not a request: {error}"), salvage_id(bytes(entry)))
    except RecursionError:
        return Malformed(ParseError("the request is nested too deeply"), salvage_id(bytes(entry)))


def _entries(message: bytes) -> list[Raw] | Malformed:
    try:
        members = structs.astuple(_entries_decoder()(message))
    except ValidationError:
        return Malformed(InvalidRequest(f"a batch holds at most {MAX_BATCH} requests"))
    except DecodeError as error:
        return Malformed(ParseError(_not_json(error)))
    except RecursionError:
        return Malformed(ParseError("the message is nested too deeply"))
    entries = [entry for entry in members if entry is not ABSENT]
    return entries or Malformed(InvalidRequest("a batch holds at least one request"))


@cache
def _entries_decoder() -> Callable[[bytes], Struct]:
    """Make what splits an array, and stops where it is too long.

    A list would be split to its end first: a hundred times the size of a hostile message.
    """
    fields = [(f"entry{number}", Raw, ABSENT) for number in range(MAX_BATCH)]
    shape = defstruct("Entries", fields, array_like=True, forbid_unknown_fields=True)
    return json.Decoder(shape).decode


def _not_json(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"the message is not UTF-8: byte {error.start} cannot stand there"
    return f"the message is not JSON: {error}"


def params_reader(shape: type[T]) -> Callable[[Raw], T]:
    """Make a reader of a method's params: an object, or nothing at all.

    The reader raises InvalidParams, which names the culprit by a JSON Pointer.
    """
    decode = json.Decoder(shape).decode

    def read_params(raw: Raw) -> T:
        text: Raw | bytes = raw
        if raw is ABSENT:
            text = b"{}"
        try:
            return decode(text)
        except ValidationError as error:
            # Real clients send these for "no params".
            if bytes(text).translate(None, b" \t\r\n") in (b"null", b"[]", b"[null]"):
                return read_params(ABSENT)
            raise _invalid(str(error)) from None
        except DecodeError as error:
            raise InvalidParams(str(error), path="") from None
        except RecursionError:
            raise InvalidParams("the params are nested too deeply", path="") from None

    return read_params


MAX_MESSAGE = 300
"""Characters of an error's message that quotes what was sent."""

_AT = r"(?: - at `\$(?P<path>.*)`)?"
_MEMBER = re.compile(
    rf"(?P<what>Object (?:contains unknown|missing required) field `(?P<name>.*?)`){_AT}", re.DOTALL
)
_VALUE = re.compile(rf"(?P<what>.*?){_AT}", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[([^\]]*)\]")


def _invalid(said: str) -> InvalidParams:
    """Turn what msgspec says of a value into an error that points at it."""
    found = _MEMBER.fullmatch(said) or _VALUE.fullmatch(said)
    assert found is not None
    parts = found.groupdict()
    what = parts["what"]
    pointer = "".join("/" + _escaped(m or n) for m, n in _STEP.findall(parts["path"] or ""))
    if "name" in parts:
        pointer += "/" + _escaped(parts["name"])
    if " matching regex " in what:
        what = "the string holds characters that may not stand there"
    sentence = f"{what} at {pointer}" if pointer else what
    if len(sentence) > MAX_MESSAGE:
        sentence = sentence[:MAX_MESSAGE] + " ..."
    return InvalidParams(sentence, path=pointer)


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
