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
    HAS_SURROGATE,
    UNPAIRED,
    replace_surrogates,
    restore_surrogates,
)

_BATCH_SIZE = f"a batch must contain 1 to {MAX_BATCH_ENTRIES} requests"
_ARRAY = re.compile(rb"[ \t\r\n]*\[")


class Envelope(Struct, frozen=True):
    """The members of a JSON-RPC message. Unknown members are ignored."""

    jsonrpc: str = ""
    id: Raw = ABSENT
    method: str | None = None
    params: Raw = ABSENT
    result: Raw = ABSENT
    error: Raw = ABSENT


class _Members(Struct, frozen=True):
    """The members of an envelope as JSON texts, of any type."""

    jsonrpc: Raw = ABSENT
    id: Raw = ABSENT
    method: Raw = ABSENT
    params: Raw = ABSENT
    result: Raw = ABSENT
    error: Raw = ABSENT


_decode_envelope = json.Decoder(Envelope).decode


def decode_message(message: bytes) -> Envelope | list[Raw] | Malformed:
    """Decode a message into its members, or a batch into its entries."""
    try:
        if not message.isascii():
            message.decode()
        return _decode_envelope(message)
    except UnicodeDecodeError as error:
        return _malformed(message, ParseError(describe_json_error(message, error)))
    except (DecodeError, RecursionError):
        return _split_batch(message) if _ARRAY.match(message) else _decode_leniently(message)


def decode_entry(entry: Raw) -> Envelope | Malformed:
    """Decode one entry of a batch."""
    try:
        return _decode_envelope(entry)
    except (DecodeError, RecursionError):
        return _decode_leniently(bytes(entry))


def _decode_leniently(message: bytes) -> Envelope | Malformed:
    """Decode an object that may contain unpaired surrogates, or return its error."""
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
    has_surrogates = replaced != message
    if method in (b"", b"null") and not (members.result is members.error is ABSENT):
        response = Envelope(id=members.id, result=members.result, error=members.error)
        if has_surrogates and bytes(response.result):
            result = Raw(restore_surrogates(bytes(response.result)))
            response = structs.replace(response, result=result)
        return response
    if has_surrogates and UNPAIRED in request_id:
        return Malformed(InvalidRequest(f"the id {HAS_SURROGATE}"))
    if has_surrogates and UNPAIRED in method:
        reason = f"the method {HAS_SURROGATE}"
    elif method[:1] not in (b"", b"n", b'"'):
        reason = "`method` must be a string"
    elif bytes(members.jsonrpc) != b'"2.0"':
        reason = '`jsonrpc` must be "2.0"'
    else:
        if has_surrogates and params:
            members = structs.replace(members, params=Raw(restore_surrogates(params)))
        return Envelope("2.0", members.id, json.decode(method or b"null"), members.params)
    is_id = len(request_id) <= MAX_ID_BYTES and canonical_id(request_id) is not None
    return Malformed(InvalidRequest(reason), request_id if is_id else None)


def _malformed(message: bytes, error: SidecarError) -> Malformed:
    return Malformed(error, recover_id(message))


def _split_batch(message: bytes) -> list[Raw] | Malformed:
    replaced = replace_surrogates(message)
    try:
        members = structs.astuple(_batch_splitter()(replaced))
    except ValidationError:
        return Malformed(InvalidRequest(_BATCH_SIZE))
    except DecodeError as error:
        return Malformed(ParseError(describe_json_error(message, error)))
    except RecursionError:
        return Malformed(ParseError("the message is nested too deeply"))
    entries = [entry for entry in members if entry is not ABSENT]
    if replaced != message:
        entries = [Raw(restore_surrogates(bytes(entry))) for entry in entries]
    return entries or Malformed(InvalidRequest(_BATCH_SIZE))


@cache
def _batch_splitter() -> Callable[[bytes], Struct]:
    """Return a decoder that splits an array, and fails if it is too long.

    A list type would first decode all entries, whose objects can be a hundred times larger than
    the message.
    """
    fields = [(f"entry{number}", Raw, ABSENT) for number in range(MAX_BATCH_ENTRIES)]
    shape = defstruct("Entries", fields, array_like=True, forbid_unknown_fields=True)
    return json.Decoder(shape).decode
