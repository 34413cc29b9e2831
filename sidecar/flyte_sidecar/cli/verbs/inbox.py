"""`flyte-sidecar inbox`: the waiting events, live, and answers to them."""

from __future__ import annotations

import asyncio
import os
import sys
from argparse import ArgumentParser

from flyte_sidecar.cli import logs, standard_streams
from flyte_sidecar.server.settings import Options

NO_CURSOR = ("", "dumb", "unknown")
"""Values of TERM for terminals that cannot move the cursor."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the option."""
    parser.add_argument(
        "--plain",
        action="store_true",
        help="print lines and read typed commands, for screen readers (default: full screen)",
    )


def run(options: Options, plain: bool) -> int:
    """Show the waiting events until the user quits; return the exit status.

    Raises
    ------
    SidecarError
        Without a terminal: if the events cannot be listed.
    OSError
        If stdout cannot be written.
    """
    standard_streams.require_stdout()
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()):
        from flyte_sidecar.cli.verbs import pending

        print(
            "flyte-sidecar: inbox needs a terminal; these are the pending events", file=sys.stderr
        )
        return pending.run(options, as_json=False)
    if plain or (sys.platform != "win32" and os.environ.get("TERM", "") in NO_CURSOR):
        return _run_plain(options)
    try:
        from flyte_sidecar.cli.inbox.full_screen import run_full_screen
    except ImportError:
        print(
            "flyte-sidecar: the full-screen inbox needs pip install 'flyte-sidecar[inbox]'; this"
            " is the plain one",
            file=sys.stderr,
        )
        return _run_plain(options)
    logs.set_up(options.log_level, options.log_file or os.devnull)  # not onto the screen
    return asyncio.run(run_full_screen(options))


def _run_plain(options: Options) -> int:
    from flyte_sidecar.cli.inbox.plain import run_plain

    logs.set_up(options.log_level, options.log_file)
    return asyncio.run(run_plain(options))
