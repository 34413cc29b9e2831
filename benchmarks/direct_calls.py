"""The calls of the Flyte backend, made directly with Flyte's stubs.

`python -m benchmarks.direct_calls ENDPOINT PROJECT DOMAIN RUN EVENT` gets one event by name, as a
script would.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Collection, Sequence
from typing import Any

from flyteidl2.common.phase_pb2 import ACTION_PHASE_SUCCEEDED as SUCCEEDED
from flyteidl2.workflow import run_service_pb2 as pb
from flyteidl2.workflow.run_service_pb2_grpc import RunServiceStub
from grpc import aio

PAGE = 200
"""Maximum page size of ListActions."""

SCANNED = 100
"""Page size of Flyte's SDK."""

CONCURRENT = 32
"""Number of concurrent calls of GetActionDetails."""

_CREATED = {"key": "created_at", "direction": "ASCENDING"}


class DirectCalls:
    """A client whose methods make as few calls as possible.

    `by_type` states whether the deployment can list only conditions.
    """

    def __init__(self, endpoint: str, project: str, domain: str, by_type: bool) -> None:
        self._channel = aio.insecure_channel(endpoint, [("grpc.max_receive_message_length", -1)])
        self._stub: Any = RunServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._scope = {"project": project, "domain": domain}
        self._conditions = [{"field": "action_type", "values": ["3"]}] if by_type else []

    async def get(self, run: str, name: str) -> Any:
        """Return the details of the first event with this name."""
        named = {"field": "function_name", "values": [name]}
        query = {"limit": PAGE, "sort_by": _CREATED, "filters": [named]}
        page = await self._list(run, query)
        action = {"run": {**self._scope, "name": run}, "name": page.actions[0].id.name}
        answer = await self._stub.GetActionDetails(pb.GetActionDetailsRequest(action_id=action))
        return answer.details

    async def gets(self, run: str, names: Sequence[str]) -> None:
        for name in names:
            assert (await self.get(run, name)).metadata.condition.name == name

    async def scan(self, run: str) -> None:
        """Read all pages in search of a name; none of them contains names."""
        token, calls = "", 0
        while token or not calls:
            page = await self._list(run, {"limit": SCANNED, "token": token})
            assert not any(action.metadata.condition.name for action in page.actions)
            token, calls = page.token, calls + 1

    async def ids(self, run: str) -> list[str]:
        """Return the ids of the run's conditions in order of creation."""
        query = {"limit": PAGE, "sort_by": _CREATED, "filters": self._conditions}
        found: list[str] = []
        token, first = "", True
        while token or first:
            page = await self._list(run, {**query, "token": token})
            found += [action.id.name for action in page.actions]
            token, first = page.token, False
        return [one for one in found if one != "a0"]

    async def snapshot(self, run: str, ids: Collection[str]) -> dict[str, Any]:
        """Watch the run until all these actions have been received."""
        missing = set(ids)
        found: dict[str, Any] = {}
        request = pb.WatchActionsRequest(run_id={**self._scope, "name": run})
        call = self._stub.WatchActions(request)
        while missing:
            for one in (await call.read()).enriched_actions:
                found[one.action.id.name] = one.action
                missing.discard(one.action.id.name)
        call.cancel()
        return found

    async def listing(self, run: str, count: int) -> None:
        """Get all events with their names: pages, then a snapshot."""
        ids = await self.ids(run)
        found = await self.snapshot(run, ids)
        assert len([found[one].metadata.condition.name for one in ids]) == count

    async def details(self, run: str, ids: Sequence[str]) -> None:
        """Get the details of each, `CONCURRENT` at a time."""
        left = iter(ids)

        async def work() -> None:
            for one in left:
                action = {"run": {**self._scope, "name": run}, "name": one}
                request = pb.GetActionDetailsRequest(action_id=action)
                assert (await self._stub.GetActionDetails(request)).details.id.name == one

        await asyncio.gather(*(work() for _ in range(CONCURRENT)))

    async def signal(self, run: str, action: str) -> None:
        """Signal a condition of the type bool."""
        action_id = {"run": {**self._scope, "name": run}, "name": action}
        request = pb.SignalEventRequest(
            action_id=action_id, parent_action_name="a0", payload={"bool_value": True}
        )
        await self._stub.SignalEvent(request)

    async def ended(self, run: str, count: int) -> AsyncGenerator[str, None]:
        """Watch the run, and yield the actions that succeed after the first `count` rows."""
        call = self._stub.WatchActions(pb.WatchActionsRequest(run_id={**self._scope, "name": run}))
        seen: set[str] = set()
        try:
            while (message := await call.read()) is not aio.EOF:
                for one in message.enriched_actions:
                    action = one.action
                    if action.status.phase == SUCCEEDED and len(seen) > count:
                        yield action.id.name
                    seen.add(action.id.name)
        finally:
            call.cancel()

    async def close(self) -> None:
        await self._channel.close()

    async def _list(self, run: str, request: dict[str, Any]) -> Any:
        where = {**self._scope, "name": run}
        return await self._stub.ListActions(pb.ListActionsRequest(run_id=where, request=request))


async def main(endpoint: str, project: str, domain: str, run: str, name: str) -> None:
    bare = DirectCalls(endpoint, project, domain, by_type=False)
    await bare.gets(run, [name])
    await bare.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
