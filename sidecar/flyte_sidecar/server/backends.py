"""The backend of a connection, which the settings of an editor can replace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.backend_ids import backend_id
from flyte_sidecar.server.settings import (
    Options,
    backend_arguments,
    expand_user,
    make_backend,
    state_folder,
    store_path,
)

if TYPE_CHECKING:
    from flyte_sidecar.backends.flyte import LoginPrompt
    from flyte_sidecar.events.model import Scope

MAX_OPEN = 4
"""Number of backends that stay open, so that a change of the settings is undone at once."""


class _Opened(Struct):
    """An open backend, and the requests that use it."""

    service: EventService
    requests: set[asyncio.Future[Any]]

    @property
    def in_use(self) -> bool:
        return not all(request.done() for request in self.requests)


class Backends:
    """The backends that a connection has used.

    A request keeps the backend it started with: a backend that was replaced is closed only after
    the end of its requests, and only if it is not one of the last `MAX_OPEN` that were selected.

    Parameters
    ----------
    requests
        Returns the tasks of the connection's pending requests.
    prompt
        Returns what shows logins to the client.

    Attributes
    ----------
    options
        The options of the current backend.
    service
        The operations on the events of the current backend.
    """

    def __init__(
        self,
        options: Options,
        requests: Callable[[], Collection[asyncio.Future[Any]]],
        prompt: Callable[[], LoginPrompt],
    ) -> None:
        self._initial = self.options = options
        self._requests = requests
        self._prompt = prompt
        self.service = EventService(make_backend(options, prompt))
        self._opened = {options: _Opened(self.service, set())}  # the last selected at the end
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def backend_id(self) -> str:
        """Identifies the current backend among those of all processes of the user."""
        return backend_id(self.options, self.service.backend.endpoint)

    def backend_id_of(self, scope: Scope) -> str:
        """Return the `backend_id` of the backend that has the runs of a scope, of several."""
        backend = self.service.backend
        return backend_id(self.options, backend.endpoint, backend.name_of(scope))

    @property
    def shell_command(self) -> list[str]:
        """The command that starts a sidecar with the same backend."""
        options = self.options
        # Elsewhere, the search for a config file could find another one.
        backend = self.service.backend
        found: str | None = getattr(getattr(backend, "flyte", backend), "config_file", None)
        return ["flyte-sidecar", *backend_arguments(replace(options, config=found))]

    @property
    def state_folder(self) -> Path:
        """The user's folder for the state of all sidecars."""
        return state_folder()

    def select(self, options: Mapping[str, object]) -> None:
        """Use the backend for the options of an editor.

        Parameters
        ----------
        options
            The options that differ from those with which the process started, by name.

        Raises
        ------
        OSError, RuntimeError, ValueError
            If an option is invalid; the current backend does not change.
        """
        chosen = replace(self._initial, **options)
        if chosen.backend != "flyte" or "store" in options:
            chosen = replace(chosen, store=store_path(chosen.store))
        for name in options.keys() & {"config", "ca_cert_file"}:
            chosen = replace(chosen, **{name: expand_user(getattr(chosen, name))})
        if chosen == self.options:
            return
        opened = self._opened.get(chosen)
        if opened is None:
            opened = _Opened(EventService(make_backend(chosen, self._prompt)), set())
        self._record_requests()
        self._opened.pop(chosen, None)
        self._opened[chosen] = opened
        self.options, self.service = chosen, opened.service
        self._close_unused()

    def snapshot(self) -> AbstractContextManager[None]:
        """Return the context of the current backend in which reads share a transaction."""
        return self.service.backend.snapshot()

    async def settle(self) -> None:
        """Wait until nothing is lost if the process ends, for a few seconds at most."""
        await asyncio.gather(*(opened.service.backend.settle() for opened in self._opened.values()))

    async def close(self) -> None:
        """Close all backends."""
        backends = [opened.service.backend.close() for opened in self._opened.values()]
        await asyncio.gather(*backends, *self._closing)

    def _record_requests(self) -> None:
        """Record the pending requests that started since the last call: the current backend's."""
        earlier: set[asyncio.Future[Any]] = set()
        for opened in self._opened.values():
            opened.requests = {request for request in opened.requests if not request.done()}
            earlier |= opened.requests
        self._opened[self.options].requests |= {*self._requests()} - earlier

    def _close_unused(self) -> None:
        for options, opened in [*self._opened.items()][:-MAX_OPEN]:
            if not opened.in_use:
                del self._opened[options]
                closing = asyncio.ensure_future(opened.service.backend.close())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
