"""A program that waits for an event and withdraws it when it is interrupted.

Its argument is the path of the store.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from flyte_sidecar.client import Client

TARGET = {"runName": "r1", "name": "deploy"}


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


async def main(store: str) -> None:
    with suppress(asyncio.CancelledError):
        async with Client.spawn("--store", store) as client:
            await client.request("events.create", **TARGET)
            say(f"waiting on {client.process.pid}")
            try:
                await client.request("events.wait", **TARGET)
            finally:
                event = await client.request("events.abort", **TARGET, reason="interrupted")
                say(f"aborted: {event['abortReason']}")
    say(f"the sidecar ended with {client.process.returncode}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
