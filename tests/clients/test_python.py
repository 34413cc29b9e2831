"""The client that the package itself has, on recorded exchanges."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sidecar.client import Client, RequestError
from tests.clients import player
from tests.schema.test_transcripts import FOLDER, lines
from tests.transcripts.scenes import SCENES

PATIENCE = 60.0


@pytest.mark.parametrize("name", SCENES)
def test_the_client_gives_its_callers_what_a_transcript_says(name: str) -> None:
    asyncio.run(asyncio.wait_for(replay(FOLDER / f"{name}.jsonl", lines(name)[1:]), PATIENCE))


async def replay(transcript: Path, exchanged: Sequence[dict[str, Any]]) -> None:
    command = (sys.executable, player.__file__, str(transcript))
    asked: dict[Any, asyncio.Future[Any]] = {}
    cancelled = set()
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    async with Client.spawn(command=command) as client:
        client.on_notification = lambda method, params: told.put_nowait(
            {"jsonrpc": "2.0", "method": method, "params": params}
        )
        for line in exchanged:
            [(who, message)] = line.items()
            method, params = message.get("method"), message.get("params", {})
            if who == "sidecar":
                if method is not None:
                    assert await told.get() == message
                elif message["id"] not in cancelled:
                    expected = {key: message[key] for key in ("result", "error") if key in message}
                    assert await ended(asked[message["id"]]) == expected
            elif method == "$/cancelRequest":
                asked[params["id"]].cancel()
                cancelled.add(params["id"])
            elif "id" in message:
                asked[message["id"]] = asyncio.ensure_future(client.request(method, **params))
                await asyncio.sleep(0)  # it is sent with its first step
            else:
                client.notify(method, **params)
    assert client.process.returncode == 0
    for identity in cancelled:
        assert asked[identity].cancelled()


async def ended(asked: asyncio.Future[Any]) -> dict[str, Any]:
    """Give what a request ended with, as its reply has it."""
    try:
        return {"result": await asked}
    except RequestError as error:
        return {"error": {"code": error.code, "message": error.message, "data": error.data}}
