"""The arguments of the command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from flyte_sidecar._version import VERSION
from flyte_sidecar.rpc.malformed import MAX_MESSAGE_BYTES
from flyte_sidecar.server.settings import (
    BACKEND_VARIABLE,
    BackendKind,
    Options,
    deployment,
    expand_user,
    store_path,
)

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

DESCRIPTION = """\
See and answer the events of Flyte workflow runs from any language: a long-lived process
that speaks JSON-RPC 2.0 on stdin and stdout, one JSON text a line or with LSP's headers.
"""

EXAMPLES = """\
examples:
  flyte-sidecar demo
      two sidecars over one store, one waiting, one answering
  flyte-sidecar call events.create '{"runName": "r1", "name": "deploy"}'
  flyte-sidecar call events.signal '{"runName": "r1", "name": "deploy", "payload": true}'
      one request each, without a client
  flyte-sidecar pending
  flyte-sidecar watch r1
      what waits for an answer now; what run r1 asks and is answered, as it happens
  flyte-sidecar watch --json | jq -r '.params.event.prompt // empty'
      the notifications of all pending events, a line each
  echo '{"jsonrpc":"2.0","id":1,"method":"events.list","params":{"runName":"r1"}}' | flyte-sidecar
      a conversation over a pipe
"""


def parse(arguments: Sequence[str] | None) -> tuple[str, Options, dict[str, Any]]:
    """Return the verb, the options, and the verb's own arguments by name.

    Raises
    ------
    SystemExit
        If they are wrong, or asked for no more than help or the version, which is printed.
    """
    words = vars(_parser().parse_args(arguments))
    verb = words.pop("verb", "serve")
    if verb in ("demo", "schema"):
        words["backend"] = "local"  # whatever the environment says: they ask no deployment
    return verb, _options(words), words


def refuse(sentence: str) -> NoReturn:
    """Print the usage and what is wrong; raise `SystemExit` with status 2."""
    _parser().error(sentence)


class _Parser(argparse.ArgumentParser):
    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """Print what argparse would; it ignores that stdout cannot be written."""
        (file or sys.stderr).write(message)


def _parser() -> argparse.ArgumentParser:
    """Make the parser. Options may stand before or after the verb."""
    common = _common_options()
    top = _Parser(
        prog="flyte-sidecar",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
    )
    top.add_argument("--version", action="version", version=f"flyte-sidecar {VERSION}")
    verbs = top.add_subparsers(title="verbs", metavar="VERB")

    def verb(name: str, summary: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=summary, description=summary, parents=[common])
        made.set_defaults(verb=name)
        return made

    verb("serve", "serve the client on stdin and stdout (the default)")
    call = verb("call", "send one request and print its result; exit with 1 on an error")
    call.add_argument("method", metavar="METHOD", type=_text, help="for instance events.list")
    call.add_argument(
        "params", metavar="JSON", nargs="?", type=_text, help="the params; - reads them on stdin"
    )
    watch = verb("watch", "tell of events as they stand and change, a line a change")
    watch.add_argument(
        "run_name",
        metavar="RUN",
        nargs="?",
        type=_text,
        help="the run (all events that are pending)",
    )
    pending = verb("pending", "list the events of all runs that wait for an answer")
    for made, what in ((watch, "a notification as on the wire"), (pending, "an event as JSON")):
        made.add_argument(
            "--json", dest="as_json", action="store_true", help=f"{what}, a line each"
        )
    schema = verb("schema", "print the OpenRPC document of all methods and types")
    schema.add_argument(
        "--out",
        metavar="DIR",
        type=_path,
        help="write it, the JSON Schema and the method table there instead",
    )
    verb("demo", "show two real sidecars over one store, one waiting, one answering")
    verb("doctor", "tell what would be used, and whether it works")
    return top


def _common_options() -> _Parser:
    common = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    where = common.add_argument_group("where the events are")
    where.add_argument(
        "--backend",
        choices=get_args(BackendKind),
        help=f"the embedded store, or a Flyte deployment ({BACKEND_VARIABLE}; local)",
    )
    where.add_argument(
        "--store",
        metavar="PATH",
        help="the embedded store's file (FLYTE_SIDECAR_STORE)",
    )
    where.add_argument("--endpoint", metavar="HOST[:PORT]", type=_text, help="the Flyte deployment")
    where.add_argument("--insecure", action="store_true", help="speak plaintext to it, not TLS")
    where.add_argument(
        "--ca-cert-file",
        metavar="PATH",
        type=_path,
        help="trust what is in this PEM file, not the system's",
    )
    where.add_argument(
        "--insecure-skip-verify", action="store_true", help="trust any certificate that it shows"
    )
    where.add_argument("--org", type=_text, help="the organization of requests that name none")
    where.add_argument("--project", type=_text, help="likewise the project (local: local)")
    where.add_argument("--domain", type=_text, help="likewise the domain (local: local)")
    how = common.add_argument_group("how to serve")
    how.add_argument(
        "--framing", choices=["auto", "header", "line"], help="by the first byte, or fixed (auto)"
    )
    how.add_argument(
        "--max-message-bytes", type=_positive, metavar="N", help="largest message taken (16 MiB)"
    )
    how.add_argument(
        "--parent-pid",
        "--clientProcessId",
        type=_positive,
        metavar="PID",
        help="end when that process is gone",
    )
    how.add_argument("--stdio", action="store_true", help="taken, and changes nothing")
    how.add_argument(
        "--log-level",
        choices=["debug", "info", "warning", "error", "critical"],
        help="logs go to stderr (warning)",
    )
    how.add_argument("--log-file", metavar="PATH", type=_path, help="or to a file")
    return common


def _text(word: str) -> str:
    """Return an argument as UTF-8, whatever encoding the locale made Python read it in."""
    try:
        return os.fsencode(word).decode()
    except UnicodeError:
        raise argparse.ArgumentTypeError(f"{word!r} is not UTF-8") from None


def _path(word: str) -> str:
    try:
        return expand_user(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _positive(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"a number of at least 1 is needed, not {word!r}")
    return int(word)


def _options(words: dict[str, Any]) -> Options:
    given = {name: words.pop(name) for name in Options.__struct_fields__ if name in words}
    backend = given.setdefault("backend", os.environ.get(BACKEND_VARIABLE) or "local")
    if backend not in get_args(BackendKind):
        known = ", ".join(get_args(BackendKind))
        refuse(f"{BACKEND_VARIABLE} names no backend: {backend!r} (choose from {known})")
    given.setdefault("store", "")
    given.setdefault("max_message_bytes", MAX_MESSAGE_BYTES)
    try:
        if backend == "local":
            given["store"] = store_path(given["store"])
        options = Options(**given)
        if backend == "flyte":
            deployment(options)
    except ValueError as error:
        refuse(str(error))
    except (OSError, RuntimeError) as error:
        refuse(f"no place for the store, choose an absolute --store: {error}")
    return options
