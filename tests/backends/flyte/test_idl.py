"""The fields that older releases of the flyteidl2 package do not declare."""

from __future__ import annotations

from contextlib import suppress

import pytest
from flyteidl2.common.identity_pb2 import EnrichedIdentity
from flyteidl2.core.literals_pb2 import Literal
from flyteidl2.workflow import run_definition_pb2
from flyteidl2.workflow.run_definition_pb2 import ActionDetails
from flyteidl2.workflow.run_service_pb2 import ListRunsRequest
from google.protobuf.message import DecodeError

from flyte_sidecar.backends.flyte.rpc.idl import set_paused_actions_only, signal_info
from flyte_sidecar.backends.flyte.rpc.rpc_transport import InvalidResponse
from tests.fake_runservice import idl

ANSWER = Literal(scalar={"primitive": {"integer": 2**60}})
ALICE = EnrichedIdentity(user={"id": {"subject": "alice"}})

declared = pytest.mark.skipif(
    not hasattr(run_definition_pb2, "SignalInfo"), reason="this release does not declare them"
)


def test_a_signal_is_read_from_the_details() -> None:
    details = ActionDetails(id={"name": "c1"})
    assert signal_info(details) is None
    idl.set_signal_info(details, ANSWER, ALICE)
    for sent in (details, ActionDetails.FromString(details.SerializeToString())):
        found = signal_info(sent)
        assert found is not None
        assert (found.output, found.signalled_by) == (ANSWER, ALICE)


def test_a_signal_without_value_or_identity_is_a_signal() -> None:
    details = ActionDetails()
    idl.set_signal_info(details)
    found = signal_info(details)
    assert found is not None
    assert not found.HasField("output")


def test_a_signal_that_cannot_be_decoded_is_an_invalid_response() -> None:
    response = idl.field(idl.SIGNAL_INFO, idl.field(idl.OUTPUT, b"\xff"))
    with suppress(DecodeError):  # if the field is declared, protobuf itself rejects it
        details = ActionDetails.FromString(response)
        with pytest.raises(InvalidResponse, match="cannot be decoded"):
            signal_info(details)


def test_the_filter_for_paused_actions_is_set() -> None:
    request = ListRunsRequest(org="o")
    assert not idl.paused_actions_only(request)
    set_paused_actions_only(request)
    assert idl.paused_actions_only(ListRunsRequest.FromString(request.SerializeToString()))
    assert request.org == "o"


@declared
def test_a_release_that_declares_the_fields_is_compatible() -> None:
    signal = run_definition_pb2.SignalInfo(output=ANSWER, signalled_by=ALICE)
    theirs = ActionDetails(signal_info=signal)
    found, ours = signal_info(theirs), ActionDetails()
    assert found is not None
    assert found.SerializeToString() == signal.SerializeToString()
    idl.set_signal_info(ours, ANSWER, ALICE)
    assert ours == theirs
    request = ListRunsRequest()
    set_paused_actions_only(request)
    assert request.paused_actions_only
