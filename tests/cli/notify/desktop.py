"""A desktop: a message bus, and a service that records the notifications it is asked to show."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from jeepney import (
    HeaderFields,
    MessageType,
    new_error,
    new_method_return,
)
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

from tests.conftest import TEST_TIMEOUT, needs

NAME = "org.freedesktop.Notifications"

INTERFACE = f"""
<node><interface name="{NAME}">
<method name="Notify">
  <arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/>
  <arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="as" direction="in"/>
  <arg type="a{{sv}}" direction="in"/><arg type="i" direction="in"/>
  <arg type="u" direction="out"/>
</method>
<method name="GetCapabilities"><arg type="as" direction="out"/></method>
<method name="GetServerInformation">
  <arg type="s" direction="out"/><arg type="s" direction="out"/>
  <arg type="s" direction="out"/><arg type="s" direction="out"/>
</method>
<method name="CloseNotification"><arg type="u" direction="in"/></method>
<signal name="NotificationClosed"><arg type="u"/><arg type="u"/></signal>
<signal name="ActionInvoked"><arg type="u"/><arg type="s"/></signal>
</interface></node>
"""
"""The part of the interface that clients of the tests use."""


class Notification:
    """A notification that was shown.

    Attributes
    ----------
    replaced
        The id of the one that it replaced; 0 for none.
    """

    def __init__(self, number: int, call: Sequence[Any]) -> None:
        self.number = number
        self.application, self.replaced, _, self.summary, self.body, *_ = call


class Desktop:
    """The service.

    Attributes
    ----------
    address
        Of the bus.
    open
        The notifications that are shown now, by id.
    """

    def __init__(self, address: str, capabilities: Sequence[str]) -> None:
        self.address = address
        self.open: dict[int, Notification] = {}
        self._capabilities = capabilities
        self._shown: Queue[Notification] = Queue()
        self._closed: Queue[int] = Queue()
        self._connection = open_dbus_connection(address)
        self._connection.send_and_get_reply(message_bus.RequestName(NAME, 4))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def notification(self) -> Notification:
        """Wait for the next notification."""
        return self._shown.get(timeout=TEST_TIMEOUT)

    def closed(self) -> int:
        """Wait for the next notification that is withdrawn, and return its id."""
        return self._closed.get(timeout=TEST_TIMEOUT)

    def others(self) -> list[Notification]:
        """Return the notifications that were shown besides."""
        found = []
        while True:
            try:
                found.append(self._shown.get_nowait())
            except Empty:
                return found

    def close(self) -> None:
        """Wait until the bus has disconnected the service."""
        self._thread.join(TEST_TIMEOUT)
        self._connection.close()

    def _serve(self) -> None:
        while True:
            try:
                message = self._connection.receive()
            except (OSError, EOFError):
                return
            if message.header.message_type != MessageType.method_call:
                continue
            match message.header.fields[HeaderFields.member]:
                case "Introspect":
                    reply = new_method_return(message, "s", (INTERFACE,))
                case "GetCapabilities":
                    reply = new_method_return(message, "as", ([*self._capabilities],))
                case "GetServerInformation":
                    reply = new_method_return(message, "ssss", ("test", "tests", "1", "1.2"))
                case "Notify":
                    reply = new_method_return(message, "u", (self._notify(message.body),))
                case "CloseNotification":
                    [number] = message.body
                    self.open.pop(number, None)
                    self._closed.put(number)
                    reply = new_method_return(message)
                case _:
                    reply = new_error(message, "org.freedesktop.DBus.Error.UnknownMethod")
            self._connection.send(reply)

    def _notify(self, call: Sequence[Any]) -> int:
        number = call[1] or len(self.open) + 100
        self.open[number] = Notification(number, call)
        self._shown.put(self.open[number])
        return number


@contextmanager
def desktop(
    folder: Path, capabilities: Sequence[str] = ("body", "body-markup")
) -> Iterator[Desktop]:
    """Start a bus and the service, and end them with the block."""
    needs("notify-send")
    needs("gdbus")
    bus = subprocess.Popen(
        [
            *(needs("dbus-daemon"), "--session", "--nofork", "--print-address"),
            f"--address=unix:path={folder}/bus",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    opened = None
    try:
        assert bus.stdout is not None
        opened = Desktop(bus.stdout.readline().strip(), capabilities)
        yield opened
    finally:
        bus.terminate()
        bus.communicate(timeout=TEST_TIMEOUT)
        if opened is not None:
            opened.close()
