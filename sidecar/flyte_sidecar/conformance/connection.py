"""Messages to and from a process of the server."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from flyte_sidecar.conformance.evidence import Evidence, escape
from flyte_sidecar.conformance.failures import Violation
from flyte_sidecar.conformance.framing import decoder, frame
from flyte_sidecar.conformance.messages import (
    Message,
    compact,
    is_call,
    parse,
    problem,
    request_text,
    same_id,
)
from flyte_sidecar.conformance.server_process import ServerProcess, until
from flyte_sidecar.conformance.target import Call, Framing, Target

MAX_OBSERVED = 20
"""Observations of one kind that are kept."""


class Observations:
    """What is wrong with messages, whatever they respond to; collected over all connections."""

    def __init__(self) -> None:
        self.noise: list[str] = []
        self.malformed: list[str] = []
        self.extra: list[str] = []

    def add(self, kind: list[str], text: str) -> None:
        """Record an observation, unless there are many."""
        if len(kind) < MAX_OBSERVED:
            kind.append(text)


class Connection:
    """A connection to a process of the server, with its handshake done."""

    def __init__(
        self,
        target: Target,
        framing: Framing,
        observations: Observations,
        *,
        stdin: Path | None = None,
    ) -> None:
        self.target = target
        self.framing: Framing = framing
        self.evidence = Evidence()
        self.process = ServerProcess(target.command, stdin=stdin)
        self.keeps_notifications = False  # among the responses
        self._decoder = decoder(framing)
        self.observations = observations
        self._responses: list[Message] = []
        self._last_id = 0
        self._timeout = target.startup_timeout  # until the first response
        if target.is_lsp and stdin is None:
            try:
                self._initialize()
            except BaseException:
                self.close()
                raise

    def start_log(self) -> None:
        """Start the evidence of a check."""
        self.evidence = Evidence()

    def new_id(self) -> str:
        """Return a new id as JSON."""
        self._last_id += 1
        return f'"id-{self._last_id}"'

    def frame(self, text: bytes) -> bytes:
        """Return a message with the framing of the connection."""
        return frame(self.framing, text)

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self.evidence.add("sent", data)
        self.process.write(data)

    def send(self, *texts: bytes) -> None:
        """Send messages in one write."""
        self.write(b"".join(map(self.frame, texts)))

    def probe_text(self, request_id: str) -> bytes:
        """Return a request that the server responds to."""
        probe = self.target.probe
        return request_text(probe.method, probe.params, request_id)

    def exchange(self, *texts: bytes, expected: int = 1) -> list[Message]:
        """Send messages, then another request, and return the responses to the former.

        Parameters
        ----------
        expected
            The number of responses to wait for, even if the other request is answered before.
            If it is 0, a response may still arrive for a short time.

        Raises
        ------
        Violation
            If the other request is not answered.
        """
        return self.exchange_bytes(b"".join(map(self.frame, texts)), expected=expected)

    def exchange_bytes(self, data: bytes, *, expected: int = 1) -> list[Message]:
        """Do the same with bytes of any form."""
        self._discard_late_responses()
        found = self._probe(data)
        settle = self.target.settle_time
        if len(found) < expected:
            found += self.collect(lambda more: len(found) + len(more) >= expected, settle)
        elif expected == 0:
            found += self.collect(bool, settle)
        return found

    def others(self) -> list[Message]:
        """Return all responses that were not taken yet, or that arrive within a short time.

        Raises
        ------
        Violation
            If the server does not respond any more.
        """
        found = self._probe(b"")
        return found or self.collect(bool, self.target.settle_time)

    def check_alive(self) -> None:
        """Verify that the server responds, and that no other response arrives.

        Raises
        ------
        Violation
            If one of both is not so.
        """
        if extra := self._probe(b""):
            self.observations.add(self.observations.extra, compact(extra[0])[:400])
            raise Violation(f"a response too many: {compact(extra[0])[:200]}")

    def _probe(self, data: bytes) -> list[Message]:
        """Send bytes and a request, wait for the response to it, and return the others so far."""
        probe_id = self.new_id()
        self.write(data + self.frame(self.probe_text(probe_id)))
        found = self.collect(lambda responses: _has_id(responses, probe_id), self._timeout)
        if not _has_id(found, probe_id):
            raise Violation(f"a later request is not answered{self._why()}")
        self._timeout = self.target.timeout
        mine = [message for message in found if _has_id([message], probe_id)]
        return [message for message in found if message not in mine] + mine[1:]

    def call(self, call: Call, request_id: str | None = None) -> Message:
        """Send a request, and return its response.

        Raises
        ------
        Violation
            If it is not answered.
        """
        request_id = request_id or self.new_id()
        self._discard_late_responses()
        self.send(request_text(call.method, call.params, request_id))
        return self.response_to(request_id)

    def response_to(self, request_id: str, timeout: float | None = None) -> Message:
        """Wait for the response to a request; others stay.

        Raises
        ------
        Violation
            If it is not answered.
        """
        wait = self._timeout if timeout is None else timeout
        found = self.collect(lambda responses: _has_id(responses, request_id), wait)
        self._timeout = self.target.timeout
        for index, message in enumerate(found):
            if _has_id([message], request_id):
                self._responses = found[:index] + found[index + 1 :]
                return message
        raise Violation(f"the request {request_id} is not answered{self._why()}")

    def collect(self, is_enough: Callable[[list[Message]], bool], timeout: float) -> list[Message]:
        """Return the responses that arrive until a condition, a timeout or the end of stdout."""
        deadline = time.monotonic() + timeout
        while True:
            self._handle(self.process.take(0.0))
            if is_enough(self._responses) or self.process.at_end or not until(deadline):
                break
            self._handle(self.process.take(until(deadline)))
        found, self._responses = self._responses, []
        return found

    def collect_all(self, timeout: float) -> list[Message]:
        """Return all responses up to the end of stdout, or the timeout."""
        found = self.collect(lambda _: False, timeout)
        if rest := self._decoder.rest().strip():
            self.observations.add(self.observations.noise, escape(rest))
        return found

    def close(self) -> None:
        """End the process."""
        self.process.close()

    def _discard_late_responses(self) -> None:
        self._handle(self.process.take(0.0))
        for message in self._responses:
            self.observations.add(self.observations.extra, compact(message)[:400])
        self._responses = []

    def _why(self) -> str:
        status = self.process.wait_for_exit(self.target.settle_time)
        if status is not None:
            return f": the server has exited with status {status}"
        return ": stdout is closed" if self.process.at_end else f" within {self.target.timeout:g} s"

    def _initialize(self) -> None:
        root = Path(self.target.root or ".").resolve().as_uri()
        params = compact(
            {
                "processId": None,
                "rootUri": root,
                "capabilities": {},
                "workspaceFolders": [{"uri": root, "name": "conformance"}],
            }
        )
        request_id = self.new_id()
        self.send(request_text("initialize", params, request_id))
        response = self.response_to(request_id)
        if "result" not in response:
            raise Violation(f"`initialize` fails: {compact(response)[:200]}")
        self.send(request_text("initialized", "{}", None))

    def _handle(self, data: bytes) -> None:
        self.evidence.add("received", data)
        observed = self.observations
        texts = self._decoder.feed(data)
        if noise := self._decoder.take_noise():
            observed.add(observed.noise, escape(noise))
        for text in texts:
            try:
                message = parse(text)
            except ValueError as error:
                observed.add(observed.noise, f"{escape(text)}: {error}")
                continue
            if (wrong := problem(message)) is not None:
                observed.add(observed.malformed, f"{wrong}: {escape(text)}")
            if not is_call(message) or (self.keeps_notifications and "id" not in message):
                self._responses.append(message)
            elif "id" in message:
                self._respond(message)

    def _respond(self, request: Message) -> None:
        """Respond to a request of the server, so that it does not wait."""
        result: object = None
        if request["method"] == "workspace/configuration":
            result = [None for _ in request["params"]["items"]]
        answer = {"jsonrpc": "2.0", "id": request["id"], "result": result}
        self.process.write(self.frame(compact(answer).encode()))


def _has_id(messages: list[Message], request_id: str) -> bool:
    expected = parse(request_id.encode())
    return any(
        isinstance(message, dict) and same_id(message.get("id"), expected) for message in messages
    )
