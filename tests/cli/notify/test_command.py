"""Notifications by a command."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from flyte_sidecar.cli.arguments.values import UsageError
from flyte_sidecar.cli.notify.command import CommandChannel, split
from flyte_sidecar.cli.notify.notice import DeliveryFailed
from flyte_sidecar.cli.notify.webhook_signature import SECRET_VARIABLE
from tests.cli.notify.events import notice_of, waiting_event
from tests.conftest import TEST_TIMEOUT

HOSTILE = "$(touch pwned) `touch pwned`; touch pwned\n\x1b[31m\u202e"


@pytest.mark.parametrize(
    ("platform", "command", "words"),
    [
        ("linux", r"a\ b 'c d' #e", ["a b", "c d", "#e"]),
        ("win32", r'C:\a.exe "C:\b c" \\d\e', [r"C:\a.exe", r"C:\b c", r"\\d\e"]),
    ],
)
def test_a_command_is_split_as_its_platform_writes_paths(
    platform: str, command: str, words: list[str]
) -> None:
    assert split(command, platform) == words


async def test_the_event_is_in_the_environment_and_on_stdin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(SECRET_VARIABLE, "s3cret")
    script = 'env >environment; cat >event; echo "$#" >arguments'
    event = waiting_event("name", prompt=HOSTILE, description="d" * 100_000, url="https://h/x")
    await CommandChannel(f"sh -c '{script}' sh 'one argument'").deliver([notice_of(event)])
    assert not (tmp_path / "pwned").exists()
    assert (tmp_path / "arguments").read_text() == "1\n"
    variables = dict(
        line.partition("=")[::2] for line in (tmp_path / "environment").read_text().splitlines()
    )
    prefix = "FLYTE_SIDECAR_EVENT_"
    own = {
        name.removeprefix(prefix): value
        for name, value in variables.items()
        if name.startswith(prefix)
    }
    assert len(own.pop("DESCRIPTION")) == 4096
    assert own == {
        "REASON": "waiting",
        "ID": "id-name",
        "NAME": "name",
        "RUN_NAME": "r1",
        "ACTION_NAME": "action-name",
        "ORG": "",
        "PROJECT": "local",
        "DOMAIN": "local",
        "EXPECTED_TYPE": "bool",
        "PROMPT": "$(touch pwned) `touch pwned`; touch pwned \\x1b[31m\\u202e",
        "URL": "https://h/x",
    }
    assert "s3cret" not in (tmp_path / "environment").read_text()
    content = (tmp_path / "event").read_bytes()
    assert content.isascii()
    assert b"\x1b" not in content
    on_stdin = json.loads(content)
    assert (on_stdin["prompt"], len(on_stdin["description"])) == (HOSTILE, 100_000)


async def test_a_command_that_fails_or_is_missing_is_retried() -> None:
    with pytest.raises(DeliveryFailed, match="exit status 3") as failed:
        await CommandChannel("sh -c 'exit 3'").deliver([notice_of(waiting_event())])
    assert failed.value.retryable
    with pytest.raises(DeliveryFailed, match="No such file"):
        await CommandChannel("/nothing/here").deliver([notice_of(waiting_event())])


async def test_a_command_need_not_read_its_input() -> None:
    event = waiting_event(prompt="p" * 1_000_000)
    await CommandChannel("true").deliver([notice_of(event)])


@pytest.mark.posix
async def test_a_command_that_is_cancelled_ends_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 1000 & echo $! $$ >{pids}.new; mv {pids}.new {pids}; wait"
    channel = CommandChannel(f"sh -c '{script}'")
    delivering = asyncio.ensure_future(channel.deliver([notice_of(waiting_event())]))
    async with asyncio.timeout(TEST_TIMEOUT):
        while not pids.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    delivering.cancel()
    await asyncio.wait([delivering])
    async with asyncio.timeout(TEST_TIMEOUT):
        for pid in map(int, pids.read_text().split()):
            while is_running(pid):  # noqa: ASYNC110
                await asyncio.sleep(0.005)


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("command", "message"), [("", "empty"), ("  ", "empty"), ("a 'b", "No closing quotation")]
)
def test_an_invalid_command_is_a_usage_error(command: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        CommandChannel(command)


def test_each_command_has_leases_of_its_own() -> None:
    assert CommandChannel("a").lease_name != CommandChannel("b").lease_name
    assert "a-secret" not in CommandChannel("a-secret").lease_name
