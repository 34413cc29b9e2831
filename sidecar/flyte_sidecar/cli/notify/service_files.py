"""The files of user services that run `notify`: a systemd unit, or a property list of launchd."""

from __future__ import annotations

import plistlib
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from flyte_sidecar.cli.arguments.values import UsageError

SERVICE = "flyte-sidecar-notify"


class ServiceFile(Struct, frozen=True):
    """A file that defines a service.

    Attributes
    ----------
    path
        Where to save it, relative to the home folder.
    start
        The commands that start the service, now and at each login.
    """

    content: str
    path: str
    start: str


def command_path() -> Sequence[str]:
    """Return the absolute path of this command, with arguments that are part of it."""
    script = Path(sys.executable).parent / "flyte-sidecar"
    return [str(script)] if script.exists() else [sys.executable, "-m", "flyte_sidecar"]


def service_file(
    command: Sequence[str], folder: str | None = None, platform: str = sys.platform
) -> ServiceFile:
    """Return the file for a platform.

    Parameters
    ----------
    folder
        The absolute path of the folder in which the command runs; None for the default.

    Raises
    ------
    UsageError
        If the platform has no such services, or the folder cannot be written into the file.
    """
    if folder is not None and (not folder.isprintable() or folder != folder.strip().rstrip("\\")):
        raise UsageError(f"--print-service: the name of the current folder is unusual: {folder!r}")
    if platform == "darwin":
        return ServiceFile(
            _property_list(command, folder),
            f"Library/LaunchAgents/{SERVICE}.plist",
            f"launchctl bootstrap gui/$(id -u) ~/Library/LaunchAgents/{SERVICE}.plist",
        )
    if platform == "linux":
        return ServiceFile(
            _systemd_unit(command, folder),
            f".config/systemd/user/{SERVICE}.service",
            f"systemctl --user daemon-reload && systemctl --user enable --now {SERVICE}",
        )
    raise UsageError(
        "--print-service: services are printed for systemd and launchd; on Windows, let the Task"
        " Scheduler run the same command without --print-service at log on"
    )


def _systemd_unit(command: Sequence[str], folder: str | None) -> str:
    arguments = " ".join(map(_systemd_quoted, command))
    # Systemd takes the rest of the line, without quotes and escapes.
    working = "" if folder is None else "WorkingDirectory={}\n".format(folder.replace("%", "%%"))
    return f"""\
[Unit]
Description=Notify when Flyte runs wait for an answer
StartLimitIntervalSec=0

[Service]
ExecStart={arguments}
{working}Restart=on-failure
RestartSec=30
RestartPreventExitStatus=2

[Install]
WantedBy=default.target
"""


def _systemd_quoted(argument: str) -> str:
    """Return an argument of ExecStart in quotes, without specifiers, variables and escapes."""
    quoted = argument.replace("\\", "\\\\").replace('"', '\\"')
    quoted = quoted.replace("%", "%%").replace("$", "$$")
    return '"{}"'.format("".join(f"\\x{ord(c):02x}" if ord(c) < 32 else c for c in quoted))


def _property_list(command: Sequence[str], folder: str | None) -> str:
    log = str(Path.home() / "Library" / "Logs" / f"{SERVICE}.log")
    content = {
        "Label": SERVICE,
        "ProgramArguments": [*command],
        **({} if folder is None else {"WorkingDirectory": folder}),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 30,
        "ProcessType": "Background",
        "StandardErrorPath": log,
    }
    return plistlib.dumps(content, sort_keys=False).decode()
