"""One client's requests: taking them, running them, and the one place that answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from msgspec import Raw, Struct

from flyte_sidecar._futures import AWAITABLE
from flyte_sidecar.errors import (
    InvalidRequest,
    MethodNotFound,
    RequestCancelled,
    SidecarError,
    TooManyWaits,
)
from flyte_sidecar.rpc.canonical_ids import canonical_id
from flyte_sidecar.rpc.decode_params import ABSENT, params_decoder
from flyte_sidecar.rpc.error_messages import quote, suggestion
from flyte_sidecar.rpc.framing import Framing, StreamDecoder
from flyte_sidecar.rpc.malformed import MAX_MESSAGE_BYTES, Frame, Malformed
from flyte_sidecar.rpc.messages import Envelope, read, read_entry
from flyte_sidecar.rpc.output_queue import OutputQueue, Transport
from flyte_sidecar.rpc.requests import Batch, Call, Handler, Notice
from flyte_sidecar.rpc.responses import ResponseEncoder
from flyte_sidecar.rpc.task_runner import MAX_WAITS, TaskRunner, internal_error

ENVELOPE_BYTES = 256
"""Of a reply, what stands around a page's events."""

PAGE_BYTES = 1 << 20
"""What a reply that can end early should not outgrow."""


logger = logging.getLogger(__name__)


class _Cancel(Struct, frozen=True):
    id: Raw


class Connection:
    """The protocol of a transport, as asyncio's protocols are.

    Parameters
    ----------
    handlers
        The methods; `$/cancelRequest` is done here.
    encode
        Gives the JSON of a result or of an error's data.
    framing, max_message_bytes
        As on the command line.

    Attributes
    ----------
    tasks
        The work that goes on, as in `TaskRunner`.
    requests, errors
        How many messages were taken, and how many errors answered.
    accepting
        Cleared at the end: what comes then is refused.
    on_input_end
        Called with the exit status that it stands for once no more messages come.
    lost_status
        The exit status that the loss of the client stands for.
    on_lost
        Called when the client can no longer be answered.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        encode: Callable[[object], bytes],
        *,
        framing: Framing = "auto",
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        cancel = Handler(params_decoder(_Cancel), self._cancel, notification=True)
        self.handlers = {"$/cancelRequest": cancel, **handlers}
        self.requests = 0
        self.errors = 0
        self.accepting = True
        self.lost_status = 0
        self.on_input_end: Callable[[int], None] = lambda status: None
        self.on_lost: Callable[[], None] = lambda: None
        self._decoder = StreamDecoder(framing, max_message_bytes)
        self._page_bytes = max(0, min(PAGE_BYTES, max_message_bytes) - ENVELOPE_BYTES)
        self._calls: dict[bytes, Call] = {}  # the unanswered requests, by their ids
        self._work = TaskRunner(self._worked)
        self._replies = ResponseEncoder(encode, self._decoder, self._calls)
        self.output: OutputQueue[Call | Batch | Notice] = OutputQueue(self._replies.render)
        self.tasks: Mapping[asyncio.Future[Any], Call] = self._work.tasks
        self._reading = True
        self._pump_soon = False
        self._input_ended = False  # no more bytes come
        self._input_over = False  # and all that came was taken

    @property
    def waits(self) -> int:
        """How many open-ended requests there are."""
        return self._work.waits

    # The transport calls these.

    def connection_made(self, transport: Transport) -> None:
        self.output.transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._input_over:
            self._decoder.feed(data)
            self._pump()

    def eof_received(self) -> None:
        self._input_ended = True
        self._pump()

    def pause_writing(self) -> None:
        self.output.full = True
        self._work.pause()

    def resume_writing(self) -> None:
        self.output.resume()
        if not self.output.full:
            self._work.resume()
        self._pump()

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None and not isinstance(error, (BrokenPipeError, ConnectionResetError)):
            with suppress(Exception):
                logger.error("replies are lost: %s", error)
            self.lost_status = 1
        self._input_over = self._work.over = True
        self.output.close()
        self.on_lost()

    # Taking messages.

    def _pump(self) -> None:
        """Take messages for as long as there is room for what they lead to."""
        self._pump_soon = False
        while self._has_room() and not self._input_over:
            frame = self._decoder.next()
            if frame is not None:
                self._take(frame)
            elif not self._input_ended:
                break
            else:
                frame = self._decoder.end()
                if frame is not None:
                    self._take(frame)
                self._end_input(0)
        self.output.flush()
        room = self._has_room() and not self._input_over
        if room != self._reading and self.output.transport is not None:
            self._reading = room
            transport = self.output.transport
            (transport.resume_reading if room else transport.pause_reading)()

    def _end_input(self, status: int) -> None:
        if not self._input_over:
            self._input_over = True
            self.on_input_end(status)

    def _has_room(self) -> bool:
        # After the end of input little is left, and stuck work must not hide that it came.
        return (self._work.has_room or self._input_ended) and not self.output.full

    def _take(self, frame: Frame) -> None:
        message: Envelope | list[Raw] | Malformed
        if isinstance(frame, bytes):
            message = read(frame)
            if type(message) is Envelope:
                self._dispatch(message, Call(size=len(frame), page_bytes=self._page_bytes))
                return
        else:
            message = frame
        if isinstance(message, Malformed):
            self._refuse(message, Call())
            if message.fatal:
                self._end_input(1)
        elif isinstance(message, list):
            self._take_batch(message)

    def _take_batch(self, entries: list[Raw]) -> None:
        batch = Batch()
        for entry in entries:
            size, page_bytes = len(bytes(entry)), self._page_bytes // len(entries)
            call = Call(size=size, page_bytes=page_bytes, batch=batch)
            message = read_entry(entry)
            if isinstance(message, Malformed):
                self._refuse(message, call)
            elif message.method != "exit" or message.id is not ABSENT:
                self._dispatch(message, call)
        self._settled_of(batch)

    def _refuse(self, message: Malformed, call: Call) -> None:
        self.requests += 1
        key = None if message.id is None else canonical_id(message.id)
        if key in self._calls:
            # Whoever sent the first of them would take this for its answer.
            message.error.data["id"] = Raw(message.id or b"null")
        else:
            call.id = message.id
        if call.batch is not None:
            self._replies.join(call, call.batch, message.id)
        self.settle(call, message.error)

    def _dispatch(self, message: Envelope, call: Call) -> None:
        if message.method is None and (message.result is not ABSENT or message.error is not ABSENT):
            return  # a response, and nothing was asked of the client
        self.requests += 1
        if message.id is ABSENT and message.method is not None and message.jsonrpc == "2.0":
            call.silent = True
            call.method = message.method
        elif call.batch is not None:
            self._replies.join(call, call.batch, bytes(message.id))
        try:
            if message.id is not ABSENT:
                self._identify(call, bytes(message.id))
            self._begin(message, call)
        except SidecarError as error:
            self.settle(call, error)
        except Exception as error:
            self.settle(call, internal_error(error))

    def _identify(self, call: Call, text: bytes) -> None:
        key = text if text.isdigit() else canonical_id(text)
        if key is None:
            raise InvalidRequest("an id is a string, an integer or null")
        if key in self._calls:
            raise InvalidRequest("the id is in flight already", id=Raw(text))
        call.id, call.key = text, key
        if call.batch is not None:
            self._calls[key] = call

    def _begin(self, message: Envelope, call: Call) -> None:
        """Check that the request may come now, and start to carry it out."""
        if message.jsonrpc != "2.0":
            raise InvalidRequest('the member jsonrpc is not "2.0"')
        if message.method is None:
            raise InvalidRequest("the request has no method")
        if not self.accepting and message.method != "exit":
            raise InvalidRequest("the sidecar was told to shut down")
        handler = self.handlers.get(message.method)
        if handler is None:
            close = suggestion(message.method, self.handlers)
            raise MethodNotFound(f"there is no method {quote(message.method)}{close}")
        if handler.notification and not call.silent:
            raise InvalidRequest(f"{message.method} is a notification: it takes no id")
        if handler.open_ended and call.silent:
            return  # nobody would hear how it ends
        if call.batch is not None and not handler.in_batch:
            raise InvalidRequest(f"{message.method} is not allowed in a batch")
        params = handler.read(message.params)
        if handler.open_ended:
            if not self._work.has_room_for_waits:
                raise TooManyWaits("too many waits and watches are open", limit=MAX_WAITS)
            call.open_ended = True
        later = handler.handle(params, call)
        # Most reads are answered at once, and spared a task.
        if isinstance(later, AWAITABLE):
            call.light = handler.light
            if call.key is not None:
                self._calls[call.key] = call
            self._work.start(call, later, getattr(params, "timeout_seconds", None))
        else:
            self.settle(call, later)

    def _worked(self, call: Call, outcome: Any) -> None:
        self.settle(call, outcome)
        if not self._reading and not self._pump_soon:
            self._pump_soon = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _cancel(self, params: _Cancel, _: Call) -> None:
        call = self._calls.get(canonical_id(bytes(params.id)) or b"")
        if call is not None and not call.settled:
            call.stop(RequestCancelled("the client cancelled the request"))

    # Answering.

    def settle(self, call: Call, outcome: Any) -> None:
        """Decide a request's answer; only the first decision counts."""
        if call.effect is not None:
            if not call.settled:
                call.known = call.effect.describe()
            if call.task is None or call.task.done():
                call.effect.end()
        if call.settled:
            return
        call.settled = True
        call.outcome = outcome
        if call.timer is not None:
            call.timer.cancel()
        if isinstance(outcome, SidecarError):
            self.errors += 1
        if call.batch is None or call.silent:
            self.output.put(call)
        else:
            self._replies.settle(call, call.batch)
            self._settled_of(call.batch)

    def _settled_of(self, batch: Batch) -> None:
        batch.unsettled -= 1
        if not batch.unsettled:
            self.output.put(batch)
