"""The fake AuthMetadataService, and the check of tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container
from typing import Any

import grpc
from flyteidl2.auth.auth_service_pb2 import (
    GetOAuth2MetadataRequest,
    GetOAuth2MetadataResponse,
    GetPublicClientConfigRequest,
    GetPublicClientConfigResponse,
)

_SERVICE = "flyteidl2.auth.AuthMetadataService"
_Handler = Any


class Auth(grpc.aio.ServerInterceptor):
    """Rejects calls without a valid token, except those of the AuthMetadataService.

    Attributes
    ----------
    metadata, client
        The responses of the AuthMetadataService; None: UNIMPLEMENTED.
    tokens
        The tokens that are valid now; None: no call needs a token.
    proxy_tokens
        The tokens that a proxy in front accepts, for every call; None: there is no proxy.
    header
        The header that contains the token.
    rejections
        The headers of the calls that were rejected.
    quotes_headers
        Whether the error of a rejected call quotes its headers, as that of some servers does.
    """

    def __init__(self) -> None:
        self.metadata: GetOAuth2MetadataResponse | None = None
        self.client: GetPublicClientConfigResponse | None = None
        self.tokens: Container[str] | None = None
        self.proxy_tokens: Container[str] | None = None
        self.header = "authorization"
        self.rejections: list[dict[str, str]] = []
        self.quotes_headers = False

    def handlers(self) -> grpc.GenericRpcHandler:
        async def get_metadata(_: GetOAuth2MetadataRequest, context: Any) -> Any:
            return self.metadata or await _unimplemented(context)

        async def get_client(_: GetPublicClientConfigRequest, context: Any) -> Any:
            return self.client or await _unimplemented(context)

        methods = {
            "GetOAuth2Metadata": grpc.unary_unary_rpc_method_handler(
                get_metadata,
                GetOAuth2MetadataRequest.FromString,
                GetOAuth2MetadataResponse.SerializeToString,
            ),
            "GetPublicClientConfig": grpc.unary_unary_rpc_method_handler(
                get_client,
                GetPublicClientConfigRequest.FromString,
                GetPublicClientConfigResponse.SerializeToString,
            ),
        }
        return grpc.method_handlers_generic_handler(_SERVICE, methods)

    async def intercept_service(
        self, proceed: Callable[[Any], Awaitable[_Handler]], details: Any
    ) -> _Handler:
        error = self.rejection(details.method, dict(details.invocation_metadata))
        if error is None:
            return await proceed(details)

        async def reject(_: bytes, context: Any) -> None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, error)

        return grpc.unary_stream_rpc_method_handler(reject)

    def rejection(self, path: str, headers: dict[str, str]) -> str | None:
        """Return why a call is rejected, and record its headers; None if it is not."""
        tokens = None if path.startswith(f"/{_SERVICE}/") else self.tokens
        if _accepts(tokens, headers.get(self.header)) and _accepts(
            self.proxy_tokens, headers.get("proxy-authorization")
        ):
            return None
        self.rejections.append(headers)
        quoted = f": {headers}" if self.quotes_headers else ""
        return f"token expired{quoted}"


def _accepts(tokens: Container[str] | None, header: str | None) -> bool:
    kind, _, token = (header or "").partition(" ")
    return tokens is None or (kind == "Bearer" and token in tokens)


async def _unimplemented(context: Any) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "unknown service")
