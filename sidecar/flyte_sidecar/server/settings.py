"""What the command line, the environment or `init` choose, and the backend that follows."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from flyte_sidecar._version import VERSION
from flyte_sidecar.rpc.framing import Framing
from flyte_sidecar.rpc.malformed import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from flyte_sidecar.backends.flyte import Deployment
    from flyte_sidecar.events.backend import EventBackend

APPLICATION = "flyte-sidecar"
STORE_VARIABLE = "FLYTE_SIDECAR_STORE"
BACKEND_VARIABLE = "FLYTE_SIDECAR_BACKEND"

BackendKind = Literal["local", "flyte"]


class Options(Struct, frozen=True, kw_only=True):
    """The options of the command, as docs and `--help` describe them."""

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
    """Make the backend that the options choose; it opens when it is first used.

    Raises
    ------
    ValueError
        If the options do not tell where the deployment is.
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
    """Give the Flyte deployment that the options name; raises as `make_backend`."""
    from flyte_sidecar.backends.flyte import Deployment, proxy_for, split_endpoint

    if not options.endpoint:
        raise ValueError("the backend flyte needs an endpoint: host[:port]")
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


def store_path(chosen: str | os.PathLike[str] | None) -> str:
    """Return the absolute path of the embedded store as it was chosen, the default if it was not.

    Raises
    ------
    ValueError
        If it is what other programs of SQLite take in place of a path.
    OSError, RuntimeError, ValueError
        If it is relative to a folder that is unknown: the current one, or a home folder.
    """
    path = os.fspath(chosen or default_store())
    if _NOT_A_PATH.match(path):
        sentence = "the store must be a path of a file, not a URL or :memory:"
        raise ValueError(f"{sentence} ({path!r}; if a file is called so, ./{path} is its path)")
    return os.path.abspath(expand_user(path))


_NOT_A_PATH = re.compile(r":memory:|(file|sqlite[\w+.-]*):|[a-z][\w+.-]+://", re.IGNORECASE)


def default_store() -> str:
    """Give the path of the embedded store where none is chosen.

    It is what `FLYTE_SIDECAR_STORE` says, else a file in the platform's folder for the
    state of a user's programs.

    Raises
    ------
    RuntimeError
        If the user's home folder is unknown.
    """
    chosen = os.environ.get(STORE_VARIABLE)
    if chosen:
        return chosen
    from platformdirs import user_state_path

    return str(user_state_path(APPLICATION, appauthor=False) / "events.db")


def expand_user(path: str) -> str:
    """Return the path with a leading `~` or `~user` expanded.

    Raises
    ------
    ValueError
        If that folder is unknown: a folder called `~` is never meant.
    """
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise ValueError(f"the home folder in {path!r} is unknown")
    return expanded


def is_utf8(text: str) -> bool:
    """Return whether text was UTF-8 where it came from: Python keeps other bytes as surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
