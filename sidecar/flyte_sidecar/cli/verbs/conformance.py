"""`flyte-sidecar conformance -- CMD`: test a server that speaks JSON-RPC 2.0 on stdio."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct, convert
from msgspec.structs import replace

from flyte_sidecar.cli import standard_streams
from flyte_sidecar.cli.arguments.values import UsageError, add_json, duration, path, text
from flyte_sidecar.cli.conformance_report import Report, list_of_checks, summary
from flyte_sidecar.cli.output import print_json, print_lines
from flyte_sidecar.conformance.check import Check
from flyte_sidecar.conformance.checks import CHECKS
from flyte_sidecar.conformance.messages import parse
from flyte_sidecar.conformance.run import NoServer, Run, detect_framing
from flyte_sidecar.conformance.target import Call, Target
from flyte_sidecar.conformance.transcripts import transcript_checks
from flyte_sidecar.server.settings import Options

DEFAULT_TIMEOUT = 5.0
"""Seconds to wait for a response."""

SETTLE_RATIO = 10
"""How much shorter than the timeout is the time in which another response may still arrive."""

METHOD_AND_PARAMS = ("METHOD", "PARAMS")


class _Arguments(Struct, frozen=True, kw_only=True):
    """The arguments of the verb."""

    command: list[str]
    lsp: bool
    root: str | None
    call: list[str] | None
    invalid: list[str] | None
    slow: list[str] | None
    cancel: str
    timeout: float
    only: list[str]
    transcripts: bool
    list_only: bool
    verbose: bool
    as_json: bool


def add_arguments(parser: ArgumentParser) -> None:
    """Add the operands and the options."""
    parser.add_argument(
        "command",
        metavar="CMD",
        nargs="*",
        help="the server, and after it its arguments; {folder} in one of them stands for a new,"
        " empty folder of each process",
    )
    server = parser.add_argument_group("about the server")
    server.add_argument(
        "--lsp",
        action="store_true",
        help="it is a language server: begin with `initialize` and `initialized`",
    )
    server.add_argument(
        "--root",
        metavar="PATH",
        type=path,
        help="folder that a language server is started for (default: an empty one)",
    )
    for name, summary_ in (
        ("call", "a request that succeeds and changes nothing, with params as JSON"),
        ("invalid", "a request whose params are invalid"),
        ("slow", "a request that waits until it is cancelled"),
    ):
        server.add_argument(
            f"--{name}",
            metavar=METHOD_AND_PARAMS,
            nargs=2,
            type=text,
            help=f"{summary_} (default: none)",
        )
    server.add_argument(
        "--cancel",
        metavar="METHOD",
        type=text,
        default="$/cancelRequest",
        help="notification that cancels the request `id` (default: $/cancelRequest)",
    )
    checks = parser.add_argument_group("checks")
    checks.add_argument(
        "--only",
        metavar="GROUP",
        action="append",
        default=[],
        type=text,
        help="run the checks of a group, or one check; may be repeated (default: all)",
    )
    checks.add_argument(
        "--transcripts",
        action="store_true",
        help="replay recorded conversations instead: for other implementations of the protocol of"
        " flyte-sidecar",
    )
    checks.add_argument(
        "--timeout",
        metavar="DURATION",
        type=duration,
        default=DEFAULT_TIMEOUT,
        help=f"how long a response may take (default: {DEFAULT_TIMEOUT:g}s)",
    )
    checks.add_argument(
        "--list", dest="list_only", action="store_true", help="list the checks, and run none"
    )
    add_json(parser, "check per line, with what was sent and received")
    checks.add_argument(
        "--verbose", action="store_true", help="show what was sent and received when a check fails"
    )


def run(options: Options, **values: object) -> int:
    """Run the checks, print each result, and return 1 if a check of level `must` fails, else 0.

    Raises
    ------
    UsageError
        If the arguments cannot be used.
    OSError
        If stdout cannot be written.
    """
    standard_streams.require_stdout()
    arguments = convert(values, _Arguments)
    checks = _selected(arguments)
    if arguments.list_only:
        print_lines(list_of_checks(checks))
        return 0
    if not arguments.command:
        raise UsageError("a command is required: flyte-sidecar conformance -- CMD")
    target = _target(options, arguments)
    try:
        if target.framing is None:
            target = replace(target, framing="header" if target.is_lsp else detect_framing(target))
        tests = Run(target)
        tests.start()
    except NoServer as error:
        raise UsageError(str(error)) from None
    return _print_results(tests, checks, arguments)


def _print_results(tests: Run, checks: Sequence[Check], arguments: _Arguments) -> int:
    counts: Counter[str] = Counter()
    has_failed = False
    report = Report(checks, is_verbose=arguments.verbose)
    for result in tests.results(checks):
        counts[result.outcome] += 1
        has_failed |= result.outcome == "fail" and result.level == "must"
        if arguments.as_json:
            print_json(result)
        else:
            print_lines(report.lines(result))
    if not arguments.as_json:
        print_lines(summary(counts))
    return 1 if has_failed else 0


def _selected(arguments: _Arguments) -> Sequence[Check]:
    checks = [*transcript_checks()] if arguments.transcripts else CHECKS
    for name in arguments.only:
        if not any(name in (check.group, check.id) for check in checks):
            groups = ", ".join(dict.fromkeys(check.group for check in checks))
            raise UsageError(f"--only: no group or check {name!r} (groups: {groups})")
    wanted = {*arguments.only}
    return [check for check in checks if not wanted or {check.group, check.id} & wanted]


def _target(options: Options, arguments: _Arguments) -> Target:
    return Target(
        command=arguments.command,
        framing=None if options.framing == "auto" else options.framing,
        is_lsp=arguments.lsp,
        root=arguments.root,
        call=_call("--call", arguments.call),
        invalid=_call("--invalid", arguments.invalid),
        slow=_call("--slow", arguments.slow),
        cancel=arguments.cancel,
        timeout=arguments.timeout,
        settle_time=arguments.timeout / SETTLE_RATIO,
    )


def _call(option: str, given: list[str] | None) -> Call | None:
    if given is None:
        return None
    method, params = given
    try:
        is_structured = isinstance(parse(params.encode()), list | dict)
    except ValueError as error:
        raise UsageError(f"{option}: the params are not JSON: {error}") from None
    if not is_structured:
        raise UsageError(f"{option}: the params must be a JSON array or object")
    return Call(method, params)
