"""`flyte-sidecar serve`: serve one client on stdin and stdout."""

from __future__ import annotations

import os
import signal
import sys

from flyte_sidecar.rpc.stdio import take_stdio
from flyte_sidecar.server.settings import Options


def run(options: Options) -> int:
    """Serve until the end of input, and return the exit status.

    Raises
    ------
    OSError
        If stdin or stdout is closed, or the log cannot be written.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        # Until the event loop handles them: no request was read yet, so none is lost.
        # Shells start background jobs with SIGINT ignored, and Ctrl-C is not meant for them.
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: os._exit(0))
    interactive = os.isatty(0)
    try:
        stdin, stdout = take_stdio()
    except OSError as error:
        raise OSError(f"stdin and stdout must be open to serve on them: {error}") from None
    if interactive:
        print(
            "flyte-sidecar: serving on this terminal. Enter one JSON-RPC request per line;"
            " Ctrl-D ends. For help: flyte-sidecar --help",
            file=sys.stderr,
        )
    # Only now, because these modules could print to stdout.
    from flyte_sidecar.cli import logs
    from flyte_sidecar.server.serve import run

    logs.set_up(options.log_level, options.log_file)
    return run(options, stdin, stdout)
