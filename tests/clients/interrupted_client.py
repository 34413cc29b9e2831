"""A program that waits for an event, and aborts the event when it is interrupted.

Usage: interrupted_client.py STORE
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from flyte_sidecar.client import Client

TARGET = {"runName": "r1", "name": "deploy"}


def print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(store: str) -> None:
    with suppress(asyncio.CancelledError):
        async with Client.spawn("--store", store) as client:
            await client.request("events.create", **TARGET)
            print_line(f"waiting, sidecar {client.process.pid}")
            try:
                await client.request("events.wait", **TARGET)
            finally:
                event = await client.request("events.abort", **TARGET, reason="interrupted")
                print_line(f"aborted: {event['abortReason']}")
    print_line(f"the sidecar exited with {client.process.returncode}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
