"""The fake RunService over gRPC: requests to a `Model`, with faults."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import grpc
from flyteidl2.workflow import run_service_pb2 as pb
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tests.fake_runservice import idl, messages
from tests.fake_runservice.action_tree import ActionTree
from tests.fake_runservice.actions import StatusError
from tests.fake_runservice.faults import HOLD_TIMEOUT, Faults, unimplemented
from tests.fake_runservice.model import Model
from tests.fake_runservice.watch_queue import WatchQueue

Metadata = dict[str, str]
Context = Any
Unary = Callable[[Any, Metadata], Message]
WatchMethod = Callable[[Any, Context, WatchQueue], Awaitable[None]]

SUBJECT = "x-amzn-oidc-identity"
_SERVICE = pb.DESCRIPTOR.services_by_name["RunService"]


class Service:
    """Responds to calls, and counts them.

    Attributes
    ----------
    calls
        The number of calls of each method.
    requests
        The latest calls: method, request and metadata.
    open_streams
        The number of open streams of each method.
    connections
        The number of open streams of each HTTP/2 connection.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.faults = Faults()
        self.page_size = 1000
        self.calls: Counter[str] = Counter()
        self.requests: deque[tuple[str, Any, Metadata]] = deque(maxlen=10_000)
        self.open_streams: Counter[str] = Counter()
        self.connections: Counter[str] = Counter()
        self._random = Random(1)
        self._unary: dict[str, Unary] = {
            "ListActions": self._list_actions,
            "GetActionDetails": self._get_action_details,
            "SignalEvent": self._signal_event,
            "AbortAction": self._abort_action,
            "ListRuns": self._list_runs,
            "GetRunDetails": self._get_run_details,
        }
        self._watches: dict[str, WatchMethod] = {
            "WatchActions": self._watch_actions,
            "WatchActionDetails": self._watch_action_details,
        }

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return handlers of all methods of the service, also of unimplemented ones."""
        handlers = {method.name: self._handler(method) for method in _SERVICE.methods}
        return grpc.method_handlers_generic_handler(_SERVICE.full_name, handlers)

    def _handler(self, method: Any) -> grpc.RpcMethodHandler[Any, Any]:
        read = GetMessageClass(method.input_type).FromString
        write = GetMessageClass(method.output_type).SerializeToString
        if not method.server_streaming:
            return grpc.unary_unary_rpc_method_handler(self._call(method.name), read, write)
        if not method.client_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(method.name), read, write)
        return grpc.stream_stream_rpc_method_handler(self._stream(method.name), read, write)

    def _call(self, method: str) -> Callable[[Any, Context], Awaitable[Message]]:
        async def call(request: Any, context: Context) -> Message:
            try:
                metadata = await self._begin(method, request, context)
                response = self._unary[method](request, metadata)
                if method == "ListActions" and self.faults.shift is not None:
                    self.faults.shift()
                if method in self.faults.delay_after:
                    await asyncio.sleep(self.faults.delay_after[method])
                if self.faults.count_down(self.faults.unavailable_after, method):
                    raise StatusError("UNAVAILABLE", "the reply was lost")
            except StatusError as error:
                await _abort(context, error)
            return response

        return call

    def _stream(self, method: str) -> Callable[[Any, Context], Awaitable[None]]:
        async def watch(request: Any, context: Context) -> None:
            stream = WatchQueue()
            self.connections[context.peer()] += 1
            try:
                await self._begin(method, request, context)
                if self.faults.count_down(self.faults.unavailable_after, method):
                    stream.end(StatusError("UNAVAILABLE", "the watch was lost"))
                self.faults.streams.add(stream)
                await self._watches[method](request, context, stream)
            except StatusError as error:
                await _abort(context, error)
            finally:
                self.faults.streams.discard(stream)
                self.connections[context.peer()] -= 1

        return watch

    async def _begin(self, method: str, request: Any, context: Context) -> Metadata:
        """Count a call, and raise the errors that precede its execution."""
        metadata = dict(context.invocation_metadata())
        self.calls[method] += 1
        self.requests.append((method, request, metadata))
        if method not in self._unary and method not in self._watches:
            raise unimplemented(method)
        if method == "SignalEvent" and not self.model.release.signals:
            raise unimplemented(method)
        error = self.faults.failure(method)
        if error is not None:
            raise error
        if method in self.faults.delay:
            await asyncio.sleep(self.faults.delay[method])
        held = None
        if method == "ListActions":
            held = self.faults.held.get(request.run_id.name)
        elif method == "GetActionDetails":
            held = self.faults.held.get(request.action_id.name)
        if held is not None:
            await asyncio.to_thread(held.wait, HOLD_TIMEOUT)
        self.model.expire()
        return metadata

    def _list_actions(self, request: pb.ListActionsRequest, _: Metadata) -> pb.ListActionsResponse:
        query = messages.query(request.request, self.model.release.filters)
        key = messages.key(self.model, request.run_id)
        found, token = self.model.list_actions(key, query)
        more = self.model.release.hosted
        rows = [messages.listed(action, more) for action in found]
        return pb.ListActionsResponse(actions=rows, token=token)

    def _get_action_details(
        self, request: pb.GetActionDetailsRequest, _: Metadata
    ) -> pb.GetActionDetailsResponse:
        _require_run(request.action_id.HasField("run"))
        key = messages.key(self.model, request.action_id.run)
        found = self.model.details(key, request.action_id.name)
        return pb.GetActionDetailsResponse(details=messages.details(found, request.action_id.run))

    def _signal_event(self, request: pb.SignalEventRequest, metadata: Metadata) -> Message:
        payload = messages.payload(request)
        if payload is not None and not request.action_id.HasField("run"):
            # The handler that crashes belongs to another service behind this one.
            raise StatusError("UNAVAILABLE", "unexpected EOF")
        key = messages.key(self.model, request.action_id.run)
        name, parent = request.action_id.name, request.parent_action_name
        self.model.signal(key, name, parent, payload, metadata.get(SUBJECT, "").strip())
        return pb.SignalEventResponse()

    def _abort_action(self, request: pb.AbortActionRequest, _: Metadata) -> Message:
        _require_run(request.action_id.HasField("run"))
        key = messages.key(self.model, request.action_id.run)
        self.model.abort(key, request.action_id.name, request.reason)
        return pb.AbortActionResponse()

    def _list_runs(self, request: pb.ListRunsRequest, _: Metadata) -> pb.ListRunsResponse:
        query = messages.query(request.request, self.model.release.filters)
        org, project = request.org, None
        if request.HasField("project_id"):
            org = request.project_id.organization
            project = (request.project_id.name, request.project_id.domain)
        paused_only = idl.paused_actions_only(request)
        found, token = self.model.list_runs(org, project, paused_only, query)
        return pb.ListRunsResponse(runs=[messages.run(root) for root in found], token=token)

    def _get_run_details(self, request: pb.GetRunDetailsRequest, _: Metadata) -> Message:
        _require_run(request.HasField("run_id"))
        root = self.model.root(messages.key(self.model, request.run_id))
        found = pb.GetRunDetailsResponse()
        found.details.action.CopyFrom(messages.details(root, request.run_id))
        return found

    async def _watch_actions(
        self, request: pb.WatchActionsRequest, context: Context, stream: WatchQueue
    ) -> None:
        _require_run(request.HasField("run_id"))
        key = messages.key(self.model, request.run_id)
        ids: set[str] = set()
        tree = ActionTree(messages.filters(request.filter), ids.__contains__, self._random)

        async def send(actions: list[Any]) -> None:
            rows = [
                messages.watched(*update, self.model.release.updates_phases)
                for update in tree.update(actions)
            ]
            if rows:
                await context.write(pb.WatchActionsResponse(enriched_actions=rows))

        with self.model.lock:
            end = self.model.watch(key, "", stream.put)
            first = self.model.actions(key)
        ids.update(action.id for action in first)
        self.open_streams["WatchActions"] += 1
        try:
            for at in range(0, len(first), self.page_size):
                await send(first[at : at + self.page_size])
            while True:
                change = await stream.next()
                ids.add(change.action.id)
                if change.listed and not self.faults.loses():
                    await send([change.action])
        finally:
            end()
            self.open_streams["WatchActions"] -= 1

    async def _watch_action_details(
        self, request: pb.WatchActionDetailsRequest, context: Context, stream: WatchQueue
    ) -> None:
        _require_run(request.action_id.HasField("run"))
        key = messages.key(self.model, request.action_id.run)
        name = request.action_id.name
        with self.model.lock:
            try:
                first = self.model.details(key, name)
            except StatusError as error:
                message = f"failed to get action details: not_found: {error.message}"
                raise StatusError("NOT_FOUND", message) from None
            end = self.model.watch(key, name, stream.put)
        self.open_streams["WatchActionDetails"] += 1
        try:
            details = messages.details(first, request.action_id.run)
            await context.write(pb.WatchActionDetailsResponse(details=details))
            while True:
                change = await stream.next()
                if change.detailed and not self.faults.loses():
                    details = messages.details(change.action, request.action_id.run)
                    await context.write(pb.WatchActionDetailsResponse(details=details))
        finally:
            end()
            self.open_streams["WatchActionDetails"] -= 1


def _require_run(has_run: bool) -> None:
    """Crash, as the service's handlers do where a request names no run."""
    if not has_run:
        message = "Stream removed (RST_STREAM (Received RST_STREAM with error code 2))"
        raise StatusError("INTERNAL", message)


async def _abort(context: Context, error: StatusError) -> None:
    await context.abort(grpc.StatusCode[error.status], error.message)
