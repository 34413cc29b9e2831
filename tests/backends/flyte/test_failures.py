"""What calls fail with, as the errors of the contract."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from flyte_sidecar.backends.flyte import Deployment, FlyteBackend
from flyte_sidecar.backends.flyte.rpc.error_translation import (
    as_error,
    is_transient,
    translate_errors,
)
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.errors import BackendError, BackendUnavailable, SidecarError
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import RUN

ADDRESS = "flyte.example.com:443"
FAILURES = [status for status in grpc.StatusCode if status is not grpc.StatusCode.OK]

CONTRACT: dict[str, tuple[str, bool, str | None]] = {
    "CANCELLED": ("backend_error", False, None),
    "UNKNOWN": ("backend_error", False, None),
    "INVALID_ARGUMENT": ("backend_error", False, "none"),
    "DEADLINE_EXCEEDED": ("deadline_exceeded", False, None),
    "NOT_FOUND": ("backend_error", False, "none"),
    "ALREADY_EXISTS": ("backend_error", False, None),
    "PERMISSION_DENIED": ("permission_denied", False, None),
    "RESOURCE_EXHAUSTED": ("backend_error", True, None),
    "FAILED_PRECONDITION": ("backend_error", False, "none"),
    "ABORTED": ("backend_error", True, None),
    "OUT_OF_RANGE": ("backend_error", False, "none"),
    "UNIMPLEMENTED": ("unsupported_by_backend", False, None),
    "INTERNAL": ("backend_error", False, None),
    "UNAVAILABLE": ("backend_unavailable", True, None),
    "DATA_LOSS": ("backend_error", False, None),
    "UNAUTHENTICATED": ("unauthenticated", False, None),
}
"""Of each status the kind, whether it is retryable, and what is certain of a write."""

every_status = pytest.mark.parametrize("status", FAILURES, ids=lambda status: status.name)


def check(error: SidecarError, status: str, words: str) -> None:
    kind, retryable, outcome = CONTRACT[status]
    assert (error.kind, error.retryable, error.data.get("outcome")) == (kind, retryable, outcome)
    expected: dict[str, Any] = {} if kind == "deadline_exceeded" else {"grpcStatus": status}
    if kind == "backend_error":
        expected["message"] = words
    if outcome is not None:
        expected["outcome"] = outcome
    assert error.data == expected
    if kind != "deadline_exceeded":
        assert words in error.message


def test_no_status_is_forgotten() -> None:
    assert set(CONTRACT) == {status.name for status in FAILURES}


@every_status
def test_every_status_is_an_error_of_the_contract(status: grpc.StatusCode) -> None:
    error = as_error(RpcError(status.name, "the disk is gone"), ADDRESS)
    check(error, status.name, "the disk is gone")
    assert ADDRESS in error.message


@every_status
def test_a_status_without_words_is_told_in_whole_sentences(status: grpc.StatusCode) -> None:
    error = as_error(RpcError(status.name, " \n"), ADDRESS)
    check(error, status.name, "no reason given")


def test_a_status_that_no_release_of_today_has_is_an_error_of_the_backend() -> None:
    error = as_error(RpcError("TEAPOT", "short and stout"), ADDRESS)
    assert isinstance(error, BackendError)
    assert not error.retryable
    assert error.data == {"grpcStatus": "TEAPOT", "message": "short and stout"}


@pytest.mark.parametrize(
    ("status", "words", "is_no_grpc"),
    [
        ("UNKNOWN", "Stream removed (Data frame with END_STREAM flag received)", True),
        ("UNIMPLEMENTED", "Received http2 header with status: 404", True),
        ("UNKNOWN", "Received http2 header with status: 302", True),
        ("UNKNOWN", "Received http2 header with status: 200", True),
        ("UNAVAILABLE", "Failed parsing HTTP/2 (Expected SETTINGS frame)", True),
        ("UNAVAILABLE", "Trying to connect an http1.x server (HTTP status 400)", True),
        ("UNAVAILABLE", "Cannot check peer: missing selected ALPN property.", True),
        ("UNAVAILABLE", "Tls handshake failed: TLSV1_ALERT_NO_APPLICATION_PROTOCOL", True),
        ("UNAUTHENTICATED", "Received http2 header with status: 401", False),
        ("PERMISSION_DENIED", "Received http2 header with status: 403", False),
        ("UNAVAILABLE", "Received http2 header with status: 503", False),
        ("NOT_FOUND", "no such run", False),
    ],
)
def test_a_web_server_in_place_of_the_api_is_reported(
    status: str, words: str, is_no_grpc: bool
) -> None:
    message = as_error(RpcError(status, words), ADDRESS).message
    assert ("may be that of a web console" in message) == is_no_grpc


def test_a_message_that_is_too_large_will_not_fit_the_next_time_either() -> None:
    words = "SERVER: Received message larger than max (5000000 vs. 4194304)"
    assert not as_error(RpcError("RESOURCE_EXHAUSTED", words), ADDRESS).retryable
    assert as_error(RpcError("RESOURCE_EXHAUSTED", "slow down"), ADDRESS).retryable


DATABASE_LOST = (
    "FATAL: terminating connection due to administrator command (SQLSTATE 57P01)",
    "ERROR: terminating connection because of crash of another server process (SQLSTATE 57P02)",
    "FATAL: the database system is starting up (SQLSTATE 57P03)",
    "FATAL: terminating connection due to idle-session timeout (SQLSTATE 57P05)",
    "server conn crashed? (SQLSTATE 08P01)",
    "ERROR: connection failure (SQLSTATE 08006)",
    "FATAL: sorry, too many clients already (SQLSTATE 53300)",
    "ERROR: could not serialize access due to concurrent update (SQLSTATE 40001)",
    "ERROR: deadlock detected (SQLSTATE 40P01)",
    "failed to get action: unexpected EOF",
    "failed to get action: EOF",
    "failed to get action: read tcp 10.0.0.1:40610->10.0.0.2:5432: read: connection reset by peer",
    "failed to list actions: driver: bad connection",
    "write tcp 10.0.0.1:40610->10.0.0.2:5432: write: broken pipe",
    "failed to connect to `user=flyte database=flyte`: 10.0.0.2:5432 (db): dial error",
    "dial tcp 10.0.0.2:5432: connect: connection refused",
    "dial tcp: lookup db on 10.96.0.10:53: no such host",
    "dial tcp 10.0.0.2:5432: i/o timeout",
    "timeout: context deadline exceeded",
    "conn closed",
    "sql: connection is already closed",
    "use of closed network connection",
    "pq: terminating connection due to unexpected postmaster exit",
    "pq: the database system is in recovery mode",
    "pq: database is not accepting connections",
    "pq: sorry, too many clients already",
    "pq: remaining connection slots are reserved for superusers",
    "server closed the connection unexpectedly",
)
WRONG_VALUES = (
    'pq: invalid input syntax for type integer: "x"',
    'pq: invalid input syntax for type integer: "bad connection"',
    'pq: invalid byte sequence for encoding "UTF8": 0x00',
    'ERROR: invalid input syntax for type bigint: "unexpected EOF" (SQLSTATE 22P02)',
    'ERROR: value "connection refused" is out of range for type integer (SQLSTATE 22003)',
    "ERROR: invalid byte sequence for encoding (SQLSTATE 22021)",
    'FATAL: database "flyte" does not exist (SQLSTATE 3D000)',
    "ERROR: relation does not exist (SQLSTATE 42P01)",
    "invalid filter function for a single value",
    "Stream removed (Compression algorithm 'gzip' is disabled.)",
)


@pytest.mark.parametrize("status", ["INTERNAL", "UNKNOWN"])
@pytest.mark.parametrize("words", DATABASE_LOST)
def test_a_database_that_was_lost_is_transient(status: str, words: str) -> None:
    failure = RpcError(status, words)
    assert is_transient(failure)
    assert as_error(failure, ADDRESS).retryable


@pytest.mark.parametrize("status", ["INTERNAL", "UNKNOWN"])
@pytest.mark.parametrize("words", WRONG_VALUES)
def test_a_value_that_the_database_rejects_is_not_transient(status: str, words: str) -> None:
    failure = RpcError(status, words)
    assert not is_transient(failure)
    assert not as_error(failure, ADDRESS).retryable


def test_only_failures_of_the_backend_itself_are_read_for_its_database() -> None:
    assert not is_transient(RpcError("INVALID_ARGUMENT", "bad connection"))


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (
            "CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate",
            "set the option ca-cert-file",
        ),
        ("CERTIFICATE_VERIFY_FAILED: certificate has expired", "has expired"),
        ("Peer name h is not in peer certificate", "for another host"),
        ("Hostname Verification Check failed.", "for another host"),
        ("SSL_ERROR_SSL: WRONG_VERSION_NUMBER", "set the option insecure"),
        ("TLS handshake failed: bad record", "may not use TLS"),
    ],
)
def test_a_server_that_is_not_trusted_is_not_asked_again_and_the_remedy_is_told(
    words: str, remedy: str
) -> None:
    error = as_error(RpcError("UNAVAILABLE", f"failed to connect: {words}"), ADDRESS)
    assert isinstance(error, BackendUnavailable)
    assert not error.retryable
    assert error.data == {"grpcStatus": "UNAVAILABLE"}
    assert ADDRESS in error.message
    assert remedy in error.message
    assert words in error.message


def test_that_one_error_is_not_retryable_says_nothing_of_the_next() -> None:
    as_error(RpcError("UNAVAILABLE", "CERTIFICATE_VERIFY_FAILED"), ADDRESS)
    assert as_error(RpcError("UNAVAILABLE", "connection refused"), ADDRESS).retryable


def test_a_call_that_failed_stands_behind_its_error_and_others_pass_as_they_are() -> None:
    failure = RpcError("INTERNAL", "oh no")
    with pytest.raises(BackendError) as told, translate_errors(ADDRESS):
        raise failure
    assert told.value.__cause__ is failure
    with pytest.raises(KeyError), translate_errors(ADDRESS):
        raise KeyError


@every_status
async def test_what_a_server_answers_with_reaches_the_client_as_an_error_of_the_contract(
    status: grpc.StatusCode, flyte: FlyteHarness
) -> None:
    flyte.server.faults.errors["ListRuns"] = (status, "says the server")
    backend = FlyteBackend(
        Deployment(endpoint=flyte.server.endpoint, insecure=True, project=RUN.project), "tests"
    )
    try:
        with pytest.raises(SidecarError) as told:
            await backend.check()
        check(told.value, status.name, "says the server")
        assert flyte.server.endpoint in told.value.message
        assert not await backend.healthy()
        flyte.server.faults.errors.clear()
        assert await backend.healthy()
    finally:
        await backend.close()


def test_a_server_that_hangs_up_on_plaintext_may_want_tls() -> None:
    words = "failed to connect to all addresses; last error: UNAVAILABLE: h: Socket closed"
    error = as_error(RpcError("UNAVAILABLE", words), ADDRESS)
    assert error.message == (
        f"{ADDRESS} cannot be reached: h: Socket closed; "
        "if the server uses TLS, remove the option insecure"
    )
    assert error.retryable
    # A connection that broke under a call has shown what it speaks.
    assert "TLS" not in as_error(RpcError("UNAVAILABLE", "Socket closed"), ADDRESS).message
