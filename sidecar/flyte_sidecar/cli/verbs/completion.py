"""`flyte-sidecar completion SHELL`: print the completion script of a shell.

The scripts complete verbs and options by themselves. For the names of runs and events, they call
this verb with the line that a person types.
"""

from __future__ import annotations

import os
import sys
from argparse import SUPPRESS, ArgumentParser
from pathlib import Path

from flyte_sidecar.cli import standard_streams
from flyte_sidecar.cli.arguments.options import options_of
from flyte_sidecar.cli.arguments.values import UsageError, text
from flyte_sidecar.cli.completion.command_line import bash_replies, last_command
from flyte_sidecar.cli.completion.given import Given, parse_given
from flyte_sidecar.cli.completion.values import completable, events, run_names
from flyte_sidecar.server.settings import BACKEND_VARIABLE, Options

SCRIPTS = {"bash": "flyte-sidecar.bash", "zsh": "_flyte-sidecar", "fish": "flyte-sidecar.fish"}
"""The file of each shell, named as the shell loads it."""

FOLDER = Path(__file__).parent.parent / "completion" / "scripts"

OF_ALL_RUNS = ("create", "get", "list", "watch")
"""Verbs that are not only for events that wait for an answer."""

OF_YES_OR_NO = ("approve", "reject")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the operand, and the options for scripts."""
    parser.add_argument(
        "shell", metavar="SHELL", choices=[*SCRIPTS], help=f"one of {', '.join(SCRIPTS)}"
    )
    # What completes the last word of the line up to the cursor; and bash's COMP_WORDBREAKS.
    parser.add_argument("--values", choices=("runs", "names", "actions"), help=SUPPRESS)
    parser.add_argument("--line", type=text, default="", help=SUPPRESS)
    parser.add_argument("--breaks", default="", help=SUPPRESS)


def run(options: Options, shell: str, values: str | None, line: str, breaks: str) -> int:
    """Print the script of a shell, or the values that complete a line; return the exit status."""
    standard_streams.require_stdout()
    if values is None:
        sys.stdout.buffer.write((FOLDER / SCRIPTS[shell]).read_bytes())
        return 0
    *words, last = last_command(line, breaks)
    found = _values(values, parse_given([word.text for word in words[1:]]), last.text)
    if shell == "bash":
        found = bash_replies(found, last)
    sys.stdout.buffer.writelines(f"{value}\n".encode() for value in found)
    return 0


def _values(kind: str, given: Given, beginning: str) -> list[str]:
    backend = given.options.get("backend") or os.environ.get(BACKEND_VARIABLE)
    if backend == "flyte":
        return []
    chosen = {name: given.options.get(name) for name in ("store", "org", "project", "domain")}
    try:
        options = options_of({**chosen, "backend": "local"}, "completion")
    except UsageError:
        return []
    pending_only = given.verb not in OF_ALL_RUNS
    if kind == "runs":
        return completable(run_names(options, pending_only=pending_only), beginning)
    if not given.operands or given.verb == "create":
        return []
    found = events(options, given.operands[0], pending_only=pending_only)
    if given.verb in OF_YES_OR_NO:
        found = [event for event in found if event.expected_type == "bool"]
    names = (event.name if kind == "names" else event.action_name for event in found)
    return completable(names, beginning)
