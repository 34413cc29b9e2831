"""The commands, as the `flyte` CLI loads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import takewhile
from typing import Any, TypeVar

import rich_click as click

F = TypeVar("F", bound=Callable[..., Any])

_NEGATIVE_NUMBER = re.compile(
    r"-(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|-inf(inity)?", re.ASCII | re.IGNORECASE
)


class _CommandWithNumbers(click.RichCommand):
    """A command with arguments that may be negative numbers. None of its options is a digit."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        ctx.ignore_unknown_options = all(
            _NEGATIVE_NUMBER.fullmatch(arg) or not options.isdisjoint({arg.split("=")[0], arg[:2]})
            for arg in takewhile("--".__ne__, args)
            if arg.startswith("-")
        )
        return super().parse_args(ctx, args)


def _scope_options(function: F) -> F:
    """Add the options that the SDK's own commands have."""
    for name, example in (("domain", "development"), ("project", "flytesnacks")):
        function = click.option(
            f"-{name[0]}",
            f"--{name}",
            metavar="NAME",
            help=f"{name.capitalize()} of the run, such as {example}; `local` for local runs."
            f" Default: local runs and the configured {name}.",
        )(function)
    return function


def _complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from flyte_sidecar.flyte_commands.completion import complete

    return complete(context, parameter, incomplete)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one event in JSON per line.")
@_scope_options
@click.pass_context
def pending(context: click.Context, as_json: bool, project: str | None, domain: str | None) -> None:
    """
    List the events that wait for an answer.

    An event is a condition that a run waits for: a local run, or one of the configured deployment.
    `flyte answer` answers it.
    """
    from flyte_sidecar.flyte_commands.backends import select
    from flyte_sidecar.flyte_commands.listing import list_pending

    list_pending(select(context, project, domain), as_json)


@click.command(cls=_CommandWithNumbers)
@click.argument("run", shell_complete=_complete)
@click.argument("name", shell_complete=_complete)
@click.argument("value", required=False)
@click.option(
    "--action",
    metavar="ID",
    help="Answer the event with this action name, if several events have the name NAME.",
)
@click.option("--parent", metavar="ID", help="Answer an event of this parent action.")
@_scope_options
@click.pass_context
def answer(
    context: click.Context,
    run: str,
    name: str,
    value: str | None,
    action: str | None,
    parent: str | None,
    project: str | None,
    domain: str | None,
) -> None:
    """
    Answer an event that `flyte pending` lists.

    RUN is a local run or a run of the configured deployment. The event has a type: VALUE is `yes`
    or `no` (or `true` or `false`) for a bool, a number for an int or a float, and any text for a
    str. Without VALUE, the command asks for it. Before a VALUE that begins with a dash and is not a
    number, write `--`.

    Exit status: 0 if this answer was accepted, else 1 (2 if the arguments are invalid).
    """
    from flyte_sidecar.cli.answering.event_name import EventName
    from flyte_sidecar.flyte_commands.answering import answer_event
    from flyte_sidecar.flyte_commands.backends import select

    named = EventName(run, name, parent, action)
    click.echo(answer_event(select(context, project, domain), named, value))
