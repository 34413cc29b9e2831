"""One client's connection: reads requests, starts them, and answers each of them once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from flyte_sidecar._internal_error import internal_error
from flyte_sidecar._suggestions import suggestion
from flyte_sidecar.errors import InvalidRequest, MethodNotFound, SidecarError, TooManyWaits
from flyte_sidecar.rpc.batches import Batch
from flyte_sidecar.rpc.cancellation import cancel_handler
from flyte_sidecar.rpc.canonical_ids import canonical_id
from flyte_sidecar.rpc.client_requests import ClientRequests
from flyte_sidecar.rpc.decode_params import ABSENT
from flyte_sidecar.rpc.error_messages import quote
from flyte_sidecar.rpc.framing import MAX_MESSAGE_BYTES, Frame, Framing, Malformed
from flyte_sidecar.rpc.messages import Envelope, decode_entry, decode_message
from flyte_sidecar.rpc.output_queue import OutputQueue
from flyte_sidecar.rpc.requests import (
    DEFERRED,
    ConnectionCounters,
    Context,
    Deferred,
    Handler,
    Request,
)
from flyte_sidecar.rpc.responder import Responder
from flyte_sidecar.rpc.responses import ResponseEncoder
from flyte_sidecar.rpc.shutdown import Shutdown
from flyte_sidecar.rpc.stream_decoder import StreamDecoder
from flyte_sidecar.rpc.task_runner import MAX_WAITS, TaskRunner
from flyte_sidecar.rpc.transport import Transport

ENVELOPE_BYTES = 256
"""Size of a response without the events of its page."""

PAGE_BYTES = 1 << 20
"""Size that a response that can end early should not exceed."""

logger = logging.getLogger(__name__)

_LATER = object()
"""Marks a result that is not known yet."""


class Connection:
    """One client's connection, as an asyncio protocol. Requires a running event loop.

    Parameters
    ----------
    handlers
        The methods, except `shutdown`, `exit` and `$/cancelRequest`, which the connection handles.
    encode
        Encodes a result, or the data of an error, as JSON.
    snapshot
        Returns a context manager. Handlers of messages that arrive together run in one.
    framing, max_message_bytes
        The command-line options of the same names.

    Attributes
    ----------
    shutdown
        Ends the connection, and has its exit status.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        encode: Callable[[object], bytes],
        *,
        snapshot: Callable[[], AbstractContextManager[None]] = nullcontext,
        framing: Framing = "auto",
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._decoder = StreamDecoder(framing, max_message_bytes)
        self._encoder = ResponseEncoder(encode, self._decoder)
        self.output = OutputQueue()
        self._responder = Responder(self._encoder, self.output)
        self.runner = TaskRunner(self._responder.respond_to_pending, self._task_finished)
        self.shutdown = Shutdown(self.runner, self.output)
        self._in_flight = self._responder.in_flight
        self._client_requests = ClientRequests(self._encoder, self.output)
        self._handlers = {
            **handlers,
            **self.shutdown.handlers(),
            "$/cancelRequest": cancel_handler(self._in_flight),
        }
        self._snapshot = snapshot
        page_bytes = max(0, min(PAGE_BYTES, max_message_bytes) - ENVELOPE_BYTES)
        self._context = Context(
            page_bytes,
            self.notify,
            self._client_requests.send,
            self.output.wait_for_room,
            self.counters,
            self.shutdown.end_with_process,
            self._handlers.update,
        )
        self._requests = 0
        self._reading = True
        self._read_scheduled = False
        self._input_ended = False  # all bytes were received
        self._input_over = False  # no more messages are read

    def counters(self) -> ConnectionCounters:
        """Return the numbers of requests: received, failed, and running now."""
        return ConnectionCounters(
            self._requests, self._responder.errors, len(self.runner.tasks), self.runner.waits
        )

    def notify(self, method: str, params: object) -> None:
        """Send a notification, once there is room."""
        self.output.put(self._encoder.notification, method, params)

    # Called by the transport:

    def connection_made(self, transport: Transport) -> None:
        self.output.transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._input_over:
            self._decoder.feed(data)
            self._read_messages()

    def eof_received(self) -> None:
        self._input_ended = True
        self._read_messages()

    def pause_writing(self) -> None:
        self.output.full = True
        self.runner.pause()

    def resume_writing(self) -> None:
        self.output.resume()
        if not self.output.full:
            self.runner.resume()
        self._read_messages()

    def connection_lost(self, error: Exception | None) -> None:
        status = 0
        if error is not None and not isinstance(error, (BrokenPipeError, ConnectionResetError)):
            with suppress(Exception):
                logger.error("responses are lost: %s", error)
            status = 1
        self._input_over = self.runner.ended = True
        self.output.close()
        self._client_requests.close()
        self.shutdown.end_now(status)

    # Reading messages:

    def _task_finished(self) -> None:
        if not self._reading and not self._read_scheduled:
            self._read_scheduled = True
            asyncio.get_running_loop().call_soon(self._read_messages)

    def _read_messages(self) -> None:
        """Read messages until there is back-pressure, and pause or resume the transport."""
        self._read_scheduled = False
        count = 0
        with ExitStack() as stack:
            while self._may_read() and not self._input_over:
                frame = self._decoder.next()
                if frame is not None:
                    count += 1
                    if count == 2:  # a single message is faster without a snapshot
                        stack.enter_context(self._snapshot())
                    self._read_message(frame)
                elif not self._input_ended:
                    break
                else:
                    frame = self._decoder.end()
                    if frame is not None:
                        self._read_message(frame)
                    self._end_input(0)
        self.output.flush()
        may_read = self._may_read() and not self._input_over
        transport = self.output.transport
        if may_read != self._reading and transport is not None:
            self._reading = may_read
            (transport.resume_reading if may_read else transport.pause_reading)()

    def _end_input(self, status: int) -> None:
        if not self._input_over:
            self._input_over = True
            self.shutdown.input_ended(status)

    def _may_read(self) -> bool:
        # Back-pressure. After the end of input little is left, and is read despite stuck requests.
        return (self.runner.has_room or self._input_ended) and not self.output.full

    def _read_message(self, frame: Frame) -> None:
        message: Envelope | list[Raw] | Malformed
        if isinstance(frame, bytes):
            message = decode_message(frame)
            if isinstance(message, Envelope):
                self._dispatch(message, len(frame), self._context)
                return
        else:
            message = frame
        if isinstance(message, list):
            self._read_batch(message)
        elif isinstance(message, Malformed):
            self._reject(message)
            if message.fatal:
                self._end_input(1)

    def _read_batch(self, entries: list[Raw]) -> None:
        batch = Batch()
        page_bytes = self._context.page_bytes // len(entries)
        context = replace(self._context, page_bytes=page_bytes)
        for entry in entries:
            message = decode_entry(entry)
            if isinstance(message, Malformed):
                self._reject(message, batch)
            elif message.method != "exit" or message.id is not ABSENT:
                self._dispatch(message, len(bytes(entry)), context, batch)
        self._responder.complete_batch_entry(batch)

    def _reject(self, message: Malformed, batch: Batch | None = None) -> None:
        self._requests += 1
        request_id = message.id or b"null"
        entry = None if batch is None else batch.reserve(request_id)
        if message.id is not None and canonical_id(message.id) in self._in_flight:
            # The client would match this error to the first request with the id.
            message.error.data["id"] = Raw(message.id)
            request_id = b"null"
        self._responder.respond(Request(request_id, None, "", ABSENT, 0, entry), message.error)

    def _dispatch(
        self, message: Envelope, size: int, context: Context, batch: Batch | None = None
    ) -> None:
        method = message.method
        if method is None and (message.result is not ABSENT or message.error is not ABSENT):
            self._client_requests.receive(message)
            return
        self._requests += 1
        request_id, key, entry, error = bytes(message.id), None, None, None
        if request_id or method is None or message.jsonrpc != "2.0":
            if batch is not None:
                entry = batch.reserve(request_id)
            key = request_id if request_id.isdigit() else canonical_id(request_id)
            if key is None and request_id:
                error = InvalidRequest("`id` must be a string, an integer or null")
            elif key in self._in_flight:
                error = InvalidRequest("a request with this id is in flight", id=Raw(request_id))
            if key is None or error is not None:
                request_id, key = b"null", None
        request = Request(request_id, key, method or "", message.params, size, entry)
        if batch is not None and key is not None:
            batch.keys.append(key)
            self._in_flight[key] = None
        try:
            if error is not None:
                raise error
            outcome = self._start(request, message, context, batch is not None)
        except SidecarError as failure:
            outcome = failure
        except Exception as failure:
            outcome = internal_error(failure)
        if outcome is not _LATER:
            self._responder.respond(request, outcome)

    def _start(self, request: Request, message: Envelope, context: Context, in_batch: bool) -> Any:
        """Check that the request is allowed now and start it; return its result or `_LATER`."""
        if message.jsonrpc != "2.0":
            raise InvalidRequest('`jsonrpc` must be "2.0"')
        if message.method is None:
            raise InvalidRequest("`method` is required")
        if self.shutdown.started and message.method != "exit":
            raise InvalidRequest("the connection is shutting down: only `exit` is allowed")
        handler = self._handlers.get(message.method)
        if handler is None:
            hint = suggestion(message.method, self._handlers)
            raise MethodNotFound(f"unknown method {quote(message.method)}{hint}")
        if handler.notification and request.id:
            raise InvalidRequest(f"{message.method} is a notification: it must not have an id")
        if handler.open_ended and not request.id:
            return None  # there is no id to respond to
        if in_batch and not handler.in_batch:
            raise InvalidRequest(f"{message.method} is not allowed in a batch")
        params = handler.decode(message.params)
        if handler.open_ended and not self.runner.has_room_for_waits:
            raise TooManyWaits("too many waits and watches are open", limit=MAX_WAITS)
        result = handler.handle(params, context)
        # Most reads return their result at once, without the cost of a task.
        if not isinstance(result, DEFERRED):
            return result
        deferred = result if isinstance(result, Deferred) else Deferred(result)
        timeout = getattr(params, "timeout_seconds", None)
        pending = self.runner.start(request, handler, deferred, timeout)
        if request.key is not None:
            self._in_flight[request.key] = pending
        return _LATER
