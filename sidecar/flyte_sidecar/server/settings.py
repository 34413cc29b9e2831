"""Options from the command line, the environment or `init`, and the backend for them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from flyte_sidecar._version import VERSION
from flyte_sidecar.rpc.framing import MAX_MESSAGE_BYTES, Framing

if TYPE_CHECKING:
    from pathlib import Path

    from flyte_sidecar.backends.flyte import Deployment
    from flyte_sidecar.events.backend import EventBackend

APPLICATION = "flyte-sidecar"
STORE_VARIABLE = "FLYTE_SIDECAR_STORE"
BACKEND_VARIABLE = "FLYTE_SIDECAR_BACKEND"

BackendKind = Literal["local", "flyte"]


class Options(Struct, frozen=True, kw_only=True):
    """The options of the command, as described in the docs and `--help`."""

    backend: BackendKind = "local"
    store: str
    endpoint: str | None = None
    insecure: bool = False
    ca_cert_file: str | None = None
    insecure_skip_verify: bool = False
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


def make_backend(options: Options) -> EventBackend:
    """Return the backend for the options; it opens at the first request.

    Raises
    ------
    ValueError
        If the endpoint is missing or invalid.
    """
    if options.backend == "flyte":
        from flyte_sidecar.backends.flyte import FlyteBackend

        return FlyteBackend(deployment(options), f"{APPLICATION}/{VERSION}")
    from flyte_sidecar.backends.local import LocalBackend

    backend = LocalBackend(options.store)
    backend.org = options.org or backend.org
    backend.project = options.project or backend.project
    backend.domain = options.domain or backend.domain
    return backend


def deployment(options: Options) -> Deployment:
    """Return the Flyte deployment of the options; raises the same errors as `make_backend`."""
    from flyte_sidecar.backends.flyte import Deployment, proxy_for, split_endpoint

    if not options.endpoint:
        raise ValueError("the backend flyte requires an endpoint: host[:port]")
    return Deployment(
        endpoint=options.endpoint,
        insecure=options.insecure,
        ca_cert_file=options.ca_cert_file,
        insecure_skip_verify=options.insecure_skip_verify,
        org=options.org,
        project=options.project,
        domain=options.domain,
        proxy=proxy_for(split_endpoint(options.endpoint)[0]),
    )


def backend_arguments(options: Options) -> list[str]:
    """Return the command-line arguments that select the backend of the options."""
    names = ["backend", "org", "project", "domain"]
    if options.backend == "local":
        names.append("store")
    else:
        names += ["endpoint", "insecure", "ca_cert_file", "insecure_skip_verify"]
    arguments = []
    for name in names:
        value = getattr(options, name)
        if value:
            arguments.append(f"--{name.replace('_', '-')}")
            if value is not True:
                arguments.append(value)
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
