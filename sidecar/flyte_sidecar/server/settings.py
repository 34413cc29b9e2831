"""Options from the command line, the environment or `init`, and the backend for them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from flyte_sidecar._version import VERSION
from flyte_sidecar.rpc.framing import MAX_MESSAGE_BYTES, Framing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flyte_sidecar.backends.flyte import Config, FlyteBackend, LoginPrompt
    from flyte_sidecar.events.backend import EventBackend

APPLICATION = "flyte-sidecar"
STORE_VARIABLE = "FLYTE_SIDECAR_STORE"
BACKEND_VARIABLE = "FLYTE_SIDECAR_BACKEND"

SCOPE_OPTIONS = ("org", "project", "domain")
FLYTE_OPTIONS = (
    *("config", "endpoint", "insecure", "ca_cert_file", "insecure_skip_verify"),
    "transport",
    *SCOPE_OPTIONS,
)
"""The options of the Flyte backend. None: as in the environment or the config file."""

BackendKind = Literal["local", "flyte", "all"]
Transport = Literal["auto", "grpc", "connect"]


class Options(Struct, frozen=True, kw_only=True):
    """The options of the command, as described in the docs and `--help`."""

    backend: BackendKind = "local"
    store: str
    config: str | None = None
    endpoint: str | None = None
    insecure: bool | None = None
    ca_cert_file: str | None = None
    insecure_skip_verify: bool | None = None
    transport: Transport | None = None
    org: str | None = None
    project: str | None = None
    domain: str | None = None
    framing: Framing = "auto"
    max_message_bytes: int = MAX_MESSAGE_BYTES
    parent_pid: int | None = None
    log_level: str = "warning"
    log_file: str | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, str) and not is_utf8(value):
                raise ValueError(f"{name.replace('_', '-')} is not UTF-8: {value!r}")


def make_backend(options: Options, prompt: Callable[[], LoginPrompt] | None = None) -> EventBackend:
    """Return the backend for the options; it opens at the first request.

    Parameters
    ----------
    prompt
        Returns what shows logins at a Flyte deployment to a person; None for the log. Listings of
        both backends wait for logins that are `AttendedLogins`.

    Raises
    ------
    ValueError
        If the config of the Flyte deployment is invalid, or has no endpoint.
    """
    if options.backend == "flyte":
        return make_flyte_backend(options, prompt and prompt())
    from flyte_sidecar.backends.local import LocalBackend

    local = LocalBackend(options.store)
    if options.backend == "all":
        from flyte_sidecar.backends.merged import MergedBackend
        from flyte_sidecar.events.attended_logins import AttendedLogins

        shown = prompt and prompt()
        logins = shown if isinstance(shown, AttendedLogins) else None
        return MergedBackend(local, make_flyte_backend(options, shown), logins=logins)
    # With several backends, these options are those of the deployment.
    local.org = options.org or local.org
    local.project = options.project or local.project
    local.domain = options.domain or local.domain
    return local


def make_flyte_backend(options: Options, prompt: LoginPrompt | None = None) -> FlyteBackend:
    """Return the Flyte deployment of the options; errors as of `make_backend`."""
    from flyte_sidecar.backends.flyte import FlyteBackend

    config = flyte_config(options)
    if config.skipped:
        import logging  # not at the start of every command

        for reason in config.skipped:
            logging.getLogger(__name__).info("config not used: %s", reason)
    return FlyteBackend(
        config.deployment,
        f"{APPLICATION}/{VERSION}",
        prompt=prompt,
        state_folder=_known_state_folder(),
    )


def flyte_config(options: Options) -> Config:
    """Return the config of the Flyte deployment of the options; raises as `make_backend` does."""
    from flyte_sidecar.backends.flyte import Overrides, load

    return load(Overrides(**{name: getattr(options, name) for name in FLYTE_OPTIONS}))


def backend_arguments(options: Options) -> list[str]:
    """Return the command-line arguments that select the backend of the options."""
    names = {
        "local": ("store", *SCOPE_OPTIONS),
        "flyte": FLYTE_OPTIONS,
        "all": ("store", *FLYTE_OPTIONS),
    }[options.backend]
    arguments = ["--backend", options.backend]
    for name in names:
        value = getattr(options, name)
        option = name.replace("_", "-")
        if value is False:
            arguments.append(f"--no-{option}")
        elif value is True:
            arguments.append(f"--{option}")
        elif value is not None and value.startswith("-"):
            arguments.append(f"--{option}={value}")
        elif value is not None:
            arguments += [f"--{option}", value]
    return arguments


def store_path(chosen: str | os.PathLike[str] | None) -> str:
    """Return the absolute path of the store, or of the default store for None.

    Raises
    ------
    ValueError
        If the path is a URL or `:memory:`, which other SQLite programs accept.
    OSError, RuntimeError, ValueError
        If the current folder or the home folder is required and unknown.
    """
    path = os.fspath(chosen or default_store())
    if ":" in path and re.match(_NOT_A_PATH, path, re.IGNORECASE):
        message = "the store must be a path of a file, not a URL or :memory:"
        raise ValueError(f"{message} ({path!r}; if this is the name of a file, use ./{path})")
    return os.path.abspath(expand_user(path))


_NOT_A_PATH = r":memory:|(file|sqlite[\w+.-]*):|[a-z][\w+.-]+://"


def default_store() -> str:
    """Return the default path of the embedded store.

    This is `FLYTE_SIDECAR_STORE` if it is set, else a file in the platform's per-user state folder.

    Raises
    ------
    RuntimeError
        If the user's home folder is unknown.
    """
    chosen = os.environ.get(STORE_VARIABLE)
    if chosen:
        return chosen
    return str(state_folder() / "events.db")


def state_folder() -> Path:
    """Return the platform's per-user folder for the state of the sidecar, which may not exist yet.

    Raises
    ------
    RuntimeError
        If the user's home folder is unknown.
    """
    from platformdirs import user_state_path

    return user_state_path(APPLICATION, appauthor=False)


def _known_state_folder() -> Path | None:
    try:
        return state_folder()
    except RuntimeError:
        return None


def expand_user(path: str) -> str:
    """Return the path with a leading `~` or `~user` expanded.

    Raises
    ------
    ValueError
        If the home folder is unknown: a path is never relative to a folder named `~`.
    """
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise ValueError(f"the home folder in {path!r} is unknown")
    return expanded


def is_utf8(text: str) -> bool:
    """Return whether text from the system is UTF-8; Python decodes other bytes as surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
