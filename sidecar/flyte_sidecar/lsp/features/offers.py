"""The commands that lenses and code actions offer for declarations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from lsprotocol import types

from flyte_sidecar.events.model import Event
from flyte_sidecar.lsp import texts
from flyte_sidecar.lsp.editor import Editor
from flyte_sidecar.lsp.event_arguments import for_command
from flyte_sidecar.lsp.source.declarations import Declaration

MAX_RUNS = 3
"""Runs for which answers are offered; further ones are listed by `flyteSidecar.showPending`."""


MAX_DECLARATIONS = 200
"""Declarations of a file for which answers are offered: thousands would delay other requests."""


def offers(
    editor: Editor, declarations: Iterable[Declaration]
) -> Iterator[tuple[Declaration, list[types.Command]]]:
    """Yield the declarations at which events wait, and the commands for each."""
    offered = ((declaration, _commands(editor, declaration)) for declaration in declarations)
    return islice(((at, commands) for at, commands in offered if commands), MAX_DECLARATIONS)


def _commands(editor: Editor, declaration: Declaration) -> list[types.Command]:
    """Return the commands for the events that wait at a declaration; none if none waits."""
    if declaration.name is None:
        return []
    events = editor.events.named(declaration.name, declaration.task)
    if not events:
        return []
    now = datetime.now().astimezone()
    title = texts.waiting(events, now, editor.events.state)
    if len(events) == 1:
        commands = [_command(title, "showEvent", editor, events[0])]
    else:
        commands = [types.Command(title, "flyteSidecar.showPending", arguments=[declaration.name])]
    for event in events[:MAX_RUNS]:
        run = event.run_name if len(events) > 1 else None
        for name in ("approve", "reject") if event.expected_type == "bool" else ("signal",):
            commands.append(_command(texts.action(name, run), name, editor, event))
    return commands


def _command(title: str, name: str, editor: Editor, event: Event) -> types.Command:
    """Return a command that refers to exactly this event."""
    arguments = [for_command(event, editor.backend_id)]
    return types.Command(title, f"flyteSidecar.{name}", arguments=arguments)
