"""Limits on what a deployment may send in response to one request.

They are far beyond what real runs need, and keep a deployment that never stops from taking all
time or memory.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

from flyte_sidecar.backends.flyte.rpc.transport import OverLimit

if TYPE_CHECKING:
    from google.protobuf.message import Message

PAGES = 1000
"""Pages of one listing: 200,000 actions or runs."""

LISTED_BYTES = 64 << 20
"""Bytes of all pages of one listing."""

NAMED_BYTES = 32 << 20
"""Bytes that the names of all actions of one stream take in memory: some 200,000 names."""

NAME_BYTES = 128
"""Bytes that a name takes in memory beside its characters."""


class Listing:
    """The pages of one listing; `of` names what is listed."""

    def __init__(self, of: str) -> None:
        self._of = of
        self._bytes = 0
        self._requests: set[Hashable] = set()

    def add(self, page: Message, next_request: Hashable) -> None:
        """Count a page, after which another is to be requested.

        Parameters
        ----------
        page
            The response.
        next_request
            What distinguishes the next request, such as its token.

        Raises
        ------
        OverLimit
            If that request was sent before, or there are too many pages or bytes.
        """
        self._bytes += page.ByteSize()
        if next_request in self._requests:
            raise OverLimit(f"the listing of {self._of} never ends: a page token was repeated")
        self._requests.add(next_request)
        if len(self._requests) >= PAGES:
            raise OverLimit(f"the listing of {self._of} has more than {PAGES} pages")
        if self._bytes > LISTED_BYTES:
            raise OverLimit(f"the listing of {self._of} is larger than {LISTED_BYTES} bytes")


class Actions:
    """The actions of one stream; `of` names the stream."""

    def __init__(self, of: str) -> None:
        self._of = of
        self._bytes = 0
        self._names: set[str] = set()

    def add(self, names: Iterable[str]) -> None:
        """Count the actions of a message.

        Raises
        ------
        OverLimit
            If the stream has sent too many different ones.
        """
        for name in names:
            if name not in self._names:
                self._names.add(name)
                self._bytes += len(name) + NAME_BYTES
                if self._bytes > NAMED_BYTES:
                    raise OverLimit(f"{self._of} has more than {len(self._names) - 1} actions")
