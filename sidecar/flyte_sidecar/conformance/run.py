"""Runs checks. Harmless ones share a process; one that fails is repeated with a new process."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

from msgspec.structs import replace

from flyte_sidecar.conformance.check import Check, Need, Outcome, Result
from flyte_sidecar.conformance.connection import Connection, Observations
from flyte_sidecar.conformance.evidence import escape
from flyte_sidecar.conformance.failures import Skip, Violation, Warn
from flyte_sidecar.conformance.framing import frame
from flyte_sidecar.conformance.messages import request_text
from flyte_sidecar.conformance.server_process import ServerProcess
from flyte_sidecar.conformance.target import Framing, Target

FOLDER = "{folder}"
"""Stands for an empty folder of each process, in the arguments of the command."""

STDERR_SHOWN = 1000
"""Bytes at the end of stderr that a result contains."""


class NoServer(Exception):
    """The command is no server that can be tested. The message says why."""


def detect_framing(target: Target) -> Framing:
    """Return the framing in which the server responds.

    The first message is readable in both: the JSON text is preceded by headers, and is a line.

    Raises
    ------
    NoServer
        If it does not respond, or cannot be started.
    """
    probe = target.probe
    text = frame("header", request_text(probe.method, probe.params, "1")) + b"\n"
    with tempfile.TemporaryDirectory() as folder:
        try:
            process = ServerProcess(_command(target, folder))
        except OSError as error:
            raise NoServer(_cannot_start(error)) from None
        try:
            process.write(text)
            output = process.take(target.startup_timeout).lstrip()
            if not output:
                raise NoServer(_why_silent(process, target))
            return "line" if output[:1] in b"[{" else "header"
        finally:
            process.close()


class Run:
    """A run of checks on one server.

    Parameters
    ----------
    target
        Its framing has to be known.
    repeats
        Whether a check that fails is repeated. If it then passes, its result is a warning.
    """

    def __init__(self, target: Target, *, repeats: bool = True) -> None:
        assert target.framing is not None
        self._repeats = repeats
        self._target = target
        self._framing: Framing = target.framing
        self._observations = Observations()
        self._shared: Connection | None = None
        self._folders: dict[int, str] = {}  # by the pid of their processes

    def start(self) -> None:
        """Start the server, and verify that it responds.

        Raises
        ------
        NoServer
            If it does not, or cannot be started.
        """
        try:
            self._shared = self._connect()
            self._shared.check_alive()
        except OSError as error:
            raise NoServer(_cannot_start(error)) from None
        except Violation as error:
            stderr = "nothing" if self._shared is None else _stderr_of(self._shared)
            self._forget_shared()
            raise NoServer(f"{error}; stderr: {stderr or 'nothing'}") from None

    def results(self, checks: Iterable[Check]) -> Iterator[Result]:
        """Run the checks that apply to the framing, and yield their results."""
        try:
            for check in checks:
                if check.framing in (None, self._framing):
                    yield self._result(check)
        finally:
            self._close(self._shared)

    def _result(self, check: Check) -> Result:
        if self._target.is_lsp and check.not_in_lsp is not None:
            return _result_of(check, "n/a", f"not in LSP: {check.not_in_lsp}")
        if check.needs is not None and not self._has(check.needs):
            return _result_of(check, "skip", f"needs --{check.needs}")
        result = self._attempt(check)
        if result.outcome != "fail" or not self._repeats:
            return result
        self._forget_shared()
        again = self._attempt(check)
        if again.outcome == "fail":
            return again
        detail = f"failed once, and passed when it was repeated: {result.detail}"
        return replace(result, outcome="warn", detail=detail)

    def _has(self, need: Need) -> bool:
        target = self._target
        have = (target.call, target.invalid, target.slow, target.is_lsp)
        return bool(dict(zip(get_args(Need), have, strict=True))[need])

    def _attempt(self, check: Check) -> Result:
        connection = None
        try:
            connection = self._connection(check)
            check.perform(connection)
            if not check.is_fresh:
                connection.check_alive()
        except Violation as error:
            return self._failed(check, "fail", str(error), connection)
        except Warn as error:
            return self._failed(check, "warn", str(error), connection)
        except Skip as error:
            return _result_of(check, "skip", str(error))
        finally:
            if check.is_fresh:
                self._close(connection)
        return _result_of(check, "pass")

    def _failed(
        self, check: Check, outcome: Outcome, detail: str, connection: Connection | None
    ) -> Result:
        result = _result_of(check, outcome, detail)
        if connection is None:
            return result
        if not check.is_fresh:
            self._forget_shared()
        return replace(
            result,
            evidence=connection.evidence.entries(),
            stderr=_stderr_of(connection),
        )

    def _connection(self, check: Check) -> Connection:
        if check.is_fresh:
            return self._connect()
        if self._shared is None:
            self._shared = self._connect()
        self._shared.start_log()
        return self._shared

    def _connect(self) -> Connection:
        folder = tempfile.mkdtemp(prefix="conformance-")
        target = replace(
            self._target,
            command=_command(self._target, folder),
            root=self._target.root or folder,
        )
        try:
            connection = Connection(target, self._framing, self._observations)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._folders[connection.process.pid] = folder
        return connection

    def _forget_shared(self) -> None:
        self._close(self._shared)
        self._shared = None

    def _close(self, connection: Connection | None) -> None:
        if connection is not None:
            connection.close()
            folder = self._folders.pop(connection.process.pid, None)
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)


def _cannot_start(error: OSError) -> str:
    return f"the server cannot be started: {error.filename}: {error.strerror}"


def _why_silent(process: ServerProcess, target: Target) -> str:
    status = process.wait_for_exit(target.settle_time) if process.at_end else None
    if status is not None:
        reason = f"the server exits with status {status}, and does not respond"
    elif process.at_end:
        reason = "the server closes stdout, and does not respond"
    else:
        reason = (
            f"the server does not respond within {target.startup_timeout:g} s; if that is too"
            " short, see --timeout"
        )
    return f"{reason}; stderr: {escape(process.stderr_tail()[-STDERR_SHOWN:]) or 'nothing'}"


def _stderr_of(connection: Connection) -> str:
    return escape(connection.process.stderr_tail()[-STDERR_SHOWN:], STDERR_SHOWN)


def _command(target: Target, folder: str) -> list[str]:
    return [argument.replace(FOLDER, str(Path(folder))) for argument in target.command]


def _result_of(check: Check, outcome: Outcome, detail: str = "") -> Result:
    return Result(
        check=check.id,
        title=check.title,
        source=check.source,
        level=check.level,
        outcome=outcome,
        detail=detail,
    )
