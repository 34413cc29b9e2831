"""Shows the events that are about to change, and asks whether to do it."""

from __future__ import annotations

from msgspec import Struct

from flyte_sidecar.cli.answering.questions import rendered
from flyte_sidecar.cli.bulk.action import Action
from flyte_sidecar.cli.bulk.choosing import Chosen
from flyte_sidecar.cli.bulk.reporting import preview
from flyte_sidecar.cli.quantities import quantity
from flyte_sidecar.errors import RequestCancelled
from flyte_sidecar.events.model import Payload
from flyte_sidecar.local_runs.terminal import Rendered, Size, TerminalClosed, TerminalPrompt


class Confirmation(Struct, frozen=True):
    """Asks whether to do something to the events. One key would agree too easily: a word does."""

    action: Action
    chosen: Chosen

    @property
    def takes_lines_typed_ahead(self) -> bool:
        return True

    def parse(self, line: str) -> Payload:
        """Return whether a person agrees."""
        return line.strip().lower() == "yes"

    def render(self, size: Size, *, styled: bool) -> Rendered:
        events = self.chosen.events
        runs = len({event.run for event in events})
        what = f"{quantity(len(events), 'event')} of {quantity(runs, 'run')}"
        lines = preview(events, width=size.columns, styled=styled)
        lines += [self.chosen.note] if self.chosen.note else []
        return rendered([*lines, f"Type yes to {self.action.verb} {what}: "], size)

    def render_again(self, size: Size, line: str, *, styled: bool) -> Rendered:
        return self.render(size, styled=styled)


async def confirm(action: Action, chosen: Chosen) -> None:
    """Show the events at the terminal, and wait for the confirmation.

    Raises
    ------
    RequestCancelled
        If a person does not agree.
    """
    try:
        agrees = await TerminalPrompt(Confirmation(action, chosen)).answer()
    except TerminalClosed:
        agrees = False
    if not agrees:
        raise RequestCancelled("yes was not entered: nothing was changed")
