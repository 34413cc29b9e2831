"""The platforms for which there is a bundle, with the names that Node uses for them."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Platform:
    """An operating system and a processor, as Node's `process.platform` and `process.arch`."""

    os: str
    cpu: str

    @property
    def name(self) -> str:
        """The name of the platform, for example `linux-x64`."""
        return f"{self.os}-{self.cpu}"

    @property
    def command(self) -> PurePosixPath:
        """The path of the command in a bundle."""
        return PurePosixPath(
            "Scripts/flyte-sidecar.exe" if self.os == "win32" else "bin/flyte-sidecar"
        )


PLATFORMS = (
    Platform("linux", "x64"),
    Platform("linux", "arm64"),
    Platform("darwin", "arm64"),
    Platform("darwin", "x64"),
    Platform("win32", "x64"),
)

_CPUS = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}


def this_platform() -> Platform:
    """Return the platform that this process runs on."""
    machine = platform.machine().lower()
    return Platform(sys.platform, _CPUS.get(machine, machine))
