"""The current settings of an editor, and the backend that they select."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from flyte_sidecar.events.model import Scope
from flyte_sidecar.events.service import EventService
from flyte_sidecar.lsp.settings import Settings, parse_settings

BACKEND_SETTINGS = (
    *("backend", "store", "config", "endpoint", "insecure", "ca_cert_file", "transport"),
    *("org", "project", "domain"),
)
"""The settings that have the names of options of the command line, in snake case."""


class BackendSelector(Protocol):
    """The backend of the connection.

    Attributes
    ----------
    service
        The operations on the events of the current backend.
    backend_id
        Identifies the current backend among those of all processes of the user.
    shell_command
        The command that starts a sidecar with the same backend.
    state_folder
        The user's folder for the state of all sidecars.
    """

    @property
    def service(self) -> EventService: ...
    @property
    def backend_id(self) -> str: ...
    @property
    def shell_command(self) -> Sequence[str]: ...
    @property
    def state_folder(self) -> Path: ...

    def backend_id_of(self, scope: Scope) -> str:
        """Return the `backend_id` of the backend that has the runs of a scope, of several."""

    def select(self, options: Mapping[str, object]) -> None:
        """Use the backend for the options.

        Parameters
        ----------
        options
            Options of the command line by name, in snake case. Other options keep the values with
            which the process started.

        Raises
        ------
        OSError, RuntimeError, ValueError
            If an option is invalid; the current backend does not change.
        """


class Logins(Protocol):
    """The logins that the connection shows."""

    @property
    def has_failed(self) -> bool:
        """Whether the client was sent why the latest login has failed."""

    def serve_editor(self, *, shows_logins: bool) -> None:
        """Send what a plugin shows about logins, or else only `window/showMessage`."""

    def ask_again(self) -> None:
        """Show logins also after one has failed or was cancelled."""


class Configuration:
    """The settings from `initializationOptions`, and from later changes.

    Parameters
    ----------
    initial
        The `initializationOptions`. Later settings that are absent keep their values.

    Attributes
    ----------
    settings
        The current settings.
    backends
        The backend that they select.
    """

    def __init__(self, backends: BackendSelector, initial: object) -> None:
        self.settings = Settings()
        self.backends = backends
        self._base = Settings()
        self._problems: list[str] = []
        self.update(initial)
        self._base = self.settings

    def update(self, value: object) -> None:
        """Apply the settings that a client sent. Invalid ones keep their values."""
        self.settings, problems = parse_settings(value, self.settings, self._base)
        chosen = {name: getattr(self.settings, name) for name in BACKEND_SETTINGS}
        options = {name: value for name, value in chosen.items() if value is not None}
        try:
            self.backends.select(options)
        except (OSError, RuntimeError, ValueError) as error:
            problems.append(str(error))
        self._problems += problems

    def problems(self) -> list[str]:
        """Return what was wrong with the settings since the last call, as sentences."""
        problems, self._problems = self._problems, []
        return problems
