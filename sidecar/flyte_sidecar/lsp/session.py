"""The messages of one editor, which wait until the language server is loaded."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Raw

from flyte_sidecar._futures import run_in_thread, try_set_exception
from flyte_sidecar._internal_error import internal_error
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.lsp.capabilities import (
    NOTIFICATIONS,
    REQUESTS,
    ClientFeatures,
    client_features,
    server_capabilities,
)
from flyte_sidecar.lsp.configuration import BackendSelector, Configuration, Logins
from flyte_sidecar.lsp.messages import Message
from flyte_sidecar.rpc.requests import Context, Deferred, Handler

if TYPE_CHECKING:
    from flyte_sidecar.lsp.bridge import Bridge
    from flyte_sidecar.lsp.editor import Editor
    from flyte_sidecar.lsp.followed_events import FollowedEvents

LOADING_SWITCH_INTERVAL = 1e-4
"""Seconds after which the loading thread lets the event loop run. Python's default is 0.005."""


class EditorSession:
    """The language server for one editor.

    Parameters
    ----------
    initialize
        The params of `initialize`.

    Attributes
    ----------
    capabilities
        LSP's ServerCapabilities, for the response to `initialize`.
    """

    def __init__(
        self,
        initialize: dict[str, Any],
        backends: BackendSelector,
        logins: Logins,
        context: Context,
    ) -> None:
        self._features = client_features(initialize)
        self._logins = logins
        logins.serve_editor(shows_logins=self._features.shows_logins)
        self._configuration = Configuration(backends, initialize.get("initializationOptions"))
        self._context = context
        self._bridge: Bridge | None = None
        self._followed: FollowedEvents | None = None
        self._editor: Editor | None = None
        self._waiting: list[Message] = []
        self._failure: SidecarError | None = None
        self.capabilities = server_capabilities(self._features)
        self._loading = asyncio.ensure_future(self._load())

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handlers of the methods that only editors use."""
        return {
            method: Handler(
                lambda params: params,
                partial(self._receive, method),
                notification=method in NOTIFICATIONS,
                light=True,  # messages must start in the order in which they arrive
                in_batch=False,
            )
            for method in REQUESTS + NOTIFICATIONS
        }

    async def close(self) -> None:
        """Stop all work of the language server."""
        self._loading.cancel()
        if self._editor is not None:
            await self._editor.close()
        if self._followed is not None:
            await self._followed.close()

    def _receive(self, method: str, params: Raw, _: Context) -> Deferred:
        message = Message(method, params, asyncio.get_running_loop().create_future())
        if self._failure is not None:
            raise self._failure.with_traceback(None)  # or the traceback would grow with each raise
        if self._bridge is not None:
            self._bridge.receive(message)
        else:
            # It counts as an unfinished request, so that back-pressure limits the queue.
            self._waiting.append(message)
        return Deferred(message.response)

    async def _load(self) -> None:
        try:
            followed_class = await run_in_thread(_import_events)
            followed = followed_class(self._features, self._configuration, self._context)
            self._followed = followed
            bridge, editor_class, add_features = await run_in_thread(_import, self._features)
            editor = editor_class(
                bridge, self._features, self._configuration, self._logins, followed
            )
            add_features(bridge, editor)
            bridge.connect(self._context)
        except Exception as error:
            self._failure = internal_error(error)
            for message in self._waiting:
                try_set_exception(message.response, self._failure)
        else:
            self._bridge, self._editor = bridge, editor
            for message in self._waiting:
                bridge.receive(message)
        self._waiting.clear()


def _import_events() -> type[FollowedEvents]:
    """Import what reads the events, which takes a tenth of the time of the rest."""
    from flyte_sidecar.lsp.followed_events import FollowedEvents

    return FollowedEvents


def _import(
    features: ClientFeatures,
) -> tuple[Bridge, type[Editor], Callable[[Bridge, Editor], None]]:
    """Import the language server, while the event loop handles other messages."""
    switch_interval = sys.getswitchinterval()
    sys.setswitchinterval(LOADING_SWITCH_INTERVAL)
    gc.disable()  # a collection stops the event loop for ten milliseconds or more
    try:
        from flyte_sidecar.lsp.bridge import Bridge
        from flyte_sidecar.lsp.editor import Editor
        from flyte_sidecar.lsp.features import add_features

        return Bridge(features), Editor, add_features
    finally:
        gc.freeze()  # the imported classes are never freed, so collections need not visit them
        gc.enable()
        sys.setswitchinterval(switch_interval)
