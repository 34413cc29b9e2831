"""Listings of the actions of a run, in order of creation.

Releases support different filters. An unsupported one is detected at run time, by the error of the
call, and not used again for `FILTER_RETRY_INTERVAL`.
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
"""Seconds after which an unsupported filter is retried: the backend may have been upgraded."""

MAX_LISTING_ATTEMPTS = 10
"""Attempts at listing the actions of a run that change meanwhile."""


class ActionLister:
    """Lists the actions of runs.

    Attributes
    ----------
    updates_phases
        Whether the backend updates the phase of an event that is answered or times out. Releases
        before 2.0.43 do not; they are detected by rejecting the filter by `action_type`. None
        until that is detected.
    evidence
        Which events listed as PAUSED are pending, where phases are updated.
    """

    def __init__(self, service: RunService) -> None:
        self.updates_phases: bool | None = None
        self.evidence = PendingEvidence()
        self._service = service
        self._unsupported: TTLCache[str, bool] = TTLCache(
            len(_FILTERS), FILTER_RETRY_INTERVAL, monotonic
        )

    async def detect_phase_updates(self, run: Run) -> None:
        """Set `updates_phases` by a call, if it is None or may have changed by an upgrade."""
        if not self.updates_phases and ACTION_TYPE not in self._unsupported:
            await self._page(run, {ACTION_TYPE: _CONDITION}, "")

    async def has_org(self, run: Run) -> bool:
        """Return whether the deployment returns the run with its org; some ignore orgs."""
        page, _ = await self._page(run, {}, "")
        return any(action.id.run.org == run.org for action in page.actions)

    async def list_named(self, run: Run, name: str) -> AsyncIterator[list[ListedAction]]:
        """Yield the actions that may be events of the name, in order of creation, in chunks.

        Some may be tasks, or events of other names if that filter is unsupported.
        """
        requested = self._filters(name)
        rows: list[ListedAction] = []
        limit, token = limits.ListingLimit(f"run {run.name!r}"), ""
        while True:
            page, accepted = await self._page(run, requested, token)
            rows += self._rows(run, page.actions, accepted)
            token = page.token
            if not token:
                break
            limit.add(page, token)
            if not rows:
                continue
            # Rows of one second are sorted by id, and the next page may have more of the last one.
            last = rows[-1].created_at
            yield sorted((row for row in rows if row.created_at != last), key=_sort_key)
            rows = [row for row in rows if row.created_at == last]
        yield sorted(rows, key=_sort_key)

    async def list_all(self, run: Run, name: str | None = None) -> list[ListedAction]:
        """Return all actions that may be events (only those of `name`), in order of creation.

        The backend pages by offset, and a row may move between two pages, since the backend first
        reports an instant of creation with a fraction and later without. Some row is then
        missing and another one listed twice; the run is listed again.

        Raises
        ------
        RpcError
            If that happens at every attempt.
        """
        requested = self._filters(name)
        for _ in range(MAX_LISTING_ATTEMPTS):
            by_name: dict[str, ListedAction] = {}
            limit, token = limits.ListingLimit(f"run {run.name!r}"), ""
            count = 0
            while True:
                page, accepted = await self._page(run, requested, token)
                rows = self._rows(run, page.actions, accepted)
                count += len(rows)
                by_name |= {row.action_name: row for row in rows}
                token = page.token
                if not token:
                    break
                limit.add(page, token)
            if len(by_name) == count:
                return sorted(by_name.values(), key=_sort_key)
        reason = f"changed during each of {MAX_LISTING_ATTEMPTS} attempts to list them"
        raise RpcError("ABORTED", f"the actions of run {run.name!r} {reason}")

    async def list_paused(self, run: Run) -> list[ListedAction]:
        """Return the run's paused actions, which are all events, in order of creation.

        The filter by phase is used only if one page is enough: an action that is resumed between
        two pages would shift the offset of the others.
        """
        page, accepted = await self._page(run, {PHASE: _PAUSED}, "")
        if PHASE in accepted and not page.token:
            rows = sorted(self._rows(run, page.actions, accepted), key=_sort_key)
        else:
            rows = await self.list_all(run)
        return [row for row in rows if row.phase == PAUSED]

    def _filters(self, name: str | None) -> dict[str, str]:
        if name is None or FUNCTION_NAME in self._unsupported:
            return {ACTION_TYPE: _CONDITION}
        # The filter by type excludes tasks of the same name, which are rare. It is used only where
        # it is known to be supported, since its rejection would cost a call.
        by_type = {ACTION_TYPE: _CONDITION} if self.updates_phases else {}
        return {FUNCTION_NAME: name, **by_type}

    async def _page(
        self, run: Run, requested: dict[str, str], token: str
    ) -> tuple[ListActionsResponse, dict[str, str]]:
        """Return a page, and those of the requested filters that the backend accepted."""
        rejected: set[str] = set()
        while True:
            accepted = {
                field: value
                for field, value in requested.items()
                if field not in self._unsupported and field not in rejected
            }
            filters = [list_pb2.Filter(field=field, values=[accepted[field]]) for field in accepted]
            try:
                page = await self._service.actions(run, filters, token)
            except RpcError as failure:
                if failure.status != "INVALID_ARGUMENT" or not accepted:
                    raise
                # Usually the message contains the rejected field; otherwise omit the last one.
                rejected.add(next((f for f in accepted if f in failure.message), [*accepted][-1]))
                continue
            self._unsupported.update(dict.fromkeys(rejected, True))
            if ACTION_TYPE in requested:
                self.updates_phases = ACTION_TYPE in accepted
                if not self.updates_phases:
                    self.evidence.clear()
            return page, accepted

    def _rows(
        self, run: Run, actions: Sequence[run_definition_pb2.Action], accepted: dict[str, str]
    ) -> list[ListedAction]:
        rows = [listed_action(action, run) for action in actions]
        for row in rows:
            if ACTION_TYPE in accepted:
                row.is_event = True
            if FUNCTION_NAME in accepted:
                row.name = accepted[FUNCTION_NAME]
        if self.updates_phases:
            self.evidence.record_rows(rows)
        return rows


_FILTERS = (ACTION_TYPE, FUNCTION_NAME, PHASE)
_CONDITION = str(int(run_definition_pb2.ACTION_TYPE_CONDITION))
_PAUSED = str(int(phase_pb2.ACTION_PHASE_PAUSED))


def _sort_key(row: ListedAction) -> tuple[float, str]:
    return row.sort_key
