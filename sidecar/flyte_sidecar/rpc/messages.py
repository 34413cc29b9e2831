"""Decoding messages into requests."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from msgspec import DecodeError, Raw, Struct, ValidationError, defstruct, json, structs

from flyte_sidecar.errors import InvalidRequest, ParseError, SidecarError
from flyte_sidecar.rpc.batches import MAX_BATCH_ENTRIES
from flyte_sidecar.rpc.canonical_ids import canonical_id
from flyte_sidecar.rpc.decode_params import ABSENT
from flyte_sidecar.rpc.error_messages import describe_json_error
from flyte_sidecar.rpc.framing import Malformed
from flyte_sidecar.rpc.recover_id import MAX_ID_BYTES, recover_id
from flyte_sidecar.rpc.unpaired_surrogates import (
    HALF,
    UNPAIRED,
    replace_surrogates,
    restore_surrogates,
)

_ARRAY = re.compile(rb"[ \t\r\n]*\[")


class Envelope(Struct, frozen=True):
    """The members of any JSON-RPC message; unknown ones are ignored."""

    jsonrpc: str = ""
    id: Raw = ABSENT
    method: str | None = None
    params: Raw = ABSENT
    result: Raw = ABSENT
    error: Raw = ABSENT


class _Members(Struct, frozen=True):
    """The members of an envelope, whatever their types."""

    jsonrpc: Raw = ABSENT
    id: Raw = ABSENT
    method: Raw = ABSENT
    params: Raw = ABSENT
    result: Raw = ABSENT
    error: Raw = ABSENT


_decode_envelope = json.Decoder(Envelope).decode


def read(message: bytes) -> Envelope | list[Raw] | Malformed:
    """Decode a message into its members, or a batch into its entries."""
    try:
        if not message.isascii():
            message.decode()
        return _decode_envelope(message)
    except UnicodeDecodeError as error:
        return _malformed(message, ParseError(describe_json_error(message, error)))
    except (DecodeError, RecursionError):
        return _entries(message) if _ARRAY.match(message) else _read_object(message)


def read_entry(entry: Raw) -> Envelope | Malformed:
    """Decode one entry of a batch."""
    try:
        return _decode_envelope(entry)
    except (DecodeError, RecursionError):
        return _read_object(bytes(entry))


def _read_object(message: bytes) -> Envelope | Malformed:
    """Decode an object that may contain unpaired surrogates, or return what is wrong with it."""
    replaced = replace_surrogates(message)
    try:
        json.decode(replaced, type=Raw)
        members = json.decode(replaced, type=_Members)
    except ValidationError:
        return Malformed(InvalidRequest("a request must be a JSON object"))
    except DecodeError as error:
        return _malformed(message, ParseError(describe_json_error(message, error)))
    except RecursionError:
        return _malformed(message, ParseError("the message is nested too deeply"))
    method, request_id, params = map(bytes, (members.method, members.id, members.params))
    torn = replaced != message
    if method in (b"", b"null") and not (members.result is members.error is ABSENT):
        return Envelope(result=members.result, error=members.error)
    if torn and UNPAIRED in request_id:
        return Malformed(InvalidRequest(f"the id {HALF}"))
    if torn and UNPAIRED in method:
        fault = f"the method {HALF}"
    elif method[:1] not in (b"", b"n", b'"'):
        fault = "`method` must be a string"
    elif bytes(members.jsonrpc) != b'"2.0"':
        fault = '`jsonrpc` must be "2.0"'
    else:
        if torn and params:
            members = structs.replace(members, params=Raw(restore_surrogates(params)))
        return Envelope("2.0", members.id, json.decode(method or b"null"), members.params)
    is_id = len(request_id) <= MAX_ID_BYTES and canonical_id(request_id) is not None
    return Malformed(InvalidRequest(fault), request_id if is_id else None)


def _malformed(message: bytes, error: SidecarError) -> Malformed:
    return Malformed(error, recover_id(message))


def _entries(message: bytes) -> list[Raw] | Malformed:
    replaced = replace_surrogates(message)
    try:
        members = structs.astuple(_entries_decoder()(replaced))
    except ValidationError:
        return Malformed(InvalidRequest(f"a batch has at most {MAX_BATCH_ENTRIES} requests"))
    except DecodeError as error:
        return Malformed(ParseError(describe_json_error(message, error)))
    except RecursionError:
        return Malformed(ParseError("the message is nested too deeply"))
    entries = [entry for entry in members if entry is not ABSENT]
    if replaced != message:
        entries = [Raw(restore_surrogates(bytes(entry))) for entry in entries]
    return entries or Malformed(InvalidRequest("a batch has at least one request"))


@cache
def _entries_decoder() -> Callable[[bytes], Struct]:
    """Return a decoder that splits an array, and fails if it is too long.

    A list would be decoded completely first: a hundred times the size of a hostile message.
    """
    fields = [(f"entry{number}", Raw, ABSENT) for number in range(MAX_BATCH_ENTRIES)]
    shape = defstruct("Entries", fields, array_like=True, forbid_unknown_fields=True)
    return json.Decoder(shape).decode
