"""The verb, operands and options of the words before the cursor.

argparse would reject them, because they are incomplete.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from msgspec import Struct

from flyte_sidecar.cli.arguments.parser import make_parser, verb_parser
from flyte_sidecar.cli.arguments.verb_table import VERBS


class Given(Struct):
    """Arguments; of those that are invalid, nothing is known.

    Attributes
    ----------
    options
        The options with values, by the name of their value.
    """

    verb: str | None
    operands: list[str]
    options: dict[str, str]


def parse_given(words: Sequence[str]) -> Given:
    """Return the arguments that the words contain.

    Parameters
    ----------
    words
        The words after the name of the program, without the one that is completed.
    """
    given = Given(None, [], {})
    valued = _options_with_values(make_parser(words))
    following = iter(words)
    for word in following:
        option, equals, value = word.partition("=")
        if option in valued:
            given.options[valued[option]] = value if equals else next(following, "")
        elif word == "--":
            given.operands += following
        elif word.startswith("-"):
            continue
        elif given.verb is not None:
            given.operands.append(word)
        elif word in VERBS:
            given.verb = word
            parser = verb_parser(VERBS[word])
            parser.complete()
            valued = _options_with_values(parser)
    return given


def _options_with_values(parser: argparse.ArgumentParser) -> Mapping[str, str]:
    return {
        option: action.dest
        for action in parser._actions
        if action.nargs != 0
        for option in action.option_strings
    }
