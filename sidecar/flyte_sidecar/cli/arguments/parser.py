"""The parser of the command line."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from flyte_sidecar._version import VERSION
from flyte_sidecar.cli.arguments.options import add_options, options_of
from flyte_sidecar.cli.arguments.values import UsageError
from flyte_sidecar.cli.arguments.verb_table import GROUPS, VERBS, VERBS_PACKAGE, Verb
from flyte_sidecar.server.settings import Options

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

PROGRAM = "flyte-sidecar"

HELP_WIDTH = 78
"""Columns. The terminal's width is not used: argparse would import shutil at every start."""

DEFAULT_VERB = "serve"

ON_THE_EMBEDDED_STORE = ("demo", "schema")
"""Verbs that ignore the backend that the environment selects."""

ON_A_DEPLOYMENT = ("login", "logout")

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

_NEGATIVE_NUMBER = re.compile(
    r"-(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$|-inf(inity)?$", re.ASCII | re.IGNORECASE
)


def parse(arguments: Sequence[str] | None) -> tuple[str, Options, dict[str, Any]]:
    """Return the verb, the options, and the verb's own arguments by name.

    Raises
    ------
    SystemExit
        If the arguments are invalid, or after printing the help or the version.
    """
    values = vars(make_parser().parse_args(arguments))
    verb = values.pop("verb", DEFAULT_VERB)
    values.pop("stdio", None)
    if verb in ON_THE_EMBEDDED_STORE:
        values["backend"] = "local"
    try:
        options = options_of(values, verb)
    except UsageError as error:
        usage_error(verb, error)
    if verb in ON_A_DEPLOYMENT and options.backend == "local":
        usage_error(verb, UsageError(f"{verb} requires a Flyte deployment: --backend flyte"))
    return verb, options, values


def usage_error(verb: str, error: UsageError) -> NoReturn:
    """Print the usage of a verb and the message; raise `SystemExit` with status 2."""
    _verb_parser(VERBS[verb]).error(str(error))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser. It accepts options before and after the verb."""
    top = _Parser(
        prog=PROGRAM,
        usage="flyte-sidecar [VERB] [OPTION]...",
        description=f"{DESCRIPTION}\n{_list_of_verbs()}",
        epilog=EXAMPLES,
        formatter_class=partial(_HelpOfVerbs, width=HELP_WIDTH),
    )
    top.add_argument("--version", action="version", version=f"{PROGRAM} {VERSION}")
    verbs = top.add_subparsers(prog=PROGRAM, metavar="VERB", parser_class=_VerbParser)
    add_options(top)
    for verb in VERBS.values():
        verbs.add_parser(verb.name, help=verb.summary, **_settings(verb))
    return top


def _list_of_verbs() -> str:
    width = max(map(len, VERBS)) + 2
    lines: list[str] = []
    for group in GROUPS:
        lines += [f"{group.title}:", *(f"  {v.name:{width}}{v.summary}" for v in group.verbs), ""]
    return "\n".join(lines)


def _verb_parser(verb: Verb) -> _VerbParser:
    return _VerbParser(prog=f"{PROGRAM} {verb.name}", **_settings(verb))


def _settings(verb: Verb) -> dict[str, Any]:
    operands = verb.operands and f"{verb.operands} "
    return {
        "verb": verb.name,
        "usage": f"{PROGRAM} {verb.name} {operands}[OPTION]...",
        "formatter_class": partial(argparse.RawDescriptionHelpFormatter, width=HELP_WIDTH),
        "description": f"{verb.summary[0].upper()}{verb.summary[1:]}.",
        "epilog": verb.details or None,
    }


class _HelpOfVerbs(argparse.RawDescriptionHelpFormatter):
    """Omits the list of verbs, which argparse cannot group: the description contains it."""

    def add_argument(self, action: argparse.Action) -> None:
        if action.nargs != argparse.PARSER:
            super().add_argument(action)


class _Parser(argparse.ArgumentParser):
    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """Print as argparse does, but without ignoring that stdout cannot be written."""
        (file or sys.stderr).write(message)


class _VerbParser(_Parser):
    """The parser of a verb. It adds its arguments when it parses, because that takes time."""

    def __init__(self, *, verb: str, **settings: Any) -> None:
        super().__init__(**settings)
        self.set_defaults(verb=verb)
        self._verb = verb
        self._is_complete = False
        self._negative_number_matcher = _NEGATIVE_NUMBER  # argparse knows no exponents

    def complete(self) -> None:
        """Add the arguments."""
        if not self._is_complete:
            self._is_complete = True
            add_options(self)
            module = import_module(f"{VERBS_PACKAGE}.{self._verb}")
            getattr(module, "add_arguments", lambda parser: None)(self)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._is_complete:  # called for the options, then for the operands
            return super().parse_known_args(args, namespace)
        self.complete()
        parsed, unknown = self.parse_known_intermixed_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parsed, unknown
