"""Fields that older releases of the flyteidl2 package do not declare, as the service sends them."""

from __future__ import annotations

from flyteidl2.common.identity_pb2 import EnrichedIdentity
from flyteidl2.core.literals_pb2 import Literal
from flyteidl2.workflow.run_definition_pb2 import ActionDetails
from flyteidl2.workflow.run_service_pb2 import ListRunsRequest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.unknown_fields import UnknownFieldSet

SIGNALLED_BY, OUTPUT, SIGNAL_INFO, PAUSED_ACTIONS_ONLY = 1, 2, 10, 9


def set_signal_info(
    details: ActionDetails, output: Literal | None = None, by: EnrichedIdentity | None = None
) -> None:
    signal = b"".join(
        field(number, message.SerializeToString())
        for number, message in ((SIGNALLED_BY, by), (OUTPUT, output))
        if message is not None
    )
    details.MergeFromString(field(SIGNAL_INFO, signal))


def paused_actions_only(request: ListRunsRequest) -> bool:
    fields = UnknownFieldSet(Empty.FromString(request.SerializeToString()))
    return any(unknown.field_number == PAUSED_ACTIONS_ONLY and unknown.data for unknown in fields)


def field(number: int, data: bytes) -> bytes:
    """Encode a field that holds a message."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(high) if high else bytes([low])
