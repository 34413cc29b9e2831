"""The embedded store, and the events in it."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta

import psutil

from flyte_sidecar._futures import resolve
from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.backends.local.mounts import file_system
from flyte_sidecar.backends.local.mutations import user_name
from flyte_sidecar.backends.local.open_file import check_location
from flyte_sidecar.backends.local.ownership import LOG
from flyte_sidecar.cli.checks.finding import Finding, failed, ok, skipped, warning
from flyte_sidecar.cli.checks.run import Check, in_thread
from flyte_sidecar.cli.checks.selection import describe_scope
from flyte_sidecar.cli.quantities import events_wait
from flyte_sidecar.errors import SidecarError, StoreBusy
from flyte_sidecar.events.model import MAX_PAGE_LIMIT, Event, PendingQuery, Scope
from flyte_sidecar.server.settings import STORE_VARIABLE, Options, make_backend, store_path

FEW_FREE_BYTES = 100 * 10**6
"""Free disk space below which the store may soon fail."""

OLD = timedelta(days=7)
"""How long an event waits until it is probably forgotten."""

_ADVICE = {
    "not_a_store": f"select another path: --store PATH or {STORE_VARIABLE}; nothing was changed",
    "newer": "pip install --upgrade flyte-sidecar",
    "network": f"select a path on a disk of this machine: --store PATH or {STORE_VARIABLE}",
    "permissions": "make the file and its folder private to you (chmod 600 FILE, chmod 700 FOLDER),"
    f" or select another path: --store PATH or {STORE_VARIABLE}",
    "read_only": f"make it writable, or select another path: --store PATH or {STORE_VARIABLE}",
    "full": "free space on this disk",
    "io": "check the disk; if the file stays damaged, move it away: a new one is created",
    "replaced": "run the command again",
}
"""What to do if a store cannot be used, by the reason."""


def store_checks(options: Options, closing: AsyncExitStack) -> list[Check]:
    """Return the checks of the embedded store in order; `closing` closes it."""
    backend = LocalBackend(options.store)
    if options.backend == "local":
        configured = make_backend(options)
        assert isinstance(configured, LocalBackend)
        backend = configured
    closing.push_async_callback(backend.close)
    return StoreChecks(backend).checks


class StoreChecks:
    """The checks of the embedded store, which never create one."""

    def __init__(self, backend: LocalBackend) -> None:
        self._backend = backend
        self._path = backend.path
        self._scope = backend.scope(None, None, None)
        self._is_open = False
        self.checks: list[Check] = [
            Check("store", self._check_file),
            Check("disk", self._check_disk),
            Check("processes", self._check_processes),
            Check("waiting", self._check_waiting),
        ]

    async def _check_file(self) -> Sequence[Finding]:
        """Return whether the store can be used. An existing one is opened as for serving."""
        path = f"{self._path} ({_source(self._path)})"
        try:
            if not await in_thread(lambda: os.path.exists(self._path)):
                return [await in_thread(lambda: self._check_missing(path)), _user()]
            waiting = await resolve(self._backend.count_pending())
        except StoreBusy as error:
            return [failed("store", error.message, "end the process that locks it")]
        except SidecarError as error:
            advice = _ADVICE.get(error.data.get("reason", ""), _ADVICE["io"])
            return [failed("store", error.message, advice)]
        self._is_open = True
        total = sum(waiting.values())
        waits = events_wait(total) if total else "no events wait"
        facts = await in_thread(lambda: _describe_file(self._path))
        return [ok("store", f"{path}: {waits}, {facts}"), self._check_scope(waiting), _user()]

    async def _check_disk(self) -> Sequence[Finding]:
        """Return how much disk space is left."""
        free = await in_thread(lambda: shutil.disk_usage(_existing_folder(self._path)).free)
        detail = f"{free / 1e9:,.1f} GB free for the store"
        if free < FEW_FREE_BYTES:
            detail = f"{free / 1e6:,.1f} MB free for the store"
            return [warning("disk", detail, "free space on this disk")]
        return [ok("disk", detail)]

    async def _check_processes(self) -> Sequence[Finding]:
        """Return which other processes of the user have the store open."""
        if not self._is_open:
            return []
        if sys.platform == "win32":
            return [skipped("processes", "finding those that use the store takes minutes here")]
        found = await in_thread(lambda: _users(os.path.realpath(self._path)))
        return [ok("processes", f"using the store: {', '.join(found) or 'no other'}")]

    async def _check_waiting(self) -> Sequence[Finding]:
        """Return the events that have waited for so long that they may be forgotten."""
        if not self._is_open:
            return []
        query = PendingQuery(scope=self._scope, limit=MAX_PAGE_LIMIT)
        page = await resolve(self._backend.pending(query))
        before = datetime.now(UTC) - OLD
        old = [event for event in page.events if event.created_at and event.created_at < before]
        if not old:
            return [ok("waiting", f"no event has waited for more than {OLD.days} days")]
        more = "at least " if page.next_cursor and len(old) == len(page.events) else ""
        detail = f"{more}{len(old)} waited for more than {OLD.days} days, {_describe(old[0])} first"
        advice = f"flyte-sidecar abort --all --older-than {OLD.days}d ends them, after asking you"
        return [warning("waiting", detail, advice)]

    def _check_missing(self, path: str) -> Finding:
        check_location(self._path)
        folder = _existing_folder(self._path)
        if os.path.isdir(folder) and os.access(folder, os.W_OK):
            return ok("store", f"{path}: it will be created on first use")
        detail = f"{path}: it cannot be created, because {folder} is not a writable folder"
        return failed("store", detail, _ADVICE["read_only"])

    def _check_scope(self, waiting: dict[Scope, int]) -> Finding:
        """Return the scope of the events that verbs show, and whether others wait."""
        scope = describe_scope(self._backend)
        others = {other: count for other, count in waiting.items() if other != self._scope}
        if not others:
            return ok("scope", scope)
        other, count = max(others.items(), key=lambda item: item[1])
        options = shlex.join(_options(other))
        detail = f"{scope}; events of other scopes wait and are not shown: {sum(others.values())}"
        return warning("scope", detail, f"to see {count} of them, use {options}")


def _source(path: str) -> str:
    """Return what selects the path of the store."""
    variable = os.environ.get(STORE_VARIABLE)
    with suppress(OSError, RuntimeError, ValueError):  # it cannot be used, and was not
        if store_path(None) == path:
            return STORE_VARIABLE if variable else "the default"
    return "option --store"


def _existing_folder(path: str) -> str:
    """Return the nearest folder above a path that exists, or the root of a drive that does not."""
    folder = os.path.dirname(path)
    while not os.path.exists(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return folder


def _describe_file(path: str) -> str:
    """Return the size of the store with its log, its mode and its file system."""
    size = sum(os.stat(name).st_size for name in (path, path + LOG) if os.path.exists(name))
    facts = [f"{size / 1e6:,.1f} MB"]
    if sys.platform != "win32":
        facts.append(f"mode {stat.S_IMODE(os.stat(path).st_mode):04o}")
    if kind := file_system(os.path.realpath(path)):
        facts.append(kind)
    return ", ".join(facts)


def _user() -> Finding:
    """Return the name with which answers are recorded."""
    return ok("user", user_name() or "unknown")


def _users(path: str) -> list[str]:
    """Return the other processes that have a file open."""
    found: list[str] = []
    for process in psutil.process_iter(["name"]):
        try:
            uses = process.pid != os.getpid() and any(
                file.path == path for file in process.open_files()
            )
        except (psutil.Error, OSError):  # of another user, or gone
            continue
        if uses:
            found.append(f"{process.info['name']} ({process.pid})")
    return found


def _describe(event: Event) -> str:
    since = "" if event.created_at is None else f" (since {event.created_at:%Y-%m-%d})"
    return f"{event.name} of run {event.run_name}{since}"


def _options(scope: Scope) -> list[str]:
    """Return the options that select a scope."""
    parts = {"--org": scope.org, "--project": scope.project, "--domain": scope.domain}
    return [word for option, value in parts.items() if value for word in (option, value)]
