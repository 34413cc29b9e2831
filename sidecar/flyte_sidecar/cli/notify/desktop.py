"""Notifications of the desktop: what they say, and when several are one."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Protocol

from flyte_sidecar.cli.notify.notice import Notice
from flyte_sidecar.events.delivery_leases import PERSON, EventName
from flyte_sidecar.events.model import Event
from flyte_sidecar.events.outcome_text import title
from flyte_sidecar.events.plain_text import one_line

MAX_AT_ONCE = 3
"""Number of events that start to wait together and get a notification each; more get one."""

MAX_SHOWN = 5
"""Number of notifications of one event each that are open; further events get a common one."""

MAX_LISTED = 3
"""Number of events that a common notification lists."""

MAX_PROMPT_LENGTH = 200
"""Characters of a prompt that are shown."""


class Display(Protocol):
    """Shows notifications of the desktop."""

    async def show(self, summary: str, body: str, replaced: str | None) -> str | None:
        """Show plain text.

        Parameters
        ----------
        replaced
            The id of an earlier notification that this one replaces, if that is possible.

        Returns
        -------
        str | None
            The id of the notification; None if it cannot be withdrawn or replaced.

        Raises
        ------
        DeliveryFailed
        """

    async def withdraw(self, notification: str) -> None:
        """Withdraw a notification by its id, if that is possible."""


class DesktopChannel:
    """A `Channel` that shows notifications of the desktop.

    Each event gets its own, up to a number: further ones share one, which is replaced as they
    become more. Notifications are withdrawn when their events no longer wait.
    """

    name = "desktop"
    lease_name = PERSON
    batch = 1000
    concurrency = 1

    def __init__(self, display: Display, pause: float = 1.0) -> None:
        self.pause = pause
        self._display = display
        self._shown: dict[EventName, str | None] = {}
        self._common: dict[EventName, Event] = {}
        self._common_id: str | None = None

    async def deliver(self, notices: Sequence[Notice]) -> None:
        new = [notice for notice in notices if notice.name not in self._shown]
        if len(notices) > MAX_AT_ONCE or len(self._shown) + len(new) > MAX_SHOWN:
            await self._show_common(notices)
            return
        for notice in notices:
            shown = self._shown.get(notice.name)
            self._shown[notice.name] = await self._display.show(
                _summary(notice), _body(notice.event), shown
            )

    async def withdraw(self, names: Sequence[EventName]) -> None:
        for name in names:
            shown = self._shown.pop(name, None)
            if shown is not None:
                await self._display.withdraw(shown)
            if self._common.pop(name, None) and not self._common and self._common_id is not None:
                await self._display.withdraw(self._common_id)
                self._common_id = None

    async def close(self) -> None:
        """Leave the notifications to the person: they are about events that still wait."""

    async def _show_common(self, notices: Sequence[Notice]) -> None:
        latest = {notice.name: notice.event for notice in notices}
        common = {**latest, **self._common}
        shown = await self._display.show(_common_summary(common), _list(common), self._common_id)
        self._common, self._common_id = common, shown


def _summary(notice: Notice) -> str:
    still = "still waits" if notice.reason == "reminder" else "waits"
    return f"{title(notice.event)} {still} for an answer"


def _body(event: Event) -> str:
    prompt = one_line(event.prompt or "", MAX_PROMPT_LENGTH)
    if event.created_at is None:
        return prompt
    # Not datetime: TZ may have an offset of a day or more, which datetime rejects.
    now, since = time.localtime(), time.localtime(event.created_at.timestamp())
    if since[:3] == now[:3]:
        return prompt
    return f"{prompt} (since {time.strftime('%Y-%m-%d %H:%M', since)})".lstrip()


def _common_summary(events: Collection[EventName]) -> str:
    if len(events) == 1:
        return "1 more event waits for an answer"
    return f"{len(events)} events wait for an answer"


def _list(events: dict[EventName, Event]) -> str:
    titles = [title(event) for event in [*events.values()][:MAX_LISTED]]
    others = len(events) - len(titles)
    return ", ".join(titles) + (f", and {others} more" if others else "")
