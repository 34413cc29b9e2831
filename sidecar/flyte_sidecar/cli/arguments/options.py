"""The options that all verbs have."""

from __future__ import annotations

import argparse
import os
from typing import Any, get_args

from flyte_sidecar.cli.arguments.values import UsageError, path, positive, text
from flyte_sidecar.server.settings import (
    BACKEND_VARIABLE,
    STORE_VARIABLE,
    BackendKind,
    Options,
    Transport,
    flyte_config,
    store_path,
)

DEFAULTS = dict(zip(Options.__struct_fields__, Options.__struct_defaults__, strict=True))


def add_options(
    parser: argparse.ArgumentParser,
    *,
    of_backend: bool = True,
    of_server: bool = True,
    of_framing: bool = True,
) -> None:
    """Add the options that all verbs accept. The default values are those of `Options`.

    Parameters
    ----------
    of_backend, of_server, of_framing
        Whether the help shows the options of these groups, because they have an effect.
    """
    backend = _Group(parser, "backend options", is_shown=of_backend)
    backend.add(
        "--backend",
        choices=get_args(BackendKind),
        help="the embedded store, a Flyte deployment, or both"
        f" (environment: {BACKEND_VARIABLE}; default: {DEFAULTS['backend']})",
    )
    backend.add(
        "--store",
        metavar="PATH",
        help="SQLite file of the embedded store"
        f" (environment: {STORE_VARIABLE}; default: events.db in the user's state folder)",
    )
    backend.add(
        "--config",
        metavar="PATH",
        type=path,
        help="config file of Flyte (default: the one that the flyte command finds)",
    )
    backend.add(
        "--endpoint",
        metavar="HOST[:PORT]",
        type=text,
        help="the Flyte deployment (default: as configured for the flyte command;"
        " default port: 443, or 80 with --insecure)",
    )
    backend.add_switch("--insecure", "use plaintext instead of TLS")
    backend.add(
        "--ca-cert-file",
        metavar="PATH",
        type=path,
        help="PEM file of trusted CA certificates (default: as configured, else those of the"
        " system)",
    )
    backend.add_switch("--insecure-skip-verify", "accept any TLS certificate")
    backend.add(
        "--transport",
        choices=get_args(Transport),
        help="how requests are sent to the Flyte deployment (default: auto, which is gRPC, or"
        " Connect if an ingress passes only that)",
    )
    backend.add(
        "--org",
        type=text,
        help="default organization (default: none; on Flyte: as configured)",
    )
    for scope in ("project", "domain"):
        backend.add(
            f"--{scope}",
            type=text,
            help=f"default {scope} (default: local; on Flyte: as configured)",
        )
    server = _Group(parser, "server options", is_shown=of_server)
    server.add(
        "--framing",
        is_shown=of_framing,
        choices=["auto", "header", "line"],
        help="framing of messages: LSP headers, or one JSON text per line"
        f" (default: {DEFAULTS['framing']}, detected from the first byte)",
    )
    server.add(
        "--max-message-bytes",
        type=positive,
        metavar="N",
        help=f"largest message to accept, in bytes (default: {DEFAULTS['max_message_bytes']})",
    )
    server.add(
        "--parent-pid",
        "--clientProcessId",
        type=positive,
        metavar="PID",
        help="exit when this process is gone (default: none)",
    )
    server.add("--stdio", action="store_true", help="accepted for LSP clients; has no effect")
    log = _Group(parser, "log options")
    log.add(
        "--log-level",
        choices=["debug", "info", "warning", "error", "critical"],
        help=f"log level (default: {DEFAULTS['log_level']})",
    )
    log.add("--log-file", metavar="PATH", type=path, help="log file (default: stderr)")


class _Group:
    """Options that the help shows together, or not at all."""

    def __init__(
        self, parser: argparse.ArgumentParser, title: str, *, is_shown: bool = True
    ) -> None:
        self._group = parser.add_argument_group(title, argument_default=argparse.SUPPRESS)
        self._is_shown = is_shown

    def add(self, *names: str, is_shown: bool | None = None, **settings: Any) -> None:
        if not (self._is_shown if is_shown is None else is_shown):
            settings["help"] = argparse.SUPPRESS
        self._group.add_argument(*names, **settings)

    def add_switch(self, name: str, summary: str) -> None:
        """Add an option without a value, and its negation, which overrides a config file."""
        self.add(
            name,
            action=argparse.BooleanOptionalAction,
            help=f"{summary} (default: as configured, else no)",
        )


def options_of(values: dict[str, Any], verb: str) -> Options:
    """Remove the options from the parsed values, and return them.

    Raises
    ------
    UsageError
        If they are invalid.
    """
    options = {name: values.pop(name) for name in Options.__struct_fields__ if name in values}
    backend = options.setdefault("backend", os.environ.get(BACKEND_VARIABLE) or DEFAULTS["backend"])
    if backend not in get_args(BackendKind):
        choices = ", ".join(get_args(BackendKind))
        raise UsageError(f"{BACKEND_VARIABLE}: invalid choice: {backend!r} (choose from {choices})")
    options.setdefault("store", "")
    try:
        if backend != "flyte":
            options["store"] = store_path(options["store"])
        checked = Options(**options)
        if backend != "local" and verb != "doctor":  # which reports what is wrong
            flyte_config(checked)
    except ValueError as error:
        from flyte_sidecar.events.plain_text import sanitize

        raise UsageError(sanitize(str(error))) from None
    except (OSError, RuntimeError) as error:
        raise UsageError(
            f"cannot find a path for the store ({error}): pass an absolute path as --store"
        ) from None
    return checked
