"""The parser of the command line."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from importlib import import_module
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NoReturn

from flyte_sidecar._suggestions import suggestion
from flyte_sidecar._version import VERSION
from flyte_sidecar.cli.arguments.help_texts import DESCRIPTION, EXAMPLES, EXIT_STATUS, MORE
from flyte_sidecar.cli.arguments.options import add_options, options_of
from flyte_sidecar.cli.arguments.values import UsageError
from flyte_sidecar.cli.arguments.verb_details import DETAILS
from flyte_sidecar.cli.arguments.verb_table import GROUPS, VERBS, VERBS_PACKAGE, Verb
from flyte_sidecar.server.settings import Options

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

PROGRAM = "flyte-sidecar"

HELP_WIDTH = 78
"""Columns. The terminal's width is not used: argparse would import shutil at every start."""

DEFAULT_VERB = "serve"

ON_THE_EMBEDDED_STORE = ("completion", "conformance", "demo", "schema")
"""Verbs that ignore the backend that the environment selects."""

ON_A_DEPLOYMENT = ("login", "logout")

# Not compiled here: that takes longer than to import this module.
_PARAGRAPH = r"(?m:^\S.*\n?)+"
_NEGATIVE_NUMBER = r"(?ai)-(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$|-inf(inity)?$"


def parse(arguments: Sequence[str] | None) -> tuple[str, Options, dict[str, Any]]:
    """Return the verb, the options, and the verb's own arguments by name.

    Raises
    ------
    SystemExit
        If the arguments are invalid, or after printing the help or the version.
    """
    given = sys.argv[1:] if arguments is None else arguments
    values = vars(make_parser(given).parse_args(given))
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
    verb_parser(VERBS[verb]).error(str(error))


def make_parser(verbs: Iterable[str] = VERBS) -> argparse.ArgumentParser:
    """Return the parser. It accepts options before and after the verb.

    Parameters
    ----------
    verbs
        The verbs that it has to know, and other words. Making the parsers of all verbs takes time.
    """
    top = _Parser(
        prog=PROGRAM,
        usage="flyte-sidecar [VERB] [OPTION]...",
        description=f"{DESCRIPTION}\n{_list_of_verbs()}",
        epilog=f"{EXIT_STATUS}\n{EXAMPLES}\n{MORE}",
        formatter_class=partial(_HelpOfVerbs, width=HELP_WIDTH),
    )
    top.add_argument("--version", action="version", version=f"{PROGRAM} {VERSION}")
    subparsers = top.add_subparsers(prog=PROGRAM, metavar="VERB", parser_class=VerbParser)
    add_options(top)
    wanted = {*verbs}
    for verb in VERBS.values():
        if verb.name in wanted:
            subparsers.add_parser(verb.name, help=verb.summary, **_settings(verb))
    return top


def _list_of_verbs() -> str:
    width = max(map(len, VERBS)) + 2
    lines: list[str] = []
    for group in GROUPS:
        lines += [f"{group.title}:", *(f"  {v.name:{width}}{v.summary}" for v in group.verbs), ""]
    return "\n".join(lines)


def verb_parser(verb: Verb) -> VerbParser:
    """Return the parser of a verb; its `complete` adds the arguments."""
    return VerbParser(prog=f"{PROGRAM} {verb.name}", **_settings(verb))


def usage(verb: Verb) -> str:
    """Return the usage of a verb."""
    operands = verb.operands and f"{verb.operands} "
    return f"{PROGRAM} {verb.name} {operands}[OPTION]..."


def _settings(verb: Verb) -> dict[str, Any]:
    return {
        "verb": verb.name,
        "usage": usage(verb),
        "formatter_class": partial(_Help, width=HELP_WIDTH),
        "description": f"{verb.summary[0].upper()}{verb.summary[1:]}.",
        "epilog": DETAILS.get(verb.name),
    }


class _Help(argparse.HelpFormatter):
    """Wraps paragraphs. Indented lines, such as examples, stay as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return re.sub(_PARAGRAPH, lambda found: fill(found[0], width, indent) + "\n", text)


class _HelpOfVerbs(_Help):
    """Omits the list of verbs, which argparse cannot group: the description contains it."""

    def add_argument(self, action: argparse.Action) -> None:
        if action.nargs != argparse.PARSER:
            super().add_argument(action)


class _Parser(argparse.ArgumentParser):
    """A parser that accepts no abbreviated options: a new option could make them ambiguous."""

    _arguments: Sequence[str] = ()

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        self._arguments = args
        parsed, unknown = self.parse_known_args(args, namespace)
        self.reject(unknown)
        return parsed

    def reject(self, unknown: Sequence[str]) -> None:
        """Print what is wrong with the arguments that are unknown; raise `SystemExit`."""
        self._reject_options(unknown)
        if unknown:
            self.error(f"unexpected argument {unknown[0]!r}")

    def _reject_options(self, arguments: Iterable[str]) -> None:
        for argument in arguments:
            option = argument.partition("=")[0]
            if option.startswith("-") and option not in (known := [*self._options()]):
                self.error(f"unknown option {option!r}{suggestion(option, known)}")

    def _options(self) -> Iterator[str]:
        for action in self._actions:
            if action.help != argparse.SUPPRESS:
                yield from action.option_strings

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Reject an unknown verb in one line; argparse would list all verbs."""
        if action.nargs == argparse.PARSER and value not in VERBS:
            # It may be the value of an option that is unknown.
            self._reject_options(takewhile(value.__ne__, self._arguments))
            hint = suggestion(value, VERBS) or f"; see {PROGRAM} --help"
            raise argparse.ArgumentError(None, f"unknown verb {value!r}{hint}")
        super()._check_value(action, value)

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """Print as argparse does, but without ignoring that stdout cannot be written."""
        (file or sys.stderr).write(message)


class VerbParser(_Parser):
    """The parser of a verb. It adds its arguments when it parses, because that takes time."""

    def __init__(self, *, verb: str, **settings: Any) -> None:
        super().__init__(**settings)
        self.set_defaults(verb=verb)
        self._positionals.title = "arguments"
        self._verb = verb
        self._is_complete = False

    def complete(self) -> None:
        """Add the arguments."""
        if not self._is_complete:
            self._is_complete = True
            # argparse knows no exponents.
            self._negative_number_matcher = re.compile(_NEGATIVE_NUMBER)
            module = import_module(f"{VERBS_PACKAGE}.{self._verb}")
            getattr(module, "add_arguments", lambda parser: None)(self)
            add_options(
                self,
                of_backend=self._verb not in ON_THE_EMBEDDED_STORE,
                of_server=self._verb == DEFAULT_VERB,
                of_framing=self._verb in (DEFAULT_VERB, "conformance"),
            )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._is_complete:
            return self._parse_pass(args, namespace)
        self.complete()
        parsed, unknown = self.parse_known_intermixed_args(args, namespace)
        self.reject(unknown)
        return parsed, unknown

    def _parse_pass(self, args: list[str], namespace: Any) -> Any:
        """Parse the options, or then the operands, as Python 3.11 does.

        Its pass for the options would lose `--`, after which all arguments are operands.
        """
        operands = self._get_positional_actions()
        end = len(args)
        if "--" in args and operands and all(o.nargs == argparse.SUPPRESS for o in operands):
            end = args.index("--")
        elif args == ["--"]:  # there are no operands
            args = []
        parsed, unknown = super().parse_known_args(args[:end], namespace)
        return parsed, [*unknown, *args[end:]]

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Return the value of an argument; `--` after `--` is one, not as in Python 3.11."""
        if arg_strings == ["--"]:
            return self._get_value(action, "--")
        return super()._get_values(action, arg_strings)
