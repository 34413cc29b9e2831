"""Binds each method of the table to the event core."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import DecodeError, Raw, Struct, ValidationError, json

from flyte_sidecar._futures import MaybeAwaitable
from flyte_sidecar.errors import InvalidParams, InvalidRequest
from flyte_sidecar.events.model import (
    Event,
    EventPage,
    NewEvent,
    Payload,
    PendingQuery,
    Query,
    Run,
    RunPage,
    RunsQuery,
    Scope,
    Target,
)
from flyte_sidecar.events.payloads import MINUS_ZERO
from flyte_sidecar.events.service import EventService
from flyte_sidecar.protocol import PROTOCOL_VERSION, methods, params, results
from flyte_sidecar.protocol.hash import SCHEMA_HASH
from flyte_sidecar.rpc.connection import Connection
from flyte_sidecar.rpc.decode_params import params_decoder
from flyte_sidecar.rpc.requests import Call, Handler

if TYPE_CHECKING:
    from flyte_sidecar.server.watches import OpenWatches

S = TypeVar("S", bound=Struct)

OVERFLOW = 1 << 1024
"""Represents a number that overflows a double, and so matches no type."""

LIGHT = ("events.unwatch", "sidecar.status")
"""Methods whose results are always small."""


class MethodHandlers:
    """The methods of one connection.

    Parameters
    ----------
    service
        The event core.
    version
        The sidecar's own version.
    watch_parent
        Told the process whose end is ours.
    """

    def __init__(
        self, service: EventService, version: str, watch_parent: Callable[[int], None]
    ) -> None:
        self._service = service
        self._version = version
        self._watch_parent = watch_parent
        self._started = time.monotonic()
        self._initialized = False
        self.connection: Connection | None = None

    def handlers(self) -> dict[str, Handler]:
        """Give the handlers of all methods that are not the connection's own business."""
        bound: dict[str, Callable[[Any, Call], Any]] = {
            "initialize": self._initialize,
            "initialized": lambda _, __: None,
            "events.list": self._list,
            "events.get": self._get,
            "events.create": self._create,
            "events.signal": self._signal,
            "events.wait": self._wait,
            "events.abort": self._abort,
            "events.pending": self._pending,
            "runs.list": self._runs,
            "events.watch": self._watch,
            "events.unwatch": lambda given, _: self._watches.end(given.watch),
            "rpc.discover": self._discover,
            "sidecar.status": self._status,
        }
        return {
            method.name: Handler(
                read=params_decoder(method.params),
                handle=bound[method.name],
                notification=method.notification,
                open_ended=method.open_ended,
                light=method.name in LIGHT,
                in_batch=method.in_batch,
            )
            for method in methods.METHODS
            if method.name in bound
        }

    def _list(self, given: params.ListParams, call: Call) -> MaybeAwaitable[EventPage]:
        query = _from_params(Query, given, run=self._run(given), max_bytes=call.page_bytes)
        return self._service.page(query)

    def _get(self, given: params.GetParams, _: Call) -> MaybeAwaitable[Event | None]:
        return self._service.get(self._target(given))

    def _create(self, given: params.CreateParams, call: Call) -> MaybeAwaitable[Event]:
        new = _from_params(
            NewEvent, given, run=self._run(given), expires_in=given.expires_in_seconds
        )
        write = self._service.write(Target(new.run, name=new.name, parent=new.parent))
        call.effect = write
        return self._service.create(write, new)

    def _signal(self, given: params.SignalParams, call: Call) -> MaybeAwaitable[Event]:
        payload = decode_payload(given.payload)
        call.effect = write = self._service.write(self._target(given))
        return self._service.signal(write, payload, given.payload_type)

    def _wait(self, given: params.WaitParams, _: Call) -> MaybeAwaitable[Event]:
        return self._service.wait(self._target(given), bool(given.await_creation))

    def _abort(self, given: params.AbortParams, call: Call) -> MaybeAwaitable[Event]:
        call.effect = write = self._service.write(self._target(given))
        return self._service.abort(write, given.reason)

    def _pending(self, given: params.PendingParams, call: Call) -> MaybeAwaitable[EventPage]:
        query = _from_params(
            PendingQuery, given, scope=self._scope(given), max_bytes=call.page_bytes
        )
        return self._service.pending(query)

    def _runs(self, given: params.RunsParams, call: Call) -> MaybeAwaitable[RunPage]:
        query = _from_params(RunsQuery, given, scope=self._scope(given), max_bytes=call.page_bytes)
        return self._service.runs(query)

    @cached_property
    def _watches(self) -> OpenWatches:
        """The open watches; most conversations have none, and need not load what they take."""
        from flyte_sidecar.server.watches import OpenWatches

        return OpenWatches()

    def _watch(self, given: params.WatchParams, call: Call) -> MaybeAwaitable[results.WatchResult]:
        from flyte_sidecar.events.coalescing import CoalescingQueue
        from flyte_sidecar.events.watch_feed import WatchSelector

        assert self.connection is not None
        watched = WatchSelector(
            scope=self._scope(given), run_name=given.run_name, parent=given.parent
        )
        watch = CoalescingQueue(watched)
        feeding = self._service.watch(watch)
        return self._watches.open(given.watch, watch, feeding, call, self.connection.output)

    def _initialize(self, given: params.InitializeParams, _: Call) -> results.InitializeResult:
        if self._initialized:
            raise InvalidRequest("the connection is initialized already")
        self._initialized = True
        if given.process_id is not None:
            self._watch_parent(given.process_id)
        ours = {
            "protocolVersion": PROTOCOL_VERSION,
            "schemaHash": SCHEMA_HASH,
            "backend": self._backend(results.Backend),
        }
        return results.InitializeResult(
            capabilities={"experimental": {"flyteSidecar": ours}},
            server_info=results.ServerInfo(name="flyte-sidecar", version=self._version),
            protocol_version=PROTOCOL_VERSION,
            schema_hash=SCHEMA_HASH,
            backend=self._backend(results.Backend),
        )

    async def _discover(self, _: params.Params, __: Call) -> Raw:
        """Make the document beside the loop: it takes some ten milliseconds."""
        from flyte_sidecar.schema import discovered

        try:
            return Raw(await asyncio.to_thread(discovered))
        except RuntimeError:  # no thread can be started
            return Raw(discovered())

    async def _status(self, _: params.Params, __: Call) -> results.Status:
        connection = self.connection
        assert connection is not None
        healthy = await self._service.backend.healthy()
        return results.Status(
            uptime_seconds=round(time.monotonic() - self._started, 3),
            counters=results.Counters(
                requests=connection.requests,
                errors=connection.errors,
                in_flight=len(connection.tasks),
                waits=connection.waits - len(self._watches),
                watches=len(self._watches),
            ),
            protocol_version=PROTOCOL_VERSION,
            schema_hash=SCHEMA_HASH,
            backend=self._backend(results.BackendStatus, healthy=healthy),
        )

    def _backend(self, shape: Callable[..., results.Backend], **more: Any) -> Any:
        backend = self._service.backend
        return shape(
            kind=backend.kind,
            endpoint=backend.endpoint,
            org=backend.org,
            project=backend.project,
            domain=backend.domain,
            **more,
        )

    def _scope(self, given: params.ScopeParams) -> Scope:
        return self._service.scope(given.org, given.project, given.domain)

    def _run(self, given: params.RunParams) -> Run:
        return self._service.run(given.run_name, given.org, given.project, given.domain)

    def _target(self, given: params.TargetParams) -> Target:
        if given.action_name is not None:
            if given.name is not None or given.parent is not None:
                raise InvalidParams(
                    "actionName says it all: no name or parent may stand beside it",
                    path="/name" if given.name is not None else "/parent",
                )
        elif given.name is None:
            raise InvalidParams("the params name no event: by name or by actionName", path="/name")
        return Target(self._run(given), given.name, given.parent, given.action_name)


def _from_params(model: type[S], given: Struct, **members: Any) -> S:
    """Return a model object with the members, and the params that are not null."""
    for name in model.__struct_fields__:
        value = getattr(given, name, None)
        if value is not None:
            members.setdefault(name, value)
    return model(**members)


def decode_payload(raw: Raw) -> Payload:
    """Return the scalar of a JSON text; an int may have any size.

    Raises
    ------
    InvalidParams
        If it is an object, an array or null.
    """
    try:
        value = json.decode(raw)
        if value == 0 and type(value) is int and bytes(raw).lstrip()[:1] == b"-":
            return MINUS_ZERO
    except (ValidationError, RecursionError):
        value = _long_number(bytes(raw).strip())
    except DecodeError:
        value = None
    if not isinstance(value, Payload):
        raise InvalidParams("a payload is a bool, a number or a string", path="/payload")
    return value


def _long_number(text: bytes) -> int | float | None:
    """Return a number with more digits or a larger exponent than the decoder accepts."""
    if text[:1] not in b"-0123456789":
        return None
    nearest = float(text)
    return nearest if math.isfinite(nearest) else OVERFLOW
