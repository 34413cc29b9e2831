"""Locks between the sidecars of a user, so that one of them renews a login for all."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from errno import ENOENT
from hashlib import sha256
from pathlib import Path
from typing import Literal

Purpose = Literal["refresh", "login"]

logger = logging.getLogger(__name__)


@asynccontextmanager
async def login_lock(
    state_folder: Path | None, service: str, purpose: Purpose, timeout: float
) -> AsyncIterator[None]:
    """Hold a lock. Without it, work goes on: then two sidecars may do the same, and log that.

    Parameters
    ----------
    state_folder
        The user's folder for the state of all sidecars; None if it is unknown.
    service
        What the login is for.
    timeout
        Seconds to wait for another process.
    """
    lock = None
    try:
        from filelock import AsyncFileLock, Timeout

        if state_folder is None:
            raise FileNotFoundError(ENOENT, "the home folder is unknown")
        folder = state_folder / "locks"
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        name = f"{sha256(service.encode()).hexdigest()[:32]}.{purpose}.lock"
        # Without the executor, a cancelled task never leaves a lock behind that a thread acquires.
        acquired = AsyncFileLock(folder / name, timeout, run_in_executor=False)
        try:
            await acquired.acquire()
            lock = acquired
        except Timeout:
            logger.info("another process holds the %s lock for %g s", purpose, timeout)
    except (ImportError, NotImplementedError, OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        logger.info("no lock between sidecars for the %s of logins: %s", purpose, reason)
    try:
        yield
    finally:
        if lock is not None:
            with suppress(OSError):
                await lock.release()
