"""The handlers of all methods, on top of the event core."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Raw, Struct

from flyte_sidecar._futures import MaybeAwaitable, run_in_thread
from flyte_sidecar.errors import InvalidRequest
from flyte_sidecar.events.bulk import BulkWrite, EventResults
from flyte_sidecar.events.model import (
    Event,
    EventPage,
    NewEvent,
    PendingQuery,
    Query,
    RunPage,
    RunsQuery,
    Target,
)
from flyte_sidecar.events.service import EventService
from flyte_sidecar.protocol import PROTOCOL_VERSION, methods, results
from flyte_sidecar.protocol.params import (
    AbortManyParams,
    AbortParams,
    CreateParams,
    EventsParams,
    GetParams,
    InitializeParams,
    ListParams,
    Params,
    PendingParams,
    RunsParams,
    SignalManyParams,
    SignalParams,
    WaitParams,
    WatchParams,
)
from flyte_sidecar.protocol.schema_hash import SCHEMA_HASH
from flyte_sidecar.rpc.decode_params import params_decoder
from flyte_sidecar.rpc.requests import Context, Deferred, Handler
from flyte_sidecar.server.decode_payload import decode_payload
from flyte_sidecar.server.from_params import run_of, scope_of, target_of, targets_of, to_model

if TYPE_CHECKING:
    from flyte_sidecar.lsp.session import EditorSession
    from flyte_sidecar.server.backends import Backends
    from flyte_sidecar.server.client_prompt import ClientPrompt
    from flyte_sidecar.server.watches import OpenWatches

LIGHT = ("events.unwatch", "sidecar.status", "sidecar.cancelLogin")
"""Methods whose results are always small."""

EVENTS_PER_REQUEST = 16
"""How many events of one request count as another unfinished request, for back-pressure."""


class MethodHandlers:
    """The methods of one connection.

    Parameters
    ----------
    logins
        Those that are shown to the client.
    version
        The sidecar's own version.
    """

    def __init__(self, backends: Backends, logins: ClientPrompt, version: str) -> None:
        self._backends = backends
        self._logins = logins
        self._version = version
        self._editor: EditorSession | None = None
        self._started = time.monotonic()
        self._initialized = False

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by method, except those of the connection itself."""
        bound: dict[str, Callable[[Any, Context], Any]] = {
            "initialize": self._initialize,
            "initialized": lambda _, __: None,
            "events.list": self._list,
            "events.get": self._get,
            "events.create": self._create,
            "events.signal": self._signal,
            "events.wait": self._wait,
            "events.abort": self._abort,
            "events.signalMany": self._signal_many,
            "events.abortMany": self._abort_many,
            "events.pending": self._pending,
            "runs.list": self._runs,
            "events.watch": self._watch,
            "events.unwatch": lambda params, _: self._watches.end(params.watch),
            "rpc.discover": self._discover,
            "sidecar.status": self._status,
            "sidecar.cancelLogin": lambda params, _: self._logins.cancel(params.url),
        }
        return {
            method.name: Handler(
                decode=_initialize_decoder()
                if method.name == "initialize"
                else params_decoder(method.params),
                handle=bound[method.name],
                notification=method.notification,
                open_ended=method.open_ended,
                light=method.name in LIGHT,
                in_batch=method.in_batch,
            )
            for method in methods.METHODS
            if method.name in bound
        }

    async def close(self) -> None:
        """Stop the language server, if there is one."""
        if self._editor is not None:
            await self._editor.close()

    @property
    def _service(self) -> EventService:
        return self._backends.service

    def _list(self, params: ListParams, context: Context) -> MaybeAwaitable[EventPage]:
        query = to_model(
            Query, params, run=run_of(params, self._service), max_bytes=context.page_bytes
        )
        return self._service.page(query)

    def _get(self, params: GetParams, _: Context) -> MaybeAwaitable[Event | None]:
        return self._service.get(target_of(params, self._service))

    def _create(self, params: CreateParams, _: Context) -> Deferred:
        new = to_model(
            NewEvent,
            params,
            run=run_of(params, self._service),
            expires_in=params.expires_in_seconds,
        )
        write = self._service.write(Target(new.run, name=new.name, parent=new.parent))
        return Deferred(self._service.create(write, new), write)

    def _signal(self, params: SignalParams, _: Context) -> Deferred:
        payload = decode_payload(params.payload)
        write = self._service.write(target_of(params, self._service))
        return Deferred(self._service.signal(write, payload, params.payload_type), write)

    def _wait(self, params: WaitParams, _: Context) -> MaybeAwaitable[Event]:
        return self._service.wait(target_of(params, self._service), bool(params.await_creation))

    def _abort(self, params: AbortParams, _: Context) -> Deferred:
        write = self._service.write(target_of(params, self._service))
        return Deferred(self._service.abort(write, params.reason), write)

    def _signal_many(self, params: SignalManyParams, _: Context) -> Deferred:
        payload = decode_payload(params.payload)
        bulk = BulkWrite(self._service, targets_of(params.events, self._service))
        return _in_bulk(bulk, bulk.signal(payload, params.payload_type), params)

    def _abort_many(self, params: AbortManyParams, _: Context) -> Deferred:
        bulk = BulkWrite(self._service, targets_of(params.events, self._service))
        return _in_bulk(bulk, bulk.abort(params.reason), params)

    def _pending(self, params: PendingParams, context: Context) -> MaybeAwaitable[EventPage]:
        query = to_model(
            PendingQuery,
            params,
            scope=scope_of(params, self._service),
            max_bytes=context.page_bytes,
        )
        return self._service.pending(query)

    def _runs(self, params: RunsParams, context: Context) -> MaybeAwaitable[RunPage]:
        query = to_model(
            RunsQuery, params, scope=scope_of(params, self._service), max_bytes=context.page_bytes
        )
        return self._service.runs(query)

    @cached_property
    def _watches(self) -> OpenWatches:
        """The open watches. The module is imported for the first: most clients open none."""
        from flyte_sidecar.server.watches import OpenWatches

        return OpenWatches()

    def _watch(self, params: WatchParams, context: Context) -> Deferred:
        from flyte_sidecar.events.coalescing import CoalescingQueue
        from flyte_sidecar.events.watch_feed import WatchSelector

        selector = WatchSelector(
            scope=scope_of(params, self._service), run_name=params.run_name, parent=params.parent
        )
        updates = CoalescingQueue(selector)
        service = self._service
        backend = service.backend.name_of(selector.scope)
        return self._watches.open(params.watch, updates, service.watch(updates), context, backend)

    def _initialize(self, initialize: _Initialize, context: Context) -> results.InitializeResult:
        if self._initialized:
            raise InvalidRequest("the connection is already initialized")
        self._logins.serve_initialized()
        capabilities = self._start_editor(initialize.text, context)
        self._initialized = True
        process_id = initialize.params.process_id
        if process_id is not None:
            context.end_with_process(process_id)
        experimental = {
            "protocolVersion": PROTOCOL_VERSION,
            "schemaHash": SCHEMA_HASH,
            "backend": self._backend(results.Backend),
        }
        return results.InitializeResult(
            capabilities={**capabilities, "experimental": {"flyteSidecar": experimental}},
            server_info=results.ServerInfo(name="flyte-sidecar", version=self._version),
            protocol_version=PROTOCOL_VERSION,
            schema_hash=SCHEMA_HASH,
            backend=self._backend(results.Backend),
        )

    def _start_editor(self, text: Raw, context: Context) -> dict[str, Any]:
        """Start the language server if the client edits text, and return its capabilities."""
        if b'"textDocument"' not in bytes(text):
            return {}  # most clients are no editors
        from flyte_sidecar.lsp.capabilities import edits_text
        from flyte_sidecar.lsp.messages import decode_params
        from flyte_sidecar.lsp.session import EditorSession

        params = decode_params(text)
        if not edits_text(params):
            return {}
        self._editor = EditorSession(params, self._backends, self._logins, context)
        context.add_handlers(self._editor.handlers())
        return self._editor.capabilities

    async def _discover(self, _: Params, __: Context) -> Raw:
        """Create the document in a thread, because it takes about ten milliseconds."""
        from flyte_sidecar.schema import openrpc_json

        return Raw(await run_in_thread(openrpc_json))

    async def _status(self, _: Params, context: Context) -> results.Status:
        healthy = await self._service.backend.healthy()
        counters, watches = context.counters(), len(self._watches)
        return results.Status(
            uptime_seconds=round(time.monotonic() - self._started, 3),
            counters=results.Counters(
                requests=counters.requests,
                errors=counters.errors,
                in_flight=counters.in_flight,
                waits=counters.waits - watches,
                watches=watches,
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


def _in_bulk(
    bulk: BulkWrite, work: Coroutine[Any, Any, EventResults], params: EventsParams
) -> Deferred:
    """Return the deferred result of a request for several events."""
    weight = 1 + len(params.events) // EVENTS_PER_REQUEST
    return Deferred(work, bulk, outcome_when_interrupted=bulk.interrupt, weight=weight)


class _Initialize(Struct):
    """The decoded params of `initialize`, and their JSON text with the members for editors."""

    params: InitializeParams
    text: Raw


def _initialize_decoder() -> Callable[[Raw], _Initialize]:
    decode = params_decoder(InitializeParams)
    return lambda text: _Initialize(decode(text), text)
