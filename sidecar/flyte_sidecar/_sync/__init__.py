"""Methods that block when called, and whose asynchronous version is ``.aio``.

    syncify           the decorators that make both versions of a method
    background_loop   the event loop on which all calls run, in a thread of its own
    shared_resource   what all calls share, closed while the process forks

The synchronicity package also does this. But it needs generated stubs for exact types, does not
survive a fork, takes two to three times as long for a call, and 10 ms longer to import.
"""

from flyte_sidecar._sync.background_loop import run_async, run_sync
from flyte_sidecar._sync.shared_resource import SharedResource
from flyte_sidecar._sync.syncify import (
    AsyncPageIterator,
    PageIterator,
    Pages,
    syncify,
    syncify_pages,
)

__all__ = [
    "AsyncPageIterator",
    "PageIterator",
    "Pages",
    "SharedResource",
    "run_async",
    "run_sync",
    "syncify",
    "syncify_pages",
]
