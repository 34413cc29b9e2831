"""The options and verbs of the command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from flyte_sidecar._version import VERSION
from flyte_sidecar.server.settings import (
    BACKEND_VARIABLE,
    STORE_VARIABLE,
    BackendKind,
    Options,
    Transport,
    expand_user,
    flyte_config,
    store_path,
)

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

DEFAULTS = dict(zip(Options.__struct_fields__, Options.__struct_defaults__, strict=True))

HELP_WIDTH = 78
"""Columns. The terminal's width is not used: argparse would import shutil at every start."""

_AddArguments = Callable[[argparse.ArgumentParser], None]

DESCRIPTION = """\
See and answer the events of Flyte workflow runs from any language. flyte-sidecar is a
long-lived process that speaks JSON-RPC 2.0 on stdin and stdout, one JSON text per line
or with LSP headers.
"""

EXAMPLES = """\
examples:
  flyte-sidecar demo
      show two processes that share a store: one waits for an answer, the other answers
  flyte-sidecar call events.create '{"runName": "r1", "name": "deploy"}'
  flyte-sidecar call events.signal '{"runName": "r1", "name": "deploy", "payload": true}'
      create an event, and answer it
  flyte-sidecar pending
      list the events that wait for an answer
  flyte-sidecar watch r1
      print the events of run r1, then every change
  flyte-sidecar watch --json | jq -r '.params.event.prompt // empty'
      print the prompts of all pending events, as they arrive
  echo '{"jsonrpc":"2.0","id":1,"method":"events.list","params":{"runName":"r1"}}' | flyte-sidecar
      send requests through a pipe

Run "flyte-sidecar VERB --help" for the arguments of a verb.
"""


def parse(arguments: Sequence[str] | None) -> tuple[str, Options, dict[str, Any]]:
    """Return the verb, the options, and the verb's own arguments by name.

    Raises
    ------
    SystemExit
        If the arguments are invalid, or after printing the help or the version.
    """
    values = vars(_parser().parse_args(arguments))
    verb = values.pop("verb", "serve")
    values.pop("stdio", None)
    if verb in ("demo", "schema"):
        values["backend"] = "local"  # they ignore FLYTE_SIDECAR_BACKEND
    options = _options(values, verb)
    if verb in ("login", "logout") and options.backend == "local":
        usage_error(f"{verb} requires a Flyte deployment: --backend flyte")
    return verb, options, values


def usage_error(message: str) -> NoReturn:
    """Print the usage and the message; raise `SystemExit` with status 2."""
    _parser().error(message)


class _Parser(argparse.ArgumentParser):
    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """Print as argparse does, but without ignoring that stdout cannot be written."""
        (file or sys.stderr).write(message)


class _VerbParser(_Parser):
    """The parser of a verb. It adds its arguments when it parses, because that takes time."""

    def __init__(self, *, verb: str, add_arguments: _AddArguments, **settings: Any) -> None:
        super().__init__(**settings)
        self.set_defaults(verb=verb)
        self._add_arguments = add_arguments

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        _add_options(self)
        self._add_arguments(self)
        return super().parse_known_args(args, namespace)


def _parser() -> argparse.ArgumentParser:
    """Return the parser. It accepts options before and after the verb."""
    top = _Parser(
        prog="flyte-sidecar",
        usage="flyte-sidecar [VERB] [OPTION]...",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=HELP_WIDTH),
    )
    top.add_argument("--version", action="version", version=f"flyte-sidecar {VERSION}")
    verbs = top.add_subparsers(title="verbs", metavar="VERB", parser_class=_VerbParser)
    _add_options(top)

    def verb(
        name: str,
        summary: str,
        operands: str = "",
        add_arguments: _AddArguments = lambda parser: None,
    ) -> None:
        verbs.add_parser(
            name,
            verb=name,
            add_arguments=add_arguments,
            usage=f"flyte-sidecar {name} {operands}[OPTION]...",
            formatter_class=partial(argparse.HelpFormatter, width=HELP_WIDTH),
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
        )

    verb("serve", "serve one client on stdin and stdout (the default verb)")
    verb("call", "send one request and print its result", "METHOD [JSON] ", _add_call)
    verb("watch", "print the current events, then every change", "[RUN] ", _add_watch)
    verb("pending", "list the pending events of all runs", "", _add_pending)
    verb("schema", "print the wire contract as an OpenRPC document", "", _add_schema)
    verb("demo", "show two processes that share a store: one waits, the other answers")
    verb("doctor", "check configuration and connectivity")
    verb("login", "log in at a Flyte deployment, for all sidecars and the flyte command")
    verb("logout", "delete the stored login at a Flyte deployment")
    return top


def _add_call(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("method", metavar="METHOD", type=_text, help="for example events.list")
    parser.add_argument(
        "params",
        metavar="JSON",
        nargs="?",
        type=_text,
        help="params of the request; - reads them from stdin (default: no params)",
    )


def _add_watch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run_name",
        metavar="RUN",
        nargs="?",
        type=_text,
        help="name of the run (default: the pending events of all runs)",
    )
    _add_json(parser, "notification of events.watch")


def _add_pending(parser: argparse.ArgumentParser) -> None:
    _add_json(parser, "event")


def _add_json(parser: argparse.ArgumentParser, content: str) -> None:
    parser.add_argument(
        "--json", dest="as_json", action="store_true", help=f"print one {content} per line"
    )


def _add_schema(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=_path,
        help="write the OpenRPC document, the JSON Schema and the method table into this folder",
    )


def _add_options(parser: argparse.ArgumentParser) -> None:
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
        type=_path,
        help="config file of Flyte (default: the one that the flyte command finds)",
    )
    backend.add_argument(
        "--endpoint",
        metavar="HOST[:PORT]",
        type=_text,
        help="the Flyte deployment (default: as configured for the flyte command;"
        " default port: 443, or 80 with --insecure)",
    )
    _add_switch(backend, "--insecure", "use plaintext instead of TLS")
    backend.add_argument(
        "--ca-cert-file",
        metavar="PATH",
        type=_path,
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
        type=_text,
        help="default organization (default: none; on Flyte: as configured)",
    )
    for scope in ("project", "domain"):
        backend.add_argument(
            f"--{scope}",
            type=_text,
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
        type=_positive,
        metavar="N",
        help=f"largest message to accept, in bytes (default: {DEFAULTS['max_message_bytes']})",
    )
    server.add_argument(
        "--parent-pid",
        "--clientProcessId",
        type=_positive,
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
    server.add_argument("--log-file", metavar="PATH", type=_path, help="log file (default: stderr)")


def _add_switch(group: argparse._ArgumentGroup, option: str, summary: str) -> None:
    """Add an option without a value, and its negation, which overrides a config file."""
    group.add_argument(
        option,
        action=argparse.BooleanOptionalAction,
        help=f"{summary} (default: as configured, else no)",
    )


def _text(argument: str) -> str:
    """Return an argument decoded as UTF-8, whatever encoding the locale has."""
    try:
        return os.fsencode(argument).decode()
    except UnicodeError:
        raise argparse.ArgumentTypeError(f"{argument!r} is not UTF-8") from None


def _path(argument: str) -> str:
    try:
        return expand_user(argument)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _positive(argument: str) -> int:
    if not argument.isdecimal() or int(argument) < 1:
        raise argparse.ArgumentTypeError(f"{argument!r} is not a positive integer")
    return int(argument)


def _options(values: dict[str, Any], verb: str) -> Options:
    options = {name: values.pop(name) for name in Options.__struct_fields__ if name in values}
    backend = options.setdefault("backend", os.environ.get(BACKEND_VARIABLE) or DEFAULTS["backend"])
    if backend not in get_args(BackendKind):
        choices = ", ".join(get_args(BackendKind))
        usage_error(f"{BACKEND_VARIABLE}: invalid choice: {backend!r} (choose from {choices})")
    options.setdefault("store", "")
    try:
        if backend != "flyte":
            options["store"] = store_path(options["store"])
        checked = Options(**options)
        if backend == "flyte" or (backend == "all" and verb != "doctor"):
            flyte_config(checked)
    except ValueError as error:
        from flyte_sidecar.events.plain_text import sanitize

        usage_error(sanitize(str(error)))
    except (OSError, RuntimeError) as error:
        usage_error(f"cannot find a path for the store ({error}): pass an absolute path as --store")
    return checked
