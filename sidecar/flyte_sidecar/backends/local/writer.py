"""Committing mutations in a separate thread, many in one commit.

A commit waits for the disk, for microseconds or milliseconds, and must not block the event loop.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from flyte_sidecar._futures import try_set_exception, try_set_result
from flyte_sidecar.backends.local import migrations
from flyte_sidecar.backends.local.damaged_events import StoreConnection, exclude_broken_rows
from flyte_sidecar.backends.local.error_translation import SQLITE_ERRORS, translate_errors
from flyte_sidecar.backends.local.open_file import OpenFile
from flyte_sidecar.errors import SidecarError, StoreBusy, StoreUnavailable

T = TypeVar("T")
Mutation = Callable[[StoreConnection], T]
"""A function that runs inside a transaction; a SidecarError that it raises is its result."""

MAX_GROUP = 256
"""Maximum number of mutations that are committed together."""


class _Job:
    def __init__(self, work: Callable[..., Any], is_mutation: bool) -> None:
        self.work = work
        self.is_mutation = is_mutation
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.outcome: Any = None


class StoreWriter:
    """A thread that opens the store and runs mutations in the order in which they are submitted.

    Parameters
    ----------
    path
        The store's file.
    on_commit
        Called on the event loop after every commit, before the results are set.
    """

    def __init__(self, path: str, on_commit: Callable[[], None]) -> None:
        self._path = path
        self._on_commit = on_commit
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._file: OpenFile | None = None
        threading.Thread(target=self._work, name="store-writer", daemon=True).start()

    def open(self) -> asyncio.Future[OpenFile]:
        """Open the store, or reopen it; the caller must no longer use `OpenFile.reading`."""
        return self._submit(_Job(self._open, is_mutation=False))

    def commit(self, mutation: Mutation[T]) -> asyncio.Future[T]:
        """Commit a mutation; the future is done once it is durable, or has failed."""
        return self._submit(_Job(mutation, is_mutation=True))

    async def close(self) -> None:
        """Run what was submitted, then close the store."""
        self._jobs.put(None)
        await self._ended

    def _submit(self, job: _Job) -> asyncio.Future[Any]:
        self._jobs.put(job)
        return job.future

    def _work(self) -> None:
        ending = False
        while not ending:
            group = [self._jobs.get()]
            while len(group) < MAX_GROUP and not self._jobs.empty():
                group.append(self._jobs.get())
            jobs = [job for job in group if job is not None]
            ending = len(jobs) < len(group)
            self._run(jobs)
            self._call_on_loop(self._deliver, jobs)
        if self._file is not None:
            self._file.close()
        self._call_on_loop(self._ended.set_result, None)

    def _call_on_loop(self, callback: Callable[[T], None], argument: T) -> None:
        # If the loop is closed, nobody waits for the result any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, argument)

    def _deliver(self, jobs: list[_Job]) -> None:
        if any(job.is_mutation for job in jobs):
            self._on_commit()
        for job in jobs:
            if isinstance(job.outcome, BaseException):
                try_set_exception(job.future, job.outcome)
            else:
                try_set_result(job.future, job.outcome)

    def _run(self, jobs: list[_Job]) -> None:
        mutations: list[_Job] = []
        for job in jobs:
            if job.is_mutation:
                mutations.append(job)
                continue
            self._commit_group(mutations)
            mutations = []
            try:
                job.outcome = job.work()
            except Exception as error:
                job.outcome = error
        self._commit_group(mutations)

    def _commit_group(self, jobs: list[_Job]) -> None:
        """Commit a group together; if a member fails the transaction, commit each alone."""
        if not jobs:
            return
        try:
            self._transaction(jobs)
        except _GroupFailed as failed:
            if self._finds_broken_rows():
                self._commit_group(jobs)
            elif len(jobs) == 1:
                jobs[0].outcome = failed.error
            else:
                for job in jobs:
                    self._commit_group([job])
        except Exception as error:
            for job in jobs:
                job.outcome = error

    def _finds_broken_rows(self) -> bool:
        with suppress(*SQLITE_ERRORS):
            return self._file is not None and exclude_broken_rows(self._file.writing)
        return False

    def _transaction(self, jobs: list[_Job]) -> None:
        file = self._file or self._open()
        db = file.writing
        try:
            with translate_errors(self._path):
                db.execute("BEGIN IMMEDIATE")
                file.check_in_place("none")
                migrations.check_version(migrations.version(db), self._path)
            for job in jobs:
                job.outcome = self._run_mutation(job, db)
            with translate_errors(self._path, "unknown"):
                db.execute("COMMIT")
            file.check_in_place("unknown")
        except StoreUnavailable as error:
            # A disk without room for the group may have room for some of its members.
            if error.data["reason"] == "full" and error.data["outcome"] == "none":
                raise _GroupFailed(error) from error
            raise
        finally:
            if db.in_transaction:
                with suppress(sqlite3.Error):  # the first error is reported
                    db.execute("ROLLBACK")

    def _run_mutation(self, job: _Job, db: StoreConnection) -> Any:
        try:
            with translate_errors(self._path):
                result = job.work(db)
                if not db.in_transaction:
                    raise sqlite3.OperationalError("SQLite ended the transaction")
                return result
        except (StoreBusy, StoreUnavailable) as error:
            raise _GroupFailed(error) from error
        except SidecarError as error:
            return error
        except Exception as error:
            raise _GroupFailed(error) from error

    def _open(self) -> OpenFile:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._file = OpenFile(self._path)
        return self._file


class _GroupFailed(Exception):
    """A member failed the group's transaction, and the whole group was rolled back."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error
