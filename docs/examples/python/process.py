"""The examples of docs/clients/python.md on sidecar processes, one after the other."""

import asyncio

RUN = "training-7"

# region request
from flyte_sidecar.client import Client
from flyte_sidecar.errors import AlreadySignalled


async def approve() -> None:
    async with Client.spawn("--store", "events.db") as client:
        target = {"runName": RUN, "name": "deploy"}
        await client.request("events.create", **target, prompt="Deploy the model?")
        answered = await client.request("events.signal", **target, payload=True)
        print(answered["phase"], answered["payload"])
        try:
            await client.request("events.signal", **target, payload=False)
        except AlreadySignalled as error:
            print("already answered with", error.data["event"]["payload"])


# endregion


# region watch
async def watch() -> None:
    async with Client.spawn("--store", "events.db") as client:
        changes: asyncio.Queue[tuple[str, dict]] = asyncio.Queue()
        client.on_notification = lambda method, params: changes.put_nowait((method, params))
        watching = asyncio.create_task(client.request("events.watch", watch="w", runName=RUN))
        while True:
            method, params = await changes.get()
            if method == "events.changed":
                print(params["change"], params["event"]["name"])
            elif method == "events.synced":
                break  # all current events were reported; without this line, changes follow
        watching.cancel()


# endregion

asyncio.run(approve())
asyncio.run(watch())
