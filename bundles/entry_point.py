"""The command of a bundle: a program that starts the Python beside it."""

from __future__ import annotations

import io
import zipfile
from importlib import resources

from bundles.platforms import Platform
from bundles.python_runtime import Runtime

# `-I`: the variables and packages of the user's own Python must not change this one.
_SCRIPT = """\
#!/bin/sh
self=$0
[ -L "$0" ] && self=$(readlink -f "$0")
exec "${{self%/*}}/{interpreter}" -I -m flyte_sidecar "$@"
"""

_SHEBANG = "#!<launcher_dir>\\..\\python.exe -I\r\n"

_MAIN = """\
from flyte_sidecar.cli.main import entry_point
entry_point()
"""


def write_entry_point(runtime: Runtime, platform: Platform) -> None:
    """Write the program."""
    path = runtime.root / platform.command
    path.parent.mkdir(exist_ok=True)
    if platform.os == "win32":
        path.write_bytes(_windows_program())
    else:
        path.write_text(_SCRIPT.format(interpreter=runtime.executable.name))
        path.chmod(0o755)


def _windows_program() -> bytes:
    """Return the launcher of distlib, followed by the interpreter's path and an archive to run.

    It is what pip installs for the scripts of a package, but with a relative path. When it is
    killed, the interpreter ends too.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("__main__.py", _MAIN)
    launcher = resources.files("distlib").joinpath("t64.exe").read_bytes()
    return launcher + _SHEBANG.encode() + archive.getvalue()
