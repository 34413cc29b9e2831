"""Notifications of a desktop by the package desktop-notifier, for macOS and Windows."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from flyte_sidecar.cli.arguments.values import UsageError
from flyte_sidecar.cli.notify.notice import DeliveryFailed

APPLICATION = "flyte-sidecar"


class NotificationLibrary:
    """A `Display` of macOS and Windows, where texts are always plain.

    Raises
    ------
    UsageError
        If the package is not installed.
    """

    def __init__(self) -> None:
        try:
            from desktop_notifier import DesktopNotifier
        except ImportError:
            raise UsageError(
                "notifications of this desktop require desktop-notifier:"
                " run pip install 'flyte-sidecar[notify]'"
            ) from None
        # At the level debug, it logs the texts of notifications.
        logging.getLogger("desktop_notifier").setLevel(logging.WARNING)
        self._notifier: Any = DesktopNotifier(app_name=APPLICATION, app_icon=None)
        self._authorized = False

    async def show(self, summary: str, body: str, replaced: str | None) -> str | None:
        if not self._authorized:
            self._authorized = bool(await self._notifier.request_authorisation())
        if not self._authorized:
            raise DeliveryFailed("the system settings do not allow notifications of this program")
        if replaced is not None:
            await self.withdraw(replaced)
        dispatched: list[bool] = []  # failures are only logged
        shown: str = await self._notifier.send(
            title=summary, message=body, on_dispatched=lambda: dispatched.append(True)
        )
        if not dispatched:
            raise DeliveryFailed("desktop-notifier failed; the log says why")
        return shown

    async def withdraw(self, notification: str) -> None:
        with suppress(Exception):  # the package documents none
            await self._notifier.clear(notification)
