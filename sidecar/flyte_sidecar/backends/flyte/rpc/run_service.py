"""The calls of Flyte's RunService that events need, with their timeouts, retries and headers.

Interpreting responses is left to callers.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TypeVar

from flyteidl2.common import list_pb2
from flyteidl2.common.identifier_pb2 import ActionIdentifier, ProjectIdentifier, RunIdentifier
from flyteidl2.project.project_service_pb2 import GetProjectRequest, GetProjectResponse
from flyteidl2.workflow.run_definition_pb2 import ActionDetails, EnrichedAction
from flyteidl2.workflow.run_service_pb2 import (
    AbortActionRequest,
    AbortActionResponse,
    EventPayload,
    GetActionDetailsRequest,
    GetActionDetailsResponse,
    GetRunDetailsRequest,
    GetRunDetailsResponse,
    ListActionsRequest,
    ListActionsResponse,
    ListRunsRequest,
    ListRunsResponse,
    SignalEventRequest,
    SignalEventResponse,
    WatchActionsRequest,
    WatchActionsResponse,
)
from google.protobuf.message import Message

from flyte_sidecar.backends.flyte.rpc import limits
from flyte_sidecar.backends.flyte.rpc.error_translation import (
    is_database_failure,
    with_corrected_status,
)
from flyte_sidecar.backends.flyte.rpc.idl import set_paused_actions_only
from flyte_sidecar.backends.flyte.rpc.retry import ATTEMPTS, retry_read
from flyte_sidecar.backends.flyte.rpc.rpc_transport import (
    Protocol,
    RpcError,
    RpcMethod,
    RpcTransport,
)
from flyte_sidecar.backends.flyte.timing import Timing
from flyte_sidecar.events.model import Run, Scope

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

PAGE_SIZE = 200
"""Maximum size of a page: the backend rejects more."""

_LIST_ACTIONS = RpcMethod("ListActions", ListActionsRequest, ListActionsResponse)
_LIST_RUNS = RpcMethod("ListRuns", ListRunsRequest, ListRunsResponse)
_DETAILS = RpcMethod("GetActionDetails", GetActionDetailsRequest, GetActionDetailsResponse)
_SIGNAL = RpcMethod("SignalEvent", SignalEventRequest, SignalEventResponse, writes=True)
_ABORT = RpcMethod("AbortAction", AbortActionRequest, AbortActionResponse, writes=True)
_WATCH_ACTIONS = RpcMethod("WatchActions", WatchActionsRequest, WatchActionsResponse)
_RUN_DETAILS = RpcMethod("GetRunDetails", GetRunDetailsRequest, GetRunDetailsResponse)
_PROJECT = RpcMethod(
    "GetProject", GetProjectRequest, GetProjectResponse, "flyteidl2.project.ProjectService"
)


class RunService:
    """Flyte's RunService; every method raises only `RpcError`.

    Attributes
    ----------
    on_lost_database
        Called when a call fails because the backend cannot use its database.
    """

    def __init__(self, transport: RpcTransport, timing: Timing) -> None:
        self.on_lost_database: Callable[[], None] = lambda: None
        self._transport = transport
        self._timing = timing

    @property
    def protocol(self) -> Protocol:
        """How calls are sent now."""
        return self._transport.protocol

    async def actions(
        self, run: Run, filters: Sequence[list_pb2.Filter], token: str
    ) -> ListActionsResponse:
        """Return one page of a run's actions, in order of creation."""
        sort = list_pb2.Sort(key="created_at", direction=list_pb2.Sort.ASCENDING)
        page = list_pb2.ListRequest(limit=PAGE_SIZE, token=token, sort_by=sort, filters=filters)
        request = ListActionsRequest(request=page, run_id=run_identifier(run))
        return await self._call(_LIST_ACTIONS, request)

    async def details(self, run: Run, action: str) -> ActionDetails:
        """Return everything that the backend records of one action."""
        request = GetActionDetailsRequest(action_id=action_identifier(run, action))
        return (await self._call(_DETAILS, request)).details

    async def signal(self, run: Run, action: str, parent: str, payload: EventPayload) -> None:
        """Signal a condition; not retried here."""
        request = SignalEventRequest(
            action_id=action_identifier(run, action), parent_action_name=parent, payload=payload
        )
        await self._call(_SIGNAL, request, attempts=1)

    async def abort(self, run: Run, action: str, reason: str) -> None:
        """Abort an action; not retried here, since it aborts even an answered event."""
        request = AbortActionRequest(action_id=action_identifier(run, action), reason=reason)
        await self._call(_ABORT, request, attempts=1)

    async def watch_actions(self, run: Run) -> AsyncGenerator[Sequence[EnrichedAction], None]:
        """Yield chunks of a run's actions: first all, in no order, then those that change."""
        request = WatchActionsRequest(run_id=run_identifier(run))
        limit = limits.WatchLimit(f"the stream of run {run.name!r}")
        async with aclosing(self._stream(_WATCH_ACTIONS, request)) as messages:
            async for message in messages:
                limit.add(enriched.action.id.name for enriched in message.enriched_actions)
                yield message.enriched_actions

    async def runs(
        self,
        scope: Scope,
        paused_only: bool,
        created_until: datetime | None,
        token: str,
        order: str = "created_at",
    ) -> ListRunsResponse:
        """Return one page of runs, the latest by `order` first.

        Releases before 2.0.30 ignore `paused_only`.
        """
        sort = list_pb2.Sort(key=order, direction=list_pb2.Sort.DESCENDING)
        page = list_pb2.ListRequest(limit=PAGE_SIZE, token=token, sort_by=sort)
        if created_until is not None:
            until = list_pb2.Filter.LESS_THAN_OR_EQUAL
            instant = created_until.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            page.filters.add(field="created_at", function=until, values=[instant])
        request = ListRunsRequest(request=page, project_id=_project(scope))
        if paused_only:
            set_paused_actions_only(request)
        return await self._call(_LIST_RUNS, request)

    async def run_phase(self, run: Run) -> int | None:
        """Return the number of a run's phase; None if the call fails."""
        request = GetRunDetailsRequest(run_id=run_identifier(run))
        try:
            response = await self._call(_RUN_DETAILS, request, attempts=1)
        except RpcError:
            return None
        return response.details.action.status.phase

    async def check(self, scope: Scope) -> None:
        """Check the connection by a cheap call."""
        request = ListRunsRequest(request=list_pb2.ListRequest(limit=1), project_id=_project(scope))
        await self._call(_LIST_RUNS, request, self._timing.health_timeout, attempts=1)

    async def check_signals(self, run: Run) -> None:
        """Check that signals are supported and permitted, by one that every release rejects.

        It has no value, and the run does not have to exist.
        """
        request = SignalEventRequest(action_id=action_identifier(run, "a0"))
        try:
            await self._call(_SIGNAL, request, self._timing.health_timeout, attempts=1)
        except RpcError as failure:
            if failure.status not in ("INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"):
                raise

    async def domains(self, project: str, org: str | None) -> list[str] | None:
        """Return the domains of a project; None if there is no such project.

        Raises
        ------
        RpcError
            Also if the deployment does not support the call: hosted ones may not.
        """
        request = GetProjectRequest(id=project, org=org or "")
        try:
            response = await self._call(_PROJECT, request, self._timing.health_timeout, attempts=1)
        except RpcError as failure:
            if failure.status == "NOT_FOUND":
                return None
            raise
        return [domain.id for domain in response.project.domains]

    async def close(self) -> None:
        await self._transport.close()

    async def _call(
        self,
        rpc: RpcMethod[Q, R],
        request: Q,
        timeout: float | None = None,
        attempts: int = ATTEMPTS,
    ) -> R:
        timeout = timeout or self._timing.call_timeout
        metadata = _metadata()

        async def call() -> R:
            try:
                return await self._transport.call(rpc, request, timeout, metadata)
            except RpcError as reported:
                failure = with_corrected_status(reported)
                if is_database_failure(failure):
                    self.on_lost_database()
                raise failure from None

        return await retry_read(call, attempts, self._timing)

    def _stream(self, rpc: RpcMethod[Q, R], request: Q) -> AsyncGenerator[R, None]:
        return self._transport.stream(rpc, request, _metadata())


def _metadata() -> tuple[tuple[str, str], ...]:
    return (("x-request-id", str(uuid.uuid4())),)


def _project(scope: Scope) -> ProjectIdentifier:
    return ProjectIdentifier(
        organization=scope.org or "", name=scope.project or "", domain=scope.domain or ""
    )


def run_identifier(run: Run) -> RunIdentifier:
    """Return Flyte's identifier of a run."""
    return RunIdentifier(
        org=run.org or "", project=run.project or "", domain=run.domain or "", name=run.name
    )


def action_identifier(run: Run, action: str) -> ActionIdentifier:
    """Return Flyte's identifier of an action."""
    return ActionIdentifier(run=run_identifier(run), name=action)
