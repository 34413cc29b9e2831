"""The command: parses its words, and wires the parts together.

What a verb needs is imported when it runs: a server takes its streams before anything else
can print into them, and answers sooner for each module that it does not load.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from sidecar import standard_streams
from sidecar.errors import SidecarError
from sidecar.options import (
    BACKEND_VARIABLE,
    BackendKind,
    Options,
    deployment,
    expand_user,
    is_utf8,
    store_path,
)
from sidecar.rpc.framing import MAX_MESSAGE_BYTES
from sidecar.version import VERSION

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

DESCRIPTION = """\
See and answer the events of Flyte workflow runs from any language: a long-lived process
that speaks JSON-RPC 2.0 on stdin and stdout, one JSON text a line or with LSP's headers.
"""

EXAMPLES = """\
examples:
  flyte-sidecar demo
      two sidecars over one store, one waiting, one answering
  flyte-sidecar call events.create '{"runName": "r1", "name": "deploy"}'
  flyte-sidecar call events.signal '{"runName": "r1", "name": "deploy", "payload": true}'
      one request each, without a client
  flyte-sidecar pending
  flyte-sidecar watch r1
      what waits for an answer now; what run r1 asks and is answered, as it happens
  flyte-sidecar watch --json | jq -r '.params.event.prompt // empty'
      the notifications of all pending events, a line each
  echo '{"jsonrpc":"2.0","id":1,"method":"events.list","params":{"runName":"r1"}}' | flyte-sidecar
      a conversation over a pipe
"""


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
        words = vars(parser().parse_args(arguments))
        run: Callable[[Options, dict[str, Any]], int] = words.pop("run", _serve)
        if run in (_demo, _schema):
            words["backend"] = "local"  # whatever the environment says: they ask no deployment
        return run(_options(words), words)
    except SystemExit as parsed:
        return int(parsed.code or 0)
    except KeyboardInterrupt:
        return _interrupted()
    except SidecarError as error:
        from sidecar.terminal import harmless

        print(f"{error.kind}: {harmless(error.message)}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except OSError as error:
        return _fail(str(error))


class _Parser(argparse.ArgumentParser):
    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """Print what argparse would; it ignores that stdout cannot be written."""
        (file or sys.stderr).write(message)


def parser() -> argparse.ArgumentParser:
    """Make the parser. Options may stand before or after the verb."""
    common = _common_options()
    top = _Parser(
        prog="flyte-sidecar",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
    )
    top.add_argument("--version", action="version", version=f"flyte-sidecar {VERSION}")
    verbs = top.add_subparsers(title="verbs", metavar="VERB")

    def verb(name: str, run: Callable[..., int], summary: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=summary, description=summary, parents=[common])
        made.set_defaults(run=run)
        return made

    verb("serve", _serve, "serve the client on stdin and stdout (the default)")
    call = verb("call", _call, "send one request and print its result; exit with 1 on an error")
    call.add_argument("method", metavar="METHOD", type=_text, help="for instance events.list")
    call.add_argument(
        "params", metavar="JSON", nargs="?", type=_text, help="the params; - reads them on stdin"
    )
    watch = verb("watch", _watch, "tell of events as they stand and change, a line a change")
    watch.add_argument(
        "run_name",
        metavar="RUN",
        nargs="?",
        type=_text,
        help="the run (all events that are pending)",
    )
    pending = verb("pending", _pending, "list the events of all runs that wait for an answer")
    for made, what in ((watch, "a notification as on the wire"), (pending, "an event as JSON")):
        made.add_argument(
            "--json", dest="as_json", action="store_true", help=f"{what}, a line each"
        )
    schema = verb("schema", _schema, "print the OpenRPC document of all methods and types")
    schema.add_argument(
        "--out",
        metavar="DIR",
        type=_path,
        help="write it, the JSON Schema and the method table there instead",
    )
    verb("demo", _demo, "show two real sidecars over one store, one waiting, one answering")
    verb("doctor", _doctor, "tell what would be used, and whether it works")
    return top


def _common_options() -> _Parser:
    common = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    where = common.add_argument_group("where the events are")
    where.add_argument(
        "--backend",
        choices=get_args(BackendKind),
        help=f"the embedded store, or a Flyte deployment ({BACKEND_VARIABLE}; local)",
    )
    where.add_argument(
        "--store",
        metavar="PATH",
        help="the embedded store's file (FLYTE_SIDECAR_STORE)",
    )
    where.add_argument("--endpoint", metavar="HOST[:PORT]", help="the Flyte deployment")
    where.add_argument("--insecure", action="store_true", help="speak plaintext to it, not TLS")
    where.add_argument(
        "--ca-cert-file",
        metavar="PATH",
        type=_path,
        help="trust what is in this PEM file, not the system's",
    )
    where.add_argument(
        "--insecure-skip-verify", action="store_true", help="trust any certificate that it shows"
    )
    where.add_argument("--org", help="the organization of requests that name none")
    where.add_argument("--project", help="likewise the project (local: local)")
    where.add_argument("--domain", help="likewise the domain (local: local)")
    how = common.add_argument_group("how to serve")
    how.add_argument(
        "--framing", choices=["auto", "header", "line"], help="by the first byte, or fixed (auto)"
    )
    how.add_argument(
        "--max-message-bytes", type=_positive, metavar="N", help="largest message taken (16 MiB)"
    )
    how.add_argument(
        "--parent-pid",
        "--clientProcessId",
        type=_positive,
        metavar="PID",
        help="end when that process is gone",
    )
    how.add_argument("--stdio", action="store_true", help="taken, and changes nothing")
    how.add_argument(
        "--log-level",
        choices=["debug", "info", "warning", "error", "critical"],
        help="logs go to stderr (warning)",
    )
    how.add_argument("--log-file", metavar="PATH", type=_path, help="or to a file")
    return common


def _text(word: str) -> str:
    if not is_utf8(word):
        raise argparse.ArgumentTypeError(f"{word!r} is not UTF-8")
    return word


def _path(word: str) -> str:
    try:
        return expand_user(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _positive(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"a number of at least 1 is needed, not {word!r}")
    return int(word)


def _options(words: dict[str, Any]) -> Options:
    given = {name: words.pop(name) for name in Options.__struct_fields__ if name in words}
    backend = given.setdefault("backend", os.environ.get(BACKEND_VARIABLE) or "local")
    if backend not in get_args(BackendKind):
        known = ", ".join(get_args(BackendKind))
        parser().error(f"{BACKEND_VARIABLE} names no backend: {backend!r} (choose from {known})")
    given.setdefault("store", "")
    given.setdefault("max_message_bytes", MAX_MESSAGE_BYTES)
    try:
        if backend == "local":
            given["store"] = store_path(given["store"])
        options = Options(**given)
        if backend == "flyte":
            deployment(options)
    except ValueError as error:
        parser().error(str(error))
    except (OSError, RuntimeError) as error:
        parser().error(f"no place for the store, choose an absolute --store: {error}")
    return options


def _serve(options: Options, _: dict[str, Any]) -> int:
    from sidecar.rpc.stdio import take_stdio

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
    from sidecar.serve import run

    _log(options)
    return run(options, stdin, stdout)


def _call(options: Options, words: dict[str, Any]) -> int:
    from sidecar.call import call

    return call(options, words["method"], words["params"])


def _watch(options: Options, words: dict[str, Any]) -> int:
    from sidecar.watch import watch

    _log(options)
    return watch(options, words["run_name"], words["as_json"])


def _pending(options: Options, words: dict[str, Any]) -> int:
    from sidecar.pending import pending

    _log(options)
    return pending(options, words["as_json"])


def _demo(options: Options, _: dict[str, Any]) -> int:
    from sidecar.demo import demo

    return demo()


def _schema(_: Options, words: dict[str, Any]) -> int:
    from pathlib import Path

    from sidecar import schema

    if words["out"] is None:
        sys.stdout.buffer.write(schema.files()["openrpc.json"])
    else:
        schema.write(Path(words["out"]))
    return 0


def _doctor(options: Options, _: dict[str, Any]) -> int:
    from sidecar.doctor import doctor

    return doctor(options)


def _log(options: Options) -> None:
    from sidecar import logs

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
