"""`flyte-sidecar notify`: processes that race, die and start again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.notify.desktop import desktop
from tests.cli.verbs import Environment, answer, ask
from tests.conftest import TEST_TIMEOUT, run
from tests.e2e.deployment import ServerProcess, scoped_options, wait_until
from tests.e2e.process import Process

pytestmark = pytest.mark.posix

LOG_EVENT = "sh -c 'echo $FLYTE_SIDECAR_EVENT_REASON $FLYTE_SIDECAR_EVENT_NAME >>delivered'"


class Notify:
    """A running `notify`.

    Attributes
    ----------
    log
        What it has written to stderr.
    """

    def __init__(self, env: Environment, folder: Path, *arguments: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "flyte_sidecar", "notify", "--log-level", "info", *arguments],
            env=env,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def until(self, text: str) -> None:
        """Wait until the log contains a text."""
        wait_until(lambda: text in self.log or self.popen.poll() is not None)
        assert text in self.log

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        status = self.popen.wait(TEST_TIMEOUT)
        self._reader.join(TEST_TIMEOUT)
        return status

    def _read(self) -> None:
        assert self.popen.stderr is not None
        with self.popen.stderr as lines:
            for line in lines:
                self.log += line


Start = Callable[..., Notify]


@pytest.fixture
def env(env: Environment, tmp_path: Path) -> Environment:
    """An environment with the state folder of another user."""
    return {**env, "XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)}


@pytest.fixture
def notify(env: Environment, tmp_path: Path) -> Iterator[Start]:
    """Start processes in the test's folder; they end with the test."""
    started: list[Notify] = []

    def notify(*arguments: str, **more: str) -> Notify:
        started.append(Notify({**env, **more}, tmp_path, *arguments))
        return started[-1]

    yield notify
    for process in started:
        process.end(signal.SIGKILL)


def delivered(folder: Path) -> list[str]:
    """Return what the commands have recorded."""
    file = folder / "delivered"
    return file.read_text().splitlines() if file.exists() else []


class Editor:
    """An editor's session, which records the events that it asks about."""

    def __init__(self, env: Environment, store: Path) -> None:
        self.asked: list[str] = []
        self._process = Process(store, env=env)
        self._process.request(0, "initialize", capabilities={"textDocument": {"hover": {}}})
        assert self._process.answer()["result"]
        self._process.request(1, "textDocument/hover", textDocument={"uri": "file:///a.py"})
        self._process.answer()  # the language server is loaded
        threading.Thread(target=self._read, daemon=True).start()

    def close(self) -> None:
        self._process.clear()

    def _read(self) -> None:
        while True:
            try:
                message = self._process.answer()
            except (AssertionError, OSError, ValueError):
                return
            if message.get("method") == "window/showMessageRequest":
                self.asked.append(re.findall(r"\((n\d+)\)", message["params"]["message"])[0])


def test_each_event_is_reported_once_by_ten_processes_and_an_editor(
    notify: Start, other: Process, env: Environment, store: Path, tmp_path: Path
) -> None:
    with desktop(tmp_path) as screen:
        bus = {"DBUS_SESSION_BUS_ADDRESS": screen.address}
        processes = [notify("--desktop", "--exec", LOG_EVENT, **bus) for _ in range(10)]
        editor = Editor(env, store)
        for process in processes:
            process.until("following the events")
        names = [f"n{number}" for number in range(5)]
        shown: list[str] = []

        def is_known(name: str) -> bool:
            shown.extend(notification.summary.split()[0] for notification in screen.others())
            return name in shown + editor.asked and f"waiting {name}" in delivered(tmp_path)

        for name in names:
            ask(other, name)
            wait_until(lambda name=name: is_known(name))
        for process in processes:
            assert process.end() == 0, process.log
        is_known("n0")
        editor.close()
    assert sorted(shown + editor.asked) == names
    assert sorted(delivered(tmp_path)) == [f"waiting {name}" for name in names]


def test_what_an_editor_has_asked_about_is_not_shown_on_the_desktop(
    notify: Start, other: Process, env: Environment, store: Path, tmp_path: Path
) -> None:
    editor = Editor(env, store)
    ask(other, "n1")
    wait_until(lambda: editor.asked == ["n1"])
    editor.close()
    with desktop(tmp_path) as screen:
        process = notify("--desktop", "--exec", LOG_EVENT, DBUS_SESSION_BUS_ADDRESS=screen.address)
        wait_until(lambda: delivered(tmp_path) == ["missed n1"])
        ask(other, "n2")
        assert screen.notification().summary == "n2 of run r waits for an answer"
        assert process.end() == 0
        assert screen.others() == []


def test_what_was_missed_is_reported_in_one_notification(
    notify: Start, other: Process, tmp_path: Path
) -> None:
    with desktop(tmp_path) as screen:
        bus = {"DBUS_SESSION_BUS_ADDRESS": screen.address}
        for number in range(4):
            ask(other, f"n{number}", prompt="<b>Deploy?</b>")
        first = notify(**bus)
        missed = screen.notification()
        assert missed.summary == "4 events wait for an answer"
        assert missed.body == "n0 of run r, n1 of run r, n2 of run r, and 1 more"
        ask(other, "new", prompt="<b>Deploy?</b>")
        shown = screen.notification()
        assert shown.summary == "new of run r waits for an answer"
        assert shown.body == "&lt;b&gt;Deploy?&lt;/b&gt;"
        answer(other, True, "new")
        assert screen.closed() == shown.number
        first.until("notified of 4 events")
        assert first.end(signal.SIGINT) == 0
        again = notify("--exec", LOG_EVENT, "--desktop", **bus)
        wait_until(lambda: len(delivered(tmp_path)) == 4)  # of another channel
        assert again.end() == 0
        assert screen.others() == []
    assert sorted(delivered(tmp_path)) == [f"missed n{number}" for number in range(4)]


BLOCKING = """\
#!/bin/sh
if [ -e blocks ]; then
  echo $PPID $$ >pids.new
  mv pids.new pids
  exec sleep 1000
fi
echo $FLYTE_SIDECAR_EVENT_NAME >>delivered
"""


def test_another_process_delivers_what_a_killed_one_has_not(
    notify: Start, other: Process, tmp_path: Path
) -> None:
    (tmp_path / "script").write_text(BLOCKING)
    (tmp_path / "script").chmod(0o755)
    (tmp_path / "blocks").touch()
    processes = [notify("--exec", "./script", "--timeout", "2s") for _ in range(3)]
    for process in processes:
        process.until("following the events")
    ask(other)
    pids = tmp_path / "pids"
    wait_until(pids.exists)
    owner, script = map(int, pids.read_text().split())
    (tmp_path / "blocks").unlink()
    os.kill(owner, signal.SIGKILL)
    os.kill(script, signal.SIGKILL)
    wait_until(lambda: delivered(tmp_path))
    statuses = [process.end() for process in processes]
    assert sorted(statuses) == [-signal.SIGKILL, 0, 0]
    assert delivered(tmp_path) == ["deploy"]


def test_a_process_that_ends_kills_its_command_and_passes_the_event_on(
    notify: Start, other: Process, tmp_path: Path
) -> None:
    (tmp_path / "script").write_text(BLOCKING)
    (tmp_path / "script").chmod(0o755)
    (tmp_path / "blocks").touch()
    first = notify("--exec", "./script")
    ask(other)
    pids = tmp_path / "pids"
    wait_until(pids.exists)
    assert first.end(signal.SIGHUP) == 0  # its terminal was closed
    wait_until(lambda: not Path("/proc", pids.read_text().split()[1]).exists())
    (tmp_path / "blocks").unlink()
    second = notify("--exec", "./script")
    wait_until(lambda: delivered(tmp_path))
    assert second.end() == 0
    assert delivered(tmp_path) == ["deploy"]


def test_only_events_that_match_are_reported(notify: Start, other: Process, tmp_path: Path) -> None:
    ask(other, "deploy", "train-1")
    ask(other, "deploy", "other-1")
    ask(other, "threshold", "train-1")
    process = notify("--exec", LOG_EVENT, "--run", "train-*", "--name", "dep*")
    process.until("notified of 1 event")
    assert process.end() == 0
    assert delivered(tmp_path) == ["missed deploy"]
    assert "1 wait now" in process.log


def test_events_are_reported_after_the_store_was_replaced(
    notify: Start, other: Process, store: Path, tmp_path: Path
) -> None:
    process = notify("--exec", LOG_EVENT)
    process.until("following the events")
    ask(other)
    wait_until(lambda: delivered(tmp_path) == ["waiting deploy"])
    other.clear()
    for file in store.parent.glob("events.db*"):
        file.unlink()
    again = Process(store)
    ask(again, "again")
    wait_until(lambda: len(delivered(tmp_path)) == 2)
    again.clear()
    assert delivered(tmp_path)[1].endswith("again")
    assert process.end() == 0


def test_the_events_of_a_deployment_are_reported_when_it_is_back(
    notify: Start, tmp_path: Path
) -> None:
    script = "sh -c 'echo $FLYTE_SIDECAR_EVENT_REASON $FLYTE_SIDECAR_EVENT_PROMPT >>delivered'"
    with ServerProcess("2.0.43", tmp_path / "state.json") as deployment:
        deployment.create_event("deploy", "a1", prompt="Deploy?")
        deployment.start()
        process = notify("--exec", script, *scoped_options(deployment.endpoint))
        wait_until(lambda: delivered(tmp_path) == ["missed Deploy?"])
        deployment.kill()
        process.until("the events cannot be followed now: backend_unavailable: ")
        deployment.create_event("rate", "a2", prompt="Rate?")
        deployment.start()
        wait_until(lambda: delivered(tmp_path) == ["missed Deploy?", "waiting Rate?"])
        assert process.end() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--exec", ""], "the command is empty"),
        (["--webhook", "http://h.example/s3cret"], "--allow-http"),
        (["--after", "soon"], "'soon' is not a duration"),
        (["--webhook", "https://h.example", "--webhook-secret-file", "none"], "No such file"),
    ],
)
def test_arguments_that_cannot_be_used_are_usage_errors(
    env: Environment, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = run("flyte-sidecar", "notify", *arguments, env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "s3cret" not in done.stderr
