"""Fields of Flyte's messages that older releases of the flyteidl2 package do not declare.

Each Flyte SDK pins flyteidl2 exactly, so the sidecar must work with the installed release. protobuf
preserves the fields that a message does not declare. The messages of this module declare only
those fields, with Flyte's numbers and types. Parsing the bytes of Flyte's message as one of them
reads the fields, and merging its bytes into Flyte's message sets them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyteidl2.common.identity_pb2 import EnrichedIdentity
from flyteidl2.core.literals_pb2 import Literal
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClassesForFiles

from flyte_sidecar.backends.flyte.rpc.rpc_transport import InvalidResponse

if TYPE_CHECKING:
    from flyteidl2.workflow.run_definition_pb2 import ActionDetails, SignalInfo
    from flyteidl2.workflow.run_service_pb2 import ListRunsRequest

_PACKAGE = "flyte_sidecar.idl"


def signal_info(details: ActionDetails) -> SignalInfo | None:
    """Return the signal that an action's details report; None without one.

    Raises
    ------
    InvalidResponse
        If it cannot be decoded.
    """
    try:
        parsed = _ACTION_DETAILS.FromString(details.SerializeToString())
    except (DecodeError, ValueError):
        raise InvalidResponse("the signal of an action cannot be decoded") from None
    return parsed.signal_info if parsed.HasField("signal_info") else None


def set_paused_actions_only(request: ListRunsRequest) -> None:
    """Request only the runs that have paused actions."""
    request.MergeFromString(_LIST_RUNS_REQUEST(paused_actions_only=True).SerializeToString())


def _declare(*messages: DescriptorProto) -> dict[str, Any]:
    """Return the classes of the messages by full name."""
    file = FileDescriptorProto(
        name=f"{_PACKAGE}.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=[EnrichedIdentity.DESCRIPTOR.file.name, Literal.DESCRIPTOR.file.name],
        message_type=messages,
    )
    Default().AddSerializedFile(file.SerializeToString())
    return GetMessageClassesForFiles([file.name], Default())


def _field(name: str, number: int, message: str | None = None) -> FieldDescriptorProto:
    """Return the declaration of a field whose type is a message, or else bool."""
    return FieldDescriptorProto(
        name=name,
        number=number,
        label=FieldDescriptorProto.LABEL_OPTIONAL,
        type=FieldDescriptorProto.TYPE_MESSAGE if message else FieldDescriptorProto.TYPE_BOOL,
        type_name=message and f".{message}",
    )


_CLASSES = _declare(
    DescriptorProto(
        name="SignalInfo",
        field=[
            _field("signalled_by", 1, EnrichedIdentity.DESCRIPTOR.full_name),
            _field("output", 2, Literal.DESCRIPTOR.full_name),
        ],
    ),
    DescriptorProto(
        name="ActionDetails",
        field=[_field("signal_info", 10, f"{_PACKAGE}.SignalInfo")],  # flyteidl2 2.0.24
    ),
    DescriptorProto(
        name="ListRunsRequest",
        field=[_field("paused_actions_only", 9)],  # flyteidl2 2.0.25
    ),
)
_ACTION_DETAILS = _CLASSES[f"{_PACKAGE}.ActionDetails"]
_LIST_RUNS_REQUEST = _CLASSES[f"{_PACKAGE}.ListRunsRequest"]
