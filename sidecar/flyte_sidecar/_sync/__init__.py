"""Methods that block when called, and are asynchronous under ``.aio``.

    methods      the two forms of a method
    background   the event loop on which the work runs
    shared       what all calls share

The synchronicity package does this too, but it needs generated stubs to be typed exactly, does
not survive a fork, and takes two to three times as long a call and 10 ms more to import.
"""

from flyte_sidecar._sync.aio import AsyncItems, Items, Pages, blocking, paging
from flyte_sidecar._sync.background import bridge, run
from flyte_sidecar._sync.shared import Shared

__all__ = ["AsyncItems", "Items", "Pages", "Shared", "blocking", "bridge", "paging", "run"]
