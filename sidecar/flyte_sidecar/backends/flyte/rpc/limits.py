"""Limits on what a deployment may send in response to one request.

They are far beyond the size of real runs. They keep a deployment whose responses never end from
using unlimited time or memory.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

from flyte_sidecar.backends.flyte.rpc.rpc_transport import LimitExceeded

if TYPE_CHECKING:
    from google.protobuf.message import Message

MAX_PAGES = 1000
"""Maximum number of pages of one listing: 200,000 actions or runs."""

MAX_LISTING_BYTES = 64 << 20
"""Maximum size of all pages of one listing, in bytes."""

MAX_NAMES_BYTES = 32 << 20
"""Maximum memory for the action names of one stream, in bytes: some 200,000 names."""

NAME_OVERHEAD_BYTES = 128
"""Memory that a name uses in addition to its characters, in bytes."""


class ListingLimit:
    """Limits one listing; `subject` describes it in error messages."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._bytes = 0
        self._requests: set[Hashable] = set()

    def add(self, page: Message, next_request: Hashable) -> None:
        """Count a page that is not the last one.

        Parameters
        ----------
        page
            The response.
        next_request
            What distinguishes the next request from the others, such as its token.

        Raises
        ------
        LimitExceeded
            If the next request was sent before, or there are too many pages or bytes.
        """
        self._bytes += page.ByteSize()
        listing = f"the listing of {self._subject}"
        if next_request in self._requests:
            raise LimitExceeded(f"{listing} does not end: the backend repeated a page token")
        self._requests.add(next_request)
        if len(self._requests) >= MAX_PAGES:
            raise LimitExceeded(f"{listing} has more than {MAX_PAGES} pages")
        if self._bytes > MAX_LISTING_BYTES:
            raise LimitExceeded(f"{listing} is larger than {MAX_LISTING_BYTES} bytes")


class WatchLimit:
    """Limits the number of actions in one stream; `subject` describes it in error messages."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._bytes = 0
        self._names: set[str] = set()

    def add(self, names: Iterable[str]) -> None:
        """Count the actions of a message.

        Raises
        ------
        LimitExceeded
            If the stream has sent too many different ones.
        """
        for name in names:
            if name not in self._names:
                self._names.add(name)
                self._bytes += len(name) + NAME_OVERHEAD_BYTES
                if self._bytes > MAX_NAMES_BYTES:
                    count = len(self._names) - 1
                    raise LimitExceeded(f"{self._subject} has more than {count} actions")
