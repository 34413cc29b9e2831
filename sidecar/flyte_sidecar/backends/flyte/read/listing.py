"""The actions of a run, listed whole and in order, by whatever the deployment takes.

Releases differ in the filters that they know. What one refuses is found out by its answer and
remembered for the connection.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from time import monotonic

from cachetools import TTLCache
from flyteidl2.common import list_pb2, phase_pb2
from flyteidl2.workflow import run_definition_pb2
from flyteidl2.workflow.run_service_pb2 import ListActionsResponse

from flyte_sidecar.backends.flyte.read.release_proof import Proof
from flyte_sidecar.backends.flyte.rpc import limits
from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction, listed_action
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.backends.flyte.rpc.run_service import RunService
from flyte_sidecar.events.model import PAUSED, Run

ACTION_TYPE = "action_type"
FUNCTION_NAME = "function_name"
PHASE = "phase"

REFUSED = 600.0
"""Seconds after which a filter that was refused is tried again: a backend may be upgraded."""

PASSES = 10
"""How often a run is listed before it counts as changing too fast."""


class Lister:
    """Lists the actions of runs.

    Attributes
    ----------
    phases_follow
        Whether an answered condition's phase changes: the releases before 2.0.43, where it
        never does, are those that refuse the filter by `action_type`. None until that is known.
    proof
        Which events are pending as listed, where phases follow.
    """

    def __init__(self, service: RunService) -> None:
        self.phases_follow: bool | None = None
        self.proof = Proof()
        self._service = service
        self._refused: TTLCache[str, bool] = TTLCache(len(_FILTERS), REFUSED, monotonic)

    async def learn(self, run: Run) -> None:
        """Find out what `phases_follow` says, if that is not known or no longer certain."""
        if not self.phases_follow and ACTION_TYPE not in self._refused:
            await self._page(run, {ACTION_TYPE: _CONDITION}, "")

    async def has_org(self, run: Run) -> bool:
        """Tell whether the deployment knows the run under that org: some know no orgs."""
        page, _ = await self._page(run, {}, "")
        return any(action.id.run.org == run.org for action in page.actions)

    async def named(self, run: Run, name: str) -> AsyncIterator[list[ListedAction]]:
        """Give those actions that may be events of the name, in order of creation, some at a time.

        They may be tasks as well, and where the deployment knows no names, events of others.
        """
        wanted = self._wanted(name)
        held: list[ListedAction] = []
        limit, token = limits.ListingLimit(f"run {run.name!r}"), ""
        while True:
            page, taken = await self._page(run, wanted, token)
            held += self._rows(run, page.actions, taken)
            token = page.token
            if not token:
                break
            limit.add(page, token)
            if not held:
                continue
            # Within a second order is by id, and the next page may have more of the last one.
            last = held[-1].created_at
            yield sorted((one for one in held if one.created_at != last), key=_place)
            held = [one for one in held if one.created_at == last]
        yield sorted(held, key=_place)

    async def every(self, run: Run, name: str | None = None) -> list[ListedAction]:
        """Give all actions that may be events (of the name, if there is one), in order of creation.

        A page is by offset, and rows move while they are read: an instant of creation is cut to
        its second some time after it was first told. A row that moves up pushes another one
        past the offset. Then some row was seen twice, and the run is listed again.

        Raises
        ------
        RpcError
            If that happens too often.
        """
        wanted = self._wanted(name)
        for _ in range(PASSES):
            found: dict[str, ListedAction] = {}
            limit, token = limits.ListingLimit(f"run {run.name!r}"), ""
            count = 0
            while True:
                page, taken = await self._page(run, wanted, token)
                rows = self._rows(run, page.actions, taken)
                count += len(rows)
                found |= {one.action_name: one for one in rows}
                token = page.token
                if not token:
                    break
                limit.add(page, token)
            if len(found) == count:
                return sorted(found.values(), key=_place)
        raise RpcError("ABORTED", f"the actions of {run.name} change too fast to be listed")

    async def paused(self, run: Run) -> list[ListedAction]:
        """Give the run's actions that are paused, which only events are, in order of creation.

        On several pages they would be listed while they leave the list: then all are listed.
        """
        page, taken = await self._page(run, {PHASE: _PAUSED}, "")
        if PHASE in taken and not page.token:
            rows = sorted(self._rows(run, page.actions, taken), key=_place)
        else:
            rows = await self.every(run)
        return [one for one in rows if one.phase == PAUSED]

    def _wanted(self, name: str | None) -> dict[str, str]:
        if name is None or FUNCTION_NAME in self._refused:
            return {ACTION_TYPE: _CONDITION}
        # A filter by type would cost a call more where it is refused, and is seldom missed:
        # it leaves out the tasks of the same name.
        type_too = {ACTION_TYPE: _CONDITION} if self.phases_follow else {}
        return {FUNCTION_NAME: name, **type_too}

    async def _page(
        self, run: Run, wanted: dict[str, str], token: str
    ) -> tuple[ListActionsResponse, dict[str, str]]:
        """Give a page, and those of the wanted filters that were taken."""
        refused: set[str] = set()
        while True:
            taken = {
                field: value
                for field, value in wanted.items()
                if field not in self._refused and field not in refused
            }
            filters = [list_pb2.Filter(field=field, values=[taken[field]]) for field in taken]
            try:
                page = await self._service.actions(run, filters, token)
            except RpcError as failure:
                if failure.status != "INVALID_ARGUMENT" or not taken:
                    raise
                # One is named as a rule; else they are left out one after another.
                refused.add(next((f for f in taken if f in failure.message), [*taken][-1]))
                continue
            self._refused.update(dict.fromkeys(refused, True))
            if ACTION_TYPE in wanted:
                self.phases_follow = ACTION_TYPE in taken
                if not self.phases_follow:
                    self.proof.clear()
            return page, taken

    def _rows(
        self, run: Run, actions: Sequence[run_definition_pb2.Action], taken: dict[str, str]
    ) -> list[ListedAction]:
        rows = [listed_action(action, run) for action in actions]
        for one in rows:
            if ACTION_TYPE in taken:
                one.is_event = True
            if FUNCTION_NAME in taken:
                one.name = taken[FUNCTION_NAME]
        if self.phases_follow:
            self.proof.note(rows)
        return rows


_FILTERS = (ACTION_TYPE, FUNCTION_NAME, PHASE)
_CONDITION = str(int(run_definition_pb2.ACTION_TYPE_CONDITION))
_PAUSED = str(int(phase_pb2.ACTION_PHASE_PAUSED))


def _place(one: ListedAction) -> tuple[float, str]:
    return one.sort_key
