"""The calls that the Flyte backend makes, by hand: Flyte's stubs and nothing else.

As a program (`python -m benchmarks.bare ENDPOINT PROJECT DOMAIN RUN EVENT`) it gets one event
by its name, as a script would.
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
"""The most that ListActions gives at once."""

SCANNED = 100
"""What Flyte's SDK asks for at once."""

CONCURRENT = 32
"""Details that are asked for at once."""

_CREATED = {"key": "created_at", "direction": "ASCENDING"}


class Bare:
    """A channel, and what is asked over it; every method makes the fewest calls that do.

    `by_type` says whether the deployment can list conditions alone.
    """

    def __init__(self, endpoint: str, project: str, domain: str, by_type: bool) -> None:
        self._channel = aio.insecure_channel(endpoint, [("grpc.max_receive_message_length", -1)])
        self._stub: Any = RunServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._scope = {"project": project, "domain": domain}
        self._conditions = [{"field": "action_type", "values": ["3"]}] if by_type else []

    async def get(self, run: str, name: str) -> Any:
        """Give the details of the first event of that name."""
        named = {"field": "function_name", "values": [name]}
        asked = {"limit": PAGE, "sort_by": _CREATED, "filters": [named]}
        page = await self._list(run, asked)
        action = {"run": {**self._scope, "name": run}, "name": page.actions[0].id.name}
        answer = await self._stub.GetActionDetails(pb.GetActionDetailsRequest(action_id=action))
        return answer.details

    async def gets(self, run: str, names: Sequence[str]) -> None:
        for name in names:
            assert (await self.get(run, name)).metadata.condition.name == name

    async def scan(self, run: str) -> None:
        """Look through all pages for a name that none of them tells."""
        token, calls = "", 0
        while token or not calls:
            page = await self._list(run, {"limit": SCANNED, "token": token})
            assert not any(action.metadata.condition.name for action in page.actions)
            token, calls = page.token, calls + 1

    async def ids(self, run: str) -> list[str]:
        """List a run of conditions and its root, in order of creation; gives the conditions."""
        asked = {"limit": PAGE, "sort_by": _CREATED, "filters": self._conditions}
        found: list[str] = []
        token, first = "", True
        while token or first:
            page = await self._list(run, {**asked, "token": token})
            found += [action.id.name for action in page.actions]
            token, first = page.token, False
        return [one for one in found if one != "a0"]

    async def snapshot(self, run: str, ids: Collection[str]) -> dict[str, Any]:
        """Watch the run until all these actions have come."""
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
        """Give all events with names: pages, then a snapshot."""
        ids = await self.ids(run)
        found = await self.snapshot(run, ids)
        assert len([found[one].metadata.condition.name for one in ids]) == count

    async def details(self, run: str, ids: Sequence[str]) -> None:
        """Ask for the details of each, `CONCURRENT` at once."""
        left = iter(ids)

        async def work() -> None:
            for one in left:
                action = {"run": {**self._scope, "name": run}, "name": one}
                request = pb.GetActionDetailsRequest(action_id=action)
                assert (await self._stub.GetActionDetails(request)).details.id.name == one

        await asyncio.gather(*(work() for _ in range(CONCURRENT)))

    async def signal(self, run: str, action: str) -> None:
        """Answer a condition that takes a bool."""
        its = {"run": {**self._scope, "name": run}, "name": action}
        request = pb.SignalEventRequest(
            action_id=its, parent_action_name="a0", payload={"bool_value": True}
        )
        await self._stub.SignalEvent(request)

    async def ended(self, run: str, count: int) -> AsyncGenerator[str, None]:
        """Watch the run; gives the actions that succeed after `count` of them have been told."""
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
    bare = Bare(endpoint, project, domain, by_type=False)
    await bare.gets(run, [name])
    await bare.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
