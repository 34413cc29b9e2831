"""Messages to requests, outcomes to replies."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import DecodeError, Raw, Struct, ValidationError, json

from sidecar.errors import InvalidParams, InvalidRequest, ParseError, SidecarError
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
_decode_entries = json.Decoder(list[Raw]).decode


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


def _entries(message: bytes) -> list[Raw] | Malformed:
    # Splitting a hostile array of millions would take a hundred times its size.
    if message.count(b",") >= MAX_BATCH and _has_more_entries(message):
        return Malformed(InvalidRequest(f"a batch holds at most {MAX_BATCH} requests"))
    try:
        entries = _decode_entries(message)
    except DecodeError as error:
        return Malformed(ParseError(_not_json(error)))
    except RecursionError:
        return Malformed(ParseError("the message is nested too deeply"))
    return entries or Malformed(InvalidRequest("a batch holds at least one request"))


_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],]', re.DOTALL)


def _has_more_entries(message: bytes) -> bool:
    depth = commas = 0
    for found in _MARKS.finditer(message):
        mark = found.group()
        if mark in (b"{", b"["):
            depth += 1
        elif mark in (b"}", b"]"):
            depth -= 1
        elif mark == b"," and depth == 1:
            commas += 1
            if commas >= MAX_BATCH:
                return True
    return False


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

    return read_params


_PATH = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_MEMBER = re.compile(r"Object (?:contains unknown|missing required) field `(.*)`", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[([^\]]*)\]")


def _invalid(said: str) -> InvalidParams:
    """Turn what msgspec says of a value into an error that points at it."""
    found = _PATH.fullmatch(said)
    assert found is not None
    what, path = found["what"], found["path"] or ""
    pointer = "".join("/" + _escaped(name or index) for name, index in _STEP.findall(path))
    member = _MEMBER.fullmatch(what)
    if member is not None:
        pointer += "/" + _escaped(member[1])
    if " matching regex " in what:
        what = "the string holds characters that may not stand there"
    return InvalidParams(f"{what} at {pointer}" if pointer else what, path=pointer)


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def reply(identity: bytes, result: bytes) -> bytes:
    """Give the reply to a request that succeeded, from JSON texts."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (identity, result)


def error_reply(
    identity: bytes | None, error: SidecarError, encode: Callable[[object], bytes], known: Any
) -> bytes:
    """Give the reply to a request that failed.

    `known` is what can be said of a write that was under way.
    """
    data = {"kind": error.kind, "retryable": error.retryable}
    if error.tells_outcome and known is not None:
        data |= known
    return b'{"jsonrpc":"2.0","id":%b,"error":{"code":%d,"message":%b,"data":%b}}' % (
        identity or b"null",
        error.code,
        json.encode(error.message),
        encode(data | error.data),
    )
