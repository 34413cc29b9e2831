"""Notifications of a Linux desktop, by `notify-send`."""

from __future__ import annotations

import logging
from html import escape
from shutil import which

from flyte_sidecar.cli.arguments.values import UsageError
from flyte_sidecar.cli.notify.child_process import run_program
from flyte_sidecar.cli.notify.notice import DeliveryFailed

APPLICATION = "flyte-sidecar"

_SERVICE = "org.freedesktop.Notifications"
_CALL = (
    *("call", "--session", "--dest", _SERVICE, "--object-path"),
    "/org/freedesktop/Notifications",
    "--method",
)

logger = logging.getLogger(__name__)


class NotifySend:
    """A `Display` on desktops that follow the specification of freedesktop.org.

    Texts are plain. The desktop may nevertheless interpret markup in the second one, if it says so:
    then that is escaped. So are backslashes, which `notify-send` interprets there.

    `gdbus`, which comes with GLib, withdraws notifications and asks the desktop what it supports.
    Without it, notifications stay until the person closes them.

    Raises
    ------
    UsageError
        If `notify-send` is not installed.
    """

    def __init__(self) -> None:
        program = which("notify-send")
        if program is None:
            raise UsageError(
                "notifications of the desktop require notify-send (Debian, Ubuntu: install"
                " libnotify-bin; Fedora, Arch: libnotify)"
            )
        self._program = program
        self._gdbus = which("gdbus")
        self._has_ids: bool | None = None
        self._escapes: bool | None = None

    async def show(self, summary: str, body: str, replaced: str | None) -> str | None:
        if self._has_ids is None:
            options = await run_program([self._program, "--help"])
            self._has_ids = b"--print-id" in options.output  # since libnotify 0.8
        if await self._interprets_markup():
            body = escape(body, quote=False)
        arguments = [f"--app-name={APPLICATION}"]
        if self._has_ids:
            arguments.append("--print-id")
        if self._has_ids and replaced is not None:
            arguments.append(f"--replace-id={replaced}")
        done = await run_program(
            [self._program, *arguments, "--", summary, body.replace("\\", "\\\\")]
        )
        if done.status:
            raise DeliveryFailed(f"notify-send failed: {done.reason}")
        number = done.output.strip()
        return number.decode() if number.isdigit() else None

    async def withdraw(self, notification: str) -> None:
        if self._gdbus is not None:
            await self._call("CloseNotification", notification)

    async def _interprets_markup(self) -> bool:
        """Return whether the desktop interprets markup; yes if that is unknown."""
        if self._escapes is None and self._gdbus is not None:
            capabilities = await self._call("GetCapabilities")
            if capabilities:
                self._escapes = "'body-markup'" in capabilities
        return self._escapes is not False

    async def _call(self, method: str, *arguments: str) -> str:
        assert self._gdbus is not None
        try:
            done = await run_program([self._gdbus, *_CALL, f"{_SERVICE}.{method}", *arguments])
        except DeliveryFailed as error:
            logger.debug("%s: %s", method, error)
            return ""
        return done.output.decode(errors="replace")
