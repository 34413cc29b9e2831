"""How a person names an event, and the event that has the name."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence

from msgspec import Struct

from flyte_sidecar._futures import resolve
from flyte_sidecar.cli import terminal
from flyte_sidecar.cli.answering.similar_names import did_you_mean
from flyte_sidecar.cli.arguments.values import UsageError, text
from flyte_sidecar.errors import AmbiguousEvent, EventNotFound
from flyte_sidecar.events.backend import CANDIDATES
from flyte_sidecar.events.model import Event, Target
from flyte_sidecar.events.plain_text import one_line
from flyte_sidecar.events.service import EventService


class EventName(Struct, frozen=True):
    """The name of an event, or its id within the run (`action_name`), or both.

    `parent` and `action_name` distinguish events of one name.
    """

    run: str
    name: str | None = None
    parent: str | None = None
    action_name: str | None = None

    def check(self) -> None:
        """Raise `UsageError` if no event can have these names."""
        if self.action_name is not None and self.parent is not None:
            raise UsageError("--action and --parent cannot be combined")
        if self.action_name is None and self.name is None:
            raise UsageError("either NAME or --action ID is required")
        arguments = {"RUN": self.run, "NAME": self.name, "--action": self.action_name}
        for argument, given in arguments.items():
            if given == "":
                raise UsageError(f"{argument} must not be empty")

    def target(self, service: EventService) -> Target:
        """Return the event as the event core names it."""
        run = service.run(self.run)
        if self.action_name is not None:
            return Target(run, action_name=self.action_name)
        return Target(run, name=self.name, parent=self.parent)

    def __str__(self) -> str:
        name = f"with the id {one_line(self.action_name or '')}"
        return f"{name if self.name is None else one_line(self.name)} of run {one_line(self.run)}"


def add_event(parser: ArgumentParser, *, without_run: str | None = None) -> None:
    """Add the operands RUN and NAME, and the option `--action`.

    Parameters
    ----------
    without_run
        What happens without RUN, for the help; None if it is required.
    """
    run_help = "name of the run"
    parser.add_argument(
        "run_name",
        metavar="RUN",
        nargs=None if without_run is None else "?",
        type=text,
        help=run_help if without_run is None else f"{run_help} ({without_run})",
    )
    parser.add_argument("name", metavar="NAME", nargs="?", type=text, help="name of the event")
    parser.add_argument(
        "--action",
        metavar="ID",
        type=text,
        help="the event with this id (actionName), instead of NAME",
    )


def event_name(run_name: str, name: str | None, action: str | None) -> EventName:
    """Return the event of the arguments; raise `UsageError` if they name none."""
    if name is not None and action is not None:
        raise UsageError("NAME cannot be combined with --action")
    named = EventName(run_name, name, action_name=action)
    named.check()
    return named


async def find(service: EventService, named: EventName) -> Event:
    """Return the event that waits, or else the last created one of the name.

    Raises
    ------
    EventNotFound
        If there is none.
    AmbiguousEvent
        If several events of the name wait.
    """
    found = await resolve(service.choices(named.target(service)))
    if not found:
        hint = await did_you_mean(service, named.run, named.name)
        raise EventNotFound(f"there is no event {named}{hint}")
    return only(named, found)


def only(named: EventName, found: Sequence[Event]) -> Event:
    """Return the event; raise `AmbiguousEvent` if there are several."""
    if len(found) > 1:
        raise AmbiguousEvent(
            f"several events {named} wait for an answer: choose one with --action ID",
            candidates=list(found),
        )
    return found[0]


def candidate_lines(candidates: Sequence[Event]) -> list[str]:
    """Return the first events to choose from, one per line, with their prompts."""
    shown = candidates[:CANDIDATES]
    names = {(event.run_name, event.name) for event in shown}
    rows = [_row(event, with_name=len(names) > 1) for event in shown]
    width = max((terminal.width(arguments) for arguments, _ in rows), default=0)
    lines = [f"  {terminal.pad(arguments, width)}  {text}".rstrip() for arguments, text in rows]
    return lines if len(candidates) == len(shown) else [*lines, "  ... and others"]


def _row(event: Event, *, with_name: bool) -> tuple[str, str]:
    arguments, text = f"--action {one_line(event.action_name)}", one_line(event.prompt or "")
    if not with_name:
        return arguments, text
    return f"{one_line(event.run_name)} {arguments}", f"{one_line(event.name)}: {text}"
