"""The examples of docs/clients/python.md on events, one after the other."""

import asyncio

# region init
import flyte_sidecar
from flyte_sidecar import Event

flyte_sidecar.init(store="events.db")  # default: the embedded store of the user
# endregion

# region create
deploy = Event.create("deploy", "training-7", prompt="Deploy the model?")
rate = Event.create("rate", "training-7", expected_type=float, expires_in=3600)
# endregion
Event.create("publish", "training-7")

# region list
for event in Event.listall(run_name="training-7"):
    expected = event.expected_type
    print(event.name, event.phase, expected and expected.__name__)
# endregion

# region answer
event = Event.get("deploy", run_name="training-7")
if event is not None:
    event.signal(True)
    print(event.phase, event.wait())
# endregion

# region wait
from flyte_sidecar.errors import AlreadyCompleted, DeadlineExceeded

try:
    print("the rate is", rate.wait(timeout=0.1))
except DeadlineExceeded:
    print("nobody has answered in time")
except AlreadyCompleted as error:
    print("there will be no answer:", error)
# endregion

# region errors
from flyte_sidecar.errors import AlreadySignalled, BackendFailure, EventError

try:
    deploy.signal(False)
except AlreadySignalled as error:
    print("already answered with", error.data["event"].payload)
except EventError as error:
    print("the event does not allow this:", error.kind)
except BackendFailure as error:
    print("try again later" if error.retryable else f"the backend failed: {error}")
# endregion


# region aio
async def answer_all(run_name: str) -> None:
    async for event in Event.listall.aio(run_name=run_name):
        if event.phase == "PAUSED" and event.expected_type is bool:
            await event.signal.aio(True)
            print("approved", event.name)


# endregion
asyncio.run(answer_all("training-7"))
