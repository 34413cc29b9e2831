"""Commands that print tokens."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from flyte_sidecar.backends.flyte.auth import commands
from flyte_sidecar.backends.flyte.auth.commands import MAX_OUTPUT_BYTES, run_command
from flyte_sidecar.backends.flyte.credentials import Secret
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from tests.backends.flyte.auth.connection import wait_for_file
from tests.conftest import TEST_TIMEOUT

SETTING = "`admin.command`"


@pytest.fixture(autouse=True)
def _killed_commands_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a killed command on a loaded machine too: Python warns of one that still runs."""
    monkeypatch.setattr(commands, "EXIT_TIMEOUT", TEST_TIMEOUT)


async def run_python(code: str, *arguments: str) -> str:
    return await run_command(Secret((sys.executable, "-c", code, *arguments)), SETTING)


async def failure(code: str, *arguments: str) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await run_python(code, *arguments)
    return caught.value


async def test_the_output_is_stripped() -> None:
    assert await run_python("print('\\n token \\n')") == "token"


async def test_arguments_reach_the_command_without_a_shell() -> None:
    assert await run_python("import sys; print(sys.argv[1])", "$HOME 'a' *") == "$HOME 'a' *"


async def test_the_input_is_empty() -> None:
    assert await run_python("import sys; print(len(sys.stdin.read()))") == "0"


async def test_errors_quote_neither_messages_nor_arguments() -> None:
    error = await failure("import sys; print(sys.argv); sys.exit(sys.argv[1])", "s3cret")
    assert error.status == "UNAUTHENTICATED"
    assert error.message == (
        "the command in `admin.command` failed (exit status 1): run it in a terminal to see why"
    )


async def test_messages_do_not_reach_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    await run_python("import sys; sys.stderr.write('s3cret'); print('token')")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("word", ["/no/such/s3cret", "s3cret\0"])
async def test_a_command_that_cannot_be_started_is_reported(word: str) -> None:
    with pytest.raises(RpcError) as caught:
        await run_command(Secret((word, "s3cret")), SETTING)
    assert caught.value.status == "UNAUTHENTICATED"
    assert caught.value.message.startswith("the command in `admin.command` cannot be started: ")
    assert "s3cret" not in caught.value.message


async def test_a_signal_is_reported() -> None:
    error = await failure("import os; os.kill(os.getpid(), 9)")
    assert "failed (signal 9)" in error.message


async def test_output_that_is_no_text_is_reported() -> None:
    error = await failure("import sys; sys.stdout.buffer.write(b'\\xff')")
    assert error.message == "the command in `admin.command` printed bytes that are no text"


async def test_endless_output_ends_the_command() -> None:
    error = await failure("while True: print('x' * 1000)")
    assert f"printed more than {MAX_OUTPUT_BYTES} bytes" in error.message


PARENT = """
import subprocess, sys, time
from pathlib import Path
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
file = Path(sys.argv[1])
file.with_suffix(".new").write_text(str(child.pid))
file.with_suffix(".new").rename(file)
time.sleep(1000)
"""


def child_of(file: Path) -> psutil.Process:
    """Return the child of the command, once it is started."""
    wait_for_file(file)
    return psutil.Process(int(file.read_text()))


def ends(process: psutil.Process) -> bool:
    """Return whether the process has ended, or does so soon."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False


DAEMON = """
import subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True
)
print(child.pid, flush=True)
"""


async def test_a_process_that_a_command_leaves_behind_does_not_hold_up_its_output(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commands, "OUTPUT_DELAY", 0.1)
    psutil.Process(int(await run_python(DAEMON))).kill()


async def test_a_process_that_cannot_be_killed_does_not_hold_up_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pid"
    stay = f"{DAEMON}\nopen({str(file)!r}, 'w').write(str(child.pid))\nwhile True: print('x' * 999)"
    await failure(stay)
    psutil.Process(int(await asyncio.to_thread(file.read_text))).kill()


@pytest.mark.skipif(os.name == "nt", reason="there are no process groups")
async def test_an_abandoned_command_is_killed_with_its_children(tmp_path: Path) -> None:
    running = asyncio.ensure_future(run_python(PARENT, str(tmp_path / "pid")))
    child = await asyncio.to_thread(child_of, tmp_path / "pid")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await asyncio.to_thread(ends, child)


@pytest.mark.skipif(os.name == "nt", reason="there are no process groups")
async def test_a_command_that_is_abandoned_while_it_starts_is_killed_with_its_children(
    tmp_path: Path,
) -> None:
    running = asyncio.ensure_future(run_python(PARENT, str(tmp_path / "pid")))
    while not psutil.Process().children():  # noqa: ASYNC110  nothing signals the start
        await asyncio.sleep(0)
    child = child_of(tmp_path / "pid")  # meanwhile the event loop does not notice the start
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await asyncio.to_thread(ends, child)


async def test_a_command_that_takes_too_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "COMMAND_TIMEOUT", 0.1)
    error = await failure("import time; time.sleep(1000)")
    assert error.status == "UNAVAILABLE"
    assert error.message == "the command in `admin.command` did not finish within 0.1 s"
