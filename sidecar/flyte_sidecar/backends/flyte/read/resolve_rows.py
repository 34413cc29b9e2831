"""Events of rows that were listed, as they stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flyte_sidecar.backends.flyte.read.events import EventReader
from flyte_sidecar.backends.flyte.rpc.event_conversion import event_from_listing
from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction
from flyte_sidecar.events.model import Event


async def resolve_rows(
    reader: EventReader,
    rows: Sequence[ListedAction],
    *,
    details: Callable[[ListedAction], bool],
    wants: Callable[[str], bool] = lambda _: True,
    failures: dict[str, Exception] | None = None,
) -> list[Event | None]:
    """Give the events of some rows, None for what is none or is in a phase that nobody wants.

    A row tells all but what only details tell, where its phase is to be relied on.

    Parameters
    ----------
    details
        Tells of which rows the details are wanted whatever they cost.
    wants
        Tells which phases are wanted.
    failures
        As in `EventReader.events`.
    """
    found: list[Event | None] = [None] * len(rows)
    asked: list[int] = []
    for index, row in enumerate(rows):
        kept = reader.memory.resolved(row)
        phase = kept.phase if kept is not None else row.phase
        certain = kept is not None or row.ended or reader.shows_pending(row)
        if row.is_event is False or (certain and not wants(phase)):
            continue
        if kept is not None:
            found[index] = kept
        elif certain and not details(row) and row.is_complete:
            found[index] = reader.memory.keep_listed(event_from_listing(row, reader.url(row.run)))
        elif not row.ended and certain and (cached := reader.memory.pending(row)) is not None:
            found[index] = cached
        else:
            asked.append(index)
    actions = [(rows[index].run, rows[index].action_name) for index in asked]
    events = await reader.events(actions, failures)
    for index, told in zip(asked, events, strict=True):
        if told is not None and wants(told.phase):
            found[index] = told
    return found
