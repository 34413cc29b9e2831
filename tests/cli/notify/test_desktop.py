"""Notifications of the desktop: their texts, and how a desktop shows them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flyte_sidecar.cli.arguments.values import UsageError
from flyte_sidecar.cli.notify.desktop import DesktopChannel
from flyte_sidecar.cli.notify.notice import DeliveryFailed, Notice
from flyte_sidecar.cli.notify.notify_send import NotifySend
from tests.cli.notify.desktop import Desktop, desktop
from tests.cli.notify.events import notice_of, waiting_event
from tests.conftest import run

HOSTILE = "<b>bold</b> &amp; <a href='x'>\\n\\033[31m\n\x1b[31m\u202e--"


class RecordingDisplay:
    """Records what it is asked to show."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, str, str | None]] = []
        self.withdrawn: list[str] = []
        self.failures = 0

    async def show(self, summary: str, body: str, replaced: str | None) -> str | None:
        if self.failures:
            self.failures -= 1
            raise DeliveryFailed("no desktop")
        self.shown.append((summary, body, replaced))
        return replaced or str(len(self.shown))

    async def withdraw(self, notification: str) -> None:
        self.withdrawn.append(notification)


def notices(*names: str, **more: str) -> list[Notice]:
    return [notice_of(waiting_event(name), **more) for name in names]


async def test_few_events_get_a_notification_each() -> None:
    display = RecordingDisplay()
    channel = DesktopChannel(display)
    await channel.deliver(notices("a", "b"))
    assert display.shown == [
        ("a of run r1 waits for an answer", "Approve?", None),
        ("b of run r1 waits for an answer", "Approve?", None),
    ]
    [a, _] = notices("a", "b")
    await channel.withdraw([a.name])
    assert display.withdrawn == ["1"]


async def test_many_events_get_one_notification() -> None:
    display = RecordingDisplay()
    channel = DesktopChannel(display)
    many = notices(*(f"n{number}" for number in range(100)))
    await channel.deliver(many)
    listed = "n0 of run r1, n1 of run r1, n2 of run r1, and 97 more"
    assert display.shown == [("100 events wait for an answer", listed, None)]
    await channel.withdraw([notice.name for notice in many[:99]])
    assert display.withdrawn == []
    await channel.withdraw([many[99].name])
    assert display.withdrawn == ["1"]


async def test_events_that_keep_arriving_share_a_notification() -> None:
    display = RecordingDisplay()
    channel = DesktopChannel(display)
    for number in range(5):
        await channel.deliver(notices(f"n{number}"))
    for name in ("x", "y"):
        await channel.deliver(notices(name))
    assert [each[0] for each in display.shown[5:]] == [
        "1 more event waits for an answer",
        "2 events wait for an answer",
    ]
    assert display.shown[6] == ("2 events wait for an answer", "y of run r1, x of run r1", "6")


async def test_a_reminder_replaces_its_notification() -> None:
    display = RecordingDisplay()
    channel = DesktopChannel(display)
    await channel.deliver(notices("a"))
    await channel.deliver(notices("a", reason="reminder"))
    assert display.shown[1] == ("a of run r1 still waits for an answer", "Approve?", "1")


async def test_a_notification_is_retried_in_place_of_the_ones_that_were_shown() -> None:
    display = RecordingDisplay()
    channel = DesktopChannel(display)
    await channel.deliver(notices("a"))
    display.failures = 1
    with pytest.raises(DeliveryFailed):
        await channel.deliver(notices("b", "a"))
    await channel.deliver(notices("b", "a"))
    assert [each[2] for each in display.shown] == [None, None, "1"]


async def test_an_event_of_an_earlier_day_is_shown_with_its_time() -> None:
    display = RecordingDisplay()
    event = waiting_event(created_at=datetime(2026, 1, 2, 12, tzinfo=UTC), prompt=None)
    await DesktopChannel(display).deliver([notice_of(event)])
    assert display.shown[0][1].startswith("(since 2026-01-02 ")


@pytest.fixture
def shown_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desktop]:
    with desktop(tmp_path) as opened:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", opened.address)
        yield opened


@pytest.mark.posix
async def test_a_desktop_that_interprets_markup_shows_texts_as_they_are(shown_on: Desktop) -> None:
    channel = DesktopChannel(NotifySend())
    hostile = waiting_event("--help", prompt=HOSTILE)
    await channel.deliver([notice_of(hostile)])
    shown = shown_on.notification()
    assert shown.application == "flyte-sidecar"
    assert shown.summary == "--help of run r1 waits for an answer"
    assert shown.body == (
        "&lt;b&gt;bold&lt;/b&gt; &amp;amp; &lt;a href='x'&gt;\\n\\033[31m \\x1b[31m\\u202e--"
    )
    await channel.deliver([notice_of(hostile)])
    assert shown_on.notification().replaced == shown.number
    await channel.withdraw([notice_of(hostile).name])
    assert shown_on.closed() == shown.number
    assert shown_on.others() == []


@pytest.mark.posix
async def test_a_desktop_without_markup_gets_unescaped_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desktop(tmp_path, capabilities=["body"]) as plain:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", plain.address)
        await NotifySend().show("summary", "a < b & \\n", None)
        assert plain.notification().body == "a < b & \\n"


async def test_a_missing_desktop_is_a_failure_that_may_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    with pytest.raises(DeliveryFailed, match="notify-send failed") as failed:
        await NotifySend().show("summary", "body", None)
    assert failed.value.retryable


@pytest.mark.posix
async def test_an_older_notify_send_shows_notifications_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "notify-send"
    old.write_text('#!/bin/sh\ntest "$1" = --help || echo "$@" >>"$0.arguments"\n')
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/nothing")
    monkeypatch.setenv("PATH", str(tmp_path))
    display = NotifySend()
    assert await display.show("summary", "<b>", None) is None
    await display.withdraw("1")
    arguments = (tmp_path / "notify-send.arguments").read_text()
    assert arguments == "--app-name=flyte-sidecar -- summary &lt;b&gt;\n"


def test_a_missing_notify_send_is_reported_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nothing")
    with pytest.raises(UsageError, match="libnotify-bin"):
        NotifySend()


SHOW_BY_PACKAGE = """
import asyncio, os
from flyte_sidecar.cli.notify.notice import DeliveryFailed
from flyte_sidecar.cli.notify.notification_library import NotificationLibrary

async def show():
    display = NotificationLibrary()
    notification = await display.show("summary", "body", None)
    assert notification is not None
    await display.show("summary", "new body", notification)
    os.environ["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nothing"
    try:
        await NotificationLibrary().show("summary", "body", None)
    except DeliveryFailed:
        print("failed")

asyncio.run(show())
"""


@pytest.mark.posix
def test_the_package_for_other_desktops_shows_and_withdraws(shown_on: Desktop) -> None:
    done = run(sys.executable, "-c", SHOW_BY_PACKAGE, env={**os.environ})
    assert (done.returncode, done.stdout) == (0, "failed\n"), done.stderr
    shown = shown_on.notification()
    assert (shown.application, shown.summary, shown.body) == ("flyte-sidecar", "summary", "body")
    assert shown_on.closed() == shown.number
    assert shown_on.notification().body == "new body"
