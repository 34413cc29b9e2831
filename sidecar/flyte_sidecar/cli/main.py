"""The entry point of the command: parses the arguments and runs a verb.

A verb's module is imported when the verb runs. A server thereby redirects its streams before any
other module can print to them, and starts faster.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn, cast

from flyte_sidecar.cli import standard_streams
from flyte_sidecar.errors import SidecarError

GC_THRESHOLD = 10_000
"""New objects between two collections. With Python's default, 700, they take 5% of a start."""

LAUNCHED = "FLYTE_SIDECAR_LAUNCHED"
"""The variable by which npm's launcher recognizes that it was led back to itself. It must not reach
the processes that this one starts."""


def entry_point() -> NoReturn:
    """Run the command and exit, even if PYTHONINSPECT is set."""
    gc.set_threshold(GC_THRESHOLD)
    os.environ.pop(LAUNCHED, None)
    status = main()
    if sys.flags.inspect:
        import logging

        logging.shutdown()
        os._exit(status)
    sys.exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    standard_streams.prepare()
    _import_msgspec()
    from flyte_sidecar.cli.arguments.parser import parse, usage_error
    from flyte_sidecar.cli.arguments.values import UsageError
    from flyte_sidecar.cli.arguments.verb_table import VERBS_PACKAGE

    try:
        verb, options, parameters = parse(arguments)
        try:
            status: int = import_module(f"{VERBS_PACKAGE}.{verb}").run(options, **parameters)
        except UsageError as error:
            usage_error(verb, error)
        return status
    except SystemExit as parsed:
        return int(parsed.code or 0)
    except KeyboardInterrupt:
        return _interrupted()
    except SidecarError as error:
        from flyte_sidecar.events.plain_text import sanitize

        print(f"{error.kind}: {sanitize(error.message)}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except OSError as error:
        print(f"flyte-sidecar: {error}", file=sys.stderr)
        return 1


def _import_msgspec() -> None:
    """Import msgspec without typing_extensions, which it needs only on older versions of Python.

    gRPC installs that module, and importing it takes 3% of a start. Others can import it later.
    """
    if {"msgspec", "typing_extensions"}.isdisjoint(sys.modules):
        cast(dict[str, None], sys.modules)["typing_extensions"] = None
        try:
            import_module("msgspec")
        finally:
            del sys.modules["typing_extensions"]


def _interrupted() -> int:
    """End the process by SIGINT: after an exit status, a shell loop around it would continue."""
    if sys.platform != "win32":
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return 130
