"""The actions of a run, listed completely and in order, with the filters that are supported.

Releases support different filters. Unsupported ones are detected by their responses and
remembered for the connection.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from time import monotonic

from cachetools import TTLCache
from flyteidl2.common import list_pb2, phase_pb2
from flyteidl2.workflow import run_definition_pb2
from flyteidl2.workflow.run_service_pb2 import ListActionsResponse

from flyte_sidecar.backends.flyte.read.pending_evidence import PendingEvidence
from flyte_sidecar.backends.flyte.rpc import limits
from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction, listed_action
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.backends.flyte.rpc.run_service import RunService
from flyte_sidecar.events.model import PAUSED, Run

ACTION_TYPE = "action_type"
FUNCTION_NAME = "function_name"
PHASE = "phase"

FILTER_RETRY_INTERVAL = 600.0
"""Seconds after which an unsupported filter is tried again: a backend may be upgraded."""

MAX_LISTING_ATTEMPTS = 10
"""Attempts at a listing that changes while it is read."""


class ActionLister:
    """Lists the actions of runs.

    Attributes
    ----------
    updates_phases
        Whether the backend changes the phase of an event that was answered or has timed out.
        Releases before 2.0.43 do not; they are those that reject the filter by `action_type`.
        None until that is known.
    evidence
        Which events are pending as listed, where every end is recorded.
    """

    def __init__(self, service: RunService) -> None:
        self.updates_phases: bool | None = None
        self.evidence = PendingEvidence()
        self._service = service
        self._unsupported: TTLCache[str, bool] = TTLCache(
            len(_FILTERS), FILTER_RETRY_INTERVAL, monotonic
        )

    async def detect_phase_updates(self, run: Run) -> None:
        """Find out `updates_phases`, if it is not known or no longer certain."""
        if not self.updates_phases and ACTION_TYPE not in self._unsupported:
            await self._page(run, {ACTION_TYPE: _CONDITION}, "")

    async def has_org(self, run: Run) -> bool:
        """Return whether the deployment has the run in that org: some ignore orgs."""
        page, _ = await self._page(run, {}, "")
        return any(action.id.run.org == run.org for action in page.actions)

    async def list_named(self, run: Run, name: str) -> AsyncIterator[list[ListedAction]]:
        """Yield the actions that may be events of the name, in order of creation, in chunks.

        They may be tasks, and events of other names where that filter is unsupported.
        """
        wanted = self._wanted(name)
        held: list[ListedAction] = []
        limit, token = limits.ListingLimit(f"run {run.name!r}"), ""
        while True:
            page, applied = await self._page(run, wanted, token)
            held += self._rows(run, page.actions, applied)
            token = page.token
            if not token:
                break
            limit.add(page, token)
            if not held:
                continue
            # Within a second order is by id, and the next page may have more of the last one.
            last = held[-1].created_at
            yield sorted((one for one in held if one.created_at != last), key=_sort_key)
            held = [one for one in held if one.created_at == last]
        yield sorted(held, key=_sort_key)

    async def list_all(self, run: Run, name: str | None = None) -> list[ListedAction]:
        """Return all actions that may be events (of a name, if given), in order of creation.

        A page is by offset, and rows move while they are read: an instant of creation is cut to
        its second some time after it was first reported. A row that moves up pushes another one
        past the offset. Then some row was seen twice, and the run is listed again.

        Raises
        ------
        RpcError
            If that happens too often.
        """
        wanted = self._wanted(name)
        for _ in range(MAX_LISTING_ATTEMPTS):
            found: dict[str, ListedAction] = {}
            limit, token = limits.ListingLimit(f"run {run.name!r}"), ""
            count = 0
            while True:
                page, applied = await self._page(run, wanted, token)
                rows = self._rows(run, page.actions, applied)
                count += len(rows)
                found |= {one.action_name: one for one in rows}
                token = page.token
                if not token:
                    break
                limit.add(page, token)
            if len(found) == count:
                return sorted(found.values(), key=_sort_key)
        raise RpcError("ABORTED", f"the actions of {run.name} change too fast to be listed")

    async def list_paused(self, run: Run) -> list[ListedAction]:
        """Return the run's paused actions, which are all events, in order of creation.

        On several pages they would be listed while they leave the list: then all are listed.
        """
        page, applied = await self._page(run, {PHASE: _PAUSED}, "")
        if PHASE in applied and not page.token:
            rows = sorted(self._rows(run, page.actions, applied), key=_sort_key)
        else:
            rows = await self.list_all(run)
        return [one for one in rows if one.phase == PAUSED]

    def _wanted(self, name: str | None) -> dict[str, str]:
        if name is None or FUNCTION_NAME in self._unsupported:
            return {ACTION_TYPE: _CONDITION}
        # A filter by type would cost a call more where it is unsupported, and is seldom missed:
        # it leaves out the tasks of the same name.
        type_too = {ACTION_TYPE: _CONDITION} if self.updates_phases else {}
        return {FUNCTION_NAME: name, **type_too}

    async def _page(
        self, run: Run, wanted: dict[str, str], token: str
    ) -> tuple[ListActionsResponse, dict[str, str]]:
        """Return a page, and those of the wanted filters that were applied."""
        unsupported: set[str] = set()
        while True:
            applied = {
                field: value
                for field, value in wanted.items()
                if field not in self._unsupported and field not in unsupported
            }
            filters = [list_pb2.Filter(field=field, values=[applied[field]]) for field in applied]
            try:
                page = await self._service.actions(run, filters, token)
            except RpcError as failure:
                if failure.status != "INVALID_ARGUMENT" or not applied:
                    raise
                # One is named as a rule; else they are left out one after another.
                unsupported.add(next((f for f in applied if f in failure.message), [*applied][-1]))
                continue
            self._unsupported.update(dict.fromkeys(unsupported, True))
            if ACTION_TYPE in wanted:
                self.updates_phases = ACTION_TYPE in applied
                if not self.updates_phases:
                    self.evidence.clear()
            return page, applied

    def _rows(
        self, run: Run, actions: Sequence[run_definition_pb2.Action], applied: dict[str, str]
    ) -> list[ListedAction]:
        rows = [listed_action(action, run) for action in actions]
        for one in rows:
            if ACTION_TYPE in applied:
                one.is_event = True
            if FUNCTION_NAME in applied:
                one.name = applied[FUNCTION_NAME]
        if self.updates_phases:
            self.evidence.record_rows(rows)
        return rows


_FILTERS = (ACTION_TYPE, FUNCTION_NAME, PHASE)
_CONDITION = str(int(run_definition_pb2.ACTION_TYPE_CONDITION))
_PAUSED = str(int(phase_pb2.ACTION_PHASE_PAUSED))


def _sort_key(one: ListedAction) -> tuple[float, str]:
    return one.sort_key
