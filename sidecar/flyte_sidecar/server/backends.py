"""The backend of a connection, which the settings of an editor can replace."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from msgspec.structs import replace

from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import (
    Options,
    backend_arguments,
    make_backend,
    state_folder,
    store_path,
)


class Backends:
    """The backends that a connection has used.

    A request keeps the backend it started with. Therefore all backends stay open until the
    connection ends.

    Attributes
    ----------
    options
        The options of the current backend.
    service
        The operations on the events of the current backend.
    """

    def __init__(self, options: Options) -> None:
        self._initial = self.options = options
        self._services = {options: EventService(make_backend(options))}
        self.service = self._services[options]

    @property
    def backend_id(self) -> str:
        """Identifies the current backend among those of all processes of the user."""
        options = self.options
        if options.backend == "local":
            return f"local:{os.path.realpath(options.store)}"
        return f"{options.backend}:{self.service.backend.endpoint}"

    @property
    def shell_command(self) -> list[str]:
        """The command that starts a sidecar with the same backend."""
        return ["flyte-sidecar", *backend_arguments(self.options)]

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
        if "store" in options:
            chosen = replace(chosen, store=store_path(chosen.store))
        service = self._services.get(chosen)
        if service is None:
            service = self._services[chosen] = EventService(make_backend(chosen))
        self.options = chosen
        self.service = service

    def snapshot(self) -> AbstractContextManager[None]:
        """Return the context of the current backend in which reads share a transaction."""
        return self.service.backend.snapshot()

    async def close(self) -> None:
        """Close all backends."""
        await asyncio.gather(*(service.backend.close() for service in self._services.values()))
