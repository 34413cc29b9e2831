"""Adds headers that authenticate calls, and renews them when the server rejects them."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from google.protobuf.message import Message

from flyte_sidecar.backends.flyte.auth.authorization import Authenticator, Authorization
from flyte_sidecar.backends.flyte.credentials import MASK
from flyte_sidecar.backends.flyte.rpc.rpc_transport import (
    Metadata,
    Protocol,
    RpcError,
    RpcMethod,
    RpcTransport,
)

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

MAX_RENEWALS = 2
"""Renewals for one call: the first may find a login that another process stored, also expired."""

MAX_REJECTION_DELAY = 30.0
"""Seconds after which a stream without messages was accepted, and its login has expired since."""

MIN_SECRET_LENGTH = 8
"""Shorter values of headers, in characters, are no secrets; masking them would garble errors."""

_UNAUTHENTICATED = re.compile("unauthorized|unauthenticated", re.IGNORECASE)
"""What ingresses report with another status."""


class AuthenticatedTransport:
    """An `RpcTransport` that authenticates the calls of another one."""

    def __init__(self, transport: RpcTransport, authenticator: Authenticator) -> None:
        self._transport = transport
        self._authenticator = authenticator

    @property
    def protocol(self) -> Protocol:
        return self._transport.protocol

    @property
    def max_streams(self) -> int:
        return self._transport.max_streams

    async def call(self, rpc: RpcMethod[Q, R], request: Q, timeout: float, metadata: Metadata) -> R:
        authorization = await self._authenticator.current()
        attempt = 0
        while True:
            try:
                return await self._transport.call(
                    rpc, request, timeout, _with_headers(metadata, authorization)
                )
            except RpcError as error:
                _mask(error, authorization)
                if attempt == MAX_RENEWALS or not _is_rejected(error, authorization):
                    raise
                rejection = error
            authorization = await self._renew(authorization, rejection, attempt)
            attempt += 1

    async def stream(
        self, rpc: RpcMethod[Q, R], request: Q, metadata: Metadata
    ) -> AsyncGenerator[R, None]:
        authorization = await self._authenticator.current()
        for attempt in range(MAX_RENEWALS + 1):
            started = False
            opened_at = time.monotonic()
            messages = self._transport.stream(rpc, request, _with_headers(metadata, authorization))
            try:
                async with aclosing(messages):
                    async for message in messages:
                        started = True
                        yield message
                return
            except RpcError as error:
                _mask(error, authorization)
                started = started or time.monotonic() - opened_at > MAX_REJECTION_DELAY
                final = attempt == MAX_RENEWALS and not started
                if final or not _is_rejected(error, authorization):
                    raise
                rejection = error
            authorization = await self._renew(authorization, rejection, attempt)
            if started:
                # The messages in between are lost: the caller must start again.
                raise RpcError("UNAVAILABLE", "the login expired during the stream")

    async def _renew(
        self, rejected: Authorization | None, rejection: RpcError, attempt: int
    ) -> Authorization:
        try:
            return await self._authenticator.renew(rejected, renewed=attempt > 0)
        except RpcError as failure:
            if failure.status != "UNIMPLEMENTED":
                raise
            message = f"{rejection.message}; {failure.message}"
            raise RpcError(rejection.status, message) from None

    async def close(self) -> None:
        await self._authenticator.close()
        await self._transport.close()


def _with_headers(metadata: Metadata, authorization: Authorization | None) -> Metadata:
    return metadata if authorization is None else (*metadata, *authorization.headers.reveal())


def _mask(error: RpcError, authorization: Authorization | None) -> None:
    """Mask the secrets of the headers in an error: some servers quote what they reject."""
    for _, value in () if authorization is None else authorization.headers.reveal():
        for secret in (value, value.rpartition(" ")[2]):
            if len(secret) >= MIN_SECRET_LENGTH:
                error.message = error.message.replace(secret, MASK)
    error.args = (f"{error.status}: {error.message}",)


def _is_rejected(error: RpcError, authorization: Authorization | None) -> bool:
    """Return whether the server rejected the headers, or their absence."""
    if error.status == "UNAUTHENTICATED":
        return True
    if error.status == "PERMISSION_DENIED" and authorization is None:
        return True
    # gRPC's C core reports a certificate for another host as UNAVAILABLE with such a message.
    return error.status != "UNAVAILABLE" and _UNAUTHENTICATED.search(error.message) is not None
