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


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that all verbs have. The default values are those of `Options`."""
    backend = parser.add_argument_group("backend options", argument_default=argparse.SUPPRESS)
    backend.add_argument(
        "--backend",
        choices=get_args(BackendKind),
        help="the embedded store, a Flyte deployment, or both"
        f" (environment: {BACKEND_VARIABLE}; default: {DEFAULTS['backend']})",
    )
    backend.add_argument(
        "--store",
        metavar="PATH",
        help="SQLite file of the embedded store"
        f" (environment: {STORE_VARIABLE}; default: events.db in the user's state folder)",
    )
    backend.add_argument(
        "--config",
        metavar="PATH",
        type=path,
        help="config file of Flyte (default: the one that the flyte command finds)",
    )
    backend.add_argument(
        "--endpoint",
        metavar="HOST[:PORT]",
        type=text,
        help="the Flyte deployment (default: as configured for the flyte command;"
        " default port: 443, or 80 with --insecure)",
    )
    _add_switch(backend, "--insecure", "use plaintext instead of TLS")
    backend.add_argument(
        "--ca-cert-file",
        metavar="PATH",
        type=path,
        help="PEM file of trusted CA certificates (default: as configured, else those of the"
        " system)",
    )
    _add_switch(backend, "--insecure-skip-verify", "accept any TLS certificate")
    backend.add_argument(
        "--transport",
        choices=get_args(Transport),
        help="how requests are sent to the Flyte deployment (default: auto, which is gRPC, or"
        " Connect if an ingress passes only that)",
    )
    backend.add_argument(
        "--org",
        type=text,
        help="default organization (default: none; on Flyte: as configured)",
    )
    for scope in ("project", "domain"):
        backend.add_argument(
            f"--{scope}",
            type=text,
            help=f"default {scope} (default: local; on Flyte: as configured)",
        )
    server = parser.add_argument_group("server options", argument_default=argparse.SUPPRESS)
    server.add_argument(
        "--framing",
        choices=["auto", "header", "line"],
        help="framing of messages: LSP headers, or one JSON text per line"
        f" (default: {DEFAULTS['framing']}, detected from the first byte)",
    )
    server.add_argument(
        "--max-message-bytes",
        type=positive,
        metavar="N",
        help=f"largest message to accept, in bytes (default: {DEFAULTS['max_message_bytes']})",
    )
    server.add_argument(
        "--parent-pid",
        "--clientProcessId",
        type=positive,
        metavar="PID",
        help="exit when this process is gone (default: none)",
    )
    server.add_argument(
        "--stdio", action="store_true", help="accepted for LSP clients; has no effect"
    )
    server.add_argument(
        "--log-level",
        choices=["debug", "info", "warning", "error", "critical"],
        help=f"log level (default: {DEFAULTS['log_level']})",
    )
    server.add_argument("--log-file", metavar="PATH", type=path, help="log file (default: stderr)")


def _add_switch(group: argparse._ArgumentGroup, option: str, summary: str) -> None:
    """Add an option without a value, and its negation, which overrides a config file."""
    group.add_argument(
        option,
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
        if backend == "flyte" or (backend == "all" and verb != "doctor"):
            flyte_config(checked)
    except ValueError as error:
        from flyte_sidecar.events.plain_text import sanitize

        raise UsageError(sanitize(str(error))) from None
    except (OSError, RuntimeError) as error:
        raise UsageError(
            f"cannot find a path for the store ({error}): pass an absolute path as --store"
        ) from None
    return checked
