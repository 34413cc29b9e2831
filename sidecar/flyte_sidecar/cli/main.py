"""The command: runs its verbs.

What a verb needs is imported when it runs: a server takes its streams before anything else
can print into them, and answers sooner for each module that it does not load.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from flyte_sidecar.cli import standard_streams
from flyte_sidecar.cli.arguments import parse, refuse
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.server.settings import Options, is_utf8


def entry_point() -> NoReturn:
    """Run the command and end the process, even where PYTHONINSPECT would keep it alive."""
    status = main()
    if sys.flags.inspect:
        import logging

        logging.shutdown()
        os._exit(status)
    sys.exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    standard_streams.prepare()
    try:
        verb, options, words = parse(arguments)
        return _VERBS[verb](options, words)
    except SystemExit as parsed:
        return int(parsed.code or 0)
    except KeyboardInterrupt:
        return _interrupted()
    except SidecarError as error:
        from flyte_sidecar.cli.terminal import sanitize

        print(f"{error.kind}: {sanitize(error.message)}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except OSError as error:
        return _fail(str(error))


def _serve(options: Options, _: dict[str, Any]) -> int:
    from flyte_sidecar.rpc.stdio import take_stdio

    for number in (signal.SIGTERM, signal.SIGINT):
        # Until the event loop takes them over: nothing was read yet, so nothing is lost.
        # A shell lets background jobs ignore Ctrl-C, which is typed for the one in front.
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: os._exit(0))
    interactive = os.isatty(0)
    try:
        stdin, stdout = take_stdio()
    except OSError as error:
        return _fail(f"stdin and stdout must be open to serve on them: {error}")
    if interactive:
        _say("serving on this terminal: a JSON-RPC request a line, Ctrl-D to end (see --help)")
    from flyte_sidecar.server.serve import run

    _log(options)
    return run(options, stdin, stdout)


def _call(options: Options, words: dict[str, Any]) -> int:
    from flyte_sidecar.cli.call import call

    return call(options, words["method"], words["params"])


def _watch(options: Options, words: dict[str, Any]) -> int:
    from flyte_sidecar.cli.watch import watch

    _log(options)
    return watch(options, words["run_name"], words["as_json"])


def _pending(options: Options, words: dict[str, Any]) -> int:
    from flyte_sidecar.cli.pending import pending

    _log(options)
    return pending(options, words["as_json"])


def _demo(options: Options, _: dict[str, Any]) -> int:
    import tempfile

    from flyte_sidecar.cli.demo import demo

    folder = tempfile.gettempdir()
    if not is_utf8(folder):
        refuse(f"the folder for temporary files is not UTF-8: {folder!r}")
    return demo()


def _schema(_: Options, words: dict[str, Any]) -> int:
    from pathlib import Path

    from flyte_sidecar import schema

    if words["out"] is None:
        sys.stdout.buffer.write(schema.files()["openrpc.json"])
    else:
        schema.write(Path(words["out"]), schema.files())
    return 0


def _doctor(options: Options, _: dict[str, Any]) -> int:
    from flyte_sidecar.cli.doctor import doctor

    return doctor(options)


_VERBS = {
    "serve": _serve,
    "call": _call,
    "watch": _watch,
    "pending": _pending,
    "schema": _schema,
    "demo": _demo,
    "doctor": _doctor,
}


def _log(options: Options) -> None:
    from flyte_sidecar.cli import logs

    try:
        logs.set_up(options.log_level, options.log_file)
    except OSError as error:
        raise OSError(f"cannot write the log: {error}") from None


def _interrupted() -> int:
    """End as the signal ends a process: after an exit status, a shell's loop would go on."""
    if sys.platform != "win32":
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return 130


def _say(sentence: str) -> None:
    print(f"flyte-sidecar: {sentence}", file=sys.stderr)


def _fail(sentence: str) -> int:
    _say(sentence)
    return 1
