"""The terminal, the standard streams and the log file."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence

from flyte_sidecar.cli import logs, terminal
from flyte_sidecar.cli.checks.finding import Finding, failed, ok, skipped, warning
from flyte_sidecar.server.settings import Options

STREAMS = ("stdin", "stdout", "stderr")


async def check_terminal() -> Sequence[Finding]:
    """Return whether the terminal shows every character, in colour."""
    encoding = sys.stdout.encoding
    columns = terminal.columns()
    if columns is None:
        return [skipped("terminal", f"the output is not a terminal; its encoding is {encoding}")]
    kind = os.environ.get("TERM") or "unknown"
    if os.environ.get("NO_COLOR"):
        colour = "no colour, because of NO_COLOR"
    else:
        colour = "no colour" if kind == "dumb" else "colour"
    detail = f"{columns} columns, {encoding}, TERM {kind}, {colour}"
    if encoding.lower().replace("-", "") != "utf8":
        advice = "set LC_ALL=C.UTF-8 or PYTHONUTF8=1; until then, other characters are escaped"
        return [warning("terminal", detail, advice)]
    return [ok("terminal", detail)]


async def check_streams() -> Sequence[Finding]:
    """Return what the standard streams are. A server needs stdin and stdout."""
    kinds = [_kind(descriptor) for descriptor in range(len(STREAMS))]
    detail = ", ".join(
        f"{name} is {kind or 'closed'}" for name, kind in zip(STREAMS, kinds, strict=True)
    )
    if kinds[0] is None:
        advice = "a client must start flyte-sidecar with an open stdin; scripts: </dev/null"
        return [warning("streams", detail, advice)]
    return [ok("streams", detail)]


def _kind(descriptor: int) -> str | None:
    """Return what a descriptor is; None if it cannot be used.

    A descriptor that was closed at the start is open now, so that nothing else gets its number.
    Reading from it, or writing to it, fails.
    """
    try:
        if descriptor == 0:
            os.read(descriptor, 0)
        else:
            os.write(descriptor, b"")
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return None
    if os.isatty(descriptor):
        return "a terminal"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a file" if stat.S_ISREG(mode) else "a device"


async def check_log(options: Options) -> Sequence[Finding]:
    """Return where the log is written; nothing is created."""
    path, level = options.log_file, options.log_level
    if path is None:
        return [ok("log", f"stderr, level {level}")]
    try:
        logs.check_writable(path)
    except OSError as error:
        return [failed("log", str(error), "select another file: --log-file PATH")]
    return [ok("log", f"{path}, level {level}")]
