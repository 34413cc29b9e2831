"""Logins of a person who waits for the response to a request."""

from __future__ import annotations

import asyncio
from typing import Any

from flyte_sidecar._futures import try_set_result


class AttendedLogins:
    """Counts the logins that are shown to a person; a base class of `LoginPrompt`s.

    Attributes
    ----------
    open
        How many are shown now.
    asked_again
        How often the person has asked to log in, beside their requests.
    """

    asked_again = 0

    def __init__(self) -> None:
        self.open = 0
        self._changed: asyncio.Future[None] | None = None

    def required(self, login: Any) -> None:
        self._count(1)

    def ended(self, login: Any, error: str | None) -> None:
        self._count(-1)

    def changed(self) -> asyncio.Future[None]:
        """Return a future that is done once a login is shown or has ended."""
        if self._changed is None or self._changed.done():
            self._changed = asyncio.get_running_loop().create_future()
        return self._changed

    def _count(self, change: int) -> None:
        self.open += change
        if self._changed is not None:
            try_set_result(self._changed, None)
