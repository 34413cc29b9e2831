"""Opening the user's browser."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Literal

logger = logging.getLogger(__name__)

Browser = Literal["opened", "here", "elsewhere"]
"""Where a person opens a URL: the sidecar does it, in a browser of this machine, or on another."""

_OPEN = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1], new=2))"

_SIGNS = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME")
"""Environment variables of which one is set where a browser can be opened."""


def has_browser(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether this machine probably has a browser that the user sees."""
    if any(map(environment.get, _SIGNS)):
        return True
    return sys.platform in ("darwin", "win32") and not environment.get("SSH_CONNECTION")


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[None]:
    """Open a URL in the user's browser; a failure is only logged.

    Another process does it, since a browser may write to its standard output, and may not return
    before it is closed. That process ends with the work inside; the browser does not.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-c", _OPEN, url),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        logger.info("the browser cannot be opened: %s", getattr(error, "strerror", None))
        yield
        return
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
        elif process.returncode != 0:
            logger.info("no browser could be opened")
        await process.wait()
