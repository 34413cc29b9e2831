"""The examples of notifications in docs/command-line.md."""

from __future__ import annotations

import base64
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flyte_sidecar.cli.notify.cloud_event import CloudEvent
from tests.cli.verbs import ask
from tests.conftest import TEST_TIMEOUT, needs, run
from tests.docs.blocks import claim, named
from tests.e2e.process import Process

pytestmark = pytest.mark.posix

[CLOUD_EVENT] = claim("docs/command-line.md", "json", "Webhooks")
SECRET = f"whsec_{base64.b64encode(bytes(32)).decode()}"
HOME = "/home/user"


@pytest.fixture
def env(command: dict[str, str], tmp_path: Path) -> dict[str, str]:
    state = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    return {**command, **state, "FLYTE_SIDECAR_WEBHOOK_SECRET": SECRET}


@pytest.fixture
def other(store: Path) -> Iterator[Process]:
    other = Process(store)
    yield other
    other.clear()


@contextmanager
def notify(env: dict[str, str], folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "flyte_sidecar", "notify", *arguments]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=env, cwd=folder, stderr=pipe, text=True)
    try:
        yield process
        process.terminate()
        assert process.wait(TEST_TIMEOUT) == 0
    finally:
        process.kill()
        process.communicate()


def test_the_command_prints_the_event(env: dict[str, str], other: Process, tmp_path: Path) -> None:
    needs("jq")
    script = tmp_path / "page.sh"
    script.write_text(named("notify", "page.sh").text)
    script.chmod(0o755)
    event = ask(other, prompt="Deploy?")
    with notify(env, tmp_path, "--exec", "./page.sh") as process:
        assert process.stderr is not None
        lines = [process.stderr.readline() for _ in range(3)]
    assert lines == ["missed: deploy of r\n", "Deploy?\n", f"id: {event['actionName']}\n"]


def test_the_receiver_verifies_and_prints_the_event(
    env: dict[str, str], other: Process, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    receiver = subprocess.Popen(
        [sys.executable, "-c", named("notify", "receiver.py").text],
        env={**env, "PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        event = ask(other, prompt="Deploy?")
        with notify(env, tmp_path, "--webhook", f"http://127.0.0.1:{port}/"):
            assert receiver.stdout is not None
            line = receiver.stdout.readline()
    finally:
        receiver.kill()
        receiver.communicate()
    assert line == f"flyte-sidecar.event.missed r/{event['actionName']} Deploy?\n"


def test_the_printed_service_is_the_one_of_the_page(env: dict[str, str]) -> None:
    if sys.platform != "linux":
        pytest.skip("other platforms print another file")
    command, _, expected = named("notify", "service").text.partition("\n")
    del env["FLYTE_SIDECAR_WEBHOOK_SECRET"], env["FLYTE_SIDECAR_STORE"]
    done = run("sh", "-c", command.removeprefix("$ "), env=env)
    printed = re.sub(r'ExecStart="[^"]*"', 'ExecStart="/usr/bin/flyte-sidecar"', done.stdout)
    printed = printed.replace(env["XDG_STATE_HOME"], f"{HOME}/.local/state")
    assert printed + done.stderr == expected


def test_the_cloud_event_has_the_members_of_the_page() -> None:
    assert {*json.loads(CLOUD_EVENT.text)} == {*CloudEvent.__struct_fields__}
