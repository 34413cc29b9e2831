"""`flyte-sidecar notify`: notify when runs start to wait for an answer."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from msgspec import Struct, convert
from msgspec.structs import replace

from flyte_sidecar.cli import logs, standard_streams
from flyte_sidecar.cli.arguments.values import UsageError, duration, path, text
from flyte_sidecar.cli.event_filter import EventFilter, add_globs
from flyte_sidecar.cli.notify.command import CommandChannel
from flyte_sidecar.cli.notify.desktop import DesktopChannel, Display
from flyte_sidecar.cli.notify.notice import Channel
from flyte_sidecar.cli.notify.notifier import Notifier
from flyte_sidecar.cli.notify.schedule import Schedule
from flyte_sidecar.cli.notify.webhook_signature import SECRET_VARIABLE, load_key
from flyte_sidecar.cli.opened import require_scope
from flyte_sidecar.events.delivery_leases import MAX_LEASE, DeliveryLeases
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.backend_ids import backend_id
from flyte_sidecar.server.settings import (
    Options,
    backend_arguments,
    flyte_config,
    make_backend,
    state_folder,
)
from flyte_sidecar.server.termination import on_termination

DEFAULT_TIMEOUT = 60.0
"""Seconds that a delivery may take."""

LEASE_FACTOR = 1.5
"""How much longer than the timeout of a delivery its lease lasts."""

MAX_TIMEOUT = MAX_LEASE / LEASE_FACTOR
"""Maximum `--timeout` in seconds: other processes ignore leases that last longer."""


class _Arguments(Struct, frozen=True, kw_only=True):
    """The arguments of the verb."""

    desktop: bool
    command: str | None
    webhook: str | None
    webhook_secret_file: str | None
    allow_http: bool
    after: float
    remind: float | None
    timeout: float
    run_glob: str | None
    name_glob: str | None


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options."""
    channels = parser.add_argument_group("channels")
    channels.add_argument(
        "--desktop",
        action="store_true",
        help="show notifications of the desktop (default: only without another channel)",
    )
    channels.add_argument(
        "--exec",
        dest="command",
        metavar="CMD",
        type=text,
        help="run a command, without a shell, for each event: the event is in environment variables"
        " and as JSON on stdin",
    )
    channels.add_argument(
        "--webhook",
        metavar="URL",
        type=text,
        help="post each event as a CloudEvent, signed as Standard Webhooks specifies",
    )
    channels.add_argument(
        "--webhook-secret-file",
        metavar="PATH",
        type=path,
        help=f"file with the secret of the signatures (default: environment: {SECRET_VARIABLE};"
        " without a secret, requests are not signed)",
    )
    channels.add_argument(
        "--allow-http",
        action="store_true",
        help="allow a URL with http:// to other machines (default: only to this one)",
    )
    events = parser.add_argument_group("events")
    events.add_argument(
        "--after",
        metavar="DURATION",
        type=duration,
        default=0.0,
        help="notify only of events that still wait after this time, such as 90s, 10m or 1h30m"
        " (default: at once)",
    )
    events.add_argument(
        "--remind",
        metavar="DURATION",
        type=duration,
        help="repeat the notification at this interval while the event waits (default: never)",
    )
    add_globs(events)
    events.add_argument(
        "--timeout",
        metavar="DURATION",
        type=duration,
        default=DEFAULT_TIMEOUT,
        help="timeout of a command or a request, at most"
        f" {MAX_TIMEOUT / 60:.0f}m (default: {DEFAULT_TIMEOUT:.0f}s)",
    )
    service = parser.add_argument_group("service")
    service.add_argument(
        "--print-service",
        action="store_true",
        help="print the file of a user service that runs this command, for systemd or launchd",
    )


def run(options: Options, print_service: bool, **values: object) -> int:
    """Notify until SIGTERM or SIGINT, and return the exit status.

    Raises
    ------
    UsageError
        If the arguments cannot be used, or a package that they need is not installed.
    """
    arguments = convert(values, _Arguments)
    if arguments.timeout > MAX_TIMEOUT:
        raise UsageError(f"--timeout must be at most {MAX_TIMEOUT / 60:.0f}m")
    logs.set_up(options.log_level, options.log_file)
    if print_service:
        return _print_service(options, arguments)
    return asyncio.run(_notify(options, arguments))


async def _notify(options: Options, arguments: _Arguments) -> int:
    channels = _channels(arguments)
    backend = make_backend(options)
    require_scope(backend)
    notifier = Notifier(
        EventService(backend),
        channels,
        backend_id=lambda event: backend_id(
            options, backend.endpoint, backend.name_of(event.run.scope)
        ),
        leases=lambda channel: DeliveryLeases(
            state_folder, channel, arguments.timeout * LEASE_FACTOR
        ),
        wanted=EventFilter(arguments.run_glob, arguments.name_glob),
        schedule=Schedule(arguments.after, arguments.remind, arguments.timeout),
        login_command=shlex.join(["flyte-sidecar", "login", *backend_arguments(options)]),
    )
    ended = asyncio.Event()
    on_termination(ended.set, hangup=True)
    try:
        with _without_login(options):
            notifier.start()
        if os.isatty(standard_streams.STDERR):
            print("flyte-sidecar: notifying of events that wait (Ctrl-C to end)", file=sys.stderr)
        await ended.wait()
    finally:
        await notifier.close()
        await backend.close()
    return 0


def _without_login(options: Options) -> AbstractContextManager[None]:
    """Return a context whose requests never ask a person to log in: nobody may be there."""
    if options.backend == "local":
        return nullcontext()
    from flyte_sidecar.backends.flyte import without_login

    return without_login()


def _channels(arguments: _Arguments) -> Sequence[Channel]:
    channels: list[Channel] = []
    if arguments.command is not None:
        channels.append(CommandChannel(arguments.command))
    if arguments.webhook is not None:
        from flyte_sidecar.cli.notify.webhook import WebhookChannel

        key = load_key(arguments.webhook_secret_file)
        channels.append(WebhookChannel(arguments.webhook, key, allow_http=arguments.allow_http))
    if arguments.desktop or not channels:
        channels.append(DesktopChannel(_display()))
    return channels


def _display() -> Display:
    if sys.platform in ("darwin", "win32"):
        from flyte_sidecar.cli.notify.notification_library import NotificationLibrary

        return NotificationLibrary()
    from flyte_sidecar.cli.notify.notify_send import NotifySend

    return NotifySend()


def _print_service(options: Options, arguments: _Arguments) -> int:
    """Print the file to stdout, and to stderr what to do with it."""
    from flyte_sidecar.cli.notify.service_files import command_path, service_file

    if os.environ.get(SECRET_VARIABLE) and arguments.webhook_secret_file is None:
        raise UsageError(
            f"--print-service: a service does not inherit {SECRET_VARIABLE}:"
            " use --webhook-secret-file"
        )
    file = service_file(
        [*command_path(), "notify", *_all_arguments(options, arguments)],
        # The command may contain relative paths.
        folder=None if arguments.command is None else os.getcwd(),
    )
    standard_streams.require_stdout()
    standard_streams.write_all(standard_streams.STDOUT, os.fsencode(file.content))
    print(f"Save this as ~/{file.path}, then run:\n  {file.start}", file=sys.stderr)
    return 0


def _all_arguments(options: Options, arguments: _Arguments) -> Sequence[str]:
    """Return the arguments that mean the same in the environment of a service."""
    if options.backend != "local":
        options = replace(
            options,
            config=flyte_config(options).deployment.config_file,
            ca_cert_file=options.ca_cert_file and os.path.abspath(options.ca_cert_file),
        )
    files = {"log-file": options.log_file, "webhook-secret-file": arguments.webhook_secret_file}
    values = {
        "exec": arguments.command,
        "webhook": arguments.webhook,
        **{name: value and os.path.abspath(value) for name, value in files.items()},
        "after": _seconds(arguments.after),
        "remind": _seconds(arguments.remind),
        "timeout": _seconds(arguments.timeout) if arguments.timeout != DEFAULT_TIMEOUT else None,
        "run": arguments.run_glob,
        "name": arguments.name_glob,
        "log-level": "info" if options.log_level == "warning" else options.log_level,
    }
    switches = {"desktop": arguments.desktop, "allow-http": arguments.allow_http}
    return [
        *backend_arguments(options),
        *(f"--{name}={value}" for name, value in values.items() if value is not None),
        *(f"--{name}" for name, is_set in switches.items() if is_set),
    ]


def _seconds(duration: float | None) -> str | None:
    if not duration:
        return None
    return f"{int(duration)}s" if duration.is_integer() else f"{duration:f}s"
