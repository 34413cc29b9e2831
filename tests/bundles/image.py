"""A root file system without Python: a shell, `env`, glibc, Node and npm."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.conftest import needs, run, skip_or_fail

_ENTER = """
for folder in dev proc; do mount --rbind "/$folder" "$1/$folder"; done
mount --bind "$2" "$1/node"
root=$1; shift 2
exec chroot "$root" "$@"
"""

_START = """
PATH=/bin:/usr/bin:/node/bin
cd /home
exec "$@"
"""


class Image:
    """A root file system, in which programs run by `chroot` in namespaces of their own."""

    def __init__(self, root: Path, node: Path) -> None:
        """Create it in a new folder, with the Node that another one contains."""
        self._root = root
        self._node = node
        for folder in ("bin", "dev", "home", "node", "proc", "tmp", "usr/bin"):
            (root / folder).mkdir(parents=True)
        programs = [
            shutil.copy2(needs("sh"), root / "bin"),
            shutil.copy2(needs("env"), root / "usr/bin"),
        ]
        for library in {path for each in (*programs, node / "bin/node") for path in _needed(each)}:
            target = root / library.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(library, target)
        for name in ("npm", "npx"):
            (root / "bin" / name).symlink_to(f"/node/lib/node_modules/npm/bin/{name}-cli.js")

    def run(self, *command: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder `/home`, and return its status and output."""
        inside = ["/bin/sh", "-c", _START, "sh", *command]
        enter = ["unshare", "--map-root-user", "--mount", "sh", "-euc", _ENTER, "sh"]
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/home", **env}
        return run(*enter, self._root, self._node, *inside, env=env)

    def path(self, path: str) -> Path:
        """Return the path, outside, of a file in the image."""
        return self._root / path.lstrip("/")


def _needed(program: Path) -> set[Path]:
    """Return the shared libraries and the loader of a program."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
    return {Path(path) for path in re.findall(r"(/\S+) \(0x", done.stdout)}


def need_namespaces() -> None:
    """Skip or fail the test if this user cannot create namespaces."""
    command = [needs("unshare"), "--map-root-user", "--mount", "true"]
    if subprocess.run(command, check=False).returncode != 0:
        skip_or_fail("unshare cannot create namespaces")
