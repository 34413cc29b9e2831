"""The asyncio client of the package."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar import client as client_module
from flyte_sidecar.client import Client, SidecarDisconnected
from flyte_sidecar.conformance.transcripts import TRANSCRIPTS
from flyte_sidecar.errors import RequestCancelled, SidecarError
from tests.clients import fake_sidecar, interrupted_client
from tests.conftest import TEST_TIMEOUT
from tests.schema.test_transcripts import lines
from tests.transcript_recorder.conversations import CONVERSATIONS


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_client_replays_a_transcript(name: str) -> None:
    asyncio.run(
        asyncio.wait_for(replay(TRANSCRIPTS / f"{name}.jsonl", lines(name)[1:]), TEST_TIMEOUT)
    )


async def replay(transcript: Path, messages: Sequence[dict[str, Any]]) -> None:
    command = (sys.executable, fake_sidecar.__file__, str(transcript))
    requests: dict[Any, asyncio.Future[Any]] = {}
    cancelled = set()
    notifications: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    async with Client.spawn(command=command) as client:
        client.on_notification = lambda method, params: notifications.put_nowait(
            {"jsonrpc": "2.0", "method": method, "params": params}
        )
        for line in messages:
            [(sender, message)] = line.items()
            method, params = message.get("method"), message.get("params", {})
            if sender == "sidecar":
                if method is not None:
                    assert await notifications.get() == message
                elif message["id"] not in cancelled:
                    expected = {key: message[key] for key in ("result", "error") if key in message}
                    assert await outcome(requests[message["id"]]) == expected
            elif method == "$/cancelRequest":
                requests[params["id"]].cancel()
                cancelled.add(params["id"])
            elif "id" in message:
                requests[message["id"]] = asyncio.ensure_future(client.request(method, **params))
                await asyncio.sleep(0)  # its first step sends the request
            else:
                client.notify(method, **params)
    assert client.process.returncode == 0
    for request_id in cancelled:
        assert requests[request_id].cancelled()


async def outcome(request: asyncio.Future[Any]) -> dict[str, Any]:
    """Return the outcome of a request in the form of a response."""
    try:
        return {"result": await request}
    except SidecarError as error:
        data = {"kind": error.kind, "retryable": error.retryable, **error.data}
        return {"error": {"code": error.code, "message": error.message, "data": data}}


@pytest.mark.posix
def test_the_sidecar_ignores_ctrl_c_so_that_the_program_can_clean_up(store: Path) -> None:
    async def interrupt() -> tuple[str, int]:
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, interrupted_client.__file__, str(store)),
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert program.stdout is not None
        sidecar = int((await program.stdout.readline()).removeprefix(b"waiting, sidecar "))
        assert os.getpgid(sidecar) != os.getpgid(program.pid)
        os.killpg(program.pid, signal.SIGINT)  # to the process group, as a terminal does
        output, _ = await program.communicate()
        return output.decode(), program.returncode or 0

    output, status = asyncio.run(asyncio.wait_for(interrupt(), TEST_TIMEOUT))
    assert (output, status) == ("aborted: interrupted\nthe sidecar exited with 0\n", 0)


def test_closing_ends_a_long_wait(store: Path) -> None:
    async def close() -> None:
        async with Client.spawn("--store", str(store)) as client:
            await client.request("events.create", runName="r1", name="deploy")
            wait = asyncio.ensure_future(
                client.request("events.wait", runName="r1", name="deploy", timeoutSeconds=3600)
            )
            while (await client.request("sidecar.status"))["counters"]["waits"] == 0:
                pass
        assert client.process.returncode == 0
        with pytest.raises(RequestCancelled):
            await wait

    asyncio.run(asyncio.wait_for(close(), TEST_TIMEOUT))


@pytest.mark.posix
def test_a_sidecar_that_does_not_read_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "CLOSE_TIMEOUT", 0.01)

    async def close() -> None:
        async with Client.spawn(
            command=(sys.executable, "-c", "import time; time.sleep(1e6)")
        ) as client:
            stuck = asyncio.ensure_future(client.request("a.b", text="x" * (1 << 20)))
            await asyncio.sleep(0)  # its first step sends the request
        assert client.process.returncode == -signal.SIGKILL
        with pytest.raises(SidecarDisconnected):
            await stuck

    asyncio.run(asyncio.wait_for(close(), TEST_TIMEOUT))


def test_a_message_that_is_too_large_ends_the_connection() -> None:
    program = """
import sys
sys.stdout.write("Content-Length: 300000000\\r\\n\\r\\n")
for _ in range(300):
    sys.stdout.write(" " * 1_000_000)
sys.stdout.flush()
sys.stdin.read()
"""

    async def ask() -> None:
        async with Client.spawn(command=(sys.executable, "-c", program)) as client:
            await client.request("sidecar.status")

    with pytest.raises(SidecarDisconnected, match="268435456"):
        asyncio.run(asyncio.wait_for(ask(), TEST_TIMEOUT))
